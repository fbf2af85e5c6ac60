"""The scheduler in a made-up world: what is slow, what dies, and one network for all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genrescope.fleet.simulation import World, simulate

CALM = World(n_shards=12, workers=4, core_s=10.0, read_s=0.0, spread=0.0, slow_share=0.0)


def test_equal_shards_take_whole_rounds_of_the_workers() -> None:
    course = simulate(replace(CALM, start_s=7.0))
    assert course.seconds == pytest.approx(7 + 3 * 10)
    assert course.tail_s == pytest.approx(10)
    assert course.deaths == course.failed == 0


def test_a_network_too_slow_for_the_workers_decides_how_long_it_takes() -> None:
    assert simulate(replace(CALM, read_s=5.0)).seconds == pytest.approx(12 * 5.0)


def test_a_slow_worker_gets_fewer_shards() -> None:
    course = simulate(replace(CALM, slow_share=0.25, slow_by=2.0))
    # Three workers do three or four of the twelve each, the slow one two in the same time.
    assert course.seconds == pytest.approx(40)


@pytest.mark.slow
def test_stragglers_and_deaths_cost_little_and_lose_nothing() -> None:
    world = World(n_shards=41_000, workers=512, core_s=1_200.0, read_s=0.5)
    calm = simulate(replace(world, slow_share=0.0))
    rough = simulate(replace(world, worker_lives_s=24 * 3600.0, start_s=60.0))
    assert rough.failed == 0
    assert rough.deaths > 100
    assert rough.tail_s < 5 * world.core_s
    assert calm.seconds < rough.seconds < 1.1 * calm.seconds


def test_the_same_seed_is_the_same_course() -> None:
    world = World(n_shards=200, workers=8, core_s=10.0, read_s=0.1, worker_lives_s=50.0)
    assert simulate(world, seed=3) == simulate(world, seed=3)
    assert simulate(world, seed=3) != simulate(world, seed=4)


def test_workers_that_never_live_long_enough_give_shards_up() -> None:
    world = World(n_shards=50, workers=4, core_s=10.0, read_s=0.1, worker_lives_s=1.0)
    assert simulate(world).failed > 0
