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
        tiny_bundle, tmp_path, engine="local", n_songs=4_000, n_kills=6, shard_size=100
    )
    assert found.kills["driver"] >= 2
    assert found.kills["worker"] >= 1
    assert found.same
    assert 0 <= found.again <= found.most_again


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_real_ray_its_workers_and_drivers(tiny_bundle: Path, tmp_path: Path) -> None:
    found = disturb_fleet(
        tiny_bundle, tmp_path, engine="ray", n_songs=4_000, n_kills=3, shard_size=100
    )
    assert found.kills == {"driver": 1, "worker": 1, "raylet": 1}
    assert found.same
    assert 0 <= found.again <= found.most_again
    assert found.reported == found.may_report == set()
