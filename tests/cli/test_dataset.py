"""``genrescope dataset``, as a user runs it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner, Result

from genrescope.cli import app, progress
from genrescope.data import gtzan, isolation
from genrescope.data.store import FeatureStore
from genrescope.features.config import CONFIGS, STORE_CONFIG

SR = 8000


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dataset", *map(str, arguments)])


def tone(seconds: float, hz: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SR)) / SR)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two genres of three artists with two clips each."""
    folder, rows = tmp_path / "music", ["track,artist"]
    for i, genre in enumerate(("fado", "polka")):
        (folder / genre).mkdir(parents=True)
        for k in range(6):
            sf.write(folder / genre / f"{k}.wav", tone(4.0, 300 + 100 * i + 10 * k), SR)
            rows.append(f"{genre}/{k},{genre} {k // 2}")
    (folder / "artists.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_check_describes_a_folder(music: Path) -> None:
    result = run("check", music)
    assert result.exit_code == 0
    assert "12 tracks" in result.stdout
    for name in ("fado", "polka", "windows", "leaky", "artists", "all"):
        assert name in result.stdout
    assert "fault-filtered" not in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
def test_a_file_that_crashes_the_decoder_is_a_row_of_check_and_build(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "HANDLER", "sandbox_handlers:evil_clips")
    (music / "fado" / "bad.wav").write_bytes(b"crash")
    for result in (run("check", music), run("build", music, "--out", tmp_path / "store")):
        assert result.exit_code == 1
        assert "fado/bad.wav: it crashed the decoder (Segmentation fault)" in result.stderr
    assert len(FeatureStore.load(tmp_path / "store")) == 12


def test_a_genre_s_name_is_shown_as_it_is(music: Path) -> None:
    (music / "polka").rename(music / "polka [german]")
    (music / "artists.csv").unlink()
    assert "polka [german]" in run("check", music).stdout


@pytest.mark.slow
def test_what_fails_is_named_once_without_driving_the_terminal(music: Path) -> None:
    (music / "polka" / "\x1b[31mred.mp3").write_bytes(b"no audio")
    result = run("check", music)
    assert result.exit_code == 1
    assert result.stderr.count("red.mp3") == 1
    assert "\x1b" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["check", "build"])
@pytest.mark.parametrize("known", [False, True])
def test_a_folder_that_cannot_be_read_is_a_failure(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, known: bool
) -> None:
    if known:
        music = tmp_path / "gtzan"
        for genre in ("blues", "jazz"):
            (music / genre).mkdir(parents=True)
            sf.write(music / genre / f"{genre}.00000.wav", tone(4.0, 300), SR)
    locked = music / sorted(music.iterdir())[-1].name / "locked"
    locked.mkdir()
    scandir = os.scandir

    def refuse(path: os.PathLike[str] | str = ".") -> object:
        if str(path) == str(locked):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    where = ["--out", tmp_path / "store", "--sr", SR] if verb == "build" else []
    result = run(verb, music, "--workers", 1, *where)
    assert result.exit_code == 1
    name = locked.relative_to(music).as_posix()
    assert f"{name}: the folder cannot be read (Permission denied)" in result.stderr
    assert (f"{2 if known else 12} clips" if where else "minutes") in result.stdout


def test_what_was_never_there_is_no_failure(music: Path) -> None:
    (music / "artwork").mkdir()
    result = run("check", music)
    assert result.exit_code == 0
    assert "1 absent (no audio file in this folder): artwork/" in result.stderr


def test_check_counts_what_is_uncertain(music: Path) -> None:
    (music / "artists.csv").write_text("track,artist,certain\nfado/0,Ana,no\nfado/1,Ben,yes\n")
    result = run("check", music, "--json")
    by_genre = json.loads(result.stdout)["by_genre"]
    assert by_genre["fado"] == {
        "tracks": 6,
        "artists": 2,
        "unknown_artist": 4,
        "uncertain": 1,
        "duration_s": 24.0,
    }
    assert by_genre["polka"]["uncertain"] == 0


def test_check_as_json_names_what_fails(music: Path) -> None:
    (music / "polka" / "broken.mp3").write_bytes(b"no audio")
    result = run("check", music, "--json")
    assert result.exit_code == 1
    assert "polka/broken.mp3: " in result.stderr
    facts = json.loads(result.stdout)
    assert facts["tracks"] == 12
    assert facts["artists"] == 6
    assert list(facts["absent"]) == ["polka/broken.mp3"]
    assert len(facts["splits"]["artists"]["folds"]) == 3
    assert len(facts["splits"]["tracks"]["folds"]) == 5


@pytest.mark.slow
def test_check_reads_a_store(gtzan_dir: Path) -> None:
    result = run("check", gtzan_dir / "mel_u8.npz")
    assert result.exit_code == 0
    assert "693 tracks" in result.stdout
    assert "307 absent (not in this file)" in result.stderr


@pytest.mark.slow
def test_build_and_train_have_one_front_end_where_none_is_asked_for(
    music: Path, tmp_path: Path
) -> None:
    assert run("build", music, "--out", tmp_path / "store", "--workers", 1).exit_code == 0
    assert FeatureStore.load(tmp_path / "store").config == CONFIGS["mel"]


