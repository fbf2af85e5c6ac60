"""Pictures of results: curves, confusion matrices, protocols side by side.

All are drawn on a transparent ground with few colours, those of Okabe and Ito's set that are told
apart by colour-blind readers. `svg` gives markup for a page: its ink takes the page's own colour,
so that one picture serves light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genrescope.data.splits import protocol_title
from genrescope.lab.plots import FAINT, INK, hues
from genrescope.model.interval import Interval

HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SEQUENTIAL = LinearSegmentedColormap.from_list("ink", ["#0072b200", "#0072b2ff"])


def draw_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
    """Accuracy and loss of each epoch: training dashed, validation solid.

    Args:
        histories: name of a net -> its epochs, with the fields of
            `genrescope.lab.training.run.Epoch`; None where it was not validated.
        title: written below, such as the protocol.
    """
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    axes: Any = figure.subplots(1, 2)
    for ax, what in zip(axes, ("accuracy", "loss"), strict=True):
        for (name, history), hue in zip(histories.items(), hues(len(histories), HUES), strict=True):
            for part, style in (("train", (0, (4, 2))), ("valid", "solid")):
                points = [
                    (epoch["epoch"] + 1, epoch[f"{part}_{what}"])
                    for epoch in history
                    if epoch[f"{part}_{what}"] is not None
                ]
                if not points:
                    continue
                xs, ys = zip(*points, strict=True)
                label = name if part == "valid" or history[-1]["valid_loss"] is None else None
                width = 2.0 if part == "valid" else 1.1
                ax.plot(xs, ys, color=hue, linestyle=style, linewidth=width, label=label)
        _calm(ax)
        ax.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.6)
        ax.set_xlabel("epoch", color=INK)
        ax.set_title(what, loc="left", color=INK, fontsize=11, fontweight="bold")
    axes[0].set_ylim(0, 1)
    axes[1].set_ylim(bottom=0)
    axes[0].legend(frameon=False, labelcolor=INK, fontsize=9, loc="lower right")
    validated = any(e["valid_loss"] is not None for epochs in histories.values() for e in epochs)
    key = "dashed: training" + ("   solid: validation" if validated else "")
    figure.text(1.0, -0.02, key, ha="right", va="top", color=FAINT, fontsize=8)
    figure.text(0.0, -0.02, title, ha="left", va="top", color=FAINT, fontsize=8)
    return figure


def draw_confusion(
    confusion: NDArray[Any] | Sequence[Sequence[int]], labels: Sequence[str], title: str
) -> Figure:
    """A confusion matrix: rows are the truth; cells say per cent of their row.

    Args:
        confusion: counts (n_classes, n_classes).
        labels: of the classes.
        title: written above.
    """
    counts = np.asarray(confusion, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    size = 1.6 + 0.42 * len(labels)
    figure = Figure(figsize=(size, size - 0.3), layout="constrained")
    ax = figure.add_subplot()
    ax.pcolormesh(share, cmap=SEQUENTIAL, vmin=0, vmax=1)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    for (i, j), value in np.ndenumerate(share):
        if counts[i, j]:
            color = "white" if value > 0.5 else INK
            ax.text(
                j + 0.5,
                i + 0.5,
                f"{value:.0%}"[:-1],
                ha="center",
                va="center",
                fontsize=8,
                color=color,
            )
    ticks = np.arange(len(labels)) + 0.5
    ax.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ticks, labels)
    ax.set_xlabel("predicted", color=INK)
    ax.set_ylabel("truth", color=INK)
    ax.set_title(title, loc="left", color=INK, fontsize=10)
    _calm(ax)
    ax.tick_params(length=0, labelsize=9)
    return figure


def draw_protocols(
    rows: Mapping[str, Mapping[str, Interval]], *, chance: float | None = None
) -> Figure:
    """Accuracy of each model under each protocol, with intervals, on one scale.

    Args:
        rows: model -> protocol -> accuracy.
        chance: accuracy of guessing, drawn as a line.
    """
    protocols = list(dict.fromkeys(p for marks in rows.values() for p in marks))
    figure = Figure(figsize=(9.5, 1.1 + 0.52 * len(rows)), layout="constrained")
    ax = figure.add_subplot()
    for y, marks in enumerate(rows.values()):
        for k, (protocol, hue) in enumerate(
            zip(protocols, hues(len(protocols), HUES), strict=True)
        ):
            if protocol not in marks:
                continue
            mark = marks[protocol]
            at = y + (k - (len(protocols) - 1) / 2) * 0.17
            ax.plot([mark.low, mark.high], [at, at], color=hue, linewidth=2, alpha=0.55)
            ax.plot(
                mark.value, at, color=hue, marker="osD^v<"[k % 6], markersize=6, linestyle="none",
                label=protocol,
            )  # fmt: skip
    if chance is not None:
        ax.axvline(chance, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("accuracy", color=INK)
    ax.grid(axis="x", color=FAINT, alpha=0.25, linewidth=0.6)
    _calm(ax)
    handles, names = ax.get_legend_handles_labels()
    once = dict(zip(names, handles, strict=True))
    figure.legend(
        [once[p] for p in protocols],
        [protocol_title(p) for p in protocols],
        frameon=False, labelcolor=INK, fontsize=9, loc="outside upper left", ncols=4,
    )  # fmt: skip
    return figure


def svg(figure: Figure, name: str) -> str:
    """A figure as an ``<svg>`` element that may stand in a page beside others.

    Args:
        figure: drawn by this module.
        name: short and unique on the page; its identifiers start from it.
    """
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(
            file, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
        )
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    # Identifiers that are used are hashed with the name; the others would meet their doubles.
    used = set(re.findall(r"#([\w.-]+)", text))
    return re.sub(
        r' id="([^"]*)"', lambda found: found.group() if found.group(1) in used else "", text
    )


def png(figure: Figure, *, ground: str = "#ffffff") -> bytes:
    """A figure as a PNG file on a ground of one colour."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150, facecolor=ground, bbox_inches="tight")
    return file.getvalue()


def _calm(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(colors=INK, labelsize=9, length=2, width=0.6)
    ax.patch.set_alpha(0)
