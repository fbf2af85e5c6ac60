"""Steady noise goes, music stays, and nothing moves in space."""

from __future__ import annotations

import numpy as np
import pytest
from mastering_makers import SR, Float32, band, db, melody, pauses

from genrescope.mastering.cleaning import MAX_EQUALISATION_DB, MAX_REDUCTION_DB, clean


@pytest.fixture(scope="module")
def hissing() -> Float32:
    """Twenty seconds of notes with pauses, under hiss; one channel."""
    x = melody(20)
    return (x + 0.002 * np.random.default_rng(1).standard_normal(len(x))).astype(np.float32)[None]


def test_hiss_falls_in_pauses_and_never_by_more_than_the_most(hissing: Float32) -> None:
    after = clean(hissing, SR)
    assert after.shape == hissing.shape
    where = pauses(20)
    for low in (1_000, 4_000):
        before_db, after_db = (db(band(x[0], low, 2 * low)[where].var()) for x in (hissing, after))
        assert 6 < before_db - after_db < MAX_REDUCTION_DB + MAX_EQUALISATION_DB + 0.5


def test_notes_keep_their_power(hissing: Float32) -> None:
    before, after = (band(x[0], 100, 3_000)[~pauses(20)] for x in (hissing, clean(hissing, SR)))
    assert abs(db(after.var() / before.var())) < MAX_EQUALISATION_DB
    assert np.corrcoef(before, after)[0, 1] > 0.97


def test_both_sides_get_the_same_gains(hissing: Float32) -> None:
    after = clean(np.concatenate([hissing, -0.25 * hissing]), SR)
    np.testing.assert_allclose(after[1], -0.25 * after[0], atol=1e-6)
    assert np.abs(after[0]).max() > 0.1


def test_digital_silence_is_left_as_it_is() -> None:
    silence = np.zeros((2, SR), np.float32)
    np.testing.assert_array_equal(clean(silence, SR), silence)


def test_cleaning_leaves_music_without_pauses_nearly_alone() -> None:
    # Cleaning's gains stay within their bounds, and take next to nothing from dense sound.
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 5 * SR)).astype(np.float32) * 0.1
    after = clean(noise, SR)
    for low in (100, 400, 1_600, 6_400):
        change = db(band(after[0], low, 2 * low).var() / band(noise[0], low, 2 * low).var())
        assert abs(change) <= MAX_EQUALISATION_DB + 0.5
    assert abs(db(after.var() / noise.var())) < 3
