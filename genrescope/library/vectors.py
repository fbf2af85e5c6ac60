"""All songs of a catalogue as arrays: what a search over a million of them needs, kept at hand."""

from __future__ import annotations

import hashlib
import re
import zlib
from array import array
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.files import atomic_write
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import folded
from genrescope.model.key import KEYS, hour

_NEIGHBOURS = 10
_REFERENCES = 1_000  # of whose nearest the crowdedness of a place is told
_AT_ONCE = 50_000
_BRACKETS = re.compile(r"\s*[\(\[][^\)\]]*[\)\]]|\s+-\s+.*$")
_KINDS = {
    name: np.dtype(kind)
    for name, kind in (
        ("id", np.int64),
        ("performer", np.int64),
        ("work", np.int64),
        ("year", np.int16),
        ("bpm", np.float32),
        ("hour", np.int8),
        ("label", np.int16),
        ("confidence", np.float32),
        ("duration_s", np.float32),
    )
}
_SELECT = """
SELECT min(file.id), embedding, probabilities, artist, album_artist, title, year,
    coalesce(bpm, tempo), key, judgement.genre, confidence, file.duration_s
FROM file JOIN judgement ON judgement.audio = file.audio AND judgement.bundle = ?
WHERE kind = 'track' AND scale > 0 AND flags NOT LIKE '%"no music"%' AND flags NOT LIKE '%"silent"%'
    AND file.links > 0
GROUP BY file.audio ORDER BY min(file.id)
"""


@dataclass(frozen=True, eq=False)
class Vectors:
    """One row a sound: tracks of music alone, of copies the first.

    Attributes:
        id: int64 (n,), numbers of files in the catalogue.
        vector: float32 (n, d + n_classes), of length 1, see `joined`.
        crowd: float32 (n,), mean cosine to the nearest of a sample of songs: high for hubs, which
            are near to everything (Conneau et al. 2018, "Word Translation Without Parallel Data":
            cross-domain similarity local scaling).
        performer: int64 (n,), the same for the same artist.
        work: int64 (n,), the same for the same title by the same artist, whatever stands in
            brackets; no other's where there is no title.
        year: int16 (n,), 0 where unknown.
        bpm: float32 (n,), by the tag, or else by the sound; 0 where unknown.
        hour: int8 (n,), of the key on the wheel by which DJs mix, 1 to 12; 0 where unknown.
        label: int16 (n,), index of the most probable genre.
        confidence: float32 (n,), its probability.
        duration_s: float32 (n,), 0 where unknown.
    """

    id: NDArray[np.int64]
    vector: NDArray[np.float32]
    crowd: NDArray[np.float32]
    performer: NDArray[np.int64]
    work: NDArray[np.int64]
    year: NDArray[np.int16]
    bpm: NDArray[np.float32]
    hour: NDArray[np.int8]
    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    duration_s: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.id)

    def place_of(self, song: int) -> int | None:
        """The row of a file's number, or None where it has none."""
        at = int(np.searchsorted(self.id, song))
        return at if at < len(self.id) and self.id[at] == song else None


def load_vectors(catalogue: Catalogue, bundle: int, labels: tuple[str, ...]) -> Vectors:
    """The songs that a bundle judged; read from a file beside the catalogue while that is current.

    Args:
        bundle: its number in the catalogue.
        labels: its genres.
    """
    revision = catalogue.revision()
    path = catalogue.path.with_name(f"{catalogue.path.name}-vectors-{bundle}.npz")
    with suppress(OSError, ValueError, KeyError, EOFError, zlib.error):
        return _read(path, revision)
    columns = _columns(catalogue, bundle, labels)
    quantised = columns["vector"]
    vector = _unit(quantised)
    vectors = Vectors(**{**columns, "vector": vector, "crowd": crowd_of(vector)})
    arrays = {f.name: getattr(vectors, f.name) for f in fields(Vectors)} | {"vector": quantised}
    with suppress(OSError), atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, revision=np.array(revision, np.int64), **arrays)
    return vectors


