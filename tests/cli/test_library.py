"""The verbs of a collection, from the first scan to the last undo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from library_makers import make_song, tag

from genrescope import cli
from genrescope.library.tags.reading import read_tags


class Shell:
    """Runs verbs of ``genrescope library`` on one catalogue and the tiny bundle."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.catalogue = folder / "library.db"
        self._bundle = bundle

    def __call__(self, *arguments: object, ask: bool = True, code: int = 0) -> Result:
        options = ["--catalogue", str(self.catalogue)]
        if ask:
            options += ["--bundle", str(self._bundle)]
        words = ["library", *map(str, arguments)]
        split = words.index("--") if "--" in words else len(words)
        result = CliRunner().invoke(cli.app, [*words[:split], *options, *words[split:]])
        assert result.exit_code == code, (result.output, result.exception)
        return result


@pytest.fixture
def shell(tmp_path: Path, tiny_bundle: Path) -> Shell:
    return Shell(tmp_path, tiny_bundle)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    make_song(folder / "a.flac", artist="Ann", title="One", genre="Polka")
    make_song(folder / "b.mp3", seed=1, artist="Bob")
    return folder


def test_from_scan_to_undo(shell: Shell, music: Path, tmp_path: Path) -> None:
    assert "2 files in 1 folders: 2 new" in shell("scan", music, ask=False).stdout
    assert "2 judged, 0 known already, 0 failed" in shell("judge").stdout
    assert "0 judged" in shell("judge").stdout
    assert shell("check", ask=False).stdout.startswith("sound: 2 files, 2 judgements by 1 bundles")
    lines = shell("list", "--json").stdout.splitlines()
    assert [json.loads(line)["artist"] for line in lines] == ["Ann", "Bob"]
    assert "b.mp3" not in shell("list", "artist:ann").stdout
    assert "a.flac" not in shell("list", "--", "-artist:ann").stdout

    planned = shell("tags", "plan")
    plan = tmp_path / "plan.jsonl"
    plan.write_text(planned.stdout, encoding="utf-8")
    assert "changes; a genre for" in planned.stderr
    assert "GENRESCOPE" not in str(read_tags(music / "b.mp3").tags)
    dry = shell("tags", "apply", plan, ask=False)
    assert "2 files would be written; add --write to do it" in dry.stdout
    assert "+ genrescope_genre: " in shell("tags", "diff", plan, ask=False).stdout
    assert "run 1: 2 files written" in shell("tags", "apply", plan, "--write", ask=False).stdout
    assert "GENRESCOPE_GENRE" in str(read_tags(music / "b.mp3").tags)
    assert "nothing to write" in shell("tags", "apply", plan, "--write", ask=False).stdout
    assert "apply     2 files" in shell("tags", "runs", ask=False).stdout
    assert "+ genrescope_genre: " in shell("tags", "diff", 1, ask=False).stdout
    assert "2 files would be written" in shell("tags", "undo", 1, ask=False).stdout
    assert "run 2: 2 files written" in shell("tags", "undo", 1, "--write", ask=False).stdout
    assert "GENRESCOPE" not in str(read_tags(music / "b.mp3").tags)
    assert "0 new, 0 changed, 0 gone" in shell("scan", ask=False).stdout
    assert "0 judged" in shell("judge").stdout


def test_what_cannot_be_read_is_named_and_the_code_is_1(shell: Shell, music: Path) -> None:
    (music / "bad.mp3").write_bytes(b"bad" * 99)
    result = shell("scan", music, ask=False, code=1)
    assert "bad.mp3: its tags cannot be read" in result.stderr
    result = shell("judge", code=1)
    assert "2 judged, 0 known already, 1 failed" in result.stdout
    assert "bad.mp3" in result.stderr
    assert "failed" in shell("list", "failed:true").stdout


def test_a_conflict_is_named_and_the_code_is_1(shell: Shell, music: Path, tmp_path: Path) -> None:
    shell("scan", music, ask=False)
    shell("judge")
    plan = tmp_path / "plan.jsonl"
    plan.write_text(shell("tags", "plan").stdout, encoding="utf-8")
    tag(music / "a.flac", title="Another")
    result = shell("tags", "apply", plan, "--write", ask=False, code=1)
    assert "a.flac: it changed since the scan" in result.stderr
    assert "run 1: 1 files written" in result.stdout


def test_odd_and_export(shell: Shell, music: Path, tmp_path: Path) -> None:
    shell("scan", music, ask=False)
    shell("judge")
    result = shell("odd")
    assert "1 have a genre outside of the model's 10" in result.stderr
    shell("odd", "--json")
    out = tmp_path / "songs.csv"
    assert f"1 songs in {out}" in shell("export", "csv", out, "artist:bob").stdout
    assert "Bob" in out.read_text(encoding="utf-8")


def test_nothing_to_scan_is_said_in_words(shell: Shell) -> None:
    assert "knows no folder of music yet" in shell("scan", ask=False, code=1).stderr


def test_learn_says_what_it_learned_and_what_not(
    shell: Shell, music: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    for k, genre in enumerate(("Dub", "Minimal")):
        for i in range(9):
            name = f"{genre}{i}"
            seed = 100 * k + i + 10
            make_song(music / f"{name}.flac", seed=seed, artist=f"{genre} {i % 4}", genre=genre)
    shell("scan", music, ask=False)
    shell("judge")
    result = shell("learn", "--out", tmp_path / "mine")
    assert "not learned: Polka: 1 tracks by 1 artists" in result.stderr
    assert "own-genres: accuracy by artists" in result.stdout
    assert (tmp_path / "mine" / "MODEL_CARD.md").is_file()
    shell("learn", "--from-tags", "--from", music, "--out", tmp_path / "x", code=2)


def test_similar_and_lists(shell: Shell, music: Path, tmp_path: Path) -> None:
    for i in range(6):
        make_song(music / f"more{i}.flac", seed=20 + i, artist=f"Artist {i}")
    shell("scan", music, ask=False)
    shell("judge")
    first = music / "a.flac"
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
    way = shell("playlist", "path", first, music / "more3.flac", "--n", 4).stdout.splitlines()
    assert (Path(way[0]).name, Path(way[-1]).name) == ("a.flac", "more3.flac")
    assert shell("playlist", "arc", first, music / "more3.flac", "--n", 5).stdout
    genre = json.loads(lines[0])["genre"]
    assert shell("playlist", "around", genre, "--n", 2).stdout
    missing = shell("playlist", "like", tmp_path / "absent.mp3", code=1)
    assert "does not know it" in missing.stderr
