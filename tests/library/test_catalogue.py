from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue, bundle_hash, dequantise, quantise
from genrescope.model.bundle import Bundle


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE precious (x)")
    db.commit()
    db.close()
    with pytest.raises(LibraryError, match="database of something else"):
        Catalogue(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(LibraryError, match="no database"):
        Catalogue(path)


def test_what_fails_in_a_transaction_leaves_nothing(catalogue: Catalogue) -> None:
    def fail() -> None:
        with catalogue.transaction() as db:
            db.execute("INSERT INTO folder (path) VALUES (x'41')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert catalogue.db.execute("SELECT count(*) FROM folder").fetchone() == (0,)


def test_a_bundle_is_known_by_what_decides_its_answers(
    catalogue: Catalogue, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    number = catalogue.bundle_id(bundle)
    assert catalogue.bundle_id(replace(bundle, name="another", metrics=[])) == number
    assert catalogue.bundle_id(replace(bundle, temperature=2.0)) != number
    assert bundle_hash(replace(bundle, thresholds={})) != bundle_hash(bundle)


@given(arrays(np.float32, 64, elements=st.floats(-1, 1, width=32)))
def test_an_embedding_keeps_its_direction(embedding: np.ndarray) -> None:
    length = np.linalg.norm(embedding)
    embedding = embedding / length if length > 1e-3 else np.zeros(64, np.float32)
    raw, scale = quantise(embedding)
    assert len(raw) == 64
    error = np.abs(dequantise(raw, scale) - embedding).max()
    assert error <= np.abs(embedding).max() / 127 * 0.5001
