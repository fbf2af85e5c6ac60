from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from mutagen._constants import GENRES

import genrescope.library.families
from genrescope.errors import LibraryError
from genrescope.library.families import OUTSIDE, families, folded

LABELS = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)


@pytest.mark.parametrize(
    ("tag", "means"),
    [
        ("Hip-Hop", {"hiphop"}),
        ("hip hop", {"hiphop"}),
        ("Rock & Roll", {"rock"}),
        ("ROCK AND ROLL", {"rock"}),
        ("Jazz; Blues", {"jazz", "blues"}),
        ("Pop/Rock", {"rock"}),
        ("Metal/Jazz", {"metal", "jazz"}),
        ("Techno", set()),
        ("Techno; Disco", {"disco"}),
        ("Bulgarian wedding music", set()),
        ("", set()),
        (None, set()),
    ],
)
def test_a_tag_means_families(tag: str | None, means: set[str]) -> None:
    assert families(LABELS).of_tag(tag) == means


def test_unknown_and_outside_are_two_things() -> None:
    table = families(LABELS)
    assert table.of("Techno") == OUTSIDE
    assert table.of("Bulgarian wedding music") is None


def test_every_genre_of_id3v1_is_in_the_table() -> None:
    table = families(LABELS)
    assert [name for name in GENRES if table.of(name) is None] == []


def test_no_spelling_stands_in_two_families() -> None:
    path = Path(genrescope.library.families.__file__).parent / "files" / "families.toml"
    with path.open("rb") as file:
        table = tomllib.load(file)
    assert set(table) == {*LABELS, OUTSIDE}
    pairs = {(folded(name), family) for family, names in table.items() for name in names}
    spellings = Counter(spelling for spelling, _ in pairs)
    assert [spelling for spelling, count in spellings.items() if count > 1] == []


def test_a_bundle_of_other_genres_has_its_own_families() -> None:
    table = families(("jazz", "Techno"), {"Minimal": "Techno"})
    assert table.of("techno") == "Techno"
    assert table.of("minimal") == "Techno"
    assert table.of("Rock") == OUTSIDE


def test_a_spelling_cannot_lead_to_what_is_no_label() -> None:
    with pytest.raises(LibraryError, match="no genre of the bundle"):
        families(LABELS, {"Minimal": "Techno"})
