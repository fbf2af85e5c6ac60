from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bundle_maker import LABELS
from click.testing import CliRunner, Result

from genrescope.cli import app, output, walk
from genrescope.cli.answer import in_order
from genrescope.model import Classifier, Prediction

SR = 22_050
TONES_HZ = {"blues": 100, "jazz": 2200, "rock": 9500}


def write_tone(path: Path, genre: str, *, seconds: float = 3.5) -> Path:
    t = np.arange(round(seconds * SR)) / SR
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * TONES_HZ[genre] * t), SR)
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three recordings, one of them below, and what is no music."""
    folder = tmp_path_factory.mktemp("music")
    write_tone(folder / "b.wav", "jazz")
    write_tone(folder / "a.flac", "rock")
    write_tone(folder / "disc" / "c.WAV", "blues", seconds=1)
    (folder / "cover.jpg").write_bytes(b"no sound")
    (folder / "._b.wav").write_bytes(b"a companion that macOS left")
    return folder


@pytest.fixture
def run(tiny_bundle: Path) -> Any:
    def invoke(*arguments: str | Path) -> Result:
        given = ["classify", "--bundle", str(tiny_bundle), *map(str, arguments)]
        return CliRunner().invoke(app, given)

    return invoke


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_lines_hold_what_was_promised(run: Any, music: Path) -> None:
    result = run("--json", music / "b.wav")
    assert result.exit_code == 0
    assert result.stderr == ""
    (answer,) = lines(result)
    assert answer.keys() == {
        *("path", "genre", "confidence", "genres", "probabilities", "timeline"),
        *("duration_s", "flags", "bundle"),
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


def test_a_folder_is_walked_in_order_and_only_music_is_taken(run: Any, music: Path) -> None:
    result = run("--json", music)
    assert result.exit_code == 0
    answers = [(Path(a["path"]).relative_to(music).as_posix(), a["genre"]) for a in lines(result)]
    assert answers == [("a.flac", "rock"), ("b.wav", "jazz"), ("disc/c.WAV", "blues")]
    assert lines(result)[2]["flags"] == ["short"]


def test_answers_come_in_the_order_of_the_input(run: Any, tmp_path: Path) -> None:
    # The first takes longest, so that the others are ready before it.
    seconds = [60, *([1] * 11)]
    genres = ["rock", "jazz", "blues"] * 4
    paths = [
        write_tone(tmp_path / f"{i}.wav", genre, seconds=s)
        for i, (genre, s) in enumerate(zip(genres, seconds, strict=True))
    ]
    result = run("--json", *paths)
    assert [a["path"] for a in lines(result)] == [str(path) for path in paths]
    assert [a["genre"] for a in lines(result)] == genres


def test_a_file_that_fails_is_named_and_the_others_go_on(
    run: Any, music: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"this is no music" * 100)
    absent = tmp_path / "absent.wav"
    result = run("--json", broken, music / "b.wav", absent)
    assert result.exit_code == 1
    first, good, last = lines(result)
    assert good["genre"] == "jazz"
    for answer, path in ((first, broken), (last, absent)):
        assert answer.keys() == {"path", "error"}
        assert answer["path"] == str(path)
        assert str(path) in answer["error"]
        assert answer["error"] in result.stderr
    assert "1 classified, 2 failed" in result.stderr


def test_flags_in_csv_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    prediction = Prediction(
        labels=("a", "b"),
        times=np.array([[0.0, 1.0]]),
        probs=np.array([[0.6, 0.4]], np.float32),
        step_times=np.array([[0.0, 1.0]]),
        step_probs=np.array([[0.6, 0.4]], np.float32),
        clip_probs=np.array([0.6, 0.4], np.float32),
        embedding=np.zeros(2, np.float32),
        flags=("short", "no music"),
        duration_s=1.0,
        bundle="tiny",
    )
    output.Csv(("a", "b")).answer(walk.Found("x.wav"), prediction)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["flags"] == "short;no music"


def test_csv_has_a_header_and_a_row_a_file(run: Any, music: Path, tmp_path: Path) -> None:
    odd = write_tone(tmp_path / 'a, "b".wav', "rock", seconds=1)
    result = run("--csv", music / "b.wav", odd, tmp_path / "absent.wav")
    assert result.exit_code == 1
    good, quoted, bad = csv.DictReader(io.StringIO(result.stdout))
    assert list(good) == [
        *("path", "genre", "confidence", *LABELS),
        *("duration_s", "flags", "bundle", "error"),
    ]
    assert (good["genre"], good["error"]) == ("jazz", "")
    assert sum(float(good[label]) for label in LABELS) == pytest.approx(1, abs=1e-4)
    assert (quoted["path"], quoted["flags"]) == (str(odd), "short")
    assert (bad["genre"], "absent.wav" in bad["error"]) == ("", True)


def test_no_cell_of_csv_is_a_formula(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.wav", "+a.wav", "@b.wav"]
    for name in names:
        write_tone(tmp_path / name, "jazz", seconds=0.5)
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


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_the_table_fits_its_terminal(
    run: Any, music: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "columns_of_terminal", lambda: columns)
    rows = run(music).stdout.splitlines()
    assert len(rows) == 4
    assert max(map(len, rows)) <= max(columns, 80)


def test_names_are_not_cut_where_the_output_is_no_terminal(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = write_tone(tmp_path / f"{'long' * 30}.wav", "jazz", seconds=1)
    assert str(path) in run(path).stdout


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp437", "koi8-r", "euc-jp"])
@pytest.mark.parametrize("verb", ["classify", "info"])
def test_no_encoding_of_the_output_is_a_failure(
    tiny_bundle: Path, tmp_path: Path, verb: str, encoding: str
) -> None:
    path = write_tone(tmp_path / "Дєржава\u3000音 é.wav", "jazz", seconds=1)
    command = {
        "classify": _command(tiny_bundle, path, tmp_path / "нет.wav"),
        "info": [sys.executable, "-m", "genrescope", "info", str(tiny_bundle)],
    }[verb]
    env = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "60"}
    done = subprocess.run(command, env=env, capture_output=True)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (1 if verb == "classify" else 0)
    said = done.stdout.decode(encoding)
    assert ("jazz" if verb == "classify" else "fault-filtered") in said
    assert "\\u2588" not in said  # a bar of escapes is none


@pytest.mark.parametrize(
    "arguments",
    [
        ["\x1b[31mred"],
        ["--\x1b[2J"],
        ["info", "\x1b]0;title\x07"],
        ["classify", "\x1b[31mred.mp3"],
        ["classify", "x", "--out", "\x1b[2J"],
        ["classify", "x", "--b=\x9b"],
    ],
)
def test_what_is_typed_cannot_drive_the_terminal(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (1, 2)
    assert not {"\x1b", "\x07", "\x9b"} & set(result.output)


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


def test_an_empty_path_is_a_wrong_command(run: Any, music: Path, tmp_path: Path) -> None:
    result = run("--out", tmp_path / "x.jsonl", music, "")
    assert result.exit_code == 2
    assert "a path is empty" in " ".join(result.stderr.split())
    assert not (tmp_path / "x.jsonl").exists()


def test_two_formats_at_once_are_a_wrong_command(run: Any, music: Path) -> None:
    result = run("--json", "--csv", music)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_bundle_that_is_none_is_said_once(music: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["classify", "--bundle", str(tmp_path), str(music)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert str(tmp_path) in result.stderr


def test_a_folder_without_music_says_so(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("la la la")
    result = run("--json", tmp_path)
    assert result.exit_code == 1
    assert "no audio file" in result.stderr
    assert lines(result)[0]["path"] == str(tmp_path)


def test_each_file_is_taken_once_however_often_it_is_named(music: Path) -> None:
    once = [one.path for one in walk.find([str(music)])]
    again = [str(music), f"{music}/", str(music / "disc"), str(music / "disc" / ".." / "b.wav")]
    assert [one.path for one in walk.find(again)] == once


@pytest.mark.skipif(sys.platform == "win32", reason="links need privileges there")
def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    write_tone(tmp_path / "shelf" / "a.wav", "jazz", seconds=0.1)
    write_tone(tmp_path / "elsewhere" / "b.wav", "jazz", seconds=0.1)
    (tmp_path / "shelf" / "loop").symlink_to(tmp_path / "shelf")
    (tmp_path / "shelf" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "shelf")
    found = walk.find([str(tmp_path / "shelf")])
    assert [Path(one.path).name for one in found] == ["a.wav", "b.wav"]
    assert all(one.error is None for one in found)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in a folder there")
def test_a_pipe_named_like_music_is_not_waited_for(run: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere")
    result = run("--json", tmp_path)
    assert result.exit_code == 1
    gone, pipe = lines(result)
    assert "no such file" in gone["error"]
    assert "not a regular file" in pipe["error"]


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


def test_an_odd_failure_of_one_file_does_not_end_the_job(tiny_bundle: Path, music: Path) -> None:
    def fail(source: str, **options: Any) -> Prediction:
        if source.endswith("a.flac"):
            raise MemoryError("too much")
        return classifier.classify(source, **options)

    classifier = Classifier.load(tiny_bundle)
    answers = list(in_order(fail, walk.find([str(music)]), 2))
    assert [isinstance(answer, str) for _, answer in answers] == [True, False, False]
    assert "MemoryError: too much" in str(answers[0][1])


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


def _command(tiny_bundle: Path, *arguments: str | Path) -> list[str]:
    start = [sys.executable, "-m", "genrescope", "classify", "--bundle", str(tiny_bundle)]
    return [*start, *map(str, arguments)]


def test_the_process_exits_with_what_it_says(
    tiny_bundle: Path, music: Path, tmp_path: Path
) -> None:
    good = subprocess.run(_command(tiny_bundle, "--json", music), capture_output=True)
    assert (good.returncode, good.stderr) == (0, b"")
    assert len(good.stdout.splitlines()) == 3
    bad = subprocess.run(_command(tiny_bundle, tmp_path / "absent.mp3"), capture_output=True)
    assert (bad.returncode, bad.stdout) == (1, b"")
    assert b"absent.mp3" in bad.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full disk")
def test_a_full_disk_is_said(tiny_bundle: Path, music: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            _command(tiny_bundle, "--json", music), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.returncode == 1
    assert result.stderr == "genrescope: the output cannot be written: No space left on device\n"


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def long_job(tiny_bundle: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Classifies one short recording, then many long ones."""
    write_tone(tmp_path / "0.wav", "jazz", seconds=1)
    long = write_tone(tmp_path / "1.wav", "jazz", seconds=300)
    for i in range(2, 60):
        (tmp_path / f"{i}.wav").hardlink_to(long)
    paths = [tmp_path / f"{i}.wav" for i in range(60)]
    job = subprocess.Popen(
        _command(tiny_bundle, "--json", *paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell makes what it starts in the background ignore SIGINT, tests and all.
        preexec_fn=_heed_interrupts if sys.platform != "win32" else None,
    )
    yield job
    job.kill()
    job.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_ctrl_c_keeps_what_was_printed_and_exits_with_130(
    long_job: subprocess.Popen[str],
) -> None:
    assert long_job.stdout is not None
    first = long_job.stdout.readline()  # flushed while the others are still to come
    assert json.loads(first)["genre"] == "jazz"
    time.sleep(0.05)
    long_job.send_signal(signal.SIGINT)
    rest, errors = long_job.communicate(timeout=60)
    assert long_job.returncode == 130
    assert len(rest.splitlines()) < 59
    assert all(json.loads(line)["genre"] == "jazz" for line in rest.splitlines())
    assert errors == "genrescope: interrupted\n"


def test_a_cold_start_loads_nothing_it_does_not_need(tiny_bundle: Path, music: Path) -> None:
    code = (
        "import sys, genrescope.cli as c\n"
        f"try: c.app({_command(tiny_bundle, '--json', music / 'b.wav')[3:]!r})\n"
        "except SystemExit: print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "onnxruntime" in loaded
    heavy = {"torch", "sklearn", "scipy", "librosa", "matplotlib", "onnx", "fastapi", "uvicorn"}
    assert not loaded & (heavy | {"pydantic", "rich"})


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_on_a_terminal_answers_stand_on_lines_of_their_own(tiny_bundle: Path, music: Path) -> None:
    import pty

    master, slave = pty.openpty()
    done = subprocess.Popen(_command(tiny_bundle, music), stdout=slave, stderr=slave)
    os.close(slave)
    written = b""
    while chunk := _read_terminal(master):
        written += chunk
    os.close(master)
    assert done.wait() == 0
    rows = [line for line in written.decode().splitlines() if ".wav" in line or ".flac" in line]
    assert len(rows) == 2
    for row in rows:
        # What a progress bar left on the line is wiped before the answer, which is in colour.
        assert "/3" not in row.rpartition("\x1b[2K")[2]
        assert "\x1b[1m" in row


def _read_terminal(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # Linux's way to say that nobody writes any more
        return b""