@pytest.mark.slow
def test_build_makes_a_store_that_check_reads(music: Path, tmp_path: Path) -> None:
    (music / "polka" / "broken.mp3").write_bytes(b"no audio")
    out = tmp_path / "new" / "store"
    result = run("build", music, "--out", out, "--sr", SR, "--hop-length", 800, "--workers", 1)
    assert result.exit_code == 1
    assert "12 clips of 2 genres" in result.stdout
    assert "polka/broken.mp3: " in result.stderr
    store = FeatureStore.load(out)
    assert store.config.hop_length == 800
    assert store[0].shape == (128, 41)
    (music / "polka" / "broken.mp3").unlink()
    again = run("build", music, "--out", out, "--sr", SR, "--hop-length", 800, "--workers", 1)
    assert again.exit_code == 0
    assert "12 tracks" in run("check", out).stdout


@pytest.mark.slow
def test_build_makes_what_the_shipped_model_hears(music: Path, tmp_path: Path) -> None:
    assert run("build", music, "--out", tmp_path / "store", "--workers", 1).exit_code == 0
    assert FeatureStore.load(tmp_path / "store").config == STORE_CONFIG


@pytest.mark.slow
def test_build_of_linear_spectra(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    result = run("build", music, "--out", out, "--stft", "--n-fft", 256, "--workers", 1)
    assert result.exit_code == 0
    config = FeatureStore.load(out).config
    assert (config.kind, config.n_bins) == ("stft", 129)


@pytest.mark.slow
def test_another_configuration_is_an_error_in_words(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    assert run("build", music, "--out", out, "--workers", 1).exit_code == 0
    result = run("build", music, "--out", out, "--hop-length", 256, "--workers", 1)
    assert result.exit_code == 1
    assert "another configuration" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("verb", ["check", "build", "show"])
def test_missing_folder_is_an_error_in_words(verb: str, tmp_path: Path) -> None:
    result = run(
        verb, tmp_path / "nowhere", *(["--out", tmp_path / "x.png"] if verb != "check" else [])
    )
    assert result.exit_code == 1
    assert "no such folder" in result.stderr


@pytest.mark.slow
def test_show_draws_a_picture(music: Path, tmp_path: Path) -> None:
    (music / "polka" / "0.wav").write_bytes(b"no audio")
    result = run("show", music, "--out", tmp_path / "new" / "picture.png")
    assert result.exit_code == 0
    assert "2 genres" in result.stdout
    assert "0.wav" in result.stderr
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_show_writes_through_no_link(music: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.png", tmp_path / "music.png"
    other.write_bytes(b"kept")
    out.symlink_to(other)
    assert run("show", music, "--out", out).exit_code == 0
    assert other.read_bytes() == b"kept"
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["picture.xyz", "picture"])
def test_show_in_an_unknown_format(music: Path, tmp_path: Path, name: str) -> None:
    result = run("show", music, "--out", tmp_path / name)
    assert result.exit_code == 2
    assert "end it in .png" in " ".join(result.stderr.split())
    assert not list(tmp_path.glob("picture*"))


@pytest.mark.slow
def test_fetch_unpacks_gtzan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "genres.tar.gz", "w:gz") as tar:
        for track_id in ("blues.00000", "rock.00000"):
            audio = io.BytesIO()
            sf.write(audio, tone(1.0, 440), SR, format="AU")
            member = tarfile.TarInfo(f"genres/{track_id.split('.')[0]}/{track_id}.au")
            member.size = audio.tell()
            audio.seek(0)
            tar.addfile(member, audio)
    archive = tmp_path / "genres.tar.gz"
    url = archive.as_uri()
    wrong = run("fetch", "gtzan", "--to", tmp_path / "wrong", "--url", url)
    assert wrong.exit_code == 1
    assert "not the expected file" in wrong.stderr
    # The real archive's size and checksum stand in the signature's defaults.
    defaults = gtzan.fetch.__kwdefaults__
    monkeypatch.setitem(defaults, "size", archive.stat().st_size)
    monkeypatch.setitem(defaults, "md5", hashlib.md5(archive.read_bytes()).hexdigest())
    result = run("fetch", "gtzan", "--to", tmp_path / "here", "--url", url)
    assert result.exit_code == 0, result.output
    assert "2 clips of 10 genres" in result.stdout
    assert "do not pass it on" in result.stderr
    unknown = run("fetch", "musicnet")
    assert unknown.exit_code == 2
    assert "there is gtzan" in " ".join(unknown.stderr.replace("│", " ").split())
    assert "2 tracks" in run("check", tmp_path / "here").stdout


@pytest.mark.slow
def test_progress_is_told_where_there_is_no_terminal(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LOG_S", 0.0)
    result = run("build", music, "--out", tmp_path / "store", "--workers", 1)
    assert "features: 1 of 12\n" in result.stderr
    assert "features: 12 of 12\n" in result.stderr
    assert "of 12" not in result.stdout
