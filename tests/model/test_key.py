from __future__ import annotations

import numpy as np
import pytest

from genrescope.model.key import KEYS, camelot, read_key


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("A minor", "8A"), ("C major", "8B"), ("G major", "9B"), ("F major", "7B"),
        ("E minor", "9A"), ("A major", "11B"), ("F♯ minor", "11A"), ("E major", "12B"),
        ("B major", "1B"), ("A♭ minor", "1A"), ("D minor", "7A"), ("B♭ minor", "3A"),
    ],
)  # fmt: skip
def test_places_on_the_wheel(name: str, place: str) -> None:
    assert camelot(KEYS.index(name)) == place


def test_every_place_is_one_key() -> None:
    assert len({camelot(key) for key in range(24)}) == len(set(KEYS)) == 24


def test_the_most_probable_key() -> None:
    probs = np.full(24, 0.5 / 23)
    probs[KEYS.index("C minor")] = 0.5
    assert read_key(probs).to_dict() == {"name": "C minor", "camelot": "5A", "confidence": 0.5}
