"""A prediction in a notebook: as HTML that holds all it needs, and as a figure."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from genrescope.model.prediction import Prediction

HUES = (
    "#3a6fb3", "#8d6a1e", "#ae5a20", "#b8489b", "#7355b0",
    "#217f75", "#66707a", "#bd4a6e", "#447e2a", "#b23a26",
)  # fmt: skip
"""Colours of the labels in their order, in turn; the page has the same."""

LARGEST_SOUND = 20 * 2**20
"""A longer file is not put into a notebook, which would keep it."""


def to_html(prediction: Prediction, sound: bytes | None = None, media_type: str = "") -> str:
    """Bars, timeline and, where there is ``sound``, a player, as one piece of HTML.

    Nothing is loaded from anywhere, and every name is escaped.

    Args:
        prediction: what to show.
        sound: the bytes of a file that browsers play.
        media_type: of the sound, such as ``audio/ogg``.
    """
    title = "silence" if prediction.genre is None else prediction.genre
    flags = f" ({', '.join(prediction.flags)})" if prediction.flags else ""
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left;font-weight:normal'>{escape(label)}</th>"
        f"<td style='width:14em'>{_bar(_hue(prediction.labels, label), p)}</td>"
        f"<td style='text-align:right'>{p:.1%}</td></tr>"
        for label, p in ([] if prediction.genre is None else prediction.ranking())
    )
    return (
        f"<div><p><strong>{escape(title)}</strong>{escape(flags)}</p>"
        f"<table>{rows}</table>{_timeline(prediction)}{_player(sound, media_type)}</div>"
    )


def sound_of(path: str | None) -> tuple[bytes | None, str]:
    """The file at ``path`` and its media type; None where there is none that a player takes."""
    media_type = mimetypes.guess_type(path or "")[0] or ""
    if path is None or not media_type.startswith("audio/"):
        return None, ""
    try:
        with Path(path).open("rb") as file:
            sound = file.read(LARGEST_SOUND + 1)
    except OSError:
        return None, ""
    return (sound, media_type) if len(sound) <= LARGEST_SOUND else (None, "")


def draw(prediction: Prediction) -> Any:
    """The bars over the timeline, as a matplotlib ``Figure``.

    Raises:
        GenrescopeError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise GenrescopeError(
            "plot() needs matplotlib, which is not installed; pip install 'genrescope[plot]' "
            "brings it."
        ) from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    bars, line = figure.subplots(2, 1, height_ratios=(4, 1))
    ranking = prediction.ranking()[::-1]
    names = [label for label, _ in ranking]
    colours = [_hue(prediction.labels, label) for label in names]
    bars.barh(names, [p for _, p in ranking], color=colours)
    bars.set_xlim(0, 1)
    bars.set_xlabel("probability")
    bars.set_title(prediction.genre or "silence")
    for segment in prediction.timeline():
        line.barh(
            0, segment.end - segment.start, left=segment.start,
            color=_hue(prediction.labels, segment.label),
        )  # fmt: skip
    line.set_xlim(0, prediction.duration_s)
    line.set_yticks([])
    line.set_xlabel("s")
    return figure


def _hue(labels: Sequence[str], label: str) -> str:
    return HUES[list(labels).index(label) % len(HUES)]


def _bar(colour: str, share: float) -> str:
    return f"<div style='width:{share:.1%};height:.6em;background:{colour}'></div>"


def _timeline(prediction: Prediction) -> str:
    whole = max(prediction.duration_s, 1e-9)
    stretches = "".join(
        f"<span title='{escape(s.label, quote=True)}, {s.start:.1f} to {s.end:.1f} s, "
        f"{s.probability:.0%}' style='position:absolute;left:{s.start / whole:.2%};"
        f"width:{(s.end - s.start) / whole:.2%};height:100%;"
        f"background:{_hue(prediction.labels, s.label)}'></span>"
        for s in prediction.timeline()
    )
    return (
        "<div role='img' aria-label='genre over time' "
        f"style='position:relative;height:1.2em;max-width:30em'>{stretches}</div>"
    )


def _player(sound: bytes | None, media_type: str) -> str:
    if sound is None:
        return ""
    data = base64.b64encode(sound).decode()
    kind = escape(media_type, quote=True)
    return f"<audio controls src='data:{kind};base64,{data}'></audio>"
