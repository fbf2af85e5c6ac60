"""Whether the same recording is found in other guises, and others of its genre are not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.agreement import by_ffmpeg
from benchmarks.collection_scale import Figure
from genrescope.audio.decode import decode
from genrescope.library.catalogue import Catalogue
from genrescope.library.duplicates import find_duplicates
from genrescope.library.fingerprint import difference
from genrescope.library.fpcalc import available_fingerprints
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle

SHORTEST_S = 10.0
MOST_DISGUISED = 59


def duplicates(music: Path, *, pairs: int = 2_000, seed: int = 0) -> Iterator[Figure]:
    """Pairs of one genre that are not the same, and one recording in several guises.

    Args:
        music: a folder with a sub-folder of recordings for each genre; those of `SHORTEST_S` and
            more are used.
    """
    sounds = [
        path
        for path in sorted(music.glob("*/*.flac"))
        if soundfile.info(path).duration >= SHORTEST_S
    ]
    chosen = sounds[:: max(1, len(sounds) // MOST_DISGUISED)]
    with tempfile.TemporaryDirectory(prefix="genrescope-duplicates-") as temporary:
        guises = {path: _guises(path, Path(temporary, str(i))) for i, path in enumerate(chosen)}
        yield from _by_prints(sounds, guises, pairs, seed)
        yield from _whole_way(sounds, guises, Path(temporary))


def _by_prints(
    sounds: list[Path], guises: dict[Path, list[Path]], pairs: int, seed: int
) -> Iterator[Figure]:
    with closing(available_fingerprints()) as fingerprints:
        kind, hop_s, same = fingerprints.kind, fingerprints.hop_s, fingerprints.same
        bits = {path: fingerprints.of(path) for path in (*sounds, *chain(*guises.values()))}
    every = [(a, b) for a, b in combinations(sounds, 2) if a.parent == b.parent]
    order = np.random.default_rng(seed).permutation(len(every))[:pairs]
    apart = [difference(bits[every[i][0]], bits[every[i][1]], hop_s=hop_s) for i in order]
    wrong = sum(value < same for value in apart)
    yield Figure(
        f"duplicates by {kind}: false among {len(apart):,} pairs of one genre",
        f"{wrong}, the nearest {min(apart):.2f} (the same is below {same:g})",
        "0",
        wrong == 0,
    )
    found = [
        difference(bits[path], bits[guise], hop_s=hop_s)
        for path, changed in guises.items()
        for guise in changed
    ]
    recall = float(np.mean([value < same for value in found]))
    yield Figure(
        f"duplicates by {kind}: recall over mp3 128, opus 96, 6 dB up and down, 1 s later "
        f"({len(found)} files)",
        f"{recall:.3f}, the farthest {max(found):.2f}",
        ">= .99",
        recall >= 0.99,
    )


def _whole_way(
    sounds: list[Path], guises: dict[Path, list[Path]], folder: Path
) -> Iterator[Figure]:
    """As the verbs do it: scan, judge, and what they propose is compared."""
    bundle = Bundle.load()
    for i, path in enumerate(sounds):
        (folder / f"original {i}.flac").write_bytes(path.read_bytes())
    recording = {f"original {i}.flac": path for i, path in enumerate(sounds)}
    recording |= {guise.name: path for path, changed in guises.items() for guise in changed}
    with Catalogue(folder / "library.db") as catalogue:
        scan(catalogue, [folder])
        judge(catalogue, bundle)
        number = catalogue.bundle_id(bundle)
        vectors = load_vectors(catalogue, number, bundle.labels)
        groups = find_duplicates(catalogue, number, vectors)
    together = {
        frozenset(pair)
        for group in groups
        for pair in combinations([Path(song.path).name for song in group.songs], 2)
    }
    false = sum(len({recording[name] for name in pair}) > 1 for pair in together)
    name_of = {path: name for name, path in recording.items() if name.startswith("original")}
    found = [
        frozenset((name_of[path], guise.name)) in together
        for path, changed in guises.items()
        for guise in changed
    ]
    recall = float(np.mean(found))
    yield Figure(
        f"duplicates among {len(recording)} files, scanned, judged and grouped",
        f"recall {recall:.3f}, {false} false pairs",
        ">= .99, 0",
        recall >= 0.99 and false == 0,
    )


def _guises(path: Path, folder: Path) -> list[Path]:
    """The recording as mp3 and opus, louder, softer, and begun a second later."""
    folder.mkdir()
    sound = decode(path, sr=None)
    y, sr = sound.samples, sound.sr
    written = [folder / f"{folder.name} {name}" for name in ("a.mp3", "b.opus")]
    codecs = (("mp3", "libmp3lame", 128, None), ("ogg", "libopus", 96, 48_000))
    for out, (container, codec, kbps, rate) in zip(written, codecs, strict=True):
        data = by_ffmpeg(y[:, None], sr, container=container, codec=codec, kbps=kbps, rate=rate)
        out.write_bytes(data)
    for name, changed in (("louder", 2 * y), ("softer", y / 2), ("later", y[sr:])):
        written.append(folder / f"{folder.name} {name}.flac")
        soundfile.write(written[-1], np.clip(changed, -1, 1), sr)
    return written
