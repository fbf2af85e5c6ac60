"""Windows stay in the clip, random ones apart from each other, the grid without a gap."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genrescope.features.windows import grid, place, random_windows, spread, take


@settings(deadline=None)
@example(window_length=39, n_windows=5, slack=192, seed=0)
@given(st.integers(1, 100), st.integers(1, 12), st.integers(0, 2_000), st.integers(0, 2**32))
def test_random_windows_never_leave_the_clip_nor_overlap(
    window_length: int, n_windows: int, slack: int, seed: int
) -> None:
    length = n_windows * window_length + slack
    starts = random_windows(
        length, window_length=window_length, n_windows=n_windows, rng=np.random.default_rng(seed)
    )
    assert starts.dtype == np.int64
    assert starts.shape == (n_windows,)
    assert starts[0] >= 0
    assert starts[-1] + window_length <= length
    assert (np.diff(starts) >= window_length).all()


def test_the_seed_decides_the_windows() -> None:
    def draw(seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        return random_windows(387, window_length=39, rng=rng).tolist()

    assert draw(7) == draw(7)
    assert len({tuple(draw(seed)) for seed in range(20)}) == 20


def test_every_arrangement_is_equally_likely() -> None:
    # Two windows of 2 in a clip of 6: six arrangements.
    rng = np.random.default_rng(0)
    seen = Counter(
        tuple(random_windows(6, window_length=2, n_windows=2, rng=rng).tolist())
        for _ in range(3_000)
    )
    assert set(seen) == {(0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4)}
    assert all(400 < count < 600 for count in seen.values())  # 500 +- 5 standard deviations


@pytest.mark.parametrize(
    ("length", "window_length", "n_windows"), [(194, 39, 5), (10, 0, 1), (10, 2, 0), (0, 1, 1)]
)
def test_windows_that_do_not_fit_are_refused(
    length: int, window_length: int, n_windows: int
) -> None:
    with pytest.raises(ValueError, match=r"window"):
        random_windows(
            length,
            window_length=window_length,
            n_windows=n_windows,
            rng=np.random.default_rng(0),
        )


@settings(deadline=None)
@given(st.integers(1, 3_000), st.integers(1, 200), st.integers(1, 300))
def test_grid_stays_inside_and_reaches_both_ends(
    length: int, window_length: int, hop_length: int
) -> None:
    starts = grid(length, window_length=window_length, hop_length=hop_length)
    assert starts.dtype == np.int64
    assert starts[0] == 0
    if length <= window_length:
        assert starts.tolist() == [0]
    else:
        assert starts[-1] + window_length == length
    steps = np.diff(starts)
    assert (steps[:-1] == hop_length).all()
    assert ((steps > 0) & (steps <= hop_length)).all()


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 60), st.data())
def test_grid_without_gaps_covers_every_sample(
    length: int, window_length: int, data: st.DataObject
) -> None:
    hop_length = data.draw(st.integers(1, window_length))
    starts = grid(length, window_length=window_length, hop_length=hop_length)
    covered = np.zeros(length, dtype=bool)
    for start in starts:
        covered[start : start + window_length] = True
    assert covered.all()


@pytest.mark.parametrize("lengths", [(0, 3, 1), (5, 0, 1), (5, 3, 0)])
def test_grid_of_nothing_is_refused(lengths: tuple[int, int, int]) -> None:
    length, window_length, hop_length = lengths
    with pytest.raises(ValueError, match="positive"):
        grid(length, window_length=window_length, hop_length=hop_length)


@settings(deadline=None)
@example(length=388, window_length=129, hop_length=129)
@given(st.integers(1, 2_000), st.integers(1, 130), st.integers(1, 130))
def test_spread_windows_fill_the_clip_evenly(
    length: int, window_length: int, hop_length: int
) -> None:
    hop_length = min(hop_length, window_length)
    starts, stretched = spread(length, window_length=window_length, hop_length=hop_length)
    assert starts.dtype == np.int64
    assert starts[0] == 0
    assert window_length <= stretched < 2 * window_length
    if length <= window_length:
        assert (starts.tolist(), stretched) == ([0], window_length)
        shortest = window_length // 3
        _, own = spread(
            length, window_length=window_length, hop_length=hop_length, shortest=shortest
        )
        assert own == max(length, shortest)
        return
    assert len(starts) == (length - window_length) // hop_length + 1
    assert starts[-1] + stretched == length
    steps = np.diff(starts)
    assert (steps <= stretched).all()
    assert steps.max(initial=0) - steps.min(initial=length) <= 1
    if hop_length == window_length:
        assert stretched - steps.min(initial=stretched) <= 1


def test_half_a_minute_is_three_windows_of_ten_seconds() -> None:
    starts, length = spread(388, window_length=129, hop_length=129)
    assert (starts.tolist(), length) == ([0, 129, 258], 130)


@pytest.mark.parametrize("lengths", [(0, 3, 1), (5, 0, 1), (5, 3, 0), (9, 3, 4)])
def test_spreading_nothing_or_with_gaps_is_refused(lengths: tuple[int, int, int]) -> None:
    length, window_length, hop_length = lengths
    with pytest.raises(ValueError, match="positive"):
        spread(length, window_length=window_length, hop_length=hop_length)


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 40), st.integers(1, 40))
def test_take_cuts_what_the_grid_names(length: int, window_length: int, hop_length: int) -> None:
    x = np.arange(2 * length).reshape(2, length)
    starts = grid(length, window_length=window_length, hop_length=hop_length)
    windows = take(x, starts, window_length=window_length)
    assert windows.shape == (len(starts), 2, window_length)
    for window, start in zip(windows, starts, strict=True):
        np.testing.assert_array_equal(window[0], np.arange(start, start + window_length) % length)
        np.testing.assert_array_equal(window[1], window[0] + length)


def test_take_repeats_a_short_clip() -> None:
    assert take(np.array([1, 2, 3]), [0], window_length=8).tolist() == [[1, 2, 3, 1, 2, 3, 1, 2]]


@pytest.mark.parametrize("starts", [[-1], [8], [0, 9], []])
def test_take_refuses_what_lies_outside(starts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"window|array"):
        take(np.zeros((2, 10)), starts, window_length=3)


def test_take_refuses_an_empty_clip() -> None:
    with pytest.raises(ValueError, match="empty"):
        take(np.zeros((2, 0)), [0], window_length=3)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(40, 400), st.floats(0, 1), st.sampled_from([12.9, 43.07]))
def test_a_window_stays_in_its_clip(n_frames: int, length: int, at: float, rate: float) -> None:
    n_frames = min(n_frames, length)
    start = at * (length - n_frames) / rate
    here = place(length, start, n_frames=n_frames, frame_rate=rate)
    assert 0 <= here.start <= here.stop <= length
    assert here.stop - here.start == n_frames
    assert here.start == pytest.approx(start * rate, abs=0.51)
