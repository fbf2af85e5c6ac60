"""Several stores as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrescope.data.joined import join, title_of
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import DatasetError
from genrescope.features.config import STORE_CONFIG


def store(name: str, *tracks: str, genre: str, level: float = -40.0) -> FeatureStore:
    clips = [np.full((40, 128), level - i, np.float16) for i in range(len(tracks))]
    facts = tuple(Track(track, genre) for track in tracks)
    return FeatureStore(STORE_CONFIG, facts, {"gone": "no file"}, name, clips)


def test_joined_stores_are_read_as_one() -> None:
    first = store("/data/one/mel.npz", "a", "b", genre="polka")
    second = store("/data/two/mel.npz", "c", genre="fado", level=-60.0)
    both = join([first, second])
    assert both.tracks == ("a", "b", "c")
    assert both.genres == ("fado", "polka")
    assert both.get("c").min() == -60
    assert both.absent == {"gone": "no file"}
    assert title_of(both) == "one/mel.npz + two/mel.npz"


def test_what_another_store_has_is_not_absent() -> None:
    both = join([store("x", "a", genre="polka"), store("y", "gone", genre="fado")])
    assert both.absent == {}


def test_a_store_alone_stays_as_it_is() -> None:
    alone = store("/data/one/mel.npz", "a", genre="polka")
    assert join([alone]) is alone
    assert title_of(alone) == "mel.npz"


def test_stores_that_do_not_fit_are_named() -> None:
    first = store("one.npz", "a", genre="polka")
    with pytest.raises(DatasetError, match=r"one\.npz \+ two\.npz: a is in two of them"):
        join([first, store("two.npz", "a", genre="polka")])
    other = replace(store("two.npz", "b", genre="polka"), config=replace(STORE_CONFIG, n_mels=64))
    with pytest.raises(DatasetError, match=r"two\.npz: its features are .* same front end"):
        join([first, other])
