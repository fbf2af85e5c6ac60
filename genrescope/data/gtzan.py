"""GTZAN (Tzanetakis and Cook 2002): what is known of its 1,000 clips.

The tables under ``files/`` hold facts alone, each with its source named in ``files/README.md``.
"""

from __future__ import annotations

import csv
import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import IO

from genrescope.audio.decode import AUDIO_SUFFIXES
from genrescope.data.download import disk_error, download
from genrescope.data.track import REPEAT, Dataset, Track
from genrescope.errors import DatasetError
from genrescope.files import atomic_folder
from genrescope.progress import Progress, no_progress

GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
"""The ten genres, in alphabetical order."""

URL = "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz"
"""A mirror of the original archive."""
ARCHIVE_SIZE = 1_226_192_050  # bytes
ARCHIVE_MD5 = "5b3d6dddb579ab49814ab86dba69e7c7"

SUFFIXES = (".au", ".wav", ".flac")  # the original's first
_ROOTS = (".", "genres", "genres_original", "Data/genres_original", "audio")


def _table(name: str) -> list[dict[str, str]]:
    text = (files("genrescope.data") / "files" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def _faults() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in _table("gtzan_faults.csv"):
        tracks = row["tracks"].split()
        for track in tracks:
            marks = (
                [REPEAT + other for other in tracks if other != track]
                if row["fault"] == "repeat"
                else [row["fault"]]
            )
            found.setdefault(track, []).extend(marks)
    return {track: tuple(marks) for track, marks in found.items()}


@cache
def tracks() -> tuple[Track, ...]:
    """All 1,000 tracks, without paths: genre, artist and title (Sturm's index), faults."""
    return tuple(
        Track(
            row["track_id"],
            row["genre"],
            artist=row["artist"] or None,
            title=row["title"] or None,
            faults=_faults().get(row["track_id"], ()),
        )
        for row in _table("gtzan_tracks.csv")
    )


@cache
def by_id() -> dict[str, Track]:
    """The tracks by their ID."""
    return {track.track_id: track for track in tracks()}


@cache
def fault_filtered() -> dict[str, str]:
    """Track ID -> ``train`` (443), ``valid`` (197), ``test`` (290) or ``excluded`` (70).

    The lists of Kereliuk, Sturm and Larsen, "Deep learning and music adversaries" (2015): repeats
    and distorted clips are excluded and no named artist is in two parts.
    """
    return {row["track_id"]: row["fault_filtered"] for row in _table("gtzan_tracks.csv")}


TEMPO_AND_KEY_SOURCE = "A. Lerch's tempo and key annotations of GTZAN"


@cache
def tempo_by_track() -> dict[str, float]:
    """Track ID -> beats per minute, of the 999 tracks with a tempo (`TEMPO_AND_KEY_SOURCE`)."""
    rows = _table("gtzan_tracks.csv")
    return {row["track_id"]: float(row["tempo_bpm"]) for row in rows if row["tempo_bpm"]}


@cache
def key_by_track() -> dict[str, float]:
    """Track ID -> key, 0 to 11 major from A, 12 to 23 minor from a, of the 837 tracks with one.

    What modulates, or whose key is unknown, is left out (`TEMPO_AND_KEY_SOURCE`).
    """
    rows = _table("gtzan_tracks.csv")
    return {row["track_id"]: float(row["key"]) for row in rows if float(row["key"] or -1) >= 0}


def fetch(
    folder: str | Path,
    *,
    url: str | None = None,
    size: int | None = ARCHIVE_SIZE,
    md5: str | None = ARCHIVE_MD5,
    progress: Progress | None = None,
) -> Dataset:
    """Download and unpack the original archive into ``folder/genres``.

    Can be stopped at any moment and goes on where it was. The archive is deleted once it is
    unpacked; a dataset that is already there is only read.

    Args:
        folder: made where it does not exist; needs 2.6 GB while unpacking.
        url: address of the archive; the usual one by default.
        size, md5: of the archive; None leaves them unchecked.
        progress: called with the bytes, and ``download`` or ``unpack``.

    Raises:
        DatasetError: no connection, wrong checksum, full disk, or a damaged archive.
    """
    folder = Path(folder)
    genres = folder / "genres"
    if not genres.exists():
        archive = download(
            url or URL,
            folder / "genres.tar.gz",
            size=size,
            md5=md5,
            progress=progress,
        )
        _unpack(archive, genres, progress or no_progress)
        archive.unlink()
    return read(folder)


def _unpack(archive: Path, genres: Path, progress: Progress) -> None:
    """Unpack the clips of ``archive`` into ``genres``, which appears only when all are there."""
    try:
        with (
            archive.open("rb") as packed,
            tarfile.open(fileobj=packed, mode="r:gz") as tar,
            atomic_folder(genres) as partial,
        ):
            total = archive.stat().st_size
            for member, clip in _clips(tar):
                target = partial / clip
                target.parent.mkdir(parents=True, exist_ok=True)
                # Bytes alone: `extract` with a filter is not in Python 3.11.0 to 3.11.3.
                with target.open("wb") as file:
                    shutil.copyfileobj(member, file)
                progress(packed.tell(), total, "unpack")
            if not any(partial.iterdir()):
                raise DatasetError(f"{archive}: no GTZAN clip is in this archive.")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{archive}: damaged archive ({error}); delete it and fetch again."
        ) from error
    except OSError as error:
        raise disk_error(error, genres) from error


def _clips(tar: tarfile.TarFile) -> Iterator[tuple[IO[bytes], str]]:
    """The clips alone, as ``<genre>/<file>``: no link, no folder, no file of another name."""
    for member in tar:
        path = PurePosixPath(member.name)
        if member.isfile() and path.stem in by_id() and path.suffix.lower() in SUFFIXES:
            content = tar.extractfile(member)
            assert content is not None  # as of every regular file
            yield content, f"{by_id()[path.stem].genre}/{path.name}"


def read(folder: str | Path) -> Dataset:
    """The clips under a folder in one of GTZAN's usual layouts, with what is known of them.

    Takes ``<genre>/<genre>.NNNNN`` with ``.au``, ``.wav`` or ``.flac``, in the folder itself or in
    ``genres``, ``genres_original``, ``Data/genres_original`` or ``audio`` under it.

    Raises:
        DatasetError: no GTZAN clip is found.
    """
    folder = Path(folder)
    for root in _ROOTS:
        found = {path.stem: path for path in reversed(list(_files(folder / root)))}
        if found:
            break
    else:
        raise DatasetError(
            f"{folder}: no GTZAN clip such as blues/blues.00000.wav is here; "
            "`genrescope dataset fetch gtzan` gets them."
        )
    here = tuple(replace(t, path=found[t.track_id]) for t in tracks() if t.track_id in found)
    absent = {t.track_id: "no file" for t in tracks() if t.track_id not in found}
    return Dataset(str(folder), here, absent)


def _files(root: Path) -> Iterator[Path]:
    """Files with a GTZAN name, those of the first suffix first; re-encoded ones last."""
    for suffix in (*SUFFIXES, *sorted(AUDIO_SUFFIXES.difference(SUFFIXES))):
        for genre in GENRES:
            for path in sorted((root / genre).glob(f"{genre}.*{suffix}")):
                if path.stem in by_id() and path.is_file():
                    yield path
