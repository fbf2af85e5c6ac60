"""A run whose songs, plan and parts lie in an object store that speaks S3."""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import s3_server
from audio_makers import chord, encoded, recording

from genrescope.errors import FleetError
from genrescope.fleet import fetch as fetching
from genrescope.fleet.engines import local
from genrescope.fleet.fetch import FetchError, fetch
from genrescope.fleet.manifest import read_manifest
from genrescope.fleet.merge import merge
from genrescope.fleet.plan import Song, read_plan, read_shard, write_plan
from genrescope.fleet.run import Report, run
from genrescope.fleet.status import Watch
from genrescope.fleet.store import open_folder, read
from genrescope.model.bundle import Bundle

EXCERPT_S = 6.0


def _song(key: str, size: int | None = None) -> Song:
    return Song("song", f"s3://music/{key}", size, None)


@pytest.mark.slow
def test_a_prefix_is_planned_with_sizes_and_etags_whatever_its_pages(s3: s3_server.Store) -> None:
    names = [f"{folder}/{i}.mp3" for folder in "ab" for i in range(5)]
    for i, name in enumerate(names):
        s3.objects[f"music/new/{name}"] = bytes(i + 1)
    s3.objects["music/new/a/cover.jpg"] = s3.objects["music/old/0.mp3"] = b"other"
    write_plan("s3://music/new", "s3://plans/first", shard_size=4)
    folder = open_folder("s3://plans/first")
    plan = read_plan(folder)
    assert [shard.n_songs for shard in plan.shards] == [4, 4, 2]
    songs = [song for shard in plan.shards for song in read_shard(folder, shard)]
    assert [song.id for song in songs] == names
    assert songs[7] == Song("b/2.mp3", "s3://music/new/b/2.mp3", 8, _md5(bytes(8)))
    assert any("plans/first/shards/" in request.key for request in s3.requests)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.slow
def test_a_run_in_a_store_is_that_on_a_disk(
    s3: s3_server.Store, tmp_path: Path, tiny_bundle: Path
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i, kind in enumerate(("wav16", "flac", "mp3")):
        data = encoded(kind, chord(4.0, seed=i), 22_050)
        (music / f"{i}.{kind.removesuffix('16')}").write_bytes(data)
    for path in music.iterdir():
        s3.objects[f"music/{path.name}"] = path.read_bytes()
    (music / "3.mp3").write_bytes(b"x")
    s3.objects[f"music/{s3_server.DENIED}.mp3"] = b"x"
    bundle = Bundle.load(tiny_bundle)
    engine = functools.partial(local.map_shards, workers=1)
    write_plan("s3://music", "s3://plans/it", shard_size=2)
    out = open_folder("s3://answers/it")
    plan = open_folder("s3://plans/it")
    assert run(plan, out, bundle, engine) == Report(done=2, before=0, failed=())
    assert run(plan, out, bundle, engine) == Report(done=0, before=2, failed=())
    write_plan(str(music), tmp_path / "plan", shard_size=2)
    run(open_folder(tmp_path / "plan"), open_folder(tmp_path / "out"), bundle, engine)
    rows = {}
    for name, folder in (("s3", out), ("disk", open_folder(tmp_path / "out"))):
        table = pq.read_table(merge(folder, tmp_path / f"{name}-merged") / "songs-00000.parquet")
        rows[name] = table.to_pylist()
    assert rows["s3"][:3] == rows["disk"][:3]
    assert rows["s3"][3]["error_code"] == "denied"
    assert Watch(out).look().errors == {"denied": 1}


@pytest.mark.slow
def test_of_two_writers_at_once_the_store_takes_the_first(s3: s3_server.Store) -> None:
    folder = open_folder("s3://answers/race")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: folder.create("part-000000.parquet", b"%d" % i), range(8)))
    puts = [r for r in s3.requests if r.method == "PUT"]
    assert {put.condition for put in puts} == {"*"}
    assert sorted(put.status for put in puts) == [200] + [412] * 7
    assert read(folder, "part-000000.parquet") == s3.objects["answers/race/part-000000.parquet"]


@pytest.mark.slow
def test_a_refusal_in_other_words_is_one_as_well(s3: s3_server.Store) -> None:
    s3.names_condition = False
    folder = open_folder("s3://answers/other")
    folder.create("part-000000.parquet", b"first")
    folder.create("part-000000.parquet", b"second")
    assert read(folder, "part-000000.parquet") == b"first"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3"])
def test_of_a_long_song_the_store_sends_places_and_head_alone(
    s3: s3_server.Store, tmp_path: Path, kind: str
) -> None:
    data = s3.objects["music/song"] = recording(kind, 20.0)
    fetched = fetch(_song("song", len(data)), excerpt_s=EXCERPT_S)
    assert fetched.duration_s == pytest.approx(20, abs=0.1)
    sent = [request for request in s3.requests if request.n_bytes]
    assert {request.status for request in sent} == {206}
    most = len(data) * EXCERPT_S / 20 + 3 * fetching._STRETCH
    assert sum(request.n_bytes for request in sent) < most
    path = tmp_path / "song"
    path.write_bytes(data)
    assert fetch(Song("song", str(path), None, None), excerpt_s=EXCERPT_S) == fetched


@pytest.mark.slow
def test_songs_that_are_gone_kept_back_or_changed_are_told_apart(s3: s3_server.Store) -> None:
    s3.objects["music/song"] = s3.objects[f"music/{s3_server.DENIED}"] = b"music"
    assert fetch(_song("song", 5)).source == b"music"
    for key, code in (("none", "missing"), (s3_server.DENIED, "denied")):
        with pytest.raises(FetchError) as caught:
            fetch(_song(key))
        assert caught.value.code == code
    with pytest.raises(FetchError) as caught:
        fetch(_song("song", 6))
    assert caught.value.code == "changed"


def test_a_store_that_nobody_answers_for_is_named(
    s3: s3_server.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    pauses: list[float] = []
    with pytest.raises(FetchError, match="EndpointConnectionError") as caught:
        fetch(_song("song"), pause=pauses.append)
    assert caught.value.code == "unreachable"
    assert pauses == [1.0, 4.0, 16.0]
    folder = open_folder("s3://answers/it")
    for ask in (
        lambda: list(read_manifest("s3://music/new")),
        lambda: list(folder.entries()),
        lambda: read(folder, "plan.json"),
        lambda: folder.create("part-000000.parquet", b""),
    ):
        with pytest.raises(FleetError, match="EndpointConnectionError"):
            ask()
