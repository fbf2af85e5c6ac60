"""The proof that a round of a split keeps its parts apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genrescope.data.fold import Fold, check_learnable, track_of
from genrescope.data.splits import Split
from genrescope.errors import DatasetError

from .conftest import TRACKS

GOOD = Fold(("a1", "b1"), ("a2", "a3", "z"), ("b2", "b3", "w"))


@pytest.mark.parametrize(
    ("protocol", "fold", "message"),
    [
        ("tracks", Fold(("a1", "b1"), ("a2", "b2"), ("a1", "b3")), "a1 is in train and again in t"),
        ("tracks", Fold(("a1", "b1"), ("a2", "b2"), ("a9", "b3")), "a9 is in test but not in the"),
        ("tracks", Fold(("a1", "b1"), ("a2",), ("a3", "b3")), "valid lacks b"),
        ("tracks", Fold(("a1", "b1"), (), ("a3", "b3")), "valid lacks a, b"),
        ("artists", Fold(("a1", "b2", "b3"), ("b1",), ("a2", "a3")), "valid lacks a"),
        ("artists", Fold(("a1", "b2"), ("x", "b1"), ("a2", "b3")), "x is in valid but not in"),
        (
            "artists",
            Fold(("a1", "b2", "b3"), ("w", "b1"), ("a2", "a3", "z")),
            r"a1 \(X\).*b1 \(The",
        ),
        ("artists", Fold(("a1", "b1"), ("b2", "w"), ("b3", "a2", "a3")), r"b2 \(V & W\).*b3 \(W\)"),
        (
            "artists",
            Fold(("a1", "b1"), ("w", "a2", "z"), ("a3", "b2", "b3")),
            r"a2 \(Y\).*a3 \(Z\)",
        ),
    ],
)
def test_check_finds_what_is_wrong(protocol: str, fold: Fold, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Split(protocol, 0, (fold,)).check(TRACKS)


@pytest.mark.parametrize("protocol", ["windows", "tracks", "artists"])
def test_check_passes_what_is_right(protocol: str) -> None:
    Split(protocol, 0, (GOOD,)).check(TRACKS)


def test_only_a_published_list_may_lack_what_is_absent() -> None:
    fold = Fold(("a1", "b1"), ("a2", "a3", "b2", "b3"), ())
    Split("fault-filtered", 0, (fold,), absent=("a4",)).check(TRACKS)
    without_a = replace(fold, train=("b1",))
    Split("fault-filtered", 0, (without_a,), absent=("a4",)).check(TRACKS)
    for protocol, absent in (("fault-filtered", ()), ("artists", ("a4",))):
        with pytest.raises(DatasetError, match="test lacks a, b"):
            Split(protocol, 0, (fold,), absent=absent).check(TRACKS)


def test_what_is_learned_has_every_class() -> None:
    fold = Fold(("a1", "b1"), (), ())
    check_learnable(fold, TRACKS)
    with pytest.raises(DatasetError, match=r"^train lacks a\. More of its tracks help"):
        check_learnable(replace(fold, train=("b1",)), TRACKS)
    with pytest.raises(DatasetError, match="needs two genres or more; here: a"):
        check_learnable(Fold(("a1",), (), ()), [t for t in TRACKS if t.genre == "a"])


def test_check_finds_windows_that_overlap() -> None:
    fold = Fold(("a1#0", "b1#0"), ("a1#1", "b2#0"), ("a2#0", "b3#0"))
    starts = {m: 0.0 for members in fold.parts().values() for m in members} | {"a1#1": 2.9}
    with pytest.raises(DatasetError, match="two windows of a1 overlap"):
        Split("windows", 0, (fold,), starts=starts).check(TRACKS)
    Split("windows", 0, (fold,), starts=starts | {"a1#1": 3.0}).check(TRACKS)


def test_a_member_is_a_track_or_a_window_of_one() -> None:
    assert track_of("blues.00000#3") == "blues.00000"
    assert track_of("blues.00000") == "blues.00000"
    assert track_of("take #one") == "take #one"


def test_a_round_without_its_valid_part_learns_it() -> None:
    assert GOOD.without_valid() == Fold(GOOD.train + GOOD.valid, (), GOOD.test)
