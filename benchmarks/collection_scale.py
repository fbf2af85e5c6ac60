"""How a collection's catalogue grows: scanning many small files, searching many made-up songs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrescope.library.catalogue import Catalogue
from genrescope.library.learn.head import unit
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle

PER_FOLDER = 12
PER_PART = 1_000  # folders in a folder
_FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # MPEG 1 layer III, 128 kbit/s, 44.1 kHz

# In a process of its own, whose peak memory is that of the work alone.
_SCAN = """
import json, resource, sys, time
from genrescope.library.catalogue import Catalogue
from genrescope.library.scan import scan
with Catalogue(sys.argv[1]) as catalogue:
    began = time.perf_counter(), time.process_time()
    report = scan(catalogue, sys.argv[2:])
    seconds = time.perf_counter() - began[0]
    cpu = time.process_time() - began[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, peak, report.files, report.new, report.changed, cpu]))
"""
# Rows of files whose tags nobody reads: all that scanning them again needs.
_FILL = """
import sys
from genrescope.library import scan as module
from genrescope.library.catalogue import Catalogue
from genrescope.library.tags.fields import Tag
from genrescope.library.tags.reading import FileTags
told = FileTags((Tag("TPE1", "Artist"), Tag("TCON", "Rock")), 200.0, "mp3", "id3")
module.read_tags = lambda path: told
with Catalogue(sys.argv[1]) as catalogue:
    module.scan(catalogue, [sys.argv[2]])
print("[]")
"""
_LIST = """
import json, sys, time
began = time.perf_counter()
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import families
from genrescope.library.playlist import Recipe, make_list
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle
bundle = Bundle.load()
with Catalogue(sys.argv[1]) as catalogue:
    number = catalogue.bundle_id(bundle)
    vectors = load_vectors(catalogue, number, bundle.labels)
    songs = make_list(catalogue, number, families(bundle.labels), vectors,
                      Recipe("like", songs=(sys.argv[2],), n=50))
print(json.dumps([time.perf_counter() - began, len(songs), time.process_time()]))
"""


@dataclass(frozen=True)
class Figure:
    """A line of the table: what was measured, its value, the goal, and whether it is met."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None


