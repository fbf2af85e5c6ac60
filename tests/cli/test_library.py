"""The verbs of a collection, from the first scan to the last undo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from cli_makers import Shell
from library_makers import make_song


@pytest.mark.slow
def test_what_cannot_be_read_is_named_and_the_code_is_1(shell: Shell, songs: Path) -> None:
    (songs / "bad.mp3").write_bytes(b"bad" * 99)
    result = shell("scan", songs, ask=False, code=1)
    assert "bad.mp3: its tags cannot be read" in result.stderr
    result = shell("judge", code=1)
    assert "2 judged, 0 known already, 1 failed" in result.stdout
    assert "bad.mp3" in result.stderr
    assert "failed" in shell("list", "failed:true").stdout


@pytest.mark.slow
def test_odd_and_export(shell: Shell, songs: Path, tmp_path: Path) -> None:
    shell("scan", songs, ask=False)
    shell("judge")
    result = shell("odd")
    assert "1 have a genre outside of the model's 10" in result.stderr
    heading, line = result.stdout.splitlines()[-2:]
    assert heading == "outside of the model's 10 genres"
    assert line.split() == ["Polka", "1", "song"]
    shell("odd", "--json")
    out = tmp_path / "songs.csv"
    assert f"1 songs in {out}" in shell("export", "csv", out, "artist:bob").stdout
    assert "Bob" in out.read_text(encoding="utf-8")


@pytest.mark.slow
def test_names_and_states_are_shown_in_a_line(shell: Shell, songs: Path) -> None:
    make_song(songs / "line\nbreak.flac")
    (songs / "silent.wav").write_bytes(encoded("wav16", np.zeros((22_050, 1), np.float32), 22_050))
    shell("scan", songs, ask=False)
    assert shell("list").stdout.count("not judged") == 4
    shell("judge")
    lines = shell("list").stdout.splitlines()
    assert len(lines) == 4
    assert any("line\\nbreak.flac" in line for line in lines)
    (silent,) = shell("list", "flag:silent").stdout.splitlines()
    assert silent.split()[:2] == ["-", "-"]


def test_nothing_to_scan_is_said_in_words(shell: Shell) -> None:
    assert "knows no folder of music yet" in shell("scan", ask=False, code=1).stderr


@pytest.mark.slow
def test_learn_says_what_it_learned_and_what_not(
    shell: Shell, songs: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    for k, genre in enumerate(("Dub", "Minimal")):
        for i in range(9):
            name = f"{genre}{i}"
            seed = 100 * k + i + 10
            make_song(songs / f"{name}.flac", seed=seed, artist=f"{genre} {i % 4}", genre=genre)
    shell("scan", songs, ask=False)
    shell("judge")
    result = shell("learn", "--out", tmp_path / "mine")
    assert "not learned: Polka: 1 tracks by 1 artists" in result.stderr
    assert "own-genres: accuracy by artists" in result.stdout
    assert (tmp_path / "mine" / "MODEL_CARD.md").is_file()
    shell("learn", "--from-tags", "--from", songs, "--out", tmp_path / "x", code=2)
