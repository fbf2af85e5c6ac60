from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from library_makers import make_song, pretend

from genrescope.library.catalogue import Catalogue
from genrescope.library.families import families
from genrescope.library.odd import false_alarms, find_odd
from genrescope.library.scan import scan
from genrescope.model.bundle import Bundle


def test_what_the_sound_contradicts_comes_first(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    tags = {
        "right": "Jazz",
        "odd": "Bebop",
        "odder": "Jazz",
        "in the set": "Jazz",
        "likely enough": "Jazz",
        "outside": "Techno",
        "speech": "Jazz",
        "untagged": "",
        "one of two": "Jazz; Metal",
    }
    for name, genre in tags.items():
        make_song(music / f"{name}.flac", **({"genre": genre} if genre else {}))
    scan(catalogue, [music])
    for name in tags:
        pretend(
            catalogue,
            bundle,
            f"{name}.flac",
            {
                "right": {"jazz": 0.9},
                "odder": {"metal": 0.99, "jazz": 0.01},
                "likely enough": {"metal": 0.9, "jazz": 0.06},
            }.get(name, {"metal": 0.97, "jazz": 0.03}),
            genres=("metal", "jazz") if name == "in the set" else None,
            flags=("no music",) if name == "speech" else (),
        )
    found = find_odd(catalogue, catalogue.bundle_id(bundle), families(bundle.labels))
    assert [Path(item.song.path).stem for item in found.odd] == ["odder", "odd"]
    assert [item.probability for item in found.odd] == pytest.approx([0.01, 0.03])
    assert [Path(song.path).stem for song in found.outside] == ["outside"]
    assert found.compared == 6


def test_the_share_of_false_alarms_is_the_cards(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    assert false_alarms(bundle) is None
    rows = [
        {**bundle.metrics[0], "protocol": "artists", "odd_share": 0.08},
        {**bundle.metrics[0], "protocol": "world", "odd_share": 0.13},
        {**bundle.metrics[0], "protocol": "tracks", "odd_share": 0.5},
    ]
    assert false_alarms(replace(bundle, metrics=rows)) == 0.13
