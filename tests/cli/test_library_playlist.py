"""Lists by the command line, written and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_makers import Shell
from library_makers import make_song


@pytest.mark.slow
def test_similar_and_lists(shell: Shell, songs: Path, tmp_path: Path) -> None:
    for i in range(6):
        make_song(songs / f"more{i}.flac", seed=20 + i, artist=f"Artist {i}")
    shell("scan", songs, ask=False)
    shell("judge")
    first = songs / "a.flac"
    lines = shell("similar", first, "--n", 3, "--json").stdout.splitlines()
    assert len(lines) == 3
    assert first.name not in "".join(lines)
    out, recipe = tmp_path / "list.m3u8", tmp_path / "recipe.json"
    shell("playlist", "like", first, "--n", 5, "--out", out, "--recipe", recipe)
    text = out.read_text(encoding="utf-8")
    assert text.startswith("#EXTM3U\n#EXTINF:1,Ann - One\nmusic/a.flac\n")
    shell("playlist", "make", recipe, "--out", tmp_path / "again.m3u8")
    assert (tmp_path / "again.m3u8").read_text(encoding="utf-8") == text
    shell("playlist", "make", recipe, "--refresh", "--out", tmp_path / "new.m3u8")
    assert json.loads(recipe.read_text(encoding="utf-8"))["seed"] == 1
    extended = shell("playlist", "extend", out, "--n", 7).stdout.splitlines()
    assert [Path(line).name for line in extended][:5] == [
        Path(line).name for line in text.splitlines() if not line.startswith("#")
    ]
    assert len(extended) == 7
    way = shell("playlist", "path", first, songs / "more3.flac", "--n", 4).stdout.splitlines()
    assert (Path(way[0]).name, Path(way[-1]).name) == ("a.flac", "more3.flac")
    assert shell("playlist", "arc", first, songs / "more3.flac", "--n", 5).stdout
    genre = json.loads(lines[0])["genre"]
    assert shell("playlist", "around", genre, "--n", 2).stdout
    missing = shell("playlist", "like", tmp_path / "absent.mp3", code=1)
    assert "does not know it" in missing.stderr