def scanning(folder: Path, n_files: int, n_read: int) -> Iterator[Figure]:
    """Scan a made tree of small tagged mp3 files: first, again, and with some of them changed.

    Args:
        folder: where the tree and the catalogue go.
        n_files: how many files.
        n_read: of about how many the first scan reads the tags; of the others the catalogue is
            told something else, since a scan again does not look at it.
    """
    tree, catalogue = folder / "tree", folder / "scale.db"
    for path in folder.glob("scale.db*"):
        path.unlink()
    _make_tree(tree, n_files)
    parts = sorted(tree.iterdir())[: max(1, round(n_read / PER_FOLDER / PER_PART))]
    first = _run(_SCAN, str(catalogue), *map(str, parts))
    rate = first[3] / first[0]
    yield Figure(
        f"first scan of {first[3]:,} files, tags read",
        f"{rate:,.0f} files/s; {first[3] / first[5]:,.0f} for each second of processor",
        ">= 500",
        rate >= 500,
    )
    _run(_FILL, str(catalogue), str(tree))
    rounds = [_run(_SCAN, str(catalogue), str(tree)) for _ in range(3)]
    again = sorted(rounds)[1]
    assert again[2] == n_files
    limit_s = 180 * n_files / 1e6
    yield Figure(
        f"scan again of {n_files:,} unchanged files, warm",
        f"{again[0]:.1f} s; {again[5]:.1f} s of processor",
        f"<= {limit_s:.0f} s (180 s a million)",
        again[0] <= limit_s,
    )
    yield Figure("its peak memory", f"{again[1]:.0f} MB", "<= 300 MB", again[1] <= 300)
    for path in sorted(tree.glob("*/*/00.mp3"))[:: max(1, 100 // PER_FOLDER)]:
        with path.open("ab") as file:
            file.write(_FRAME)
    changed = _run(_SCAN, str(catalogue), str(tree))
    yield Figure(
        f"scan again, {changed[4]:,} files changed",
        f"{changed[0]:.1f} s; {changed[5]:.1f} s of processor, "
        f"{1000 * (changed[5] - again[5]) / max(changed[4], 1):.1f} ms for each that changed",
    )


def searching(folder: Path, n_songs: int) -> Iterator[Figure]:
    """Search and list among made-up songs whose directions are random clusters."""
    path = folder / "songs.db"
    bundle = Bundle.load()
    _make_songs(path, bundle, n_songs)
    with Catalogue(path) as catalogue:
        number = catalogue.bundle_id(bundle)
        began, cpu = time.perf_counter(), time.process_time()
        vectors = load_vectors(catalogue, number, bundle.labels)
        yield Figure(
            f"arrays of {n_songs:,} songs made, once after a change",
            f"{time.perf_counter() - began:.1f} s; {time.process_time() - cpu:.1f} s of processor",
        )
    times, cpus = [], []
    for i in range(7):
        began, cpu = time.perf_counter(), time.process_time()
        scores = 2 * (vectors.vector @ vectors.vector[i]) - vectors.crowd
        np.argpartition(-scores, 100)
        times.append(time.perf_counter() - began)
        cpus.append(time.process_time() - cpu)
    yield Figure(
        f"exact search of {n_songs:,} songs",
        f"{1000 * np.median(times):.0f} ms; {1000 * np.median(cpus):.0f} ms of processor",
    )
    runs = [_run(_LIST, str(path), "/music/0/0.mp3") for _ in range(3)]
    seconds, _, cpu = sorted(runs)[1]
    assert runs[0][1] == 50
    yield Figure(
        f"a list of 50 songs from {n_songs:,}, imports included",
        f"{seconds:.1f} s; {cpu:.1f} s of processor",
        "<= 2 s",
        seconds <= 2,
    )


def _run(code: str, *arguments: str) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _make_tree(tree: Path, n_files: int) -> None:
    for number in range(0, n_files, PER_FOLDER):
        artist = number // PER_FOLDER
        folder = tree / f"{artist // PER_PART:03d}" / f"{artist:06d}"
        if folder.is_dir():
            continue
        folder.mkdir(parents=True)
        for i in range(min(PER_FOLDER, n_files - number)):
            texts = {"TPE1": f"Artist {artist}", "TALB": "Album", "TCON": "Rock"}
            texts |= {"TIT2": f"Song {number + i}", "TRCK": str(i + 1)}
            (folder / f"{i:02d}.mp3").write_bytes(_id3(texts) + _FRAME * 5)


def _id3(texts: dict[str, str]) -> bytes:
    """An ID3v2.4 tag of short texts."""
    frames = b"".join(
        name.encode() + (len(text) + 1).to_bytes(4, "big") + b"\0\0\x03" + text.encode()
        for name, text in texts.items()
    )
    return b"ID3\x04\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 0x7F]) + frames


def _make_songs(path: Path, bundle: Bundle, n_songs: int) -> None:
    path.unlink(missing_ok=True)
    rng = np.random.default_rng(0)
    k = len(bundle.labels)
    centres = rng.normal(size=(k, 64))
    with Catalogue(path) as catalogue:
        number = catalogue.bundle_id(bundle)
        with catalogue.transaction() as db:
            for start in range(0, n_songs, 1000):
                folder = f"/music/{start // 1000}".encode()
                db.execute("INSERT INTO folder (path) VALUES (?)", (folder,))
                row_id = db.execute("SELECT last_insert_rowid()").fetchone()[0]
                genre = rng.integers(0, k, 1000)
                rows = unit(centres[genre] + 1.5 * rng.normal(size=(1000, 64)))
                raw = np.rint(rows / np.abs(rows).max(axis=1, keepdims=True) * 127).astype(np.int8)
                probs = rng.dirichlet(np.full(k, 0.3), 1000).astype(np.float32)
                best = probs.argmax(axis=1)
                for i in range(min(1000, n_songs - start)):
                    audio = os.urandom(20)
                    db.execute(
                        "INSERT INTO file (folder, name, size, mtime_ns, inode, links, kind, "
                        "audio, duration_s, tags, artist, title, year) "
                        "VALUES (?, ?, 1, 1, ?, 1, 'track', ?, 200, '[]', ?, ?, ?)",
                        (
                            *(row_id, f"{i}.mp3".encode(), start + i, audio),
                            *(f"Artist {(start + i) // 12}", f"Song {start + i}", 1950 + i % 70),
                        ),
                    )
                    db.execute(
                        "INSERT INTO judgement (audio, bundle, probabilities, genre, genres, "
                        "confidence, flags, embedding, scale) VALUES (?, ?, ?, ?, '[]', ?, '[]', "
                        "?, 0.01)",
                        (
                            *(audio, number, probs[i].tobytes(), bundle.labels[best[i]]),
                            *(float(probs[i, best[i]]), raw[i].tobytes()),
                        ),
                    )
