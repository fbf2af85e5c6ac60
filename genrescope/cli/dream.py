"""``genrescope dream``"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrescope.cli.options import PATH, bundle_option
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.dream.search import Dream


@click.command()
@click.argument("genre")
@click.option(
    "--out", type=PATH, metavar="FILE", default=Path("dream.wav"), help="The WAV file to write."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Seed of the search and the melodies.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=1600,
    metavar="N",
    help="Number of songs to try at most.",
)
@bundle_option()
@click.option("--json", "as_json", is_flag=True, help="Print the song's numbers as a JSON object.")
def dream(genre: str, out: Path, seed: int, steps: int, bundle: Path | None, as_json: bool) -> None:
    """Make up music that the net takes for a genre.

    A small synthesiser plays songs of 87 numbers (tempo, chords, drums, distortion, room, ...), and
    a search raises the net's probability of the genre: 20 s in stereo at -14 LUFS. The same seed
    gives the same song. Ctrl-C ends the search and writes the best song so far.

    The song shows what the net listens for, not what the genre is.
    """
    from genrescope.cli.progress import bar
    from genrescope.dream.search import SR, WANTED
    from genrescope.dream.search import dream as search
    from genrescope.files import atomic_write
    from genrescope.mastering.polish import to_wav
    from genrescope.model.classifier import Classifier

    classifier = Classifier.load(bundle, threads=1)
    if genre not in classifier.bundle.labels:
        labels = ", ".join(classifier.bundle.labels)
        raise click.BadParameter(f"there is no genre {genre!r}; there are {labels}")
    with bar("dreaming", WANTED * 100, unit="%", log=True) as shown:

        def report(n_tried: int, best: Dream) -> None:
            shown.update(min(best.worth, WANTED) * 100, note=f"{n_tried} songs")

        found = search(classifier, genre, seed=seed, steps=steps, report=report)
    with atomic_write(out) as part:
        part.write_bytes(to_wav(found.channels.T, SR))
    if as_json:
        echo(json.dumps({**_summary(found, bundle_name=classifier.bundle.name), "path": str(out)}))
        return
    song = found.song
    echo(
        f"{out}: {genre} {found.probability:.0%}, {song.tempo:.0f} bpm, {song.key} {song.mode}"
        + "".join(f", {flag}" for flag in found.prediction.flags)
    )


def _summary(found: Dream, *, bundle_name: str) -> dict[str, object]:
    return {
        "genre": found.genre,
        "probability": found.probability,
        "label": found.prediction.genre,
        "flags": list(found.prediction.flags),
        "seed": found.seed,
        "lufs": found.lufs,
        "bundle": bundle_name,
        "song": asdict(found.song),
    }
