"""Several feature stores as one, to learn from all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from genrescope.data.store import FeatureStore
from genrescope.errors import DatasetError

BETWEEN = " + "
"""Between the names of stores in the name of what they are together."""


def join(stores: Sequence[FeatureStore]) -> FeatureStore:
    """The tracks of several stores in one, under one list of genres.

    Which artists are in more than one of them is found by their names when the tracks are split:
    see `genrescope.data.groups.artist_groups`.

    Args:
        stores: one or more, of the same front end and without a track in common.

    Raises:
        DatasetError: they are otherwise.
    """
    first = stores[0]
    if len(stores) == 1:
        return first
    for other in stores[1:]:
        if other.config != first.config:
            raise DatasetError(
                f"{other.name}: its features are {other.config}, and those of {first.name} are "
                f"{first.config}; stores of one training come from the same front end."
            )
    facts = tuple(chain.from_iterable(store.facts for store in stores))
    twice = [track for track, n in Counter(fact.track_id for fact in facts).items() if n > 1]
    if twice:
        raise DatasetError(
            f"{BETWEEN.join(store.name for store in stores)}: {twice[0]} is in two of them; name "
            "each store once."
        )
    here = {fact.track_id for fact in facts}
    absent = {
        track: reason
        for store in stores
        for track, reason in store.absent.items()
        if track not in here
    }
    clips = tuple(chain.from_iterable(store._clips for store in stores))
    name = BETWEEN.join(store.name for store in stores)
    return FeatureStore(first.config, facts, absent, name, clips)


def title_of(store: FeatureStore) -> str:
    """A store's file name, and for several stores in one that of each with its folder's."""
    paths = [Path(name) for name in store.name.split(BETWEEN)]
    if len(paths) == 1:
        return paths[0].name
    return BETWEEN.join("/".join(path.parts[-2:]) for path in paths)
