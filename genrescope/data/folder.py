"""Your own music: a folder with one sub-folder for each genre."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from genrescope.data import gtzan
from genrescope.data.track import Dataset, Track
from genrescope.errors import DatasetError
from genrescope.signal.decode import AUDIO_SUFFIXES
from genrescope.text import spelt

ARTISTS_NAME = "artists.csv"


def read(folder: str | Path) -> Dataset:
    """Read ``<genre>/**/<file>`` of any audio format, with artists where they are named.

    A track's ID is its path within the folder, such as ``rock/live/song.mp3``, in which bytes that
    are no text are spelt out. An ``artists.csv``
    in the folder, with the columns ``track`` and ``artist`` and, if wanted, ``title``, names the
    artists, without which no split can keep them apart. ``track`` is the ID, with or without the
    file's suffix.

    Raises:
        DatasetError: no such folder, fewer than two genres, or a faulty ``artists.csv``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file; name a folder of music" if folder.exists() else "there is no such folder"
        raise DatasetError(f"{folder}: {what}.")
    tracks, absent = [], {}
    for genre in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = _audio(genre)
        tracks += [Track(_named(p, folder), spelt(genre.name), path=p) for p in files]
        if not files:
            absent[f"{spelt(genre.name)}/"] = "no audio file in this folder"
    loose = _audio(folder, deep=False)
    absent |= {_named(p, folder): "not in the folder of a genre" for p in loose}
    genres = sorted({track.genre for track in tracks})
    if len(genres) < 2:
        found = f"only {genres[0]}" if genres else "none"
        raise DatasetError(
            f"{folder}: a data set needs at least two sub-folders with audio, one for each genre; "
            f"found {found}."
        )
    tracks.sort(key=lambda track: track.track_id)
    artists = folder / ARTISTS_NAME
    if artists.exists():
        tracks = _name_artists(tracks, artists)
    return Dataset(str(folder), tuple(tracks), absent)


def read_any(folder: str | Path) -> Dataset:
    """GTZAN where every audio file has one of its names, else a folder of your own.

    Raises:
        DatasetError: as `read`.
    """
    folder = Path(folder)
    audio = _audio(folder) if folder.is_dir() else []
    if audio and all(path.stem in gtzan.by_id() for path in audio):
        return gtzan.read(folder)
    return read(folder)


def _named(path: Path, folder: Path) -> str:
    return spelt(path.relative_to(folder).as_posix())


def _audio(folder: Path, *, deep: bool = True) -> list[Path]:
    return sorted(
        path
        for path in (folder.rglob("*") if deep else folder.glob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _name_artists(tracks: list[Track], path: Path) -> list[Track]:
    place: dict[str, int] = {}
    for i, track in enumerate(tracks):
        stem = track.track_id.removesuffix(Path(track.track_id).suffix)
        place[stem] = -1 if stem in place else i
    place |= {track.track_id: i for i, track in enumerate(tracks)}
    named = list(tracks)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"track", "artist"} <= set(rows.fieldnames or ()):
                raise DatasetError(f"{path}: its first line must name track and artist.")
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if row["track"] not in place:
                    raise DatasetError(f"{where}: there is no track {row['track']!r}.")
                i = place[row["track"]]
                if i < 0:
                    raise DatasetError(f"{where}: {row['track']!r} is two files; add the suffix.")
                named[i] = replace(
                    tracks[i],
                    artist=(row["artist"] or "").strip() or None,
                    title=(row.get("title") or "").strip() or None,
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV in UTF-8 ({error}).") from error
    return named
