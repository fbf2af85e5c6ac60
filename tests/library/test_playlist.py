"""Lists, and the search for similar songs, over a collection of made-up directions."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from library_makers import make_song, pretend, tag

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.export import export
from genrescope.library.families import Families, families
from genrescope.library.playlist import (
    Recipe,
    make_list,
    read_m3u,
    read_recipe,
    transition_costs,
)
from genrescope.library.scan import scan
from genrescope.library.similar import similar_songs
from genrescope.library.songs import Song, by_path
from genrescope.library.vectors import Vectors, load_vectors
from genrescope.model.bundle import Bundle

N = 60


@dataclass
class Collection:
    """Sixty songs on a half circle, from jazz to metal, each third of an artist of its own."""

    catalogue: Catalogue
    number: int
    families: Families
    vectors: Vectors
    paths: list[str]

    def make(self, kind: str, songs: Sequence[int] = (), **more: object) -> list[int]:
        recipe = Recipe(kind, songs=tuple(self.paths[i] for i in songs), **more)  # type: ignore[arg-type]
        return self.places(
            make_list(self.catalogue, self.number, self.families, self.vectors, recipe)
        )

    def places(self, songs: Sequence[Song]) -> list[int]:
        return [self.paths.index(song.path) for song in songs]

    def similar(self, i: int, **more: int) -> list[int]:
        song = by_path(self.catalogue, self.number, self.paths[i])
        assert song is not None
        found = similar_songs(self.catalogue, self.number, self.vectors, song, **more)
        return self.places([item.song for item in found])


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Collection]:
    folder = tmp_path_factory.mktemp("collection")
    bundle = Bundle.load(tiny_bundle)
    made = make_song(folder / "made.flac")
    paths = []
    for i in range(N):
        path = folder / "music" / f"{i:02d}.flac"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(made, path)
        title = "Live (One)" if i == 11 else "Live" if i == 12 else f"Song {i}"
        tag(path, artist=f"Artist {10 if i in (11, 12) else i // 3}", title=title, genre="Jazz")
        paths.append(str(path))
    catalogue = Catalogue(folder / "library.db")
    scan(catalogue, [folder / "music"])
    for i in range(N):
        angle = np.pi * i / N
        embedding = np.zeros(16, np.float32)
        embedding[:2] = np.cos(angle), np.sin(angle)
        share = i / N
        pretend(
            catalogue,
            bundle,
            f"{i:02d}.flac",
            {"jazz": 1 - share, "metal": share},
            embedding=embedding,
        )
    number = catalogue.bundle_id(bundle)
    yield Collection(
        catalogue,
        number,
        families(bundle.labels),
        load_vectors(catalogue, number, bundle.labels),
        paths,
    )
    catalogue.close()


def test_neighbours_are_similar(collection: Collection) -> None:
    assert set(collection.similar(30, n=4)) <= set(range(26, 35))


def test_an_artist_comes_twice_at_most_and_a_work_once(collection: Collection) -> None:
    found = collection.similar(10, n=20)
    assert len(found) == 20
    artists = Counter(10 if i in (11, 12) else i // 3 for i in found)
    assert max(artists.values()) <= 2
    assert not {11, 12} <= set(found)


def test_reasons_are_given(collection: Collection) -> None:
    song = by_path(collection.catalogue, collection.number, collection.paths[3])
    assert song is not None
    first = similar_songs(collection.catalogue, collection.number, collection.vectors, song, n=1)[0]
    assert "jazz, too" in first.reasons
    assert 0.9 < first.nearness <= 1.01


def test_a_song_without_a_judgement_is_named(collection: Collection) -> None:
    song = by_path(collection.catalogue, collection.number, collection.paths[0])
    assert song is not None
    with pytest.raises(LibraryError, match="nothing to compare it by"):
        similar_songs(
            collection.catalogue, collection.number, collection.vectors, replace(song, audio=b"x")
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
    one, two = (collection.make("like", [30], n=12) for _ in range(2))
    assert one == two
    assert collection.make("like", [30], n=12, seed=1) != one


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


def test_half_a_tempo_is_the_same_tempo(collection: Collection) -> None:
    bpm = np.zeros(N, np.float32)
    bpm[:4] = 60, 120, 85, 0
    costs = transition_costs(replace(collection.vectors, bpm=bpm), [0, 1, 2, 3])
    plain = transition_costs(collection.vectors, [0, 1, 2, 3])
    extra = costs - plain
    assert extra[0, 1] == pytest.approx(0, abs=1e-6)
    assert extra[0, 2] == pytest.approx(0.15, abs=0.01)
    assert extra[0, 3] == 0
