from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from library_makers import make_song, pretend

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import families
from genrescope.library.query import find
from genrescope.library.scan import scan
from genrescope.model.bundle import Bundle


@pytest.fixture
def collection(catalogue: Catalogue, music: Path, tiny_bundle: Path) -> Catalogue:
    bundle = Bundle.load(tiny_bundle)
    make_song(music / "chet.flac", artist="Chet Baker", title="Alone Together", genre="Jazz")
    make_song(music / "bjork.flac", artist="Björk", title="Jóga", genre="Techno")
    make_song(music / "odd.flac", artist="Slayer", title="Alone", genre="Jazz")
    make_song(music / "none.flac", seconds=3)
    scan(catalogue, [music])
    catalogue.db.execute("UPDATE file SET bpm = 100 WHERE name = CAST('chet.flac' AS BLOB)")
    pretend(catalogue, bundle, "chet.flac", {"jazz": 0.9, "blues": 0.1})
    pretend(catalogue, bundle, "odd.flac", {"metal": 0.98, "jazz": 0.02})
    pretend(catalogue, bundle, "none.flac", {"disco": 0.4, "pop": 0.3}, flags=("uncertain",))
    catalogue.db.execute("UPDATE judgement SET tempo = 97.5, key = 'A minor' WHERE genre = 'metal'")
    return catalogue


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "bjork chet none odd"),
        ("genre:jazz", "chet odd"),
        ("genre:disco", "none"),
        ("tagged:disco", ""),
        ("sound:metal", "odd"),
        ("bpm:90..110", "chet odd"),
        ('key:="a minor"', "odd"),
        ("-key:minor", "bjork chet none"),
        ("bpm:100", "chet"),
        ("bpm:..90", ""),
        ("confidence:..0.5", "none"),
        ("confidence:0.5..", "chet odd"),
        ("odd:true", "odd"),
        ("odd:false -genre:jazz", "bjork none"),
        ('artist:"chet baker"', "chet"),
        ("artist:=chet", ""),
        ("artist:=BJÖRK", "bjork"),
        ("path:bjork.fl", "bjork"),
        ("bjork", "bjork"),
        ("alone -together", "odd"),
        ("judged:false", "bjork"),
        ("flag:uncertain", "none"),
        ("length:0:02..0:04", "none"),
        ("set:jazz", "chet"),
        ("failed:true", ""),
        ("^genre:jazz ^judged:false", "none"),
    ],
)
def test_a_query_names_songs(
    query: str, names: str, collection: Catalogue, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    found = find(collection, collection.bundle_id(bundle), families(bundle.labels), query)
    assert " ".join(Path(song.path).stem for song in found) == names


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nonsense:jazz", "there is no field nonsense"),
        ("bpm:fast", "no range of numbers"),
        ("odd:maybe", "true or false"),
        ('artist:"Chet', "quotation mark"),
    ],
)
def test_a_query_that_cannot_be_understood_says_why(
    query: str, message: str, catalogue: Catalogue
) -> None:
    with pytest.raises(LibraryError, match=message):
        list(find(catalogue, None, families(("a", "b")), query))


@pytest.mark.parametrize("query", ['"', "a'b", "*", "NEAR(", "a AND", "-", "^", "(", "x:", ":"])
def test_no_text_breaks_the_search(query: str, collection: Catalogue) -> None:
    """Signs that mean something to SQLite's search are words like others here."""
    with suppress(LibraryError):  # but no other error
        list(find(collection, None, families(("a", "b")), query))
