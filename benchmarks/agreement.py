"""``python -m benchmarks.agreement``: does the same music get the same answer in 19 encodings?

Half a minute of each recording is written as 16-bit WAV, which is the reference, and in every
encoding; all are classified as files. The table goes to docs/results/agreement.md.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.harness import ROOT
from benchmarks.material import CLIPS
from genrescope.audio.decode import decode_channels
from genrescope.audio.formats import audio_files
from genrescope.model.classifier import Classifier

Samples = NDArray[np.float32]  # (n_samples, n_channels)
Encoder = Callable[[Samples, int], bytes]

SECONDS = 30.0
REFERENCE = "WAV, 16 bits"


def by_sndfile(
    samples: Samples, sr: int, *, form: str, subtype: str, rate: int | None = None
) -> bytes:
    """A file written by libsndfile, at another rate where one is given."""
    if rate is not None and rate != sr:
        samples, sr = soxr.resample(samples, sr, rate), rate
    file = io.BytesIO()
    options = {"compression_level": 0.7} if subtype == "VORBIS" else {}  # about quality 3
    with soundfile.SoundFile(
        file, "w", sr, samples.shape[1], format=form, subtype=subtype, **options
    ) as sound:
        for start in range(0, len(samples), 8192):  # more at once overflow the Vorbis encoder
            sound.write(samples[start : start + 8192])
    return file.getvalue()


def by_ffmpeg(
    samples: Samples, sr: int, *, container: str, codec: str, kbps: int = 0, rate: int | None = None
) -> bytes:
    """A file written by FFmpeg, at another rate where one is given."""
    rate = rate or sr
    layout = "stereo" if samples.shape[1] == 2 else "mono"
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if kbps:
            stream.bit_rate = 1000 * kbps
        for start in range(0, len(samples), sr):
            packed = np.ascontiguousarray(samples[start : start + sr]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts = sr, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


ENCODINGS: dict[str, Encoder] = {
    "WAV, 24 bits": partial(by_sndfile, form="WAV", subtype="PCM_24"),
    "WAV, float": partial(by_sndfile, form="WAV", subtype="FLOAT"),
    "WAV, 8 bits": partial(by_sndfile, form="WAV", subtype="PCM_U8"),
    "WAV at 48 kHz": partial(by_sndfile, form="WAV", subtype="PCM_16", rate=48_000),
    "WAV at 16 kHz": partial(by_sndfile, form="WAV", subtype="PCM_16", rate=16_000),
    "AIFF": partial(by_sndfile, form="AIFF", subtype="PCM_16"),
    "FLAC": partial(by_sndfile, form="FLAC", subtype="PCM_16"),
    "ALAC": partial(by_ffmpeg, container="ipod", codec="alac"),
    "mp3, 320 kb/s": partial(by_ffmpeg, container="mp3", codec="libmp3lame", kbps=320),
    "mp3, 128 kb/s": partial(by_ffmpeg, container="mp3", codec="libmp3lame", kbps=128),
    "mp3, 64 kb/s": partial(by_ffmpeg, container="mp3", codec="libmp3lame", kbps=64),
    "mp3, 64 kb/s at 22 kHz": partial(
        by_ffmpeg, container="mp3", codec="libmp3lame", kbps=64, rate=22_050
    ),
    "Ogg Vorbis, quality 3": partial(by_sndfile, form="OGG", subtype="VORBIS"),
    "Opus, 96 kb/s": partial(by_ffmpeg, container="ogg", codec="libopus", kbps=96, rate=48_000),
    "Opus, 24 kb/s": partial(by_ffmpeg, container="ogg", codec="libopus", kbps=24, rate=48_000),
    "AAC, 128 kb/s": partial(by_ffmpeg, container="ipod", codec="aac", kbps=128),
    "AAC in ADTS, 128 kb/s": partial(by_ffmpeg, container="adts", codec="aac", kbps=128),
    "WMA, 128 kb/s": partial(by_ffmpeg, container="asf", codec="wmav2", kbps=128),
    "mu-law at 8 kHz": partial(by_sndfile, form="WAV", subtype="ULAW", rate=8_000),
}


@dataclass(frozen=True)
class Agreement:
    """How the answers to one encoding agree with those to the reference.

    Attributes:
        encoding: of `ENCODINGS`.
        n: recordings.
        turned: names of those whose genre is another.
        mean, largest: change of a probability, the largest of each recording's.
    """

    encoding: str
    n: int
    turned: tuple[str, ...]
    mean: float
    largest: float


def excerpts(folder: Path) -> Iterator[tuple[str, Samples, int]]:
    """Name, samples and rate in Hz of each recording's first half minute, in its own rate."""
    for path in audio_files(folder, unreadable=lambda error: None):
        samples, sr = decode_channels(path)
        samples = samples[: round(SECONDS * sr)]
        yield path.name, samples / max(1.0, float(np.abs(samples).max())), sr


def measure(classifier: Classifier, folder: Path) -> list[Agreement]:
    """The table, in the order of `ENCODINGS`."""
    wav = partial(by_sndfile, form="WAV", subtype="PCM_16")
    changes: dict[str, list[tuple[str, bool, float]]] = {name: [] for name in ENCODINGS}
    for name, samples, sr in excerpts(folder):
        reference = classifier.classify(wav(samples, sr))
        for encoding, encode in ENCODINGS.items():
            answer = classifier.classify(encode(samples, sr))
            change = float(np.abs(answer.clip_probs - reference.clip_probs).max())
            changes[encoding].append((name, answer.genre != reference.genre, change))
    return [
        Agreement(
            encoding,
            len(found),
            tuple(name for name, is_other, _ in found if is_other),
            float(np.mean([change for *_, change in found])),
            float(np.max([change for *_, change in found])),
        )
        for encoding, found in changes.items()
        if found
    ]


def markdown(rows: list[Agreement], *, music: str, bundle: str) -> str:
    facts = machine.facts()
    lines = [
        "# The same music in other encodings",
        "",
        f"`python -m benchmarks.agreement`, {facts['date']}: the first {SECONDS:g} s of {music}, "
        f"classified by the bundle {bundle} as {REFERENCE}, and in each encoding. A change is the "
        "largest of any genre's probability.",
        "",
        "| encoding | other genre | mean change | largest change | which |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.encoding} | {len(row.turned)} of {row.n} | {row.mean:.3f} | {row.largest:.3f} "
        f"| {', '.join(row.turned)} |"
        for row in rows
    ]
    return "\n".join([*lines, "", f"Versions: {facts['versions']}.", ""])


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--bundle", metavar="FOLDER", help="model, where not the one that ships")
    parser.add_argument(
        "--folder", type=Path, default=CLIPS, help="recordings (default: the eight shared clips)"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "results" / "agreement.md", metavar="FILE"
    )
    chosen = parser.parse_args(arguments)
    classifier = Classifier.load(chosen.bundle, threads=1)
    rows = measure(classifier, chosen.folder)
    if not rows:
        parser.error(f"there is no recording in {chosen.folder}")
    music = "eight freely licensed recordings" if chosen.folder == CLIPS else "other recordings"
    text = markdown(rows, music=music, bundle=classifier.bundle.name)
    chosen.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
