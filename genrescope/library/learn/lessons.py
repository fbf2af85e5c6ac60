"""What a person's collection teaches: songs with a genre of their own."""

from __future__ import annotations

import json
import os
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue, dequantise
from genrescope.library.families import folded
from genrescope.library.judge import probabilities_of
from genrescope.library.songs import Song, songs
from genrescope.model.prediction import NO_MUSIC, SILENT

MIN_TRACKS, MIN_ARTISTS = 8, 3
"""Fewer tracks or artists of a genre teach a head the artists, not the genre."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """What there is to learn from.

    Attributes:
        embedding: float32 (n, d).
        probabilities: float32 (n, k), of the bundle's own genres.
        labels: int64 (n,), indices into ``genres``.
        artists: (n,).
        paths: (n,), where the tracks lie.
        genres: names, in the order of the alphabet.
        left_out: genres, and kinds of songs, that are not learned, each with the reason.
    """

    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    artists: list[str]
    paths: list[str]
    genres: tuple[str, ...]
    left_out: dict[str, str]


def read_table(path: str | os.PathLike[str]) -> dict[str, str]:
    """Spellings, each with its genre, of a TOML file of genres, each with a list of spellings.

    Raises:
        LibraryError: it cannot be read, or holds something else.
    """
    try:
        with Path(path).open("rb") as file:
            genres = tomllib.load(file)
        if not all(isinstance(names, list) for names in genres.values()):
            raise ValueError("a genre has no list of spellings")
        return {str(name): genre for genre, names in genres.items() for name in names}
    except (OSError, ValueError, RecursionError) as error:
        raise LibraryError(
            os.fspath(path), f"it is no table of genres ({error})", 'Write Genre = ["Spelling"].'
        ) from error


def gather(
    catalogue: Catalogue,
    bundle: int,
    *,
    folder: str | os.PathLike[str] | None = None,
    table: Mapping[str, str],
) -> Lessons:
    """Songs to learn from: judged, of one genre and a known artist, each sound once.

    A genre that Genrescope wrote itself teaches nothing.

    Arguments and errors are those of `genrescope.library.learn.own.learn`.
    """
    merged = {folded(spelling): genre for spelling, genre in table.items()}
    top = None if folder is None else Path(os.path.realpath(folder))
    by_genre: dict[str, list[tuple[Song, NDArray[np.float32]]]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    written = _written(catalogue)
    seen: set[bytes] = set()
    embeddings = _embeddings(catalogue, bundle)
    for song in songs(catalogue, bundle, "judgement.embedding IS NOT NULL"):
        spelling = _spelling(song, top)
        if not spelling or song.audio is None:
            continue
        if song.audio in seen:
            left_out["copies of the same sound"] += 1
        elif {SILENT, NO_MUSIC} & set(song.flags) or song.kind != "track":
            left_out["songs that are silent, no music, or no single track"] += 1
        elif top is None and (song.path, spelling) in written:
            left_out["songs whose genre Genrescope wrote"] += 1
        elif "; " in spelling:
            left_out["songs of several genres"] += 1
        elif song.artist is None and song.album_artist is None:
            left_out["songs without an artist"] += 1
        else:
            seen.add(song.audio)
            key = merged.get(folded(spelling), spelling)
            if key:
                spellings[folded(key)][key] += 1
                by_genre[folded(key)].append((song, embeddings[song.audio]))
    reasons = {what: f"{count} left out" for what, count in left_out.items()}
    return _chosen(by_genre, spellings, reasons)


def _chosen(
    by_genre: dict[str, list[tuple[Song, NDArray[np.float32]]]],
    spellings: dict[str, Counter[str]],
    reasons: dict[str, str],
) -> Lessons:
    rows: list[tuple[str, Song, NDArray[np.float32]]] = []
    for key, taught in by_genre.items():
        genre = spellings[key].most_common(1)[0][0]
        artists = {song.performer for song, _ in taught}
        if len(taught) < MIN_TRACKS or len(artists) < MIN_ARTISTS:
            reasons[genre] = f"{len(taught)} tracks by {len(artists)} artists"
        else:
            rows += [(genre, song, embedding) for song, embedding in taught]
    genres = sorted({genre for genre, _, _ in rows}, key=str.casefold)
    if len(genres) < 2:
        few = "; ".join(f"{what}: {why}" for what, why in sorted(reasons.items())[:10])
        raise LibraryError(
            "learn",
            f"two genres or more are needed, each of at least {MIN_TRACKS} tracks by "
            f"{MIN_ARTISTS} artists; there are {len(genres)}" + (f" ({few})" if few else ""),
            "Tag more songs, and scan and judge them; or merge genres with --table.",
        )
    return Lessons(
        embedding=np.array([embedding for _, _, embedding in rows]),
        probabilities=np.array([probabilities_of(s.probabilities or b"") for _, s, _ in rows]),
        labels=np.array([genres.index(genre) for genre, _, _ in rows]),
        artists=[song.performer for _, song, _ in rows],
        paths=[song.path for _, song, _ in rows],
        genres=tuple(genres),
        left_out=reasons,
    )


def _spelling(song: Song, top: Path | None) -> str:
    if top is None:
        return song.genre or ""
    path = Path(song.path)
    if top not in path.parents:
        return ""
    inside = path.relative_to(top).parts
    return inside[0] if len(inside) > 1 else ""


def _written(catalogue: Catalogue) -> set[tuple[str, str]]:
    """Files with the genre that a run wrote into each."""
    found: set[tuple[str, str]] = set()
    for path, changes in catalogue.db.execute(
        "SELECT path, changes FROM edit WHERE state = 'done'"
    ):
        for name, _, after in json.loads(changes):
            if name == "genre":
                found.add((os.fsdecode(path), "; ".join(after)))
    return found


def _embeddings(catalogue: Catalogue, bundle: int) -> dict[bytes, NDArray[np.float32]]:
    return {
        audio: dequantise(raw, scale)
        for audio, raw, scale in catalogue.db.execute(
            "SELECT audio, embedding, scale FROM judgement WHERE bundle = ? AND error IS NULL",
            (bundle,),
        )
    }
