"""Answers as JSON lines, CSV and a table, whatever the name, the terminal and the encoding."""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bundle_maker import LABELS
from cli_makers import SR, lines, tone
from click.testing import CliRunner

from genrescope.cli import app, output, walk
from genrescope.model import Prediction
from genrescope.model.key import Key
from genrescope.model.tempo import Tempo


def test_json_lines_hold_what_was_promised(run: Any, music: Path) -> None:
    result = run("--json", music / "b.wav")
    assert result.exit_code == 0
    assert result.stderr == ""
    (answer,) = lines(result)
    assert answer.keys() == {
        *("path", "genre", "confidence", "genres", "probabilities", "timeline"),
        *("tempo", "key", "duration_s", "flags", "bundle"),
    }
    assert answer["path"] == str(music / "b.wav")
    assert answer["genre"] == "jazz"
    assert answer["bundle"] == "tiny"
    assert answer["duration_s"] == 3.5
    assert answer["flags"] == []
    assert list(answer["probabilities"]) == list(LABELS)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answer["confidence"] == max(answer["probabilities"].values())
    (segment,) = answer["timeline"]
    assert segment.keys() == {"start", "end", "label", "probability"}
    assert (segment["start"], segment["end"], segment["label"]) == (0, 3.5, "jazz")


def answered(*flags: str, tempo: Tempo | None = None, key: Key | None = None) -> Prediction:
    probs = np.array([[0.6, 0.3, 0.1]], np.float32)
    return Prediction(
        labels=("a", "b", "c"),
        times=np.array([[0.0, 1.0]]),
        probs=probs,
        step_times=np.array([[0.0, 1.0]]),
        step_probs=probs,
        clip_probs=probs[0],
        embedding=np.zeros(2, np.float32),
        flags=flags,
        duration_s=1.0,
        bundle="tiny",
        tempo=tempo,
        key=key,
    )


def test_flags_in_csv_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    output.Csv(("a", "b", "c")).answer(walk.Found("x.wav"), answered("short", "no music"))
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["flags"] == "short;no music"


@pytest.mark.slow
def test_csv_has_a_header_and_a_row_a_file(run: Any, music: Path, tmp_path: Path) -> None:
    odd = tone(tmp_path / 'a, "b".wav', "rock", seconds=1)
    result = run("--csv", music / "b.wav", odd, tmp_path / "absent.wav")
    assert result.exit_code == 1
    good, quoted, bad = csv.DictReader(io.StringIO(result.stdout))
    assert list(good) == [
        *("path", "genre", "confidence", *LABELS),
        *("tempo_bpm", "tempo_confidence", "tempo_other_bpm"),
        *("key", "key_camelot", "key_confidence"),
        *("duration_s", "flags", "bundle", "error"),
    ]
    assert (good["genre"], good["error"]) == ("jazz", "")
    assert sum(float(good[label]) for label in LABELS) == pytest.approx(1, abs=1e-4)
    assert (quoted["path"], quoted["flags"]) == (str(odd), "short")
    assert (bad["genre"], "absent.wav" in bad["error"]) == ("", True)


@pytest.mark.slow
def test_no_cell_of_csv_is_a_formula(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.wav", "+a.wav", "@b.wav"]
    for name in names:
        tone(tmp_path / name, "jazz", seconds=0.5)
    result = CliRunner().invoke(
        app, ["classify", "--bundle", str(tiny_bundle), "--csv", *names, "@nothing.wav"]
    )
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["path"] for row in rows] == [f"./{name}" for name in [*names, "@nothing.wav"]]
    assert rows[-1]["error"].startswith("'@nothing.wav: ")
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row.values() if cell)


