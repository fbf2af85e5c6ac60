"""The price of N songs by hand, by formula, and by the scheduler itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from genrescope.errors import FleetError
from genrescope.fleet.cost import Figures, Fleet, Songs, estimate, read_figures
from genrescope.fleet.simulation import World, simulate

FIGURES = Figures(
    core_s=0.5,
    song_s=200.0,
    row_bytes=200.0,
    manifest_bytes=50.0,
    shard_s=2.0,
    start_s=20.0,
    machine="made up",
    date="2026-01-01",
    versions="",
)
SONGS = Songs(n=2_000_000, mean_mb=8.0, mean_s=240.0, shard_size=2_000)


def test_an_estimate_by_hand() -> None:
    fleet = Fleet(100, 1.0, core_hour=0.05, gb=0.01, requests_1000=0.0004, gb_month=0.02)
    found = estimate(SONGS, fleet, FIGURES)
    # 2 M songs of 0.6 s, 1,000 shards of 2 s; 16 TB at 125 MB/s.
    core_s = 2e6 * 0.6 + 1_000 * 2
    assert found.core_hours == pytest.approx(core_s / 3600)
    assert found.read_tb == pytest.approx(16.0)
    assert found.kept_gb == pytest.approx(0.5)
    assert found.processor_h == pytest.approx(core_s / 100 / 3600)
    assert found.network_h == pytest.approx(128_000 / 3600)
    assert found.bottleneck == "network"
    assert found.hours == pytest.approx((128_000 + 20 + 1_202) / 3600)
    assert found.processor_money == pytest.approx(100 * found.hours * 0.05)
    assert found.reading_money == pytest.approx(160.0)
    assert found.requests_money == pytest.approx(2_003 * 0.0004)
    assert found.keeping_money_month == pytest.approx(0.01)
    parts = found.processor_money + found.reading_money + found.requests_money
    assert found.money == pytest.approx(parts)


def test_a_faster_network_leaves_the_processor_to_wait_for() -> None:
    found = estimate(SONGS, Fleet(100, 100.0), FIGURES)
    assert found.bottleneck == "processor"
    assert found.money == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("gbit_s", [10.0, 200.0])
def test_the_scheduler_at_41_000_shards_takes_as_long_as_the_formula_says(gbit_s: float) -> None:
    songs = replace(SONGS, n=82_000_000)
    fleet = Fleet(512, gbit_s)
    expected = estimate(songs, fleet, FIGURES)
    world = World(
        n_shards=41_000,
        workers=512,
        core_s=2_000 * 0.6 + 2.0,
        read_s=2_000 * 8e6 * 8 / (gbit_s * 1e9),
        slow_share=0.0,
        start_s=20.0,
    )
    course = simulate(world)
    assert course.failed == course.deaths == 0
    assert course.seconds / 3600 == pytest.approx(expected.hours, rel=0.02)


def test_what_holds_no_figures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text('{"core_s": 1}')
    with pytest.raises(FleetError, match="no figures of a machine"):
        read_figures(path)
