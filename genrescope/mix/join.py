"""Recordings to one file: listened to, put in order, laid on each other, written piece by piece.

At no time are more than two recordings in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.confined import ConfinedDecoder
from genrescope.errors import AudioError
from genrescope.files import atomic_write
from genrescope.mastering.loudness import limit, master, peak_envelope
from genrescope.mix.analysis import LONGEST_S, Material, analyse
from genrescope.mix.cue import sheet
from genrescope.mix.order import in_order
from genrescope.mix.transition import Transition, cross_fade, plan, played
from genrescope.model.classifier import Classifier
from genrescope.progress import Progress, no_progress

Float32 = NDArray[np.float32]

SR = 44_100
LUFS, PEAK_DB = -14.0, -1.0

_AROUND_S = 0.3  # on each side of a transition, so that its limiter has come to rest
_MOST_WAV_S = (2**32 - 2**16) / (4 * SR)


@dataclass(frozen=True, eq=False)
class Placed:
    """A recording in a mix.

    Attributes:
        material: what was heard of it.
        starts: where it is the louder one from, s in the mix.
        transition: that leads to it; None of the first.
    """

    material: Material
    starts: float
    transition: Transition | None


@dataclass(frozen=True, eq=False)
class Mix:
    """A finished mix.

    Attributes:
        songs: in their order.
        duration: s.
    """

    songs: tuple[Placed, ...]
    duration: float


def mix(
    paths: Sequence[str], out: Path, *, classifier: Classifier | None = None,
    progress: Progress = no_progress,
) -> Mix:  # fmt: skip
    """Join recordings, and write a WAV file with a cue sheet beside it.

    Args:
        paths: two files at least.
        out: the WAV file, 44.1 kHz, 16 bits, stereo; the sheet has its name and the ending .cue.
        classifier: tells tempo and key, where its bundle does; the one that ships by default.
        progress: told recordings that were listened to and written, of all to be.

    Raises:
        AudioError: a file cannot be mixed, or the mix would be longer than a WAV file may be.
        ValueError: there are fewer than two.
    """
    if len(paths) < 2:
        raise ValueError(f"a mix needs two recordings at least, not {len(paths)}")
    with ConfinedDecoder() as decoder:
        return _mixed(paths, out, classifier or Classifier.load(), decoder, progress)


def _mixed(
    paths: Sequence[str], out: Path, classifier: Classifier, decoder: ConfinedDecoder,
    progress: Progress,
) -> Mix:  # fmt: skip
    recordings: list[Material] = []
    for place, path in enumerate(paths):
        recordings.append(analyse(path, classifier, decoder))
        progress(place + 1, 2 * len(paths), path)
    if sum(each.ends - each.begins for each in recordings) > _MOST_WAV_S:
        raise AudioError(str(out), "it would be longer than a WAV file may be", "Mix fewer files.")
    materials = in_order(recordings)
    transitions = [plan(a, b) for a, b in pairwise(materials)]
    with atomic_write(out) as part:
        made = _write(part, materials, transitions, decoder, progress)
    with atomic_write(out.with_suffix(".cue")) as part:
        tracks = [(song.material.name, song.starts) for song in made.songs]
        part.write_text(sheet(out.name, tracks), encoding="utf-8")
    return made


def _write(
    part: Path, materials: Sequence[Material], transitions: Sequence[Transition],
    decoder: ConfinedDecoder, progress: Progress,
) -> Mix:  # fmt: skip
    import soundfile

    songs: list[Placed] = []
    n_written = 0
    with soundfile.SoundFile(part, "w", SR, 2, format="WAV", subtype="PCM_16") as file:
        for starts, channels in _pieces(materials, transitions, decoder):
            if starts is not None:
                place = len(songs)
                at = (n_written + round(starts * SR)) / SR
                before = transitions[place - 1] if place else None
                songs.append(Placed(materials[place], at, before))
                progress(len(materials) + len(songs), 2 * len(materials), materials[place].path)
            file.write(channels.T)
            n_written += channels.shape[1]
    return Mix(tuple(songs), n_written / SR)


def _pieces(
    materials: Sequence[Material], transitions: Sequence[Transition], decoder: ConfinedDecoder
) -> Iterator[tuple[float | None, Float32]]:
    """Sound of the mix; with a piece in which a recording starts, where in it, s."""
    around = round(_AROUND_S * SR)
    song = _loaded(materials[0], decoder)
    first = round(materials[0].begins * SR)
    starts: float | None = 0.0
    for material, transition in zip(materials[1:], transitions, strict=True):
        after = _loaded(material, decoder)
        leaves = round(transition.before[0] * SR)
        enters = round(transition.after[-1] * SR)
        lead = min(around, leaves - first)
        yield starts, song[:, first : leaves - lead]
        faded = cross_fade(
            played(song, SR, transition.before, transition.times),
            played(after, SR, transition.after, transition.times),
        )
        tail = after[:, enters : enters + around]
        joined = np.concatenate([song[:, leaves - lead : leaves], faded, tail], axis=1)
        joined = limit(joined, peak_envelope(joined), SR, gain_db=0.0, peak_db=PEAK_DB)
        yield lead / SR + transition.duration / 2, joined
        starts = None
        song, first = after, enters + tail.shape[1]
    yield starts, song[:, first : round(materials[-1].ends * SR)]


def _loaded(material: Material, decoder: ConfinedDecoder) -> Float32:
    """A recording in stereo at `LUFS`, float32 (2, n_samples)."""
    import soxr

    samples, sr = decoder.decode_channels(material.path, max_duration_s=LONGEST_S)
    if sr != SR:
        samples = soxr.resample(samples, sr, SR)
    channels = np.ascontiguousarray(np.broadcast_to(samples.T, (2, len(samples))))
    mastered = master(channels, SR, lufs=LUFS, peak_db=PEAK_DB)
    if mastered.lufs < LUFS - 0.5:  # all peaks: the limiter takes as much once more
        mastered = master(mastered.channels, SR, lufs=LUFS, peak_db=PEAK_DB)
    return mastered.channels