def joined(
    embedding: NDArray[np.floating] | NDArray[np.int8], probabilities: NDArray[np.floating]
) -> NDArray[np.float32]:
    """What songs are compared by: float32 (n, d + n_classes), of length 1.

    The product of two is the mean of the cosine of their embeddings and that of their genres'
    probabilities: genres of neighbours agree more often than by the embedding alone, or by the
    embedding and the probabilities' square roots (docs/results/collection.md).

    Args:
        embedding: (n, d), of any length and scale.
        probabilities: (n, n_classes).
    """
    both = np.hstack([_unit(embedding), _unit(probabilities)])
    both *= np.float32(1 / np.sqrt(2))
    return both


def work_key(performer: str, title: str | None) -> str | None:
    """What versions of a work share: the artist, and the title without brackets and additions."""
    plain = folded(_BRACKETS.sub("", title or "")) or folded(title or "")
    return f"{folded(performer)}/{plain}" if plain else None


def crowd_of(vector: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float32]:
    """Mean cosine of each row to the nearest ten of a sample of the rows, itself not among them.

    Args:
        vector: (n, d), of length 1.
        seed: of the sample, which is all rows where they are few.
    """
    n = len(vector)
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:_REFERENCES])
    references = vector[chosen]
    k = min(_NEIGHBOURS, max(1, len(chosen) - 1))
    crowd = np.zeros(n, np.float32)
    for start in range(0, n, _AT_ONCE):
        cosine = vector[start : start + _AT_ONCE] @ references.T
        inside = (chosen >= start) & (chosen < start + _AT_ONCE)
        cosine[chosen[inside] - start, np.flatnonzero(inside)] = -1.0
        nearest = np.partition(cosine, -k, axis=1)[:, -k:]
        crowd[start : start + _AT_ONCE] = nearest.mean(axis=1)
    return crowd


def _read(path: Path, revision: tuple[int, int]) -> Vectors:
    with np.load(path, allow_pickle=False) as arrays:
        if tuple(arrays["revision"].tolist()) != revision:
            raise ValueError("out of date")
        columns = {f.name: arrays[f.name] for f in fields(Vectors)}
    return Vectors(**{**columns, "vector": _unit(columns["vector"])})


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    rows = values.astype(np.float32)
    rows /= np.maximum(np.sqrt(np.einsum("ij,ij->i", rows, rows)), 1e-9)[:, None]
    return rows


def _columns(catalogue: Catalogue, bundle: int, labels: tuple[str, ...]) -> dict[str, Any]:
    number_of = {label: i for i, label in enumerate(labels)}
    hours = {name: hour(i) for i, name in enumerate(KEYS)}
    columns = {name: array("q" if kind.kind == "i" else "d") for name, kind in _KINDS.items()}
    raw, probabilities = bytearray(), bytearray()
    for row in catalogue.db.execute(_SELECT, (bundle,)):
        song, embedding, probs, artist, album_artist, title, year, bpm, key, genre, *rest = row
        raw += embedding
        probabilities += probs
        performer = folded(artist or album_artist or "") or f"?{song}"
        values = (
            song,
            _number(performer),
            _number(work_key(performer, title) or f"?{song}"),
            year if year and 0 < year < 10_000 else 0,
            bpm or 0.0,
            hours.get(key, 0),
            number_of[genre],
            rest[0],
            rest[1] or 0.0,
        )
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    n = len(columns["id"])
    arrays: dict[str, Any] = {
        name: np.array(column, _KINDS[name]) for name, column in columns.items()
    }
    vector = joined(
        np.frombuffer(raw, np.int8).reshape(n, -1 if n else 0),
        np.frombuffer(probabilities, "<f4").reshape(n, len(labels)),
    )
    vector *= np.float32(127)
    arrays["vector"] = np.rint(vector, out=vector).astype(np.int8)
    return arrays


def _number(text: str) -> int:
    """A number that only the same text has, but for a chance of one in billions."""
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True
    )
