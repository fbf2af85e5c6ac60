from __future__ import annotations

import os
from pathlib import Path

import pytest

from genrescope.library.walk import Folder, walk


def _walked(top: Path) -> list[Folder]:
    return list(walk(os.fsencode(top), set()))


def test_audio_and_sheets_are_sorted_out(tmp_path: Path) -> None:
    for name in ("b.MP3", "a.flac", "._a.flac", "a.cue", "cover.png", ".genrescope-0.part"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    first, second = _walked(tmp_path)
    assert [entry.name for entry in first.entries] == [b"a.flac", b"b.MP3"]
    assert first.sheets == [os.fsencode(tmp_path / "a.cue")]
    assert second.path.endswith(b"sub")


def test_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp3")
    (folder,) = _walked(tmp_path)
    assert folder.entries == []


def test_a_loop_ends(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(_walked(tmp_path)) == 1


def test_what_vanishes_is_left_out_and_what_is_closed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "closed", "open"):
        (tmp_path / name).mkdir()
    real = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"gone"):
            raise FileNotFoundError(2, "No such file or directory")
        if path.endswith(b"closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    errors = {Path(os.fsdecode(folder.path)).name: folder.error for folder in _walked(tmp_path)}
    assert errors == {
        tmp_path.name: None,
        "closed": "the folder cannot be read (Permission denied)",
        "open": None,
    }
