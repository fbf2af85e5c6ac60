from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from library_makers import make_song, pretend

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.learn.lessons import gather, read_table
from genrescope.library.scan import scan
from genrescope.model.bundle import Bundle


def test_each_sound_of_one_genre_and_a_known_artist_is_a_lesson(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.load(tiny_bundle)
    names = [f"{genre}{i}" for genre in ("Dub", "Minimal") for i in range(8)]
    for i, name in enumerate(names):
        make_song(music / f"{name}.flac", artist=f"artist {i % 4}", genre=name[:-1])
    make_song(music / "nobody.flac", genre="Dub")
    make_song(music / "both.flac", artist="artist 0", genre="Dub; Minimal")
    make_song(music / "speech.flac", artist="artist 0", genre="Dub")
    scan(catalogue, [music])
    for i, name in enumerate([*names, "nobody", "both", "speech"]):
        embedding = np.zeros(16, np.float32)
        embedding[i % 16] = 1
        flags = ("no music",) if name == "speech" else ()
        pretend(catalogue, bundle, f"{name}.flac", {"pop": 1.0}, embedding=embedding, flags=flags)
    lessons = gather(catalogue, catalogue.bundle_id(bundle), table={})
    assert lessons.genres == ("Dub", "Minimal")
    assert [Path(path).stem for path in lessons.paths] == names
    assert lessons.labels.tolist() == [0] * 8 + [1] * 8
    assert lessons.embedding.argmax(axis=1).tolist() == list(range(16))
    assert set(lessons.probabilities.argmax(axis=1)) == {bundle.labels.index("pop")}
    assert lessons.left_out == {
        "songs of several genres": "1 left out",
        "songs without an artist": "1 left out",
        "songs that are silent, no music, or no single track": "1 left out",
    }


def test_a_table_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "genres.toml"
    path.write_text('Techno = ["Minimal", "Acid"]\n"" = ["Other"]\n', encoding="utf-8")
    assert read_table(path) == {"Minimal": "Techno", "Acid": "Techno", "Other": ""}
    path.write_text('Techno = "Minimal"\n', encoding="utf-8")
    with pytest.raises(LibraryError, match="no table of genres"):
        read_table(path)
