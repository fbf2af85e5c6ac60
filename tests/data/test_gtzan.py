"""The facts on GTZAN, its archive and its layouts."""

from __future__ import annotations

import csv
import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from genrescope.data import gtzan
from genrescope.errors import DatasetError


def test_thousand_tracks_a_hundred_of_each_genre() -> None:
    tracks = gtzan.tracks()
    assert len({track.track_id for track in tracks}) == 1000
    assert Counter(track.genre for track in tracks) == dict.fromkeys(gtzan.GENRES, 100)
    assert all(track.track_id.startswith(track.genre + ".") for track in tracks)


def test_fault_filtered_lists_have_their_published_sizes() -> None:
    sizes = Counter(gtzan.fault_filtered().values())
    assert sizes == {"train": 443, "valid": 197, "test": 290, "excluded": 70}


def test_fifty_replicas_as_sturm_counts_them() -> None:
    """Of each group of repeats one is the original; the fault-filtered lists keep one at most."""
    known = gtzan.by_id()
    groups = {
        tuple(sorted((track.track_id, *track.repeats))) for track in known.values() if track.repeats
    }
    assert sum(len(group) - 1 for group in groups) == 50
    for group in groups:
        assert len({known[t].artist for t in group}) == 1
        assert all(group == tuple(sorted((t, *known[t].repeats))) for t in group)
        kept = [t for t in group if gtzan.fault_filtered()[t] != "excluded"]
        assert len(kept) <= 1


def test_facts_agree_with_the_shared_index(gtzan_dir: Path) -> None:
    with (gtzan_dir / "tracks.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            track = gtzan.by_id()[row["track"]]
            assert (track.artist or "", track.title or "") == (row["artist"], row["title"])
            assert gtzan.fault_filtered()[row["track"]] == row["fault_filtered"]


@pytest.mark.slow
def test_repeats_in_one_file_are_repeats_in_the_other(gtzan_dir: Path) -> None:
    with np.load(gtzan_dir / "mel_u8.npz") as arrays:
        ids, mel = arrays["track"].tolist(), arrays["mel"]
    seen: dict[bytes, str] = {}
    for track_id, clip in zip(ids, mel, strict=True):
        twin = seen.setdefault(clip.tobytes(), track_id)
        if twin != track_id:
            assert twin in gtzan.by_id()[track_id].repeats


def archive(path: Path, members: dict[str, bytes]) -> str:
    """Write a tar.gz and return its address."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("genres/rock/rock.00001.au")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path.as_uri()


MEMBERS = {
    "genres/blues/blues.00000.au": b"first",
    "genres/rock/rock.00000.au": b"second",
    "genres/bextract_single.mf": b"not a clip",
    "genres/blues/._blues.00000.au": b"nor this",
    "../../pop.00000.au": b"nor outside",
}


def test_fetch_unpacks_the_clips_and_nothing_else(tmp_path: Path) -> None:
    url = archive(tmp_path / "a.tar.gz", MEMBERS)
    seen = []
    dataset = gtzan.fetch(
        tmp_path / "here", url=url, size=None, md5=None, progress=lambda *done: seen.append(done)
    )
    files = {p.relative_to(tmp_path / "here").as_posix(): p for p in (tmp_path / "here").rglob("*")}
    clips = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    assert clips == {
        "genres/blues/blues.00000.au": b"first",
        "genres/rock/rock.00000.au": b"second",
        "genres/pop/pop.00000.au": b"nor outside",
    }
    assert [t.track_id for t in dataset.tracks] == ["blues.00000", "pop.00000", "rock.00000"]
    assert len(dataset.absent) == 997
    assert {what for *_, what in seen} == {"download", "unpack"}
    (tmp_path / "a.tar.gz").unlink()
    assert gtzan.fetch(tmp_path / "here", url=url, size=None, md5=None) == dataset


def test_fetch_unpacks_without_the_filters_of_tarfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11.0 to 3.11.3 have neither `TarInfo.replace` nor the argument of `extract`."""
    extract = tarfile.TarFile.extract

    def without_filter(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        extract(tar, member, path)

    monkeypatch.delattr(tarfile.TarInfo, "replace")
    monkeypatch.setattr(tarfile.TarFile, "extract", without_filter)
    url = archive(tmp_path / "a.tar.gz", MEMBERS)
    dataset = gtzan.fetch(tmp_path / "here", url=url, size=None, md5=None)
    assert [t.path.read_bytes() for t in dataset.tracks] == [b"first", b"nor outside", b"second"]


def test_damaged_archive_leaves_no_half_data_set(tmp_path: Path) -> None:
    url = archive(
        tmp_path / "a.tar.gz", MEMBERS | {"genres/pop/pop.00001.au": bytes(range(256)) * 99}
    )
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="damaged archive"):
        gtzan.fetch(tmp_path / "here", url=url, size=None, md5=None)
    assert not (tmp_path / "here" / "genres").exists()


def test_archive_of_something_else(tmp_path: Path) -> None:
    other = archive(tmp_path / "a.tar.gz", {"readme.txt": b"hello"})
    with pytest.raises(DatasetError, match="no GTZAN clip"):
        gtzan.fetch(tmp_path / "x", url=other, size=None, md5=None)
    (tmp_path / "b.tar.gz").write_bytes(b"no archive at all")
    with pytest.raises(DatasetError, match="damaged archive"):
        gtzan.fetch(tmp_path / "y", url=(tmp_path / "b.tar.gz").as_uri(), size=None, md5=None)


@pytest.mark.parametrize("suffix", gtzan.SUFFIXES)
@pytest.mark.parametrize("root", [".", "genres", "genres_original", "Data/genres_original"])
def test_every_layout_is_read(tmp_path: Path, root: str, suffix: str) -> None:
    for track_id in ("jazz.00054", "rock.00001"):
        path = tmp_path / root / track_id.split(".")[0] / (track_id + suffix)
        path.parent.mkdir(parents=True)
        sf.write(path, np.zeros(100), 22_050)
    dataset = gtzan.read(tmp_path)
    assert [t.track_id for t in dataset.tracks] == ["jazz.00054", "rock.00001"]
    assert all(t.path and t.path.suffix == suffix for t in dataset.tracks)
    assert "undecodable" in dataset.tracks[0].faults
    assert dataset.absent["blues.00000"] == "no file"


def test_re_encoded_clips_are_read_after_the_original_ones(tmp_path: Path) -> None:
    (tmp_path / "blues").mkdir()
    for name in ("blues.00000.mp3", "blues.00000.wav", "blues.00001.ogg"):
        (tmp_path / "blues" / name).write_bytes(b"sound")
    found = {t.track_id: t.path.name for t in gtzan.read(tmp_path).tracks if t.path}
    assert found == {"blues.00000": "blues.00000.wav", "blues.00001": "blues.00001.ogg"}


def test_folder_without_gtzan(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dataset fetch"):
        gtzan.read(tmp_path)


def test_shared_audio_is_read(gtzan_dir: Path) -> None:
    dataset = gtzan.read(gtzan_dir)
    assert len(dataset.tracks) == 370
    assert len(dataset.absent) == 630
