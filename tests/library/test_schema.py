"""Versions of the catalogue: older ones are brought up to date, newer ones are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.schema import APPLICATION_ID, MIGRATIONS


def test_a_new_catalogue_is_of_the_newest_version_and_keeps_a_log(catalogue: Catalogue) -> None:
    assert catalogue.db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert catalogue.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert set(catalogue.counts().values()) == {0}


def test_a_catalogue_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    Catalogue(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(LibraryError, match="newer Genrescope"):
        Catalogue(path)


def test_a_catalogue_of_each_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(1, len(MIGRATIONS)):
        path = tmp_path / f"{version}.db"
        db = sqlite3.connect(path)
        db.executescript("".join(MIGRATIONS[:version]))
        db.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
            "INSERT INTO folder (path) VALUES (x'41');"
        )
        db.close()
        with Catalogue(path) as catalogue:
            assert catalogue.db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert catalogue.db.execute("SELECT path FROM folder").fetchall() == [(b"A",)]
            assert check(catalogue) == []
