"""What sounds alike in a dataset: an index names candidates, their vectors say how near they are.

A vector is kept as int8 times a scale (`model.quantised`), a direction of length 1 but for
rounding; nearness is the cosine. The index is faiss' ``IVF,SQ8``: cells around centres, of which
those nearest to a question are searched. Its candidates are compared by the kept vectors, so
that it decides which songs are looked at, and never how near they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genrescope.errors import FleetError

EMBEDDINGS, SCALES, INDEX = "embeddings.npy", "scales.npy", "neighbours.faiss"

_BLOCK = 2**17
"""Vectors that are held as floats at a time."""
_CELLS_PER_ROOT = 4  # cells: so many times the root of the vectors, as faiss' guide advises
_TRAINING_PER_CELL = 40
_CELLS_SEARCHED = 32
_CANDIDATES = 10  # for each song that is wanted


class VectorWriter:
    """Writes the vectors of a dataset, shard by shard, to files as large as they will be.

    Args:
        folder: of the dataset.
        n_songs: in all; a song without an answer has a vector of zeros.
    """

    def __init__(self, folder: Path, n_songs: int) -> None:
        self._folder = folder
        self._n_songs = n_songs
        self._scales = np.lib.format.open_memmap(
            folder / SCALES, mode="w+", dtype=np.float32, shape=(n_songs,)
        )
        self._embeddings: NDArray[np.int8] | None = None
        self._at = 0

    def add(self, embeddings: pa.ChunkedArray, scales: pa.ChunkedArray) -> None:
        """The columns of the next shard (FleetError: vectors of several lengths)."""
        start, end = self._at, self._at + len(scales)
        self._at = end
        self._scales[start:end] = scales.fill_null(0).to_numpy()
        lists = embeddings.combine_chunks()
        there = lists.is_valid().to_numpy(zero_copy_only=False)
        if not there.any():
            return
        flat = lists.flatten().to_numpy()
        if self._embeddings is None:
            shape = (self._n_songs, len(flat) // int(there.sum()))
            self._embeddings = np.lib.format.open_memmap(
                self._folder / EMBEDDINGS, mode="w+", dtype=np.int8, shape=shape
            )
        if len(flat) != int(there.sum()) * self._embeddings.shape[1]:
            raise FleetError(str(self._folder), "a part holds embeddings of another length")
        rows = np.flatnonzero(there) + start
        self._embeddings[rows] = flat.reshape(len(rows), -1)


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of a dataset, on the disk.

    Attributes:
        embeddings: int8 (n_songs, d).
        scales: float32 (n_songs,); 0 for silence and for songs without an answer.
    """

    embeddings: NDArray[np.int8]
    scales: NDArray[np.float32]

    @classmethod
    def open(cls, folder: Path) -> Vectors:
        """Those of a dataset (FleetError: it has none)."""
        try:
            return cls(
                np.load(folder / EMBEDDINGS, mmap_mode="r"), np.load(folder / SCALES, mmap_mode="r")
            )
        except (OSError, ValueError) as error:
            raise FleetError(str(folder), f"it has no vectors ({error})") from error

    def at(self, rows: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Directions, float32 (n_rows, d)."""
        vectors = self.embeddings[rows] * self.scales[rows, None]
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions: NDArray[np.float32] = vectors / np.maximum(length, 1e-12)
        return directions


def build(folder: Path) -> None:
    """Make the index of a dataset, from its vectors.

    Raises:
        FleetError: the dataset has no vectors, or fewer than a hundred that sound.
    """
    import faiss

    vectors = Vectors.open(folder)
    rows = np.flatnonzero(np.asarray(vectors.scales))
    if len(rows) < 100:
        raise FleetError(str(folder), "too few songs have a vector for an index")
    cells = min(round(_CELLS_PER_ROOT * math.sqrt(len(rows))), len(rows) // _TRAINING_PER_CELL)
    cells = max(1, cells)
    width = vectors.embeddings.shape[1]
    index = faiss.index_factory(width, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).choice(rows, cells * _TRAINING_PER_CELL, replace=False)
    index.train(vectors.at(np.sort(chosen)))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        index.add_with_ids(vectors.at(block), block)
    faiss.write_index(index, str(folder / INDEX))


class Neighbours:
    """Answers which songs of a dataset are nearest to a vector.

    Without an index all are compared.

    Raises:
        FleetError: the dataset has no vectors.
    """

    def __init__(self, folder: Path) -> None:
        self.vectors = Vectors.open(folder)
        self._index = None
        if (folder / INDEX).exists():
            import faiss

            self._index = faiss.read_index(str(folder / INDEX))
            faiss.ParameterSpace().set_index_parameter(self._index, "nprobe", _CELLS_SEARCHED)

    def nearest(
        self, query: NDArray[np.float32], n: int = 10
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the nearest songs, int64 (n,), and their cosines, float32 (n,), nearest first.

        Args:
            query: (d,), a direction of length 1, such as `model.prediction.Prediction.embedding`.
            n: how many; fewer come where the dataset has fewer.
        """
        if self._index is None:
            return self.exact(query, n)
        _, found = self._index.search(np.asarray(query, np.float32)[None], n * _CANDIDATES)
        rows = np.sort(found[0][found[0] >= 0])
        return _best(rows, self.vectors.at(rows) @ query, n)

    def exact(
        self, query: NDArray[np.float32], n: int = 10
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `nearest`, by comparing all."""
        rows, cosines = np.zeros(0, np.int64), np.zeros(0, np.float32)
        for start in range(0, len(self.vectors.scales), _BLOCK):
            block = slice(start, start + _BLOCK)
            there = np.flatnonzero(np.asarray(self.vectors.scales[block]))
            near = (self.vectors.at(block) @ query)[there]
            rows, cosines = _best(
                np.concatenate([rows, there + start]), np.concatenate([cosines, near]), n
            )
        return rows, cosines


def _best(
    rows: NDArray[np.int64], cosines: NDArray[np.float32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.argsort(-cosines, kind="stable")[:n]
    return rows[order], cosines[order]
