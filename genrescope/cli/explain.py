"""``genrescope explain``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrescope.cli.options import PATH, bundle_option
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.model.explain import Explanation

LOUDNESS_LUFS, PEAK_DB = -20.0, -1.0
"""Of every sound that is written, so that the parts can be compared by ear."""

LONGEST_S = 900.0


@click.command()
@click.argument("path", type=click.Path(), metavar="FILE")
@click.option(
    "--genre",
    metavar="GENRE",
    help="The genre to explain; the one that the recording is given if absent.",
)
@click.option(
    "--out",
    type=PATH,
    metavar="FOLDER",
    help="Write explanation.json, overlay.png and the three sounds as WAV into this folder.",
)
@bundle_option()
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as one JSON object.")
def explain(
    path: str, genre: str | None, out: Path | None, bundle: Path | None, as_json: bool
) -> None:
    """Say why a recording is given its genre: which moments and frequencies decide, and how surely.

    Parts of the spectrogram are hidden one after the other; what lowers the probability of the
    genre most has decided. Two areas say how true that is: the mean probability of the genre while
    what decided is taken away first (lower is better) and put in first (higher is better), each
    beside that of random order.

    With --out the recording's own sound is written in three parts, equally loud: what decided, what
    did not matter, and what spoke against.
    """
    from contextlib import closing

    from genrescope.audio.isolation import FOLDER_LIMITS
    from genrescope.cli.progress import clips_bar
    from genrescope.model.classifier import Classifier
    from genrescope.model.isolation import IsolatedFeatures

    classifier = Classifier.load(bundle)
    if genre is not None and genre not in classifier.bundle.labels:
        labels = ", ".join(classifier.bundle.labels)
        raise click.BadParameter(f"there is no genre {genre!r}; there are {labels}")
    decoders = IsolatedFeatures(
        classifier.bundle, processes=1, memory_bytes=FOLDER_LIMITS.memory_bytes
    )
    with clips_bar("explaining") as report, closing(decoders.sandbox):
        recording = decoders.recording_in_time(path, max_duration_s=LONGEST_S)
        explanation = classifier.explain_features(
            recording.clip, genre, waveform=recording.waveform, name=path, progress=report
        )
    if out is not None:
        _write(explanation, out)
    echo(json.dumps(explanation.to_dict()) if as_json else _in_words(path, explanation))


def _in_words(path: str, explanation: Explanation) -> str:
    fidelity = explanation.fidelity
    return "\n".join(
        (
            f"{path}: {explanation.genre}, {explanation.words}",
            f"  taken away: {fidelity.deletion_auc:.3f} (random order "
            f"{fidelity.random_deletion_auc:.3f}; lower is truer)",
            f"  put in: {fidelity.insertion_auc:.3f} (random order "
            f"{fidelity.random_insertion_auc:.3f}; higher is truer)",
        )
    )


def _write(explanation: Explanation, out: Path) -> None:
    """Write everything into a folder that is made where it is absent."""
    import numpy as np
    import soundfile as sf

    from genrescope.files import atomic_write
    from genrescope.mastering.loudness import master
    from genrescope.model.overlay import draw_overlay

    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "explanation.json") as part:
        part.write_text(json.dumps(explanation.to_dict(), indent=1) + "\n", encoding="utf-8")
    with atomic_write(out / "overlay.png") as part:
        part.write_bytes(draw_overlay(explanation))
    for name, waveform in explanation.sounds().items():
        channels = np.ascontiguousarray(waveform.samples[np.newaxis])
        loud = master(channels, waveform.sr, lufs=LOUDNESS_LUFS, peak_db=PEAK_DB)
        with atomic_write(out / f"{name.replace(' ', '-')}.wav") as part, part.open("wb") as file:
            sf.write(file, loud.channels.T, waveform.sr, format="WAV", subtype="PCM_16")
