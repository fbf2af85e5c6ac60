"""What files tell of tracks."""

from __future__ import annotations

from genrescope.data.track import Track, mark_repeats


def test_only_the_same_bytes_are_repeats() -> None:
    tracks = [
        Track("a", "g", checksum="1"),
        Track("b", "g", checksum="2", faults=("distorted",)),
        Track("c", "h", checksum="1", faults=("repeat:a",)),
        Track("d", "h", checksum="1"),
        Track("unread 1", "g"),
        Track("unread 2", "g"),
    ]
    assert [track.faults for track in mark_repeats(tracks)] == [
        ("repeat:c", "repeat:d"),
        ("distorted",),
        ("repeat:a", "repeat:d"),
        ("repeat:a", "repeat:c"),
        (),
        (),
    ]
