"""Which files of a folder are audio: by their endings, in order, each folder once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from genrescope.audio.formats import audio_files


def test_audio_files_are_found_by_their_endings_in_order(tmp_path: Path) -> None:
    for name in ("b.mp3", "a.FLAC", "._a.FLAC", "cover.jpg", "disc 2/c.ogg", "disc 10/d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    unreadable: list[OSError] = []
    found = audio_files(tmp_path, unreadable=unreadable.append)
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a.FLAC", "b.mp3", "disc 10/d.wav", "disc 2/c.ogg"]
    assert unreadable == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need privileges there")
def test_a_folder_that_is_linked_to_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.wav").touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    found = list(audio_files(tmp_path, unreadable=lambda error: None))
    assert found == [tmp_path / "a" / "1.wav"]


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").touch()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    unreadable: list[OSError] = []
    assert list(audio_files(tmp_path, unreadable=unreadable.append)) == [
        tmp_path / "open" / "1.wav"
    ]
    assert [Path(error.filename).name for error in unreadable] == ["closed"]
