"""What a model has learned of the music it is judged by."""

from __future__ import annotations

from genrescope.data import gtzan
from genrescope.data.track import Track
from genrescope.lab.evaluation.overlap import find_overlap


def test_tracks_artists_and_repeats_that_were_learned_are_found() -> None:
    judged = [
        Track("a", "fado", artist="Amália"),
        Track("b", "fado", artist="The Amalia"),
        Track("c", "polka", artist="Someone", faults=("repeat:z",)),
        Track("d", "polka"),
    ]
    known = [Track("z", "polka"), Track("x", "fado", artist="amalia"), Track("u", "polka")]
    found = find_overlap(["a", "x", "z", "u"], judged, known)
    assert found.tracks == ("a",)
    assert found.repeats == ("c",)
    assert found.artists == ("The Amalia",)
    assert found.untold == ("d",)
    assert not find_overlap(["u"], judged, known)
    assert find_overlap(["u"], judged, known).untold == ("a", "b", "c", "d")


def test_a_track_of_gtzan_is_known_in_a_folder_of_other_music() -> None:
    judged = [Track(f"blues/{name}", "blues") for name in ("blues.00000.flac", "mine.flac")]
    assert find_overlap(["blues.00000"], judged).tracks == ("blues/blues.00000.flac",)
    assert find_overlap(["jazz/blues.00000.wav"], judged).tracks == ("blues/blues.00000.flac",)
    assert find_overlap(["blues.00001"], judged).tracks == ()


def test_an_artist_is_known_again_in_company() -> None:
    known = [Track("x", "fado", artist="Amália feat. Carlos"), Track("y", "fado", artist="Carlos")]
    judged = [
        Track("a", "fado", artist="Carlos & Maria"),
        Track("b", "fado", artist="Maria"),
        Track("c", "fado", artist="Amália"),
    ]
    assert find_overlap(["x"], judged, known).artists == ("Carlos & Maria", "Amália")
    assert find_overlap(["y"], judged, known).artists == ("Carlos & Maria",)
    assert find_overlap(["x", "y"], judged, known).artists == ("Carlos & Maria", "Amália")


def test_artists_of_gtzan_are_known() -> None:
    first, second, *_ = [t for t in gtzan.tracks() if t.artist == "Bob Marley"]
    assert find_overlap([first.track_id], [second]).artists == ("Bob Marley",)
