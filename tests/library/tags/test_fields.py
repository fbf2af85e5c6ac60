from __future__ import annotations

import pytest

from genrescope.library.tags.fields import FAMILIES, WRITABLE, Tag, facts_of, field_name, values_of


def test_what_is_written_is_read_by_the_same_meaning() -> None:
    for family in FAMILIES:
        for meaning in WRITABLE:
            tag = Tag(field_name(family, meaning), "x")
            assert values_of([tag], meaning) == ["x"]


def test_values_keep_their_order() -> None:
    tags = [Tag("genre", "b"), Tag("ARTIST", "x"), Tag("GENRE", "a")]
    assert values_of(tags, "genre") == ["b", "a"]


@pytest.mark.parametrize(
    ("date", "year"), [("2001-05-03", 2001), ("May 1999", 1999), ("99", None), ("", None)]
)
def test_a_year_is_found_in_a_date(date: str, year: int | None) -> None:
    assert facts_of([Tag("TDRC", date)]).year == year


@pytest.mark.parametrize(
    ("text", "bpm"), [("120", 120.0), ("98,5", 98.5), ("0", None), ("fast", None), ("1e9", None)]
)
def test_a_tempo_is_a_sensible_number(text: str, bpm: float | None) -> None:
    assert facts_of([Tag("TBPM", text)]).bpm == bpm


def test_a_blank_value_says_nothing() -> None:
    assert facts_of([Tag("TPE1", "  "), Tag("TPE1", "Nina")]).artist == "Nina"
