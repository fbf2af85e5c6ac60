"""Lists of songs that go together: chosen by what they must be, then by nearness, then ordered.

A recipe says how a list is made. The same recipe and the same collection give the same list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import Families
from genrescope.library.query import find
from genrescope.library.similar import choose, place_of, score
from genrescope.library.songs import Song, by_ids, by_path
from genrescope.library.vectors import Vectors

LIKE, PATH, ARC, AROUND = "like", "path", "arc", "around"
KINDS = (LIKE, PATH, ARC, AROUND)
"""Songs like some songs; a way from one song to another; there and back; the heart of a genre."""

_NOISE = 0.05  # of nearness: enough for another seed to give another list
_TEMPO, _KEY, _YEAR = 0.15, 0.1, 0.1
"""Cost of a tempo half an octave off, of a key across the wheel of fifths, and of thirty years."""
_TARGETS, _AHEAD = 50, 500  # of a way: targets compared at once; songs that tempo and key choose of
_ROUNDS = 4  # of improving an order


@dataclass(frozen=True)
class Recipe:
    """How a list is made.

    Attributes:
        kind: one of `KINDS`.
        songs: paths: those to be like, or the ends of a way, or the end and the peak of an arc.
        genre: for ``around``.
        n: songs in the list.
        seed: another seed gives another list of the same kind.
        only: a query that all songs must answer to, but for ``songs`` and ``locked``.
        not_in: playlists whose songs are left out, such as what was played lately.
        locked: paths that stay, in this order, when a list is made anew.
        per_artist: songs of one artist at most.
    """

    kind: str
    songs: tuple[str, ...] = ()
    genre: str | None = None
    n: int = 30
    seed: int = 0
    only: str = ""
    not_in: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    per_artist: int = 3

    def to_json(self) -> str:
        """The text of a recipe's file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe of a file (LibraryError)."""
    try:
        value: Any = json.loads(Path(path).read_text(encoding="utf-8"))
        return _recipe(value)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise LibraryError(os.fspath(path), f"it is no recipe ({error})") from error


def _recipe(value: Mapping[str, Any]) -> Recipe:
    kinds = {field.name: field for field in fields(Recipe)}
    if not isinstance(value, dict) or not set(value) <= set(kinds) or "kind" not in value:
        raise ValueError(f"its keys are {', '.join(kinds)}")
    for name, given in value.items():
        expected = kinds[name].default
        if isinstance(expected, tuple):
            good = isinstance(given, list) and all(isinstance(item, str) for item in given)
        elif isinstance(expected, int):
            good = isinstance(given, int) and not isinstance(given, bool)
        else:
            good = isinstance(given, str) or (name == "genre" and given is None)
        if not good:
            raise ValueError(f"{name} is of another kind than it should be")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    return Recipe(**values)


def make_list(
    catalogue: Catalogue, bundle: int, families: Families, vectors: Vectors, recipe: Recipe
) -> list[Song]:
    """The songs of a recipe, in their order; fewer where there are not so many.

    Args:
        bundle: whose judgements count, by its number in the catalogue.
        vectors: of the same bundle.

    Raises:
        LibraryError: the recipe asks for what is not there.
    """
    if recipe.kind not in KINDS:
        raise LibraryError(recipe.kind, "there is no such kind", f"There are {', '.join(KINDS)}.")
    if not 1 <= recipe.n <= 1_000:
        raise LibraryError(str(recipe.n), "a list has 1 to 1000 songs")
    ends = _places(catalogue, bundle, vectors, recipe.songs)
    locked = _places(catalogue, bundle, vectors, recipe.locked)
    allowed = _allowed(catalogue, bundle, families, vectors, recipe)
    rng = np.random.default_rng(recipe.seed)
    noise = (_NOISE * rng.standard_normal(len(vectors))).astype(np.float32)
    noise[~allowed] = -np.inf
    if recipe.kind in (PATH, ARC):
        places = _way(vectors, recipe, ends, locked, noise)
    else:
        places = _near(vectors, recipe, families, ends, locked, noise)
    return by_ids(catalogue, bundle, vectors.id[places].tolist())


