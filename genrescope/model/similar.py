"""Tracks that sound like a recording: its nearest neighbours among a bundle's embeddings."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from urllib.parse import quote_plus

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import BundleError
from genrescope.model.bundle import Bundle
from genrescope.model.schema import CATALOGUE, MAX_FILE_BYTES

SEARCH_URL = "https://www.youtube.com/results?search_query="
"""Where a track is looked for; the query goes behind it."""

_COLUMNS = ("track", "artist", "title", "genre")


@dataclass(frozen=True)
class Match:
    """A suggested track.

    Attributes:
        track_id, genre: as in the catalogue.
        artist, title: None where unknown; never both, for what has no name is not suggested.
        similarity: cosine of the embeddings, -1 to 1.
        search_url: a web search for it.
    """

    track_id: str
    artist: str | None
    title: str | None
    genre: str
    similarity: float
    search_url: str


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Tracks to suggest.

    Attributes:
        embedding: float32 (n, d), rows of length 1.
        track, artist, title, genre: str (n,); the empty string where unknown.
    """

    embedding: NDArray[np.float32]
    track: NDArray[np.str_]
    artist: NDArray[np.str_]
    title: NDArray[np.str_]
    genre: NDArray[np.str_]

    @classmethod
    def load(cls, bundle: Bundle) -> Catalogue:
        """Read a bundle's catalogue; a bundle without one has no tracks to suggest.

        Raises:
            BundleError: the catalogue is damaged.
        """
        if CATALOGUE not in bundle.files:
            none = np.zeros(0, np.str_)
            return cls(np.zeros((0, 0), np.float32), none, none, none, none)
        try:
            embedding, columns = _arrays(bundle.read(CATALOGUE))
        except BundleError as error:
            raise BundleError(f"bundle {bundle.path}: {error}") from error
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise BundleError(f"bundle {bundle.path}: {CATALOGUE} is damaged") from error
        return cls(embedding, *columns)

    def __len__(self) -> int:
        return len(self.track)

    def nearest(self, embedding: NDArray[np.floating], *, n: int = 5) -> list[Match]:
        """The most similar tracks that have a name, best first, at most one an artist.

        Args:
            embedding: (d,), of any length but zero; zeros (a silent clip) match nothing.
            n: how many at most.

        Raises:
            ValueError: ``embedding`` is not of the catalogue's dimension.
        """
        if not len(self) or not np.any(embedding):
            return []
        if embedding.shape != self.embedding.shape[1:]:
            raise ValueError(
                f"an embedding of shape {embedding.shape} against {self.embedding.shape[1:]}"
            )
        scaled = embedding / np.abs(embedding).max()  # else the squares of a tiny one are 0
        similarity = self.embedding @ (scaled / np.linalg.norm(scaled)).astype(np.float32)
        matches: list[Match] = []
        seen: set[tuple[str, str]] = set()  # artists, and titles of those without one
        for i in np.argsort(-similarity, kind="stable"):
            artist, title = str(self.artist[i]).strip(), str(self.title[i]).strip()
            name = (artist.casefold(), "" if artist else title.casefold())
            if len(matches) >= n:
                break
            if not (artist or title) or name in seen:
                continue
            seen.add(name)
            matches.append(
                Match(
                    track_id=str(self.track[i]),
                    artist=artist or None,
                    title=title or None,
                    genre=str(self.genre[i]),
                    similarity=float(np.clip(similarity[i], -1, 1)),
                    search_url=search_url(artist, title),
                )
            )
        return matches


def search_url(artist: str, title: str) -> str:
    """The address of a web search for a recording; nothing is sent until a person follows it."""
    query = quote_plus(f"{artist} {title}".strip(), errors="replace")
    return SEARCH_URL + query


def _arrays(raw: bytes) -> tuple[NDArray[np.float32], list[NDArray[np.str_]]]:
    """The arrays of a catalogue, checked; an error of some kind where they are not right."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        # A small file may claim to unpack to anything.
        if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
            raise ValueError("unpacks to too much")
    with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
        embedding = np.asarray(archive["embedding"], np.float32)
        columns = [archive[name] for name in _COLUMNS]
    if embedding.ndim != 2 or not np.isfinite(embedding).all():
        raise ValueError("embedding is not a finite matrix")
    for column in columns:
        if column.shape != (len(embedding),) or column.dtype.kind != "U":
            raise ValueError("columns do not match")
    norm = np.linalg.norm(embedding, axis=1, keepdims=True)
    return embedding / np.maximum(norm, 1e-12), columns
