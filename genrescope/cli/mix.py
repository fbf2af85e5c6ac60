"""``genrescope mix``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrescope.cli.options import PATH, bundle_option
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from genrescope.mix.join import Placed


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option(
    "--out", type=PATH, metavar="FILE", default=Path("mix.wav"), help="The WAV file to write."
)
@bundle_option()
def mix(paths: tuple[str, ...], out: Path, bundle: Path | None) -> None:
    """Join recordings into one, beat on beat.

    They are put in the order of least friction by tempo, key and spectral balance, made equally
    loud (-14 LUFS, peaks at -1 dB), and cross-faded so that their beats coincide. Tempi up to 8 %
    apart are matched in the transition, as on a turntable; others change within a beat.

    A cue sheet is written beside the mix.
    """
    from genrescope.cli.progress import clips_bar
    from genrescope.mix.join import mix as join
    from genrescope.model.classifier import Classifier

    if len(paths) < 2:
        raise click.BadParameter("a mix needs two recordings at least", param_hint="FILE...")
    if out.suffix.lower() == ".cue":
        raise click.BadParameter("the sheet has this name; choose another", param_hint="--out")
    classifier = Classifier.load(bundle)
    with clips_bar("mixing") as report:
        made = join(paths, out, classifier=classifier, progress=report)
    for song in made.songs:
        echo(_line(song))
    echo(f"{out}: {_clock(made.duration)}, chapters in {out.with_suffix('.cue')}")


def _line(song: Placed) -> str:
    material, transition = song.material, song.transition
    how = "" if transition is None else f", {transition.words()}"
    return (
        f"{_clock(song.starts)}  {material.name}: {material.tempo:.0f} bpm, "
        f"{material.key_name}{how}"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
