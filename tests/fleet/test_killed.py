"""Whoever is killed, and whenever: the parts are those of a run that nobody disturbed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from soak.fleet import disturb_fleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="finds processes by /proc"),
]


def test_local_workers_and_drivers(tiny_bundle: Path, tmp_path: Path) -> None:
    found = disturb_fleet(
        tiny_bundle,
        tmp_path,
        engine="local",
        n_songs=4_000,
        n_kills=6,
        shard_size=100,
        pause_s=0.01,
    )
    assert found.kills == {"driver": 3, "worker": 3}
    assert found.same
    assert found.within_bounds


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_real_ray_its_workers_and_drivers(tiny_bundle: Path, tmp_path: Path) -> None:
    found = disturb_fleet(
        tiny_bundle, tmp_path, engine="ray", n_songs=4_000, n_kills=3, shard_size=100, pause_s=0.01
    )
    assert found.kills == {"driver": 1, "worker": 1, "raylet": 1}
    assert found.same
    assert found.within_bounds
    assert found.reported == found.may_report == set()
