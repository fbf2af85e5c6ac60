"""What cells of a clip are worth, to a net made of arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrescope.model.bundle import Bundle
from genrescope.model.clip import Clip
from genrescope.model.inference import NetOutput, prepare
from genrescope.model.occlusion import (
    N_BANDS,
    N_PATCHES,
    N_STEPS,
    N_TIMES,
    Occluder,
    areas_by_loudness,
)

N_FRAMES = 120


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def clip(frames: slice, bands: slice) -> Clip:
    """Noise with a louder patch."""
    log_mel = np.random.default_rng(0).normal(-40, 1, (128, N_FRAMES)).astype(np.float32)
    log_mel[bands, frames] += 30
    return Clip(log_mel, N_FRAMES / 12.9, ())


def loudest_cell(windows: NDArray[np.float32]) -> NetOutput:
    """Sure of the first class as far as any part of a window is loud."""
    logits = np.zeros((len(windows), 10))
    logits[:, 0] = windows.max(axis=(1, 2))
    return NetOutput(logits)


def test_the_only_cell_that_matters_is_found(bundle: Bundle) -> None:
    loud = clip(slice(48, 54), slice(32, 48))  # the cell of band 2 and time 8
    occluder = Occluder(bundle, loudest_cell, prepare(loud.log_mel, bundle.features), 0)
    weights = occluder.weights(lambda done: None)
    assert np.unravel_index(weights.argmax(), weights.shape) == (2, 8)
    # Its neighbours are in one of the two patches that hold it.
    np.testing.assert_allclose(weights[2, [7, 9]], weights[2, 8] / 2, rtol=0.2)
    others = np.delete(weights.ravel(), 2 * N_TIMES + np.array([7, 8, 9]))
    assert weights.max() > 3 * np.abs(others).max()


def test_the_curves_are_true_to_an_order_that_is_true(bundle: Bundle) -> None:
    loud = clip(slice(48, 60), slice(32, 48))
    occluder = Occluder(bundle, loudest_cell, prepare(loud.log_mel, bundle.features), 0)
    weights = occluder.weights(lambda done: None)
    rng = np.random.default_rng(0)
    true = occluder.fidelity(weights, rng, lambda done: None)
    false = occluder.fidelity(-weights, rng, lambda done: None)
    assert true.decisive
    assert not false.decisive
    assert true.deletion_auc < false.deletion_auc
    assert true.insertion_auc > false.insertion_auc


def test_windows_that_a_step_does_not_reach_are_not_asked_again(bundle: Bundle) -> None:
    long = np.tile(clip(slice(48, 54), slice(32, 48)).log_mel, 10)
    asked = 0

    def net(windows: NDArray[np.float32]) -> NetOutput:
        nonlocal asked
        asked += len(windows)
        return loudest_cell(windows)

    occluder = Occluder(bundle, net, prepare(long, bundle.features), 0)
    cells = np.random.default_rng(0).permutation(N_BANDS * N_TIMES).reshape(N_BANDS, N_TIMES)
    rng = np.random.default_rng(0)
    there = occluder.fidelity(cells, rng, lambda done: None)
    n_windows = len(bundle.windowing.places(long.shape[1])[0])
    assert n_windows < asked < 0.8 * n_windows * (N_STEPS - 1) * 3
    # Backwards it comes by the same windows from the other end.
    back = occluder.fidelity(-cells, rng, lambda done: None)
    assert back.insertion_auc == pytest.approx(there.deletion_auc, abs=1e-6)
    assert back.deletion_auc == pytest.approx(there.insertion_auc, abs=1e-6)


@pytest.mark.parametrize(("n_frames", "n_random"), [(20, 4), (39, 4), (60, 2), (78, 2), (1200, 1)])
def test_several_windows_need_fewer_random_orders(
    bundle: Bundle, n_frames: int, n_random: int
) -> None:
    features = np.random.default_rng(0).normal(-40, 9, (128, n_frames)).astype(np.float32)
    occluder = Occluder(bundle, loudest_cell, prepare(features, bundle.features), 0)
    done: list[int] = []
    occluder.fidelity(np.zeros((N_BANDS, N_TIMES)), np.random.default_rng(0), done.append)
    assert occluder.n_random == n_random
    assert done == list(range(1, 3 + n_random))


def test_steps_are_reported_to_the_last(bundle: Bundle) -> None:
    quiet = prepare(clip(slice(0, 1), slice(0, 1)).log_mel, bundle.features)
    done: list[int] = []
    Occluder(bundle, loudest_cell, quiet, 0).weights(done.append)
    assert done == list(range(1, N_PATCHES + 1))


def test_the_loudest_cell_goes_first_by_loudness(bundle: Bundle) -> None:
    loud = clip(slice(48, 60), slice(32, 48))
    deletion, insertion = areas_by_loudness(bundle, loudest_cell, loud, bundle.labels[0])
    assert deletion < insertion


def test_a_clip_shorter_than_a_window_has_cells_too(bundle: Bundle) -> None:
    short = clip(slice(0, 4), slice(0, 16))
    features = short.log_mel[:, :20]
    occluder = Occluder(bundle, loudest_cell, prepare(features, bundle.features), 0)
    assert occluder.weights(lambda done: None).shape == (N_BANDS, N_TIMES)
