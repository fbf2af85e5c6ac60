"""Writing a bundle: by one writer at a time, and with texts that any terminal can show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bundle_maker import make_bundle

from genrescope.errors import BundleError
from genrescope.files import exclusive_lock
from genrescope.model.bundle import Bundle
from genrescope.model.writing import check_texts, reserve


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_two_writers_do_not_write_one_bundle(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in made.path.iterdir()}
    with exclusive_lock(made.path) as alone:
        assert alone
        with pytest.raises(BundleError, match="another process is writing to it"):
            make_bundle(tmp_path / "bundle")
    assert {path.name: path.read_bytes() for path in made.path.iterdir()} == before
    make_bundle(tmp_path / "bundle")
    assert Bundle.load(made.path).name == made.name


@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_a_reserved_folder_is_for_the_writer_who_reserved_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "bundle"
    with reserve(folder):
        with pytest.raises(BundleError, match="another process is writing to it"):
            make_bundle(folder)
        with pytest.raises(BundleError, match="another process"), reserve(folder):
            pytest.fail("reserved twice")
        make_bundle(folder, reserved=True)
    assert Bundle.load(folder).name == make_bundle(folder).name


def test_a_folder_reserved_in_vain_is_gone_and_a_bundle_in_it_is_not(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    for name in ("bundle", "empty", "new"):
        with pytest.raises(ZeroDivisionError), reserve(tmp_path / name):
            raise ZeroDivisionError
    assert Bundle.load(made.path) == made
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "empty"}
    (tmp_path / "poem.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds something else"), reserve(tmp_path):
        pytest.fail("reserved")


@pytest.mark.parametrize(
    ("name", "licence", "message"),
    [
        ("", "CC0-1.0", "name '' is not a short text"),
        ("n" * 101, "CC0-1.0", "is not a short text"),
        ("a\x1b[2Jb", "CC0-1.0", "control characters"),
        ("fine", "", "licence '' is not a text"),
    ],
)
def test_a_name_or_licence_that_no_bundle_may_have(name: str, licence: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        check_texts(name=name, licence=licence)


def test_usual_names_and_licences_pass() -> None:
    check_texts(name="Musik für Elise", licence="Apache-2.0")


def test_writing_over_a_bundle_leaves_nothing_of_the_old(folder: Path) -> None:
    again = make_bundle(folder, name="second", catalogue=None)
    assert Bundle.load(folder).name == "second"
    assert sorted(p.name for p in folder.iterdir()) == sorted([*again.files, "bundle.json"])


def test_a_bundle_that_would_not_load_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="temperature"):
        make_bundle(tmp_path / "b", temperature=0.0)
    assert not (tmp_path / "b").exists()
