"""``python -m benchmarks.dreams``: the dreams of the net that ships, for its page and its document.

A few seconds of each go to genrescope/web/static/dreams/, pictures to docs/dreams/, and the tables
between the marks of docs/dreams.md. To be run again for each net that ships; takes minutes.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.agreement import by_ffmpeg
from benchmarks.harness import ROOT
from genrescope.audio.waveform import Waveform
from genrescope.dream.reasons import Reason, reasons
from genrescope.dream.score import write
from genrescope.dream.search import SECONDS, SR, STEPS, Dream, dream, probability_of
from genrescope.model.classifier import Classifier

EXCERPT_S, KBPS = 8.0, 32
PICTURE = (360, 128)
"""Width and height of the pictures, pixels."""
MARKS = ("<!-- dreams: made by `python -m benchmarks.dreams` -->", "<!-- end of dreams -->")

_DECISIVE = 1.0  # nats that a change must cost to be named


@dataclass(frozen=True, eq=False)
class Row:
    """A genre's dream, and what was asked about it.

    Attributes:
        dream: the song.
        seconds: of processor time that its search took.
        reasons: what becomes of it by changes, the greatest loss first.
        others: what other nets take it for: name, genre, probability of the genre dreamt of.
    """

    dream: Dream
    seconds: float
    reasons: list[Reason]
    others: list[tuple[str, str | None, float]]


def make_row(classifier: Classifier, genre: str, others: Sequence[Classifier], steps: int) -> Row:
    """Dream of a genre, and ask what decides and what other nets say."""
    began = time.process_time()
    found = dream(classifier, genre, steps=steps)
    seconds = time.process_time() - began
    sound = Waveform(found.channels.mean(axis=0), SR)
    answers = [(other.bundle.name, other.classify(sound)) for other in others]
    return Row(
        found,
        seconds,
        reasons(classifier, found.song, genre, seed=found.seed),
        [(name, answer.genre, probability_of(answer, genre)) for name, answer in answers],
    )


def excerpt(found: Dream) -> bytes:
    """The first seconds in mono, Ogg Opus, faded out."""
    sound = found.channels.mean(axis=0)[: round(EXCERPT_S * SR)].copy()
    n_fade = round(0.5 * SR)
    sound[-n_fade:] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    return by_ffmpeg(
        sound[:, np.newaxis], SR, container="ogg", codec="libopus", kbps=KBPS, rate=48_000
    )


def picture(classifier: Classifier, found: Dream) -> bytes:
    """The mel spectrogram of the first seconds, WebP; time to the right, frequency upwards."""
    from PIL import Image

    sound = Waveform(found.channels.mean(axis=0)[: round(EXCERPT_S * SR)], SR)
    log_mel = classifier.features(sound).log_mel
    shade = np.clip((log_mel - log_mel.max() + 70) / 70, 0, 1)[::-1, :, np.newaxis]
    # From night over violet to amber.
    dark, middle, light = np.array([[12, 12, 30], [130, 40, 120], [255, 205, 110]])
    colour = np.where(
        shade < 0.5, dark + 2 * shade * (middle - dark), middle + (2 * shade - 1) * (light - middle)
    )
    file = io.BytesIO()
    image = Image.fromarray(colour.round().astype(np.uint8))
    image.resize(PICTURE, Image.Resampling.BICUBIC).save(file, "WEBP", quality=70)
    return file.getvalue()


def played(found: Dream) -> str:
    """The song in words."""
    song = found.song
    layers = write(song, SECONDS, seed=found.seed).layers
    loud = [name for name in ("bass", "chords", "pad", "lead") if name in layers]
    parts = [f"{song.tempo:.0f} bpm in {song.beats_per_bar}/4", f"{song.key} {song.mode}"]
    if {"kick", "snare", "hat"} & set(layers):
        parts.append(f"bass drum on {song.kick_place}, snare on {song.snare_place}")
    else:
        parts.append("no drums")
    if "bass" in loud:
        parts.append(f"bass: {song.bass_style}")
    if "chords" in loud:
        driven = ", distorted" if song.chord_drive > 12 else ""
        parts.append(f"chords: {song.voicing}, {song.chord_rhythm}{driven}")
    if "lead" in loud:
        voice = "a voice-like" if song.lead_voice > 0.5 else "a"
        parts.append(f"{voice} melody{', distorted' if song.lead_drive > 12 else ''}")
    if "pad" in loud:
        parts.append("held strings")
    return "; ".join(parts)


def goes_by(row: Row) -> str:
    """What the net seems to go by, in words."""
    decisive = [reason for reason in row.reasons if reason.loss >= _DECISIVE][:3]
    if not decisive:
        first = row.reasons[0]
        return f"no single thing: {first.change} costs most, and {first.probability:.0%} are left"
    return "; ".join(
        f"{reason.change} {reason.probability:.0%}"
        + (f" ({reason.genre})" if reason.genre not in (None, row.dream.genre) else "")
        for reason in decisive
    )


def table(rows: Sequence[Row], bundle: str) -> str:
    """The part of docs/dreams.md between its marks."""
    names = [name for name, _, _ in rows[0].others]
    embeddings = np.stack([row.dream.prediction.embedding for row in rows])
    alike = embeddings @ embeddings.T - 2 * np.eye(len(rows))
    nearest = np.unravel_index(int(alike.argmax()), alike.shape)
    pair = " and ".join(rows[i].dream.genre for i in nearest)
    lines = [
        MARKS[0],
        "",
        f"By {bundle}, seed 0. Probabilities are of the finished 20 s.",
        "",
        f"| genre | sound | spectrogram | {bundle} | "
        + "".join(f"{name} | " for name in names)
        + "what plays | after one change |",
        "|---" * (6 + len(names)) + "|",
    ]
    for row in rows:
        genre = row.dream.genre
        others = "".join(
            f"{probability:.0%}{'' if named == genre else f' ({named})'} | "
            for _, named, probability in row.others
        )
        lines.append(
            f"| {genre} | [hear](../genrescope/web/static/dreams/{genre}.ogg) "
            f"| ![{genre}](dreams/{genre}.webp) | {row.dream.worth:.0%} | {others}"
            f"{played(row.dream)} | {goes_by(row)} |"
        )
    reached = sum(row.dream.worth >= 0.8 for row in rows)
    agreed = ", ".join(
        f"{name} with {sum(row.others[i][1] == row.dream.genre for row in rows)}"
        for i, name in enumerate(names)
    )
    lines += [
        "",
        f"- {reached} of {len(rows)} genres reach 80 %; the longest search took "
        f"{max(row.seconds for row in rows):.0f} s of one core.",
        f"- The two dreams most alike are those of {pair}: cosine of their embeddings "
        f"{alike.max():.2f}.",
        *([f"- Of {len(rows)} dreams, these nets agree: {agreed}."] if names else []),
        "",
        MARKS[1],
    ]
    return "\n".join(lines)


def publish(
    classifier: Classifier, others: Sequence[Classifier], root: Path, *, steps: int = STEPS
) -> None:
    """Write sounds, pictures, tables, and the list of what the page can play, below a root."""
    static, pictures = root / "genrescope/web/static", root / "docs/dreams"
    for folder in (static / "dreams", pictures):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
    rows = []
    for genre in classifier.bundle.labels:
        row = make_row(classifier, genre, others, steps)
        (static / "dreams" / f"{genre}.ogg").write_bytes(excerpt(row.dream))
        (pictures / f"{genre}.webp").write_bytes(picture(classifier, row.dream))
        print(f"{genre}: {row.dream.worth:.2f} in {row.seconds:.0f} s {row.others}", flush=True)
        rows.append(row)
    convinced = [row.dream.genre for row in rows if row.dream.worth >= 0.5]
    (static / "dreamt.js").write_text(
        "// Whose dreams the page can play; made by `python -m benchmarks.dreams`.\n\n"
        f"export const bundle = {json.dumps(classifier.bundle.name)};\n"
        f"export const genres = {json.dumps(convinced)};\n",
        encoding="utf-8",
    )
    page = root / "docs/dreams.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, behind = rest.partition(MARKS[1])
    page.write_text(before + table(rows, classifier.bundle.name) + behind, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="the net; the one that ships by default")
    parser.add_argument(
        "--other", type=Path, action="append", default=[], help="a net that is asked as well"
    )
    options = parser.parse_args()
    others = [Classifier.load(folder, threads=1) for folder in options.other]
    publish(Classifier.load(options.bundle, threads=1), others, ROOT)


if __name__ == "__main__":
    main()
