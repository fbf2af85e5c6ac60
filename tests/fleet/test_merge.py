"""One dataset, in the order of the manifest, and what is nearest in it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fleet_makers import NullStep, write_csv

from genrescope.errors import FleetError
from genrescope.fleet import merge as module
from genrescope.fleet.engines import local
from genrescope.fleet.merge import merge
from genrescope.fleet.neighbours import Neighbours
from genrescope.fleet.plan import write_plan
from genrescope.fleet.run import run
from genrescope.fleet.store import Folder, open_folder
from genrescope.model.bundle import Bundle

N_SONGS = 4_000


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Folder:
    folder = tmp_path_factory.mktemp("run")
    write_plan(str(write_csv(folder / "songs.csv", N_SONGS)), folder / "plan", shard_size=500)
    out = open_folder(folder / "out")
    engine = functools.partial(local.map_shards, workers=1)
    run(open_folder(folder / "plan"), out, Bundle.load(tiny_bundle), engine, make_step=NullStep)
    return out


def test_all_rows_in_the_order_of_the_manifest(
    finished: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_A_FILE", 1_500)
    dataset = merge(finished, tmp_path / "dataset")
    files = sorted(dataset.glob("songs-*.parquet"))
    assert [pq.read_metadata(file).num_rows for file in files] == [1_500, 1_500, 1_000]
    rows = pq.read_table(files).to_pylist()
    assert [row["id"] for row in rows] == [f"song-{i:08d}" for i in range(N_SONGS)]
    facts = json.loads((dataset / "dataset.json").read_text())
    assert facts["songs"] == N_SONGS
    assert facts["errors"] == sum(row["error"] is not None for row in rows) > 0
    near = Neighbours(dataset)
    for number in (0, 700, N_SONGS - 1):
        expected = np.array(rows[number]["embedding"] or [0] * 16) * 0.01
        vector = near.vectors.embeddings[number] * near.vectors.scales[number]
        np.testing.assert_allclose(vector, expected, rtol=1e-5)
    assert not (dataset / "neighbours.faiss").exists()


def test_an_index_finds_what_comparing_all_finds(finished: Folder, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    near = Neighbours(merge(finished, tmp_path / "dataset", index_from=N_SONGS))
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        query = rng.normal(size=16).astype(np.float32)
        query /= np.linalg.norm(query)
        rows, cosines = near.nearest(query)
        wanted, best = near.exact(query)
        found += len(set(rows.tolist()) & set(wanted.tolist()))
        # What it finds it compares exactly.
        np.testing.assert_allclose(cosines, near.vectors.at(rows) @ query, atol=1e-6)
        assert (np.diff(cosines) <= 0).all()
        assert (cosines <= best + 1e-6).all()
        assert near.vectors.scales[rows].all()
    assert found >= 0.95 * 500


def test_a_dataset_is_never_replaced_and_a_damaged_part_leaves_none(
    finished: Folder, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FleetError, match="it exists already"):
        merge(finished, tmp_path / "there")
    part = Path(finished.url, "part-000002.parquet")
    whole = part.read_bytes()
    part.write_bytes(Path(finished.url, "part-000007.parquet").read_bytes()[:-9])
    try:
        with pytest.raises(FleetError, match=r"part-000002\.parquet: it is damaged"):
            merge(finished, tmp_path / "new")
    finally:
        part.write_bytes(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
