"""Which tracks belong together."""

from __future__ import annotations

from genrescope.data.groups import artist_groups, artist_key
from genrescope.data.track import Track


def test_collaborations_join_their_artists() -> None:
    names = ["Earth, Wind & Fire", "earth wind and fire", "Ann", "Ann and Bob", "BÖB", "Bob", None]
    tracks = [Track(str(i), "g", name) for i, name in enumerate(names)]
    groups = artist_groups([*tracks, Track("7", "g"), Track("8", "h")])
    assert groups == [[0, 1], [2, 3, 4, 5], [6, 7], [8]]
    assert artist_key("The Beatles") == artist_key("beatles ")
    assert artist_key("The The") == "the"


def test_who_is_in_two_collaborations_joins_them() -> None:
    names = ["Dr. Dre & Snoop Dogg", "Dr. Dre feat. Eminem", "Hall & Oates", "Eminem"]
    tracks = [Track(str(i), "g", name) for i, name in enumerate(names)]
    assert artist_groups(tracks) == [[0, 1, 3], [2]]
    assert artist_groups([*tracks[:1], *tracks[2:]]) == [[0], [1], [2]]
