"""A byte a number is enough for an embedding."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genrescope.model.quantised import quantised


@given(
    hnp.arrays(
        np.float32, st.integers(1, 200), elements=st.floats(-1, 1, width=32, allow_subnormal=False)
    )
)
@example(np.array([2.5742845e-38], np.float32))
def test_an_embedding_of_int8_is_off_by_half_a_step(embedding: np.ndarray) -> None:
    values, scale = quantised(embedding)
    assert values.dtype == np.int8
    assert np.abs(values * scale - embedding).max() <= 0.5 * scale * 1.001 + 1e-30
