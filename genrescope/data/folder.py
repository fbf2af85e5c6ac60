"""Your own music: a folder with one sub-folder for each genre."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

from genrescope.audio.decode import AUDIO_SUFFIXES
from genrescope.audio.formats import audio_files
from genrescope.data.facts import read_table
from genrescope.data.registry import dataset_of
from genrescope.data.track import Dataset, Track
from genrescope.errors import DatasetError
from genrescope.files import printable

ARTISTS_NAME = "artists.csv"


def read(folder: str | Path) -> Dataset:
    """Read ``<genre>/**/<file>`` of any audio format, with artists where they are named.

    A track's ID is its path within the folder, such as ``rock/live/song.mp3``, in which bytes that
    are no text are spelt out. An ``artists.csv`` in the folder, with the columns ``track`` and
    ``artist`` and, if wanted, ``title`` and ``certain``, names the artists, without which no split
    can keep them apart. ``track`` is the ID, with or without the file's suffix; ``certain`` is
    ``no`` where the genre is doubtful.

    Raises:
        DatasetError: no such folder, fewer than two genres, or a faulty ``artists.csv``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file; name a folder of music" if folder.exists() else "there is no such folder"
        raise DatasetError(f"{folder}: {what}.")
    tracks = list[Track]()
    absent: dict[str, str] = {}
    failed = set[str]()
    for genre in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files, unread = _audio(genre)
        tracks += [Track(_named(p, folder), printable(genre.name), path=p) for p in files]
        broken = _by_name(unread, folder)
        absent |= broken
        failed |= broken.keys()
        if not files and not unread:
            absent[f"{printable(genre.name)}/"] = "no audio file in this folder"
    loose = (p for p in sorted(folder.iterdir()) if p.suffix.lower() in AUDIO_SUFFIXES)
    absent |= {
        _named(p, folder): "not in the folder of a genre"
        for p in loose
        if p.is_file() and not p.name.startswith(".")
    }
    genres = sorted({track.genre for track in tracks})
    if len(genres) < 2:
        found = f"only {genres[0]}" if genres else "none"
        first = next((f"; {name}: {why}" for name, why in absent.items()), "")
        raise DatasetError(
            f"{folder}: a dataset needs at least two sub-folders with audio, one for each genre; "
            f"found {found}{first}."
        )
    tracks.sort(key=lambda track: track.track_id)
    artists = folder / ARTISTS_NAME
    if artists.exists():
        tracks = _name_artists(tracks, artists)
    return Dataset(str(folder), tuple(tracks), absent, frozenset(failed))


def read_any(folder: str | Path) -> Dataset:
    """A known dataset where every audio file is named after one of its tracks, else your own music.

    Raises:
        DatasetError: as `read`.
    """
    folder = Path(folder)
    files, unread = _audio(folder) if folder.is_dir() else ([], {})
    known = dataset_of(path.stem for path in files)
    if known is None:
        return read(folder)
    dataset, broken = known.read(folder), _by_name(unread, folder)
    return replace(dataset, absent=dataset.absent | broken, failed=dataset.failed | broken.keys())


def _by_name(unread: dict[str, str], folder: Path) -> dict[str, str]:
    """What could not be read, by its path inside the folder -> why."""
    return {_named(Path(path), folder): why for path, why in unread.items()}


def _named(path: Path, folder: Path) -> str:
    return printable(path.relative_to(folder).as_posix())


def _audio(folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Its audio files, links followed; and what could not be read -> why."""
    unread: dict[str, str] = {}

    def note(error: OSError) -> None:
        unread[str(error.filename)] = f"the folder cannot be read ({error.strerror})"

    files = []
    for path in audio_files(folder, unreadable=note):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.is_file():
            files.append(path)
        else:
            unread[str(path)] = "it is not a regular file" if path.exists() else "a broken link"
    return files, unread


def _composed(name: str) -> str:
    """A name as it looks: systems write an accent as a part of its letter, or behind it."""
    return unicodedata.normalize("NFC", name.strip())


def _name_artists(tracks: list[Track], path: Path) -> list[Track]:
    stems, ids = dict[str, int](), dict[str, int]()
    for i, track in enumerate(tracks):
        stem = track.track_id.removesuffix(Path(track.track_id).suffix)
        for names, name in ((stems, _composed(stem)), (ids, _composed(track.track_id))):
            names[name] = -1 if name in names else i
    place = stems | ids
    named = list(tracks)
    for facts in read_table(path):
        at = place.get(_composed(facts.track))
        if at is None:
            raise DatasetError(
                f"{facts.where}: there is no track {facts.track!r}; write it as "
                f"{tracks[0].track_id!r} is written."
            )
        if at < 0:
            raise DatasetError(
                f"{facts.where}: {facts.track!r} fits two files; write the suffix as well."
            )
        named[at] = facts.of(tracks[at])
    return named
