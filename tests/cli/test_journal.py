"""Answers in a file: interrupted in any way, the same command goes on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bundle_maker import make_bundle
from cli_makers import classify, records, tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrescope.cli import journal as journal_module
from genrescope.cli import workers
from genrescope.cli.journal import Journal
from genrescope.cli.output import Csv, JsonLines
from genrescope.cli.walk import Found
from genrescope.errors import GenrescopeError


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", 'odd "\n,.wav'):
        tone(tmp_path / "music" / name)
    return tmp_path / "music"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_second_run_goes_on_where_the_first_stopped(
    tiny_bundle: Path, tmp_path: Path, music: Path, form: str
) -> None:
    out = tmp_path / f"answers.{form}"
    first = classify(music, "--out", out, bundle=tiny_bundle)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "3 classified" in first.stderr
    whole = out.read_bytes()
    assert [r["path"] for r in records(out)] == sorted(str(path) for path in music.iterdir())

    out.write_bytes(whole[:-7])  # killed in the middle of the last record
    again = classify(music, "--out", out, bundle=tiny_bundle)
    assert "1 classified, 2 answered before" in again.stderr
    assert out.read_bytes() == whole

    none = classify(music, "--out", out, bundle=tiny_bundle)
    assert (none.exit_code, out.read_bytes()) == (0, whole)
    assert "0 classified, 3 answered before" in none.stderr


@pytest.mark.slow
def test_a_link_beside_it_is_not_written_through(tmp_path: Path) -> None:
    out, other = tmp_path / "answers.jsonl", tmp_path / "other"
    other.write_bytes(b"kept")
    out.with_name("answers.jsonl.part").symlink_to(other)
    out.write_text('{"path": "a.wav", "error": "gone"}\n', encoding="utf-8")
    with Journal(str(out), JsonLines(stamp=lambda _: "")) as journal:
        journal.take_up([Found("a.wav")], [""])  # failures leave it, so it is written anew
    assert out.read_bytes() == b""
    assert other.read_bytes() == b"kept"


@pytest.mark.slow
def test_what_changed_and_what_failed_is_asked_again(
    tiny_bundle: Path, tmp_path: Path, music: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    (music / "broken.wav").write_bytes(b"no sound")
    assert classify(music, "--out", out, bundle=tiny_bundle).exit_code == 1
    assert [r["path"] for r in records(out) if "error" in r] == [str(music / "broken.wav")]
    tone(music / "broken.wav")
    tone(music / "a.wav", seconds=0.75)
    result = classify(music, "--out", out, bundle=tiny_bundle)
    assert "2 classified, 2 answered before" in result.stderr
    durations = {Path(r["path"]).name: r["duration_s"] for r in records(out)}
    assert durations == {"a.wav": 0.75, "b.wav": 0.5, "broken.wav": 0.5, 'odd "\n,.wav': 0.5}
    assert len(records(out)) == 4


@pytest.mark.slow
def test_another_model_answers_anew_and_other_folders_are_kept(
    tiny_bundle: Path, tmp_path: Path, music: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    other = tone(tmp_path / "other" / "c.wav")
    classify(other, "--out", out, bundle=tiny_bundle)
    classify(music, "--out", out, bundle=tiny_bundle)
    hotter = make_bundle(tmp_path / "hotter", temperature=3.0).path
    result = classify(music, "--out", out, bundle=hotter)
    assert "3 classified\n" in result.stderr
    assert len(records(out)) == 4
    assert records(out)[0]["path"] == str(other)


@pytest.mark.slow
def test_answers_of_another_model_stay_until_the_new_ones_are_there(
    tiny_bundle: Path, tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "answers.jsonl"
    classify(music, "--out", out, bundle=tiny_bundle)
    hotter = make_bundle(tmp_path / "hotter", temperature=3.0).path
    answers = workers.answers

    def interrupted(*arguments: Any) -> Any:
        yield next(answers(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "answers", interrupted)
    assert classify(music, "--out", out, bundle=hotter).exit_code == 130
    paths = [record["path"] for record in records(out)]
    assert paths[:2] == sorted(str(path) for path in music.iterdir())[1:]
    assert len(paths) == len(set(paths)) == 3
    monkeypatch.undo()
    again = classify(music, "--out", out, bundle=hotter)
    assert "2 classified, 1 answered before" in again.stderr
    assert len({record["stamp"].rpartition("-")[2] for record in records(out)}) == 1
    assert len(records(out)) == 3


@pytest.mark.slow
def test_endings_in_capitals_are_known(tiny_bundle: Path, tmp_path: Path, music: Path) -> None:
    for name in ("a.JSONL", "a.Csv"):
        assert classify(music, "--out", tmp_path / name, bundle=tiny_bundle).exit_code == 0
    assert len(records(tmp_path / "a.JSONL")) == 3
    assert (tmp_path / "a.Csv").read_text().startswith("path,stamp,genre")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "Dear diary\n"),
        ("a.jsonl", "[1]\n"),
        ("a.jsonl", '{"path": 3}\n'),
        ("a.csv", "x,y\n1,2\n"),
        ("a.jsonl", '{"name": "my settings"}'),
        ("a.jsonl", "-----BEGIN KEY-----"),
        ("a.csv", "x,y"),
        ("a.csv", '7" singles\nfoo,bar\n'),
    ],
)
def test_a_file_of_something_else_is_left_alone(
    tiny_bundle: Path, tmp_path: Path, music: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    result = classify(music, "--out", tmp_path / name, bundle=tiny_bundle)
    assert result.exit_code == 1
    assert "name another file with --out" in result.stderr
    assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_albums_with_the_same_names_have_answers_side_by_side(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    out = tmp_path / f"all.{form}"
    for i, album in enumerate(("a", "b")):
        tone(tmp_path / album / "01.wav", seconds=0.5 + 0.1 * i)
        monkeypatch.chdir(tmp_path / album)
        assert classify(".", "--out", out, bundle=tiny_bundle).exit_code == 0
    before = out.read_bytes()
    assert classify("01.wav", "--out", f"../all.{form}", bundle=tiny_bundle).exit_code == 0
    assert out.read_bytes() == before
    assert [r["path"] for r in records(out)] == [str(tmp_path / a / "01.wav") for a in "ab"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be replaced")
def test_two_runs_do_not_write_to_one_file(tiny_bundle: Path, tmp_path: Path, music: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with closing(Journal(str(out), JsonLines())) as first:
        second = classify(music, "--out", out, bundle=tiny_bundle)
        assert second.exit_code == 1
        assert "another run is writing to it" in second.stderr
        first.write('{"path": "x", "error": "y"}')
    assert len(records(out)) == 1
    assert classify(music, "--out", out, bundle=tiny_bundle).exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be replaced")
def test_while_a_file_is_replaced_no_other_run_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "answers.jsonl"
    out.write_text('{"path": "/x", "error": "y"}\n')
    replace, refused = Path.replace, []

    def replaced(part: Path, target: Path) -> Path:
        for step in (lambda: None, lambda: replace(part, target)):
            step()
            with pytest.raises(GenrescopeError, match="another run is writing to it"):
                Journal(str(out), JsonLines())
            refused.append(step)
        return target

    monkeypatch.setattr(Path, "replace", replaced)
    with closing(Journal(str(out), JsonLines())) as journal:
        assert journal.take_up([Found("/x")], ["1-1"]) == [Found("/x")]
        journal.write('{"path": "/x", "error": "z"}')
    assert len(refused) == 2
    assert [row["error"] for row in records(out)] == ["z"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_replaced_before_it_is_locked_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, lock, calls = tmp_path / "answers.jsonl", journal_module.try_lock, []

    def late(descriptor: int) -> bool:
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / "new").write_text('{"path": "/x", "error": "theirs"}\n')
            (tmp_path / "new").replace(out)
        return lock(descriptor)

    monkeypatch.setattr(journal_module, "try_lock", late)
    with closing(Journal(str(out), JsonLines())) as journal:
        journal.write('{"path": "/y", "error": "ours"}')
    assert [row["error"] for row in records(out)] == ["theirs", "ours"]


@pytest.mark.slow
def test_a_disk_that_was_not_there_leaves_no_error_behind(
    tiny_bundle: Path, tmp_path: Path, music: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    disk = tmp_path / "disk"
    assert classify(disk, "--out", out, bundle=tiny_bundle).exit_code == 1
    assert "error" in records(out)[0]
    music.rename(disk)
    assert classify(disk, "--out", out, bundle=tiny_bundle).exit_code == 0
    assert len(records(out)) == 3
    assert not any("error" in record for record in records(out))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_answers_go_into_a_pipe(tiny_bundle: Path, music: Path) -> None:
    command = [sys.executable, "-m", "genrescope", "classify", "--bundle", str(tiny_bundle)]
    done = subprocess.run(
        [*command, str(music), "--csv", "--out", "/dev/stdout"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(csv.DictReader(done.stdout.splitlines(keepends=True)))) == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_closed_standard_output_is_no_failure(
    tiny_bundle: Path, tmp_path: Path, music: Path
) -> None:
    out = tmp_path / "answers.csv"
    command = f'"{sys.executable}" -m genrescope classify --bundle "{tiny_bundle}" "{music}"'
    done = subprocess.run(
        f'{command} --out "{out}" >&-', shell=True, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert len(records(out)) == 3


def test_a_form_must_be_known(tiny_bundle: Path, tmp_path: Path, music: Path) -> None:
    result = classify(music, "--out", tmp_path / "answers", bundle=tiny_bundle)
    assert result.exit_code == 2
    assert not (tmp_path / "answers").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full disk")
def test_a_full_device_is_named(tiny_bundle: Path, music: Path) -> None:
    result = classify(music, "--json", "--out", "/dev/full", bundle=tiny_bundle)
    assert result.exit_code == 1
    assert "/dev/full: No space left on device" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_full_disk_keeps_whole_records_and_the_next_run_goes_on(
    tiny_bundle: Path, tmp_path: Path, music: Path, form: str
) -> None:
    out = tmp_path / f"answers.{form}"
    classify(music, "--out", out, bundle=tiny_bundle)
    whole = out.read_bytes()
    out.unlink()
    limited = (
        "import resource, sys; from genrescope.cli import main; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(whole) - 5},) * 2); main()"
    )
    command = [sys.executable, "-c", limited, "classify", "--bundle", str(tiny_bundle)]
    done = subprocess.run(
        [*command, str(music), "--out", str(out)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1
    assert "make room, and the same command goes on" in done.stderr
    assert len(records(out)) == 2
    assert whole.startswith(out.read_bytes())
    classify(music, "--out", out, bundle=tiny_bundle)
    assert out.read_bytes() == whole


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_killed_in_the_middle_it_goes_on(tiny_bundle: Path, tmp_path: Path) -> None:
    long = tone(tmp_path / "music" / "00.wav", seconds=60)
    for i in range(1, 24):
        os.link(long, long.with_name(f"{i:02d}.wav"))
    out = tmp_path / "answers.jsonl"
    command = [sys.executable, "-m", "genrescope", "classify", "--bundle", str(tiny_bundle)]
    job = subprocess.Popen([*command, str(long.parent), "--out", str(out)])
    while job.poll() is None and not (out.exists() and out.stat().st_size):
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait(timeout=300)
    result = classify(long.parent, "--out", out, bundle=tiny_bundle)
    assert result.exit_code == 0
    assert "answered before" in result.stderr
    assert [Path(r["path"]).name for r in records(out)] == [f"{i:02d}.wav" for i in range(24)]


names = st.text(min_size=1, max_size=8).map(lambda name: "x" + name)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    failed=st.dictionaries(names, st.booleans(), min_size=1, max_size=5),
    as_csv=st.booleans(),
    cut=st.integers(0, 10_000),
)
def test_wherever_it_is_cut_whole_records_are_kept(
    tmp_path: Path, failed: dict[str, bool], as_csv: bool, cut: int
) -> None:
    def form() -> JsonLines | Csv:
        return Csv(("a", "b"), stamp=stamp) if as_csv else JsonLines(stamp=stamp)

    def stamp(file: Found) -> str:
        return "s"

    found = [Found(name) for name in failed]
    out = tmp_path / "answers"
    out.unlink(missing_ok=True)
    printer = form()
    ends = []
    with closing(Journal(str(out), printer)) as journal:
        printer.write = journal.write
        assert journal.take_up(found, ["s"] * len(found)) == found
        for file in found:
            if failed[file.path]:
                printer.failure(file, "bad\nluck")
            else:
                printer.write(answer(file, as_csv))
            ends.append(out.stat().st_size)
    raw = out.read_bytes()
    cut %= len(raw) + 1
    out.write_bytes(raw[:cut])
    whole = [file for file, end in zip(found, ends, strict=True) if end <= cut]
    for _ in range(2):  # the second time there is nothing left to repair
        with closing(Journal(str(out), form())) as journal:
            todo = journal.take_up(found, ["s"] * len(found))
        assert todo == [file for file in found if file not in whole or failed[file.path]]


def answer(file: Found, as_csv: bool) -> str:
    if not as_csv:
        return json.dumps({"path": file.path, "stamp": "s"})
    path = file.path.replace('"', '""')
    return f'"{path}",s,a,1,1,0,,,,,,,1,,b,'  # no tempo and no key


def test_a_record_of_nothing_but_brackets_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    deep = '{"path": "a.mp3", "x": ' + "[" * 100_000 + "\n"
    path.write_text(deep)
    with (
        pytest.raises(GenrescopeError, match="something else than answers"),
        closing(Journal(str(path), JsonLines(stamp=lambda _: ""))) as journal,
    ):
        journal.take_up([], [])
    assert path.read_text() == deep
