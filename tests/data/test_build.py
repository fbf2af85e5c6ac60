"""Building a feature store from audio."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrescope.audio.decode import decode
from genrescope.data import build, folder
from genrescope.data.build import build_store
from genrescope.data.splits import make_split
from genrescope.data.store import FeatureStore, is_store
from genrescope.data.track import Dataset, Track
from genrescope.errors import DatasetError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import log_mel, stft_db

from .conftest import children, write_tone

MEL = FeatureConfig(sr=8000, n_fft=256, hop_length=128, n_mels=20)
GOOD = ("fado/0.wav", "fado/1.wav", "fado/2.wav", "polka/0.wav", "polka/1.wav", "polka/2.wav")


@pytest.mark.slow
@pytest.mark.parametrize("config", [MEL, replace(MEL, n_mels=None, kind="stft")])
@pytest.mark.parametrize("workers", [1, 2])
def test_store_holds_the_features_of_every_clip(
    music: Path, tmp_path: Path, config: FeatureConfig, workers: int
) -> None:
    dataset = folder.read(music)
    seen: list[tuple[int, int, str]] = []
    store = build_store(
        dataset,
        tmp_path / "store",
        config=config,
        workers=workers,
        progress=lambda *done: seen.append(done),
    )
    assert store.tracks == GOOD
    assert store.config == config
    assert list(store.absent) == ["fado/broken.mp3"]
    assert [done for done, *_ in seen] == list(range(1, 8))
    front_end = stft_db if config.kind == "stft" else log_mel
    for track, clip in zip(store.facts, (store[i] for i in range(6)), strict=True):
        samples = decode(track.path, sr=8000).samples
        assert clip.dtype == np.float32
        np.testing.assert_allclose(clip, front_end(samples, config), atol=0.04)
        assert track.duration == pytest.approx(len(samples) / 8000)
        assert len(track.checksum or "") == 64
    assert is_store(tmp_path / "store")


@pytest.mark.slow
def test_interrupted_build_goes_on(music: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, track_id: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    dataset = folder.read(music)
    with pytest.raises(KeyboardInterrupt):
        build_store(dataset, tmp_path / "store", config=MEL, workers=1, progress=stop)
    with pytest.raises(DatasetError, match="make or finish"):
        FeatureStore.load(tmp_path / "store")
    # As a power cut leaves it: half a clip, half a line.
    with (tmp_path / "store" / "features.f16").open("ab") as file:
        file.write(b"\x01" * 333)
    with (tmp_path / "store" / "journal.jsonl").open("a") as file:
        file.write('{"track_id": "polka/1.w')
    seen: list[str] = []
    store = build_store(
        dataset,
        tmp_path / "store",
        config=MEL,
        workers=1,
        progress=lambda done, total, track_id: seen.append(track_id),
    )
    assert seen == ["fado/broken.mp3", "polka/0.wav", "polka/1.wav", "polka/2.wav"]
    fresh = build_store(dataset, tmp_path / "fresh", config=MEL, workers=1)
    assert store.facts == fresh.facts
    for i in range(len(fresh)):
        np.testing.assert_array_equal(store[i], fresh[i])


NEEDS_PROC = pytest.mark.skipif(
    not any(Path("/proc/self/task").glob("*/children")),
    reason="needs /proc",
)


@pytest.mark.slow
@NEEDS_PROC
def test_an_interrupted_build_leaves_no_worker_behind(music: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, track_id: str) -> None:
        running.extend(set(children()) - others)
        raise KeyboardInterrupt

    dataset, running, others = folder.read(music), list[int](), set(children())
    # The traceback holds the build's frames, and with them whatever nobody closed.
    with pytest.raises(KeyboardInterrupt) as kept:
        build_store(dataset, tmp_path / "store", config=MEL, workers=2, progress=stop)
    assert kept.value is not None
    assert len(running) == 2
    assert not any(map(_runs, running))


KILLED_BUILD = """
import sys, time
from pathlib import Path
from genrescope.data import folder
from genrescope.data.build import build_store