def test_the_table_shows_genre_probability_and_runners_up(
    run: Any, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    head, row = run(music / "disc" / "c.WAV").stdout.splitlines()
    assert head.split() == ["file", "genre", "runners-up"]
    assert "c.WAV" in row
    assert row.index("blues") < row.index("%") < row.index("█")
    assert row.count("%") == 3
    assert row.endswith("short")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_the_table_fits_its_terminal(
    run: Any, music: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "columns_of_terminal", lambda: columns)
    rows = run(music).stdout.splitlines()
    assert len(rows) == 4
    assert max(map(len, rows)) <= max(columns, 80)


TEMPO = Tempo(bpm=97.6, confidence=0.8, other=None, pulse=0.9)
KEY = Key("E♭ minor", "2A", 0.7)


@pytest.mark.parametrize(
    ("prediction", "end"),
    [
        (answered(tempo=TEMPO, key=KEY), "98 bpm, E♭ minor (2A)"),
        (answered("short", tempo=TEMPO, key=KEY), "98 bpm, E♭ minor (2A)    short"),
        (answered("no beat", tempo=TEMPO, key=KEY), "  E♭ minor (2A)            no beat"),
        (answered(tempo=TEMPO), "98 bpm"),
        (answered("silent"), "  no label               silent"),
    ],
    ids=["both", "flag", "no beat", "no key", "silent"],
)
def test_the_table_ends_with_tempo_and_key_before_the_flags(
    prediction: Prediction, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output.Table(["x.wav"], beat=True).answer(walk.Found("x.wav"), prediction)
    head, row = capsys.readouterr().out.splitlines()
    assert row.endswith(end)
    if "bpm" in row:
        assert head.index("tempo, key") == row.index("98 bpm")


@pytest.mark.parametrize(
    ("columns", "shares", "beat"), [(80, 2, False), (100, 2, True), (123, 2, True), (124, 3, True)]
)
def test_a_terminal_shows_of_runners_up_and_tempo_what_it_has_room_for(
    columns: int,
    shares: int,
    beat: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(output, "columns_of_terminal", lambda: columns)
    name = "long" * 30
    table = output.Table([name], beat=True)
    table.answer(walk.Found(name), answered("uncertain", tempo=TEMPO, key=Key(KEY.name, "12A", 1)))
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].count("%") == shares
    assert [("tempo" in rows[0]), ("bpm" in rows[1])] == [beat, beat]
    assert max(map(len, rows)) <= columns


def test_a_key_is_spelt_in_letters_where_the_encoding_has_no_flats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1", errors="strict"))
    table = output.Table(["x.wav"], beat=True)
    table.answer(walk.Found("x.wav"), answered(key=KEY))
    assert "Eb minor (2A)" in written.getvalue().decode("latin-1")


def test_names_are_not_cut_where_the_output_is_no_terminal(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = tone(tmp_path / f"{'long' * 30}.wav", "jazz", seconds=1)
    assert str(path) in run(path).stdout


def test_silence_gets_no_label(run: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(4 * SR), SR)
    result = run(tmp_path / "silence.wav")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1]
    assert "no label" in row
    assert "silent" in row
    assert "%" not in row
    (answer,) = lines(run("--json", tmp_path / "silence.wav"))
    assert (answer["genre"], answer["timeline"]) == (None, [])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="such names cannot be made elsewhere")
def test_names_cannot_drive_the_terminal_and_bytes_are_spelt_out(
    run: Any, music: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "\x1b[31mred\n.wav"
    evil.write_bytes((music / "b.wav").read_bytes())
    raw = os.fsencode(tmp_path) + b"/\xff.wav"
    Path(os.fsdecode(raw)).write_bytes(b"broken")
    table = run(tmp_path)
    assert table.exit_code == 1
    assert "\x1b" not in table.stdout + table.stderr
    assert "\\x1b[31mred\\n.wav" in table.stdout
    assert "".join(table.stderr.splitlines()).isprintable()
    answers = lines(run("--json", tmp_path))
    assert {os.fsencode(a["path"]) for a in answers} == {raw, os.fsencode(evil)}


@pytest.mark.parametrize(("share", "bar"), [(0, ""), (1, "█" * 6), (0.5, "███"), (0.0625, "▍")])
def test_bars_count_eighths(share: float, bar: str) -> None:
    assert output._bar(share) == bar.ljust(6)
