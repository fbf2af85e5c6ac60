"""Learn a person's own genres from the files that they tagged, or put into folders."""

from __future__ import annotations

import datetime
import json
import os
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue, bundle_hash, dequantise
from genrescope.library.families import folded
from genrescope.library.learn.graph import with_head
from genrescope.library.learn.head import Fit, fit
from genrescope.library.songs import Song, songs
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import NO_MUSIC, SET, SILENT, UNCERTAIN, UNLIKELY
from genrescope.model.schema import MODEL
from genrescope.model.writing import check_free, write_bundle

MIN_TRACKS, MIN_ARTISTS = 8, 3
"""Fewer tracks or artists of a genre teach a head the artists, not the genre."""

CANNOT_TELL = 0.5
"""Share of a genre's held-out tracks below which it counts as one that cannot be told."""

_N_BOOT = 1_000


@dataclass(frozen=True, eq=False)
class Lessons:
    """What there is to learn from.

    Attributes:
        embedding: float32 (n, d).
        labels: int64 (n,), indices into ``genres``.
        artists: (n,).
        genres: names, in the order of the alphabet.
        left_out: genres, and kinds of songs, that are not learned, each with the reason.
    """

    embedding: NDArray[np.float32]
    labels: NDArray[np.int64]
    artists: list[str]
    genres: tuple[str, ...]
    left_out: dict[str, str]


@dataclass(frozen=True)
class GenreFigures:
    """How well a genre is told on tracks by artists that were not learned.

    Attributes:
        n: tracks.
        recall: share that is found.
        precision: share of the answers with this genre that are right.
        taken_for: the other genre named most in its place; None where none is.
    """

    genre: str
    n: int
    recall: float
    precision: float
    taken_for: str | None


@dataclass(frozen=True, eq=False)
class Learned:
    """A bundle that was learned, and what it is worth.

    Attributes:
        bundle: as it was written.
        accuracy, low, high: by artists, with the 95 % interval.
        figures: of each genre.
        left_out: see `Lessons`.
    """

    bundle: Bundle
    accuracy: float
    low: float
    high: float
    figures: list[GenreFigures]
    left_out: dict[str, str]

    @property
    def cannot_tell(self) -> list[GenreFigures]:
        """Genres of which less than `CANNOT_TELL` is found."""
        return [figure for figure in self.figures if figure.recall < CANNOT_TELL]


def learn(
    catalogue: Catalogue,
    base: Bundle,
    out: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    table: Mapping[str, str] | None = None,
    name: str = "own-genres",
    seed: int = 0,
) -> Learned:
    """Fit a head to a person's genres and write a bundle that any verb can use.

    Args:
        base: the bundle whose embeddings, by its judgements in the catalogue, are learned from.
        out: folder of the new bundle.
        folder: take each song's genre from the sub-folder of this one that it lies in; by default
            from its tag.
        table: spellings, each with the genre it belongs to; those that lead to nothing ("") are
            left out. What is not in it is a genre of its own.
        name: of the new bundle.
        seed: of the folds.

    Raises:
        LibraryError: fewer than two genres have `MIN_TRACKS` tracks by `MIN_ARTISTS` artists.
        BundleError: ``out`` holds something else.
    """
    check_free(out)
    lessons = gather(catalogue, catalogue.bundle_id(base), folder=folder, table=table or {})
    fitted = fit(lessons.embedding, lessons.labels, lessons.artists, seed=seed)
    figures = _figures(fitted, lessons.genres)
    hits = fitted.held_out.argmax(axis=1) == fitted.labels
    low, high = _interval(hits, lessons.artists, seed=seed)
    bundle = write_bundle(
        out,
        onnx_bytes=with_head(base.read(MODEL), fitted.head),
        name=name,
        labels=lessons.genres,
        features=base.features,
        window_s=base.window_s,
        hop_s=base.hop_s,
        temperature=fitted.temperature,
        thresholds={UNCERTAIN: fitted.uncertain, SET: fitted.set_depth},
        no_music=base.no_music,
        training={
            "data": f"{len(lessons.labels)} tracks of a person's collection",
            "protocol": "artists",
            "net": f"a linear head on the embedding of {base.name} ({bundle_hash(base)[:12]})",
            "seed": seed,
        },
        metrics=[_metrics(fitted, figures, low, high)],
        licence=base.licence,
        created=datetime.date.today().isoformat(),
    )
    return Learned(bundle, float(hits.mean()), low, high, figures, lessons.left_out)


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
    except (OSError, ValueError) as error:
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

    Arguments and errors are those of `learn`.
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
        labels=np.array([genres.index(genre) for genre, _, _ in rows]),
        artists=[song.performer for _, song, _ in rows],
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


def _figures(fitted: Fit, genres: tuple[str, ...]) -> list[GenreFigures]:
    said = fitted.held_out.argmax(axis=1)
    figures = []
    for k, genre in enumerate(genres):
        of_genre = said[fitted.labels == k]
        others = Counter(int(j) for j in of_genre if j != k)
        named = fitted.labels[said == k]
        figures.append(
            GenreFigures(
                genre=genre,
                n=len(of_genre),
                recall=float((of_genre == k).mean()),
                precision=float((named == k).mean()) if len(named) else 0.0,
                taken_for=genres[others.most_common(1)[0][0]] if others else None,
            )
        )
    return figures


def _metrics(fitted: Fit, figures: list[GenreFigures], low: float, high: float) -> dict[str, Any]:
    n = np.arange(len(fitted.labels))
    named = fitted.held_out.argmax(axis=1)
    own = fitted.held_out[n, fitted.labels]
    alone = fitted.sets.sum(axis=1) == 1
    return {
        "protocol": "artists",
        "part": "test",
        "level": "track",
        "n": len(n),
        "accuracy": float((named == fitted.labels).mean()),
        "low": low,
        "high": high,
        "recall": round(float(np.mean([figure.recall for figure in figures])), 3),
        "recalls": {figure.genre: round(figure.recall, 2) for figure in figures},
        "set_coverage": round(float(fitted.sets[n, fitted.labels].mean()), 3),
        "set_size": round(float(fitted.sets.sum(axis=1).mean()), 2),
        "odd_share": round(float(((own < UNLIKELY) & ~fitted.sets[n, fitted.labels]).mean()), 3),
        "single_share": round(float(alone.mean()), 3),
        "single_precisions": {
            figure.genre: round(float((fitted.labels == k)[alone & (named == k)].mean()), 2)
            for k, figure in enumerate(figures)
            if (alone & (named == k)).any()
        },
    }


def _interval(hits: NDArray[np.bool_], artists: list[str], *, seed: int) -> tuple[float, float]:
    """The 95 % interval of a share, artists drawn as wholes (percentile bootstrap)."""
    _, artist = np.unique(np.asarray(artists), return_inverse=True)
    right = np.bincount(artist, hits.astype(float))
    tracks = np.bincount(artist).astype(float)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(tracks), (_N_BOOT, len(tracks)))
    low, high = np.quantile(right[drawn].sum(axis=1) / tracks[drawn].sum(axis=1), [0.025, 0.975])
    accuracy = float(hits.mean())
    return min(float(low), accuracy), max(float(high), accuracy)