def report(done, total, track_id):
    lists = Path("/proc/self/task").glob("*/children")
    print(*(path.read_text().strip() for path in lists), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    build_store(folder.read(sys.argv[1]), sys.argv[2], workers=2, progress=report)
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@NEEDS_PROC
def test_workers_end_with_a_build_that_is_killed(music: Path, tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(KILLED_BUILD)
    command = [sys.executable, str(script), str(music), str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as build:
        assert build.stdout is not None
        workers = [int(pid) for pid in build.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(_runs, workers))
        build.kill()
    for _ in range(600):  # seconds, on a busy machine; usually at once
        if not any(map(_runs, workers)):
            break
        time.sleep(0.1)
    assert not any(map(_runs, workers))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there folders have no locks")
def test_two_builds_do_not_write_to_one_folder(music: Path, tmp_path: Path) -> None:
    def build_another(done: int, total: int, track_id: str) -> None:
        with pytest.raises(DatasetError, match="another build is writing to it"):
            build_store(dataset, tmp_path / "store", config=MEL, workers=1)
        refused.append(track_id)

    dataset, refused = folder.read(music), list[str]()
    build_store(dataset, tmp_path / "store", config=MEL, workers=1, progress=build_another)
    assert len(refused) == len(dataset.tracks)
    build_store(dataset, tmp_path / "store", config=MEL, workers=1)


@pytest.mark.slow
def test_a_store_begun_before_kinds_had_names_is_gone_on_with(music: Path, tmp_path: Path) -> None:
    for config in (MEL, replace(MEL, n_mels=None, kind="stft")):
        out = tmp_path / config.kind
        whole = build_store(folder.read(music), out, config=config, workers=1)
        for name in ("journal.jsonl", "store.json"):
            path = out / name
            text = path.read_text(encoding="utf-8")
            older = re.sub(r',\s*"kind": "\w+"', "", text)
            assert older != text
            path.write_text(older, encoding="utf-8")
        assert FeatureStore.load(out).config == config
        seen: list[str] = []
        again = build_store(
            folder.read(music),
            out,
            config=config,
            workers=1,
            progress=lambda done, total, track_id, seen=seen: seen.append(track_id),
        )
        assert seen == ["fado/broken.mp3"]
        assert again.facts == whole.facts
        with pytest.raises(DatasetError, match="another configuration"):
            build_store(folder.read(music), out, config=replace(MEL, n_mels=21), workers=1)


@pytest.mark.slow
def test_what_changed_is_computed_again(music: Path, tmp_path: Path) -> None:
    build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    write_tone(music / "fado" / "1.wav", seconds=4.0)
    write_tone(music / "fado" / "broken.mp3.wav", seconds=1.0)
    (music / "polka" / "2.wav").unlink()
    (music / "artists.csv").write_text("track,artist\nfado/0,Amália\n", encoding="utf-8")
    seen: list[str] = []
    store = build_store(
        folder.read(music),
        tmp_path / "store",
        config=MEL,
        workers=1,
        progress=lambda done, total, track_id: seen.append(track_id),
    )
    assert seen == ["fado/1.wav", "fado/broken.mp3", "fado/broken.mp3.wav"]
    assert set(store.tracks) == {*GOOD, "fado/broken.mp3.wav"} - {"polka/2.wav"}
    assert store.get("fado/1.wav").shape[1] == MEL.frames(4 * 8000)
    assert store.facts[0].artist == "Amália"


@pytest.mark.slow
def test_a_folder_that_has_moved_is_found_again(music: Path, tmp_path: Path) -> None:
    build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    moved = music.rename(tmp_path / "moved")
    store = build_store(folder.read(moved), tmp_path / "store", config=MEL, workers=1)
    assert all(track.path is not None and track.path.exists() for track in store.facts)


@pytest.mark.slow
def test_a_copy_under_another_artist_stays_on_the_side_of_the_original(
    music: Path, tmp_path: Path
) -> None:
    copy = music / "fado" / "copy.wav"
    shutil.copy(music / "fado" / "1.wav", copy)
    rows = [f"{genre}/{k}.wav,{genre} {k}" for genre in ("fado", "polka") for k in range(3)]
    (music / "artists.csv").write_text("\n".join(["track,artist", *rows, "fado/copy.wav,Guest"]))
    store = build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    repeats = {track.track_id: track.repeats for track in store.facts if track.repeats}
    assert repeats == {"fado/1.wav": ("fado/copy.wav",), "fado/copy.wav": ("fado/1.wav",)}
    for seed in range(5):
        for fold in make_split("artists", store.facts, seed=seed, n_folds=3).folds:
            side = {member: part for part, members in fold.parts().items() for member in members}
            assert side["fado/copy.wav"] == side["fado/1.wav"]
    write_tone(copy, seconds=1.5)
    store = build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    assert not any(track.repeats for track in store.facts)


def test_other_configuration_is_refused(music: Path, tmp_path: Path) -> None:
    build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    with pytest.raises(DatasetError, match="another configuration"):
        build_store(folder.read(music), tmp_path / "store", config=FeatureConfig(), workers=1)


def test_folder_of_other_things_is_left_alone(music: Path) -> None:
    with pytest.raises(DatasetError, match="not empty"):
        build_store(folder.read(music), music, config=MEL, workers=1)
    assert sorted(p.name for p in music.iterdir()) == ["fado", "polka"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00" * 40 + b"\n1\n", b'{"a": 1}\n{"b": 2}\n'])
def test_a_journal_of_something_else_is_left_alone(
    music: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "out" / "journal.jsonl"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="no feature store"):
        build_store(folder.read(music), path.parent, config=MEL, workers=1)
    assert path.read_bytes() == content


@pytest.mark.slow
def test_a_line_of_something_else_in_a_journal_is_passed_over(music: Path, tmp_path: Path) -> None:
    whole = build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    with (tmp_path / "store" / "journal.jsonl").open("ab") as file:
        file.write(b'{"track_id": "polka/1.wav"}\n\xff\xfe\n')
    again = build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    assert again.facts == whole.facts


@pytest.mark.slow
def test_nothing_usable(tmp_path: Path) -> None:
    silent = write_tone(tmp_path / "silent.wav", hz=0.0)
    import soundfile as sf

    sf.write(silent, np.zeros(8000), 8000)
    dataset = Dataset(
        "set",
        (
            Track("a", "g", path=silent),
            Track("b", "g"),
        ),
    )
    with pytest.raises(DatasetError, match="a: digital silence"):
        build_store(dataset, tmp_path / "store", config=MEL, workers=1)
    lost = Dataset("set", (Track("a", "g", path=tmp_path / "lost.wav"),))
    with pytest.raises(DatasetError, match="no clip can be used; a: "):
        build_store(lost, tmp_path / "store2", config=MEL, workers=1)


@pytest.mark.slow
def test_damaged_store_is_said(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    build_store(folder.read(music), out, config=MEL, workers=1)
    index = json.loads((out / "store.json").read_text())
    for wrong in ({"format": 99}, {"config": {"sr": 8000, "colour": 1}}, {"tracks": [{}]}):
        (out / "store.json").write_text(json.dumps(index | wrong))
        with pytest.raises(DatasetError, match="build it again"):
            FeatureStore.load(out)
    (out / "store.json").write_text(json.dumps({k: v for k, v in index.items() if k != "absent"}))
    with pytest.raises(DatasetError, match="build it again"):
        FeatureStore.load(out)
    (out / "store.json").write_text(json.dumps(index))
    before = FeatureStore.load(out)[0]
    with (out / "features.f16").open("ab") as file:
        file.write(b"half a frame of a clip that was to come")
    np.testing.assert_array_equal(FeatureStore.load(out)[0], before)
    (out / "features.f16").write_bytes(b"\0" * 40)
    with pytest.raises(DatasetError, match="shorter"):
        FeatureStore.load(out)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_said_in_words(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build._append

    def full(made: object, file: object, journal: object, config: FeatureConfig) -> object:
        with Path("/dev/full").open("wb") as nowhere:
            return real(made, nowhere, journal, config)

    monkeypatch.setattr(build, "_append", full)
    with pytest.raises(DatasetError, match="disk is full"):
        build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)


@pytest.mark.slow
def test_store_can_move(music: Path, tmp_path: Path) -> None:
    build_store(folder.read(music), tmp_path / "store", config=MEL, workers=1)
    shutil.move(tmp_path / "store", tmp_path / "elsewhere")
    assert len(FeatureStore.load(tmp_path / "elsewhere")) == 6
