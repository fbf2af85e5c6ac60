"""The vectors of a dataset, and what is nearest among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from genrescope.errors import FleetError
from genrescope.fleet.neighbours import Neighbours, Vectors, VectorWriter, build

WIDTH = 8
EMBEDDINGS = pa.list_(pa.int8())


def _column(rows: list[list[int] | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(rows, EMBEDDINGS)])


def _scales(values: list[float | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.float32())])


def _written(folder: Path, n_songs: int, *, seed: int = 0) -> np.ndarray:
    """Random directions, every tenth without an answer; returns them as int8."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-127, 128, (n_songs, WIDTH), np.int8)
    writer = VectorWriter(folder, n_songs)
    for start in range(0, n_songs, 50):
        numbers = range(start, min(start + 50, n_songs))
        writer.add(
            _column([None if i % 10 == 0 else rows[i].tolist() for i in numbers]),
            _scales([None if i % 10 == 0 else 0.01 for i in numbers]),
        )
    rows[::10] = 0
    return rows


def test_vectors_come_back_in_their_rows_and_as_directions(tmp_path: Path) -> None:
    rows = _written(tmp_path, 120)
    vectors = Vectors.open(tmp_path)
    np.testing.assert_array_equal(vectors.embeddings, rows)
    assert vectors.scales[10] == 0
    assert vectors.scales[11] == pytest.approx(0.01)
    lengths = np.linalg.norm(vectors.at(slice(0, 120)), axis=1)
    np.testing.assert_allclose(lengths, (np.arange(120) % 10 > 0).astype(float), atol=1e-6)


def test_the_nearest_are_those_of_the_greatest_cosine_and_none_without_an_answer(
    tmp_path: Path,
) -> None:
    rows = _written(tmp_path, 120).astype(float)
    query = rows[37] / np.linalg.norm(rows[37])
    cosines = rows @ query / np.maximum(np.linalg.norm(rows, axis=1), 1e-12)
    found, near = Neighbours(tmp_path).nearest(query.astype(np.float32), 5)
    assert found[0] == 37
    assert found.tolist() == np.argsort(-cosines, kind="stable")[:5].tolist()
    np.testing.assert_allclose(near, np.sort(cosines)[::-1][:5], atol=1e-5)
    every, _ = Neighbours(tmp_path).nearest(query.astype(np.float32), 1_000)
    assert len(every) == 108
    assert not np.isin(np.arange(0, 120, 10), every).any()


def test_an_index_answers_as_comparing_all_does(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    rows = _written(tmp_path, 400).astype(np.float32)
    build(tmp_path)
    near = Neighbours(tmp_path)
    for number in (1, 123, 399):
        query = rows[number] / np.linalg.norm(rows[number])
        np.testing.assert_array_equal(near.nearest(query, 3)[0], near.exact(query, 3)[0])


def test_an_index_of_a_handful_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    _written(tmp_path, 100)
    with pytest.raises(FleetError, match="too few songs have a vector"):
        build(tmp_path)


def test_vectors_of_several_lengths_are_refused(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, 3)
    writer.add(_column([None]), _scales([None]))
    writer.add(_column([[1, 2, 3]]), _scales([0.1]))
    with pytest.raises(FleetError, match="embeddings of another length"):
        writer.add(_column([[1, 2]]), _scales([0.1]))


def test_a_folder_without_vectors_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="it has no vectors"):
        Neighbours(tmp_path)
