"""Which files a folder means: in order, each once, links and pipes and all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_makers import lines, tone

from genrescope.cli import walk


@pytest.mark.slow
def test_a_folder_is_walked_in_order_and_only_music_is_taken(run: Any, music: Path) -> None:
    result = run("--json", music)
    assert result.exit_code == 0
    answers = [(Path(a["path"]).relative_to(music).as_posix(), a["genre"]) for a in lines(result)]
    assert answers == [("a.flac", "rock"), ("b.wav", "jazz"), ("disc/c.WAV", "blues")]
    assert lines(result)[2]["flags"] == ["short"]


def test_a_folder_without_music_says_so(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("la la la")
    result = run("--json", tmp_path)
    assert result.exit_code == 1
    assert "no audio file" in result.stderr
    assert lines(result)[0]["path"] == str(tmp_path)


def test_each_file_is_taken_once_however_often_it_is_named(music: Path) -> None:
    once = [file.path for file in walk.find([str(music)])]
    again = [str(music), f"{music}/", str(music / "disc"), str(music / "disc" / ".." / "b.wav")]
    assert [file.path for file in walk.find(again)] == once


@pytest.mark.skipif(sys.platform == "win32", reason="links need privileges there")
def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    tone(tmp_path / "shelf" / "a.wav", "jazz", seconds=0.1)
    tone(tmp_path / "elsewhere" / "b.wav", "jazz", seconds=0.1)
    (tmp_path / "shelf" / "loop").symlink_to(tmp_path / "shelf")
    (tmp_path / "shelf" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "shelf")
    found = walk.find([str(tmp_path / "shelf")])
    assert [Path(file.path).name for file in found] == ["a.wav", "b.wav"]
    assert all(file.error is None for file in found)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in a folder there")
def test_a_pipe_named_like_music_is_not_waited_for(run: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere")
    result = run("--json", tmp_path)
    assert result.exit_code == 1
    gone, pipe = lines(result)
    assert "no such file" in gone["error"]
    assert "not a regular file" in pipe["error"]


@pytest.mark.slow
def test_an_unreadable_folder_is_named(
    run: Any, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def locked(path: str) -> Any:
        if str(path).endswith("disc"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    result = run("--json", music)
    assert result.exit_code == 1
    *good, bad = lines(result)
    assert len(good) == 2
    assert bad["path"] == str(music / "disc")
    assert "cannot be read (Permission denied)" in result.stderr
