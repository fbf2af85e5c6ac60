"""Lists over a collection of made-up directions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from library_makers import Collection

from genrescope.errors import LibraryError
from genrescope.library.export import export
from genrescope.library.playlist import (
    Recipe,
    make_list,
    read_m3u,
    read_recipe,
    transition_costs,
)


def test_a_list_begins_with_its_songs_and_stays_near(collection: Collection) -> None:
    made = collection.make("like", [30, 33], n=10)
    assert made[:2] == [30, 33]
    assert len(set(made)) == 10
    assert set(made) <= set(range(20, 45))


def test_a_way_leads_from_end_to_end(collection: Collection) -> None:
    made = collection.make("path", [2, 56], n=12)
    assert (made[0], made[-1], len(made)) == (2, 56, 12)
    assert sum(a < b for a, b in pairwise(made)) >= 9


def test_an_arc_returns(collection: Collection) -> None:
    made = collection.make("arc", [2, 56], n=13)
    peak = made.index(56)
    assert made[0] == 2
    assert 5 <= peak <= 7
    assert abs(made[-1] - 2) <= 6
    assert len(set(made)) == 13


def test_the_heart_of_a_genre(collection: Collection) -> None:
    assert set(collection.make("around", genre="metal", n=6)) <= set(range(50, 60))
    with pytest.raises(LibraryError, match="no such genre"):
        collection.make("around", genre="polka")


def test_the_same_recipe_gives_the_same_list_and_another_seed_another(
    collection: Collection,
) -> None:
    first, again = (collection.make("like", [30], n=12) for _ in range(2))
    assert first == again
    assert collection.make("like", [30], n=12, seed=1) != first


@pytest.mark.parametrize("kind", ["like", "path", "arc"])
def test_what_is_locked_stays(kind: str, collection: Collection) -> None:
    songs = [30] if kind == "like" else [2, 56]
    locked = (collection.paths[40], collection.paths[17])
    for seed in range(4):
        made = collection.make(kind, songs, n=12, seed=seed, locked=locked)
        assert {40, 17} <= set(made)
        assert len(set(made)) == len(made) == 12


def test_what_must_be_comes_first(collection: Collection, tmp_path: Path) -> None:
    assert set(collection.make("like", [30], n=40, only="sound:metal")) <= set(range(30, 60))
    played = tmp_path / "played.m3u8"
    played.write_text("\n".join(collection.paths[20:40]), encoding="utf-8")
    made = collection.make("like", [10], n=40, not_in=(str(played),))
    assert not set(range(20, 40)) & set(made)


def test_a_playlist_that_was_written_can_be_read(collection: Collection, tmp_path: Path) -> None:
    recipe = Recipe("around", genre="jazz", n=5)
    songs = make_list(
        collection.catalogue, collection.number, collection.families, collection.vectors, recipe
    )
    export(songs, "m3u8", tmp_path / "list.m3u8")
    assert read_m3u(tmp_path / "list.m3u8") == [song.path for song in songs]


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    recipe = Recipe("path", songs=("/a/ö", "/b"), n=7, seed=3, only="genre:jazz", locked=("/c",))
    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json(), encoding="utf-8")
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "like", "n": "x"}', '{"kind": "like", "more": 1}', "null"]
)
def test_what_is_no_recipe_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LibraryError, match="it is no recipe"):
        read_recipe(path)


def test_what_is_not_there_is_named(collection: Collection) -> None:
    with pytest.raises(LibraryError, match="does not know it"):
        make_list(
            collection.catalogue,
            collection.number,
            collection.families,
            collection.vectors,
            Recipe("like", songs=("/nowhere.mp3",)),
        )
    with pytest.raises(LibraryError, match="two different songs"):
        collection.make("path", [1])
    with pytest.raises(LibraryError, match="no such kind"):
        collection.make("shuffle", [1])


def test_of_what_sounds_alike_tempo_and_key_are_near_too(collection: Collection) -> None:
    even = np.arange(len(collection.paths)) % 2 == 0
    vectors = replace(
        collection.vectors,
        bpm=np.where(even, 120, 85).astype(np.float32),
        hour=np.where(even, 8, 2).astype(np.int8),
    )
    told = replace(collection, vectors=vectors)
    assert sum(i % 2 == 0 for i in told.make("like", [30], n=10)) >= 9
    assert sum(i % 2 == 0 for i in told.make("path", [2, 56], n=12)) >= 11


def test_keys_a_fifth_apart_are_nearer_than_others(collection: Collection) -> None:
    hour = np.zeros(len(collection.paths), np.int8)
    hour[:4] = 12, 1, 6, 0
    costs = transition_costs(replace(collection.vectors, hour=hour), [0, 1, 2, 3])
    extra = costs - transition_costs(collection.vectors, [0, 1, 2, 3])
    assert extra[0].tolist() == pytest.approx([0, 0.1 / 6, 0.1, 0], abs=1e-6)


def test_half_a_tempo_is_the_same_tempo(collection: Collection) -> None:
    bpm = np.zeros(len(collection.paths), np.float32)
    bpm[:4] = 60, 120, 85, 0
    costs = transition_costs(replace(collection.vectors, bpm=bpm), [0, 1, 2, 3])
    plain = transition_costs(collection.vectors, [0, 1, 2, 3])
    extra = costs - plain
    assert extra[0, 1] == pytest.approx(0, abs=1e-6)
    assert extra[0, 2] == pytest.approx(0.15, abs=0.01)
    assert extra[0, 3] == 0
