"""Every known dataset keeps the same promises."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

import genrescope
from genrescope.data import folder
from genrescope.data.fold import PARTS
from genrescope.data.registry import (
    DATASETS,
    KnownDataset,
    dataset_of,
    datasets_among,
    known_id,
    known_tracks,
)
from genrescope.data.splits import SPLITS, default_protocol, make_split
from genrescope.errors import DatasetError

from .conftest import write_tone

every = pytest.mark.parametrize(("name", "dataset"), DATASETS.items(), ids=DATASETS)


def few_of(dataset: KnownDataset) -> list[str]:
    """IDs of two tracks, of two genres."""
    first = dataset.facts()[0]
    other = next(track for track in dataset.facts() if track.genre != first.genre)
    return [first.track_id, other.track_id]


@every
def test_facts_are_complete(name: str, dataset: KnownDataset) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", name)
    tracks = dataset.facts()
    assert len(dataset.tracks) == len(tracks) > 0
    assert tuple(sorted({track.genre for track in tracks})) == dataset.genres
    for track in tracks:
        assert track.path is None
        assert track.artist != ""
        assert set(track.repeats) <= dataset.tracks.keys()


@every
def test_what_the_card_and_the_user_are_told(name: str, dataset: KnownDataset) -> None:
    assert all(line.startswith(("- ", "  ")) for line in dataset.limits.splitlines())
    for text in (dataset.citation, dataset.licence, dataset.limits, dataset.recordings):
        assert text == text.strip() != ""
    assert dataset.title in dataset.licence + dataset.recordings


@every
def test_published_splits_are_protocols_and_keep_their_promises(
    name: str, dataset: KnownDataset
) -> None:
    assert dataset.protocol in SPLITS
    assert default_protocol(dataset.facts()) == dataset.protocol
    for protocol, lists in dataset.published.items():
        parts = lists.parts()
        assert parts.keys() == dataset.tracks.keys()
        split = make_split(protocol, dataset.facts())
        sizes = {part: len(members) for part, members in split.folds[0].parts().items()}
        counted = Counter(parts.values())
        assert sizes == {part: counted[part] for part in PARTS}
        assert len(split.excluded) == counted["excluded"]
        assert set(counted) <= {*PARTS, "excluded"}


@every
def test_a_folder_of_it_is_recognised_and_read(
    name: str, dataset: KnownDataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=f"dataset fetch {name}"):
        dataset.read(tmp_path)
    ids = few_of(dataset)
    for track_id in ids:
        write_tone(tmp_path / dataset.tracks[track_id].genre / f"{track_id}.wav")
    found = folder.read_any(tmp_path)
    assert found == dataset.read(tmp_path)
    assert sorted(track.track_id for track in found.tracks) == sorted(ids)
    assert all(track.path and track.path.is_file() for track in found.tracks)
    assert found.absent.keys() == dataset.tracks.keys() - set(ids)


@every
def test_it_is_recognised_by_its_ids(name: str, dataset: KnownDataset) -> None:
    ids = few_of(dataset)
    assert dataset_of(ids) is dataset
    assert dataset_of([*ids, "rock/mine"]) is None
    assert datasets_among([*ids, "rock/mine"]) == (dataset,)
    assert known_id(f"any/folder/{ids[0]}.mp3") == ids[0]


@every
def test_fetching_from_nowhere_is_an_error_in_words(
    name: str, dataset: KnownDataset, tmp_path: Path
) -> None:
    seen: list[str] = []
    with pytest.raises(DatasetError, match="nowhere: not an address"):
        dataset.fetch(
            tmp_path / "here", url="nowhere", progress=lambda *done: seen.append(str(done))
        )
    assert not seen


def test_other_music_is_no_known_dataset() -> None:
    assert dataset_of([]) is None
    assert dataset_of(["rock/mine"]) is None
    assert datasets_among(["rock/mine"]) == ()
    assert known_id("rock/mine.mp3") == "rock/mine.mp3"


def test_no_track_is_in_two_datasets() -> None:
    for dataset, other in combinations(DATASETS.values(), 2):
        assert not dataset.tracks.keys() & other.tracks.keys()
    assert len(known_tracks()) == sum(len(dataset.tracks) for dataset in DATASETS.values())


def test_the_rest_of_the_code_asks_the_registry() -> None:
    root = Path(genrescope.__file__).parent
    modules = [path.stem for path in (root / "data").glob("*.py") if path.stem in DATASETS]
    assert modules
    for path in root.rglob("*.py"):
        if path.parent != root / "data":
            text = path.read_text(encoding="utf-8")
            for name in modules:
                assert not re.search(rf"genrescope\.data(\.| import .*\b){name}\b", text), path
