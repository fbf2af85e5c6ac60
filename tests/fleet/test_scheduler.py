"""Every shard ends once, done or failed, whatever becomes of workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from genrescope.fleet.plan import Shard
from genrescope.fleet.scheduler import TRIES, Scheduler


def _shards(n: int) -> list[Shard]:
    return [Shard(i, 10, "") for i in range(n)]


@given(n=st.integers(0, 20), workers=st.integers(1, 6), data=st.data())
def test_every_shard_ends_once(n: int, workers: int, data: st.DataObject) -> None:
    scheduler = Scheduler(_shards(n))
    held: list[Shard] = []
    ended: list[int] = []
    given_out = [0] * n
    while not scheduler.finished:
        if len(held) < workers and (shard := scheduler.take()) is not None:
            held.append(shard)
            given_out[shard.number] += 1
            continue
        shard = held.pop(data.draw(st.integers(0, len(held) - 1)))
        is_lost = data.draw(st.booleans())
        outcome = scheduler.lost(shard, "it died") if is_lost else scheduler.done(shard)
        assert outcome is not None or is_lost
        if outcome is not None:
            ended.append(shard.number)
            assert (outcome.error is not None) == is_lost
    assert sorted(ended) == list(range(n))
    assert not held
    assert all(1 <= times <= TRIES for times in given_out)


def test_what_was_lost_comes_before_what_is_new() -> None:
    scheduler = Scheduler(_shards(3))
    first = scheduler.take()
    assert first is not None
    assert scheduler.lost(first, "it died") is None
    assert scheduler.take() == first