def read_m3u(path: str | os.PathLike[str]) -> list[str]:
    """Absolute paths of a playlist's entries, in order (LibraryError)."""
    try:
        raw = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise LibraryError(os.fspath(path), f"it cannot be read ({error.strerror})") from error
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100
    lines = [line.strip(b"\r") for line in raw.split(b"\n")]
    names = [os.fsdecode(line) for line in lines if line.strip() and not line.startswith(b"#")]
    return [os.path.normpath(folder / name) for name in names]


def _places(catalogue: Catalogue, bundle: int, vectors: Vectors, paths: Sequence[str]) -> list[int]:
    places = []
    for path in paths:
        song = by_path(catalogue, bundle, path)
        if song is None:
            raise LibraryError(path, "the catalogue does not know it", "Scan its folder first.")
        places.append(place_of(catalogue, vectors, song))
    return list(dict.fromkeys(places))


def _allowed(
    catalogue: Catalogue, bundle: int, families: Families, vectors: Vectors, recipe: Recipe
) -> NDArray[np.bool_]:
    allowed = np.ones(len(vectors), bool)
    if recipe.only.strip():
        ids = [song.id for song in find(catalogue, bundle, families, recipe.only)]
        allowed = np.isin(vectors.id, np.array(ids, np.int64))
    for name in recipe.not_in:
        for path in read_m3u(name):
            song = by_path(catalogue, bundle, path)
            place = None if song is None else vectors.place_of(song.id)
            if place is not None:
                allowed[place] = False
    return allowed


def _near(
    vectors: Vectors,
    recipe: Recipe,
    families: Families,
    ends: list[int],
    locked: list[int],
    noise: NDArray[np.float32],
) -> list[int]:
    """Songs near to some, or of a genre; what is locked first, the rest in a pleasant order."""
    kept = list(dict.fromkeys([*locked, *(ends if recipe.kind == LIKE else [])]))[: recipe.n]
    if recipe.kind == AROUND:
        if recipe.genre not in families.labels:
            known = ", ".join(families.labels)
            raise LibraryError(str(recipe.genre), "there is no such genre", f"There are {known}.")
        own = vectors.label == families.labels.index(recipe.genre)
        scores = np.where(own, vectors.confidence, -np.inf) + noise
    else:
        if not ends:
            raise LibraryError(LIKE, "it needs a song to begin with")
        centre = vectors.vector[ends].mean(axis=0)
        scores = score(vectors, centre / max(float(np.linalg.norm(centre)), 1e-9)) + noise
        for end in ends:
            scores -= _apart(vectors, end, slice(None)) / np.float32(len(ends))
    chosen = choose(
        vectors,
        scores,
        recipe.n - len(kept),
        most=recipe.per_artist,
        taken_works=vectors.work[kept],
        left_out=np.array(kept, np.int64),
    )
    start = kept[-1] if kept else None
    return [*kept, *_ordered(vectors, chosen, start)]


def _way(
    vectors: Vectors,
    recipe: Recipe,
    ends: list[int],
    locked: list[int],
    noise: NDArray[np.float32],
) -> list[int]:
    """From a song to another in even steps, and for an arc back again."""
    if len(ends) != 2:
        raise LibraryError(recipe.kind, "it needs two different songs")
    first, last = (vectors.vector[end].astype(np.float64) for end in ends)
    along = np.linspace(0, 1, recipe.n) if recipe.kind == PATH else _there_and_back(recipe.n)
    free = noise.copy()
    free[[*ends, *locked]] = -np.inf
    free[np.isin(vectors.work, vectors.work[[*ends, *locked]])] = -np.inf
    counts: dict[int, int] = {}
    way: list[int] = []
    peak = int(along.argmax())
    for step, nearness in enumerate(_nearness(vectors, first, last, along)):
        if step in (0, peak):
            way.append(ends[0] if step == 0 else ends[1])
            continue
        near = nearness + free
        ahead = np.argpartition(-near, min(_AHEAD, len(near)) - 1)[:_AHEAD]
        cost = _apart(vectors, way[-1], ahead.tolist())
        best = int(ahead[(near[ahead] - cost).argmax()])
        if near[best] == -np.inf:
            continue
        way.append(best)
        free[vectors.work == vectors.work[best]] = -np.inf
        artist = int(vectors.performer[best])
        counts[artist] = counts.get(artist, 0) + 1
        if counts[artist] >= recipe.per_artist:
            free[vectors.performer == artist] = -np.inf
    return _with_locked(vectors, way, [place for place in locked if place not in ends])


