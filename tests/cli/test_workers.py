"""Many files at once: one that crashes or stalls a decoder costs its own answer alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_makers import classify, invoke, tone

from genrescope.audio import isolation
from genrescope.audio.isolation import JobLimits
from genrescope.cli import workers
from genrescope.errors import GenrescopeError


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", 'odd "\n,.wav'):
        tone(tmp_path / "music" / name)
    return tmp_path / "music"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
def test_a_file_that_crashes_the_decoder_is_named_and_the_others_go_on(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    music = [tone(tmp_path / f"{name}.wav") for name in ("a", "crash1", "b", "crash2", "c")]
    result = classify("--json", *music, bundle=tiny_bundle)
    assert result.exit_code == 1
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["path"] for answer in answers] == [str(path) for path in music]
    assert ["error" in answer for answer in answers] == [False, True, False, True, False]
    assert "crash2.wav: it crashed the decoder (Segmentation fault)" in result.stderr
    assert "3 classified, 2 failed" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
def test_a_file_that_never_ends_is_given_up(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "FOLDER_LIMITS", JobLimits(seconds=6.0))
    music = [str(tone(tmp_path / f"{name}.wav")) for name in ("a", "stuck", "c")]
    answers = list(workers.answers(tiny_bundle, music))
    assert [isinstance(answer, str) for answer in answers] == [False, True, False]
    assert "stuck.wav: it took more than" in str(answers[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
@pytest.mark.parametrize(
    ("verb", "code"), [("explain", 1), ("mix", 1), ("evaluate", 0), ("dataset show", 0)]
)
def test_verbs_that_hear_single_files_survive_one_that_crashes_the_decoder(
    tiny_bundle: Path, tmp_path: Path, verb: str, code: int
) -> None:
    crash = tone(tmp_path / "music/jazz/crash.wav")
    other = tone(tmp_path / "music/jazz/tone.wav", seconds=2)
    tone(tmp_path / "music/rock/tone.wav", "rock", seconds=2)
    arguments = {
        "explain": (crash, "--bundle", tiny_bundle),
        "mix": (crash, other, "--bundle", tiny_bundle, "--out", tmp_path / "mix.wav"),
        "evaluate": ("--data", tmp_path / "music", "--bundle", tiny_bundle),
        "dataset show": ("show", tmp_path / "music", "--out", tmp_path / "music.png"),
    }
    result = invoke(verb.split()[0], *arguments[verb])
    assert result.exit_code == code, result.output
    assert "it crashed the decoder (Segmentation fault)" in result.output


def test_what_decodes_to_weeks_is_refused(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "FOLDER_LIMITS", JobLimits(audio_s=0.25))
    result = classify(tone(tmp_path / "bomb.wav"), bundle=tiny_bundle)
    assert result.exit_code == 1
    assert "it is longer than 0.25 seconds" in result.stderr


@pytest.mark.slow
def test_what_lies_among_the_music_is_not_imported(tiny_bundle: Path, music: Path) -> None:
    (music / "pickle.py").write_text("raise SystemExit('imported from the music')")
    command = [str(Path(sys.executable).with_name("genrescope")), "classify", "--json", "."]
    done = subprocess.run(
        [*command, "--bundle", str(tiny_bundle)],
        cwd=music,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bundle_that_vanishes_ends_the_job_with_one_message(tmp_path: Path, music: Path) -> None:
    with pytest.raises(GenrescopeError, match=r"no bundle|bundle\.json|bundle "):
        list(workers.answers(tmp_path / "gone", [str(music / "a.wav")]))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "/dev/fd/7"])
def test_what_this_process_has_open_stands_beside_a_file(
    tiny_bundle: Path, tmp_path: Path, path: str
) -> None:
    tone(tmp_path / "a.wav", seconds=0.5)
    tone(tmp_path / "b.wav", seconds=0.75)
    command = f'"{sys.executable}" -m genrescope classify --json --bundle "{tiny_bundle}"'
    given = f'"{tmp_path}/b.wav" {path} {7 if path.endswith("7") else 0}< "{tmp_path}/a.wav"'
    done = subprocess.run(
        f"{command} {given}", shell=True, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["path"], a["duration_s"]) for a in answers] == [
        (str(tmp_path / "b.wav"), 0.75),
        (path, 0.5),
    ]
