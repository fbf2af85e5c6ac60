"""A row is small, says what was known, and has the same bytes each time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from genrescope.fleet.rows import Answer, Counts, encode, read_counts
from genrescope.model.quantised import quantised

LABELS = ("jazz", "rock")
ANSWERS = [
    Answer(
        id="a",
        genre="rock",
        probabilities=np.array([0.25, 0.75], np.float16),
        set=("rock",),
        confidence=0.75,
        flags=("short",),
        embedding=np.array([127, -3], np.int8),
        scale=0.0078,
        tempo_bpm=97.5,
        key="A minor",
        duration_s=2.5,
    ),
    Answer.failed("b", "timeout", "b: it took more than 60 seconds."),
    Answer.failed("c", "missing", "ü" * 2_000),
]


def _encoded() -> bytes:
    return encode(ANSWERS, bundle="ab" * 32, labels=LABELS, plan="cd" * 32)


def test_rows_come_back_as_they_were() -> None:
    first, second, third = pq.read_table(io.BytesIO(_encoded())).to_pylist()
    assert first == {
        "id": "a",
        "bundle": "ab" * 32,
        "genre": "rock",
        "probabilities": [0.25, 0.75],
        "set": ["rock"],
        "confidence": 0.75,
        "flags": ["short"],
        "embedding": [127, -3],
        "embedding_scale": pytest.approx(0.0078),
        "tempo_bpm": 97.5,
        "key": "A minor",
        "duration_s": 2.5,
        "excerpt_s": None,
        "error_code": None,
        "error": None,
    }
    assert second["error_code"] == "timeout"
    assert second["probabilities"] is second["embedding"] is second["flags"] is None
    assert len(third["error"]) == 500


def test_the_same_answers_are_the_same_bytes_and_the_footer_counts_them() -> None:
    data = _encoded()
    assert data == _encoded()
    assert read_counts(io.BytesIO(data)) == Counts(3, {"missing": 1, "timeout": 1})
    metadata = pq.read_metadata(io.BytesIO(data)).metadata
    assert metadata[b"genrescope.labels"] == b'["jazz", "rock"]'
    assert metadata[b"genrescope.plan"] == b"cd" * 32


def test_what_is_no_part_has_no_counts() -> None:
    with pytest.raises(ValueError, match="it is no part"):
        read_counts(io.BytesIO(b"PAR1 or not"))


def test_two_thousand_rows_take_little_room() -> None:
    rng = np.random.default_rng(0)
    answers = []
    for i in range(2_000):
        embedding, scale = quantised(rng.normal(size=128).astype(np.float32))
        probabilities = rng.dirichlet(np.ones(10)).astype(np.float16)
        genres = tuple("abcdefghij"[k] for k in np.argsort(-probabilities)[:3])
        confidence = float(probabilities.max())
        answers.append(
            Answer(
                f"song-{i:08d}", genres[0], probabilities, genres, confidence, (), embedding, scale
            )
        )
    data = encode(answers, bundle="ab" * 32, labels="abcdefghij", plan="cd" * 32)
    assert len(data) < 2_000 * 250


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part-000000.parquet"
    path.write_bytes(_encoded())
    return path


@pytest.mark.slow
def test_duckdb_reads_it(part: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    with duckdb.connect() as connection:
        query = f"select id, probabilities[2], embedding[1], error_code from '{part}'"
        rows = connection.sql(query).fetchall()
    assert rows == [
        ("a", 0.75, 127, None),
        ("b", None, None, "timeout"),
        ("c", None, None, "missing"),
    ]


@pytest.mark.slow
def test_polars_reads_it(part: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    table = polars.read_parquet(part)
    assert table["probabilities"].to_list() == [[0.25, 0.75], None, None]
    assert table["embedding"].to_list()[0] == [127, -3]
    assert table["set"].to_list() == [["rock"], None, None]
