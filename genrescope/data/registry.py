"""The datasets that are known by name: how each is fetched, recognised, read and split.

`DATASETS` is the one place where a dataset is named. The rest of the code asks it: an entry makes
``genrescope dataset fetch NAME`` work, lets folders and feature stores of the dataset be recognised
by their track IDs, adds its published splits to the protocols, and tells the model card its limits.
(The idea of one declaration for each dataset, and one contract test for all, is that of mirdata:
Bittner et al., ISMIR 2019.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from genrescope.data import gtzan
from genrescope.data.track import Dataset, Track
from genrescope.progress import Progress

DEFAULT_PROTOCOL = "tracks"
"""Of a training on music that is no known dataset."""


class Fetch(Protocol):
    """Downloads a dataset into a folder, or only reads it where it is there already.

    Raises:
        DatasetError: no connection, a wrong checksum, a full disk, or a damaged archive.
    """

    def __call__(
        self, folder: Path, *, url: str | None = None, progress: Progress | None = None
    ) -> Dataset:
        """Fetch into ``folder``, from the usual address or from ``url``."""


@dataclass(frozen=True)
class PublishedSplit:
    """Lists of train, valid and test tracks that were published for a dataset.

    Attributes:
        parts: gives track ID -> ``train``, ``valid``, ``test`` or ``excluded``, for every track.
        summary: one line for people.
        excluded_because: why tracks are in no part.
    """

    parts: Callable[[], dict[str, str]]
    summary: str
    excluded_because: str


@dataclass(frozen=True)
class KnownDataset:
    """A dataset that is known by name.

    Attributes:
        title: what people call it.
        citation: where it was published.
        licence: what may be done with its recordings, told to who fetches them.
        limits: for the model card, what a model cannot have learned from it: a Markdown list.
        recordings: for the model card, under which terms the recordings were used: a paragraph.
        genres: in alphabetical order.
        facts: gives all its tracks, without paths: genre, artist, title, faults.
        fetch: downloads it.
        read: reads it from a folder; raises DatasetError where no clip of it is there.
        protocol: the name in `SPLITS` of the split for training and evaluation, where no other is
            asked for.
        published: its published splits, by the name of the protocol.
        tempo: gives beats per minute of the tracks that have them, by their ID.
        key: the same of keys, 0 to 11 major from A, 12 to 23 minor from a.
        annotated_by: whose tempo and key these are.
    """

    title: str
    citation: str
    licence: str
    limits: str
    recordings: str
    genres: tuple[str, ...]
    facts: Callable[[], tuple[Track, ...]]
    fetch: Fetch
    read: Callable[[Path], Dataset]
    protocol: str = DEFAULT_PROTOCOL
    published: dict[str, PublishedSplit] = field(default_factory=dict)
    tempo: Callable[[], dict[str, float]] = dict
    key: Callable[[], dict[str, float]] = dict
    annotated_by: str = ""

    @cached_property
    def tracks(self) -> dict[str, Track]:
        """All its tracks by their ID."""
        return {track.track_id: track for track in self.facts()}

    @property
    def default_parts(self) -> dict[str, str]:
        """Track ID -> part under its default protocol; empty where that is no published split."""
        split = self.published.get(self.protocol)
        return split.parts() if split else {}


_GTZAN_LIMITS = """\
- Its classes are those of GTZAN: ten genres of about the year 2000, mostly Western and often
  English, a hundred clips each, many by the same few artists. Music from elsewhere, from other
  times, or between genres is forced into one of the ten.
- GTZAN holds repeats, mislabelled and distorted clips; figures of other work that ignore this
  are too high to compare with the ones above."""
_GTZAN_RECORDINGS = """\
The recordings of GTZAN carry no licence and are used for research only; none of them, nor any
part of one, is in this bundle."""

DATASETS: dict[str, KnownDataset] = {
    "gtzan": KnownDataset(
        title="GTZAN",
        citation=(
            'G. Tzanetakis and P. Cook, "Musical genre classification of audio signals", IEEE '
            "Trans. Speech and Audio Processing 10(5), 2002"
        ),
        licence=(
            "GTZAN has no licence and holds excerpts of commercial recordings: use it for "
            "research, and do not pass it on."
        ),
        limits=_GTZAN_LIMITS,
        recordings=_GTZAN_RECORDINGS,
        genres=gtzan.GENRES,
        facts=gtzan.tracks,
        fetch=gtzan.fetch,
        read=gtzan.read,
        protocol="fault-filtered",
        published={
            "fault-filtered": PublishedSplit(
                gtzan.fault_filtered,
                summary=(
                    "Kereliuk, Sturm and Larsen's lists of GTZAN: 443 / 197 / 290, no artist on "
                    "two sides"
                ),
                excluded_because=(
                    "excluded from the fault-filtered lists (repeat, distortion or shared artist)"
                ),
            )
        },
        tempo=gtzan.tempo_by_track,
        key=gtzan.key_by_track,
        annotated_by=gtzan.TEMPO_AND_KEY_SOURCE,
    ),
}
"""The known datasets by the name that the command line takes. Their track IDs differ."""


def dataset_of(track_ids: Iterable[str]) -> KnownDataset | None:
    """The known dataset to which all of these tracks belong; None where there is none."""
    ids = set(track_ids)
    return next((d for d in DATASETS.values() if ids and ids <= d.tracks.keys()), None)


def datasets_among(track_ids: Iterable[str]) -> tuple[KnownDataset, ...]:
    """The known datasets to which at least one of these tracks belongs."""
    ids = set(track_ids)
    return tuple(d for d in DATASETS.values() if ids & d.tracks.keys())


@cache
def known_tracks() -> dict[str, Track]:
    """The tracks of all known datasets by their ID."""
    return {i: track for dataset in DATASETS.values() for i, track in dataset.tracks.items()}


@cache
def known_tempos() -> dict[str, float]:
    """Beats per minute of the tracks of all known datasets that have them, by their ID."""
    return {i: bpm for dataset in DATASETS.values() for i, bpm in dataset.tempo().items()}


@cache
def known_keys() -> dict[str, float]:
    """Keys of the tracks of all known datasets that have one, by their ID (`KnownDataset.key`)."""
    return {i: key for dataset in DATASETS.values() for i, key in dataset.key().items()}


def annotators() -> str:
    """Whose tempo and key `known_tempos` and `known_keys` are."""
    return "; ".join(d.annotated_by for d in DATASETS.values() if d.annotated_by)


def known_id(track_id: str) -> str:
    """The ID in its dataset of a known track that lies in a folder of other music.

    Args:
        track_id: such as ``rock/rock.00016.wav``, its path inside the folder.

    Returns:
        The name of the file without its suffix, where that is the ID of a known track; any other
        ID as it is.
    """
    stem = PurePosixPath(track_id).stem
    return stem if stem in known_tracks() else track_id
