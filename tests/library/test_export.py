from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from library_makers import make_song, pretend

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.export import FORMS, export
from genrescope.library.playlist import read_m3u
from genrescope.library.scan import scan
from genrescope.library.songs import Song, songs
from genrescope.model.bundle import Bundle


@pytest.fixture
def listed(catalogue: Catalogue, music: Path, tiny_bundle: Path) -> list[Song]:
    bundle = Bundle.load(tiny_bundle)
    make_song(music / "a" / "jóga.flac", artist="Björk", title="Jóga")
    make_song(music / "plain.flac")
    scan(catalogue, [music])
    pretend(catalogue, bundle, "jóga.flac", {"pop": 0.75, "rock": 0.25}, flags=("short",))
    return list(songs(catalogue, catalogue.bundle_id(bundle)))


def test_a_table_holds_what_is_known(listed: list[Song], tmp_path: Path) -> None:
    assert export(listed, "csv", tmp_path / "t.csv") == 2
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        second, first = sorted(csv.DictReader(file), key=lambda row: row["artist"])
    assert (first["artist"], first["genre"], first["genres"]) == ("Björk", "pop", "pop")
    assert (first["confidence"], first["flags"], second["genre"]) == ("0.75", "short", "")


def test_no_cell_is_a_formula_and_no_path_is_two_lines(
    catalogue: Catalogue, music: Path, tmp_path: Path
) -> None:
    make_song(music / "a.flac", artist='=HYPERLINK("http://example.org")', title="-1+1")
    make_song(music / "b\nhttp:" / "c.flac", artist="@SUM(A1)", title="+1\n#EXTM3U")
    scan(catalogue, [music])
    found = list(songs(catalogue, None))
    assert export(found, "csv", tmp_path / "t.csv") == 2
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert '\'=HYPERLINK("http://example.org")' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    with pytest.raises(LibraryError, match="line break"):
        export(found, "m3u8", tmp_path / "t.m3u8")


def test_lines_and_parquet_hold_the_same(listed: list[Song], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(listed, "jsonl", tmp_path / "t.jsonl")
    export(listed, "parquet", tmp_path / "t.parquet")
    lines = (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == list(map(json.loads, lines))


def test_a_playlist_has_relative_paths_and_no_mark(
    listed: list[Song], tmp_path: Path, music: Path
) -> None:
    (tmp_path / "lists").mkdir()
    export(listed, "m3u8", tmp_path / "lists" / "t.m3u8")
    text = (tmp_path / "lists" / "t.m3u8").read_bytes().decode("utf-8")
    assert text.splitlines()[0] == "#EXTM3U"
    assert "#EXTINF:1,Björk - Jóga\n../music/a/jóga.flac\n" in text
    for line in text.splitlines():
        assert line.startswith("#") or (tmp_path / "lists" / line).is_file()


def test_a_path_that_is_no_text_stays_usable(
    catalogue: Catalogue, music: Path, tmp_path: Path
) -> None:
    make_song(music / os.fsdecode(b"\xff.flac"))
    scan(catalogue, [music])
    for form in FORMS:
        export(songs(catalogue, None), form, tmp_path / f"t.{form}")
    assert b"music/\xff.flac\n" in (tmp_path / "t.m3u8").read_bytes()


def test_names_that_a_playlist_takes_for_something_else(catalogue: Catalogue, music: Path) -> None:
    make_song(music / "#1 hits" / "#1.flac")
    scan(catalogue, [music])
    export(songs(catalogue, None), "m3u8", music / "t.m3u8")
    assert read_m3u(music / "t.m3u8") == [str(music / "#1 hits" / "#1.flac")]
    make_song(music / "line\nbreak.flac")
    scan(catalogue)
    with pytest.raises(LibraryError, match="a line break, which no playlist can hold"):
        export(songs(catalogue, None), "m3u8", music / "t.m3u8")
    assert "break" not in (music / "t.m3u8").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_list_is_a_file_too(form: str, tmp_path: Path) -> None:
    assert export([], form, tmp_path / "t") == 0
    assert (tmp_path / "t").is_file()


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"There are csv, jsonl, parquet, m3u8\."):
        export([], "xlsx", tmp_path / "t")
