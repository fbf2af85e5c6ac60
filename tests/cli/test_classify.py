"""The verb `classify`: what it takes, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_makers import classify, lines, tone
from click.testing import CliRunner

from genrescope.cli import app


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp437", "koi8-r", "euc-jp"])
@pytest.mark.parametrize("verb", ["classify", "info"])
def test_no_encoding_of_the_output_is_a_failure(
    tiny_bundle: Path, tmp_path: Path, verb: str, encoding: str
) -> None:
    path = tone(tmp_path / "Дєржава\u3000音 é.wav", "jazz", seconds=1)
    command = {
        "classify": _command(tiny_bundle, path, tmp_path / "нет.wav"),
        "info": [sys.executable, "-m", "genrescope", "info", str(tiny_bundle)],
    }[verb]
    env = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "60"}
    done = subprocess.run(command, env=env, capture_output=True, timeout=300)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (1 if verb == "classify" else 0)
    printed = done.stdout.decode(encoding)
    assert ("jazz" if verb == "classify" else "fault-filtered") in printed
    assert "\\u2588" not in printed  # a bar of escapes is none


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


def _command(tiny_bundle: Path, *arguments: str | Path) -> list[str]:
    start = [sys.executable, "-m", "genrescope", "classify", "--bundle", str(tiny_bundle)]
    return [*start, *map(str, arguments)]


@pytest.mark.slow
def test_the_process_exits_with_what_it_says(
    tiny_bundle: Path, music: Path, tmp_path: Path
) -> None:
    good = subprocess.run(_command(tiny_bundle, "--json", music), capture_output=True, timeout=300)
    assert (good.returncode, good.stderr) == (0, b"")
    assert len(good.stdout.splitlines()) == 3
    bad = subprocess.run(
        _command(tiny_bundle, tmp_path / "absent.mp3"), capture_output=True, timeout=300
    )
    assert (bad.returncode, bad.stdout) == (1, b"")
    assert b"absent.mp3" in bad.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full disk")
def test_a_full_disk_is_said(tiny_bundle: Path, music: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            _command(tiny_bundle, "--json", music),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert result.returncode == 1
    assert result.stderr == "genrescope: the output cannot be written: No space left on device\n"


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def long_job(tiny_bundle: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Classifies one short recording, then many long ones."""
    tone(tmp_path / "0.wav", "jazz", seconds=1)
    long = tone(tmp_path / "1.wav", "jazz", seconds=300)
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
    job.wait(timeout=300)


@pytest.mark.slow
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


def test_one_answer_reads_no_file_of_the_bundle_that_it_does_not_need(
    tiny_bundle: Path, music: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (bundle / "catalogue.npz").write_bytes(b"damaged")
    assert classify(music / "b.wav", bundle=bundle).exit_code == 0
    (bundle / "model.onnx").write_bytes(b"damaged")
    result = classify(music / "b.wav", bundle=bundle)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"bundle {bundle}: model.onnx is not the file bundle.json describes" in result.stderr


def test_a_job_begins_only_with_a_bundle_that_is_whole(
    tiny_bundle: Path, music: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (bundle / "catalogue.npz").write_bytes(b"damaged")
    out = tmp_path / "answers.jsonl"
    for arguments in (["--csv", music], ["--out", out, music / "b.wav"]):
        result = classify(*arguments, bundle=bundle)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "catalogue.npz is not the file bundle.json describes" in result.stderr
    assert not out.exists()


@pytest.mark.slow
def test_a_cold_start_loads_nothing_it_does_not_need(tiny_bundle: Path, music: Path) -> None:
    code = (
        "import sys, genrescope.cli as c\n"
        f"try: c.app({_command(tiny_bundle, '--json', music / 'b.wav')[3:]!r})\n"
        "except SystemExit: print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "onnxruntime" in loaded
    heavy = {"torch", "sklearn", "scipy", "librosa", "matplotlib", "onnx", "fastapi", "uvicorn"}
    assert not loaded & (heavy | {"pydantic", "rich", "socket"})


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [None, "2"])
def test_numpy_starts_no_threads_unless_told_to(
    tiny_bundle: Path, music: Path, chosen: str | None
) -> None:
    code = (
        "import os, sys, genrescope.cli as c\n"
        f"try: c.app({_command(tiny_bundle, '--json', music / 'b.wav')[3:]!r})\n"
        "except SystemExit: pass\n"
        "from threadpoolctl import threadpool_info\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'])\n"
        "print({pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'})"
    )
    pytest.importorskip("threadpoolctl")
    kept = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    env = kept if chosen is None else kept | {"OPENBLAS_NUM_THREADS": chosen}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    setting, threads = done.stdout.splitlines()[-2:]
    assert setting == (chosen or "1")
    assert chosen or threads in ("{1}", "set()")  # other libraries than OpenBLAS name none


@pytest.mark.slow
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
    assert done.wait(timeout=300) == 0
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
