"""Fixtures of the tests of collections."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from library_makers import Collection, make_song, pretend, tag

from genrescope.library.catalogue import Catalogue
from genrescope.library.families import families
from genrescope.library.scan import scan
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle

N_SONGS = 60


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """An empty catalogue, in a folder of its own."""
    with Catalogue(tmp_path / "catalogue" / "library.db") as opened:
        yield opened


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """An empty folder for music."""
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Collection]:
    """Sixty songs on a half circle, from jazz to metal."""
    folder = tmp_path_factory.mktemp("collection")
    bundle = Bundle.load(tiny_bundle)
    made = make_song(folder / "made.flac")
    paths = []
    for i in range(N_SONGS):
        path = folder / "music" / f"{i:02d}.flac"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(made, path)
        title = "Live (One)" if i == 11 else "Live" if i == 12 else f"Song {i}"
        tag(path, artist=f"Artist {10 if i in (11, 12) else i // 3}", title=title, genre="Jazz")
        paths.append(str(path))
    catalogue = Catalogue(folder / "library.db")
    scan(catalogue, [folder / "music"])
    for i in range(N_SONGS):
        angle = np.pi * i / N_SONGS
        embedding = np.zeros(16, np.float32)
        embedding[:2] = np.cos(angle), np.sin(angle)
        share = i / N_SONGS
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