def _nearness(
    vectors: Vectors,
    first: NDArray[np.float64],
    last: NDArray[np.float64],
    along: NDArray[np.float64],
) -> Iterator[NDArray[np.float32]]:
    """For each share of the way from a direction to another the `score` of all songs."""
    targets = (1 - along[:, None]) * first + along[:, None] * last
    targets /= np.maximum(np.linalg.norm(targets, axis=1, keepdims=True), 1e-9)
    for start in range(0, len(targets), _TARGETS):
        block = targets[start : start + _TARGETS].astype(np.float32) @ vectors.vector.T
        for row in block:
            yield 2.0 * row - vectors.crowd


def _there_and_back(n: int) -> NDArray[np.float64]:
    up = (n + 1) // 2
    return np.concatenate([np.linspace(0, 1, up), np.linspace(1, 0, n - up + 1)[1:]])


def _with_locked(vectors: Vectors, way: list[int], locked: list[int]) -> list[int]:
    """Each locked song in the place of the one between the ends that it is nearest to."""
    for place in locked:
        inner = [i for i in range(1, len(way) - 1) if way[i] not in locked]
        if not inner:
            break
        nearest = vectors.vector[[way[i] for i in inner]] @ vectors.vector[place]
        way[inner[int(nearest.argmax())]] = place
    return way


def _ordered(vectors: Vectors, places: list[int], start: int | None) -> list[int]:
    """An order in which each song leads to the next: the nearest first, then 2-opt."""
    if len(places) < 3:
        return places
    cost = transition_costs(vectors, places if start is None else [start, *places])
    order, left = [0], set(range(1, len(cost)))
    while left:
        following = min(left, key=lambda j: (cost[order[-1], j], j))
        order.append(following)
        left.remove(following)
    for _ in range(_ROUNDS):
        if not _improve(order, cost):
            break
    everything = places if start is None else [start, *places]
    return [everything[i] for i in order][0 if start is None else 1 :]


def _improve(order: list[int], cost: NDArray[np.float64]) -> bool:
    """Turn around stretches where that shortens the way; the first song stays."""
    better = False
    for i in range(1, len(order) - 1):
        for j in range(i + 1, len(order)):
            before = cost[order[i - 1], order[i]]
            after = cost[order[i - 1], order[j]]
            if j + 1 < len(order):
                before += cost[order[j], order[j + 1]]
                after += cost[order[i], order[j + 1]]
            if after < before - 1e-9:
                order[i : j + 1] = reversed(order[i : j + 1])
                better = True
    return better


def transition_costs(vectors: Vectors, places: Sequence[int]) -> NDArray[np.float64]:
    """What it costs to go from one song to another, (n, n): sound, tempo, key, year."""
    rows = vectors.vector[list(places)].astype(np.float64)
    cost: NDArray[np.float64] = 1.0 - rows @ rows.T
    cost += np.array([_apart(vectors, place, places) for place in places])
    return cost


def _apart(vectors: Vectors, place: int, others: Sequence[int] | slice) -> NDArray[np.float32]:
    """How far songs are from one in tempo, key and year, (n,).

    A tempo counts as its double and its half, a key as its relative one; what is unknown costs
    nothing.
    """
    cost = np.zeros(len(vectors.bpm[others]), np.float32)
    if bpm := float(vectors.bpm[place]):
        tempi = vectors.bpm[others]
        octaves = np.abs(np.log2(np.where(tempi > 0, tempi, bpm) / np.float32(bpm))) % 1
        cost += np.float32(2 * _TEMPO) * np.minimum(octaves, 1 - octaves)
    if hour := int(vectors.hour[place]):
        places = vectors.hour[others]
        hours = np.abs(np.where(places > 0, places, hour) - hour)
        cost += np.float32(_KEY / 6) * np.minimum(hours, 12 - hours)
    if year := int(vectors.year[place]):
        dates = vectors.year[others]
        years = np.abs(np.where(dates > 0, dates, year) - year)
        cost += np.float32(_YEAR / 30) * np.minimum(years, 30)
    return cost
