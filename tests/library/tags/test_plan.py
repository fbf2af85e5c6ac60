from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from library_makers import make_song, pretend
from mutagen.flac import FLAC
from mutagen.id3 import ID3

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.families import families
from genrescope.library.scan import scan
from genrescope.library.tags.fields import BPM, GENRE, KEY, OWN_CONFIDENCE, OWN_GENRE, OWN_SET
from genrescope.library.tags.plan import Change, Plan, make_plan, read_plan, to_line
from genrescope.model.bundle import Bundle


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    loaded = Bundle.load(tiny_bundle)
    row = {**loaded.metrics[0], "protocol": "artists", "recalls": {"jazz": 0.9, "rock": 0.4}}
    return replace(loaded, metrics=[row])


def _genres(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {Path(c.path).name: c.after for c in plan.changes if c.field == GENRE}


def _plan(catalogue: Catalogue, bundle: Bundle, mode: str = "fill") -> Plan:
    return make_plan(catalogue, bundle, families(bundle.labels), mode=mode)


def test_a_genre_fills_only_what_is_empty_and_sure(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    for name in ("sure", "doubtful", "two", "speech", "silent"):
        make_song(music / f"{name}.flac")
    make_song(music / "named.flac", genre="Polka")
    scan(catalogue, [music])
    pretend(catalogue, bundle, "sure.flac", {"hiphop": 0.95})
    pretend(catalogue, bundle, "doubtful.flac", {"jazz": 0.3}, flags=("uncertain",))
    pretend(catalogue, bundle, "two.flac", {"jazz": 0.6}, genres=("jazz", "blues"))
    pretend(catalogue, bundle, "speech.flac", {"jazz": 0.9}, flags=("no music",))
    pretend(catalogue, bundle, "silent.flac", {"jazz": 0.1}, flags=("silent",))
    pretend(catalogue, bundle, "named.flac", {"jazz": 0.99})
    plan = _plan(catalogue, bundle)
    assert _genres(plan) == {"sure.flac": ("Hip-Hop",)}
    assert (plan.considered, plan.genres) == (6, 1)
    assert set(plan.abstained) == {
        "uncertain",
        "more than one genre in the prediction set",
        "no music",
        "silent",
    }
    own = {(Path(c.path).stem, c.field): c.after for c in plan.changes if c.field != GENRE}
    assert own["two", OWN_SET] == ("jazz; blues",)
    assert own["sure", OWN_CONFIDENCE] == ("0.95",)
    assert own["named", OWN_GENRE] == ("jazz",)
    assert not {stem for stem, _ in own} & {"speech", "silent"}


def test_add_keeps_a_persons_genre_and_replace_needs_recall(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    make_song(music / "a.flac", genre="Polka")
    make_song(music / "b.flac", genre="Polka")
    make_song(music / "same.flac", genre="Bebop")
    make_song(music / "mp4.m4a", genre="Polka")
    ID3(make_song(music / "old.mp3", genre="Polka")).save(v2_version=3)
    scan(catalogue, [music])
    pretend(catalogue, bundle, "a.flac", {"jazz": 0.95})
    pretend(catalogue, bundle, "b.flac", {"rock": 0.95})
    pretend(catalogue, bundle, "same.flac", {"jazz": 0.95})
    pretend(catalogue, bundle, "mp4.m4a", {"jazz": 0.95})
    pretend(catalogue, bundle, "old.mp3", {"jazz": 0.95})
    assert _genres(_plan(catalogue, bundle, "add")) == {
        "a.flac": ("Polka", "Jazz"),
        "b.flac": ("Polka", "Rock"),
    }
    replacing = _plan(catalogue, bundle, "replace")
    assert _genres(replacing) == dict.fromkeys(("a.flac", "mp4.m4a", "old.mp3"), ("Jazz",))
    assert replacing.abstained == {"rock is found too rarely to replace a person's genre": 1}
    assert _genres(_plan(catalogue, bundle, "none")) == {}


def test_replace_needs_a_card_that_tells_the_recall(
    catalogue: Catalogue, tiny_bundle: Path
) -> None:
    with pytest.raises(LibraryError, match="recall of each genre by artists"):
        _plan(catalogue, Bundle.load(tiny_bundle), "replace")


def test_a_genre_that_is_not_sure_enough_by_the_card_is_not_written(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    rows = [
        {**bundle.metrics[0], "single_precisions": {"jazz": 0.97, "disco": 0.95}},
        {**bundle.metrics[0], "protocol": "world", "single_precisions": {"disco": 0.21}},
    ]
    told = replace(bundle, metrics=rows)
    for name in ("jazz", "disco", "metal"):
        make_song(music / f"{name}.flac")
    scan(catalogue, [music])
    for name in ("jazz", "disco", "metal"):
        pretend(catalogue, bundle, f"{name}.flac", {name: 0.95})
    plan = _plan(catalogue, told)
    assert _genres(plan) == {"jazz.flac": ("Jazz",)}
    assert plan.precision == 0.97
    assert set(plan.abstained) == {
        "disco is not sure enough, by the model's card",
        "metal is not sure enough, by the model's card",
    }
    untold = _plan(catalogue, bundle)
    assert len(_genres(untold)) == 3
    assert untold.precision is None


def test_tempo_and_key_fill_what_is_empty_and_likely(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    for name in ("likely", "doubtful", "no beat", "speech"):
        make_song(music / f"{name}.flac")
    there = FLAC(make_song(music / "there.flac"))
    there["BPM"], there["KEY"] = ["64"], ["Am"]
    there.save()
    scan(catalogue, [music])
    for name in ("likely", "doubtful", "no beat", "speech", "there"):
        flags = {"speech": ("no music",), "no beat": ("no beat",)}.get(name, ())
        pretend(catalogue, bundle, f"{name}.flac", {"jazz": 0.9}, flags=flags)
    catalogue.db.execute(
        "UPDATE judgement SET tempo = 127.6, key = 'C♯ minor', tempo_confidence = p, "
        "key_confidence = p FROM (SELECT audio AS of, iif(name = ?, 0.4, 0.9) AS p FROM file) "
        "WHERE audio = of",
        (b"doubtful.flac",),
    )
    found = {
        (Path(c.path).stem, c.field): c.after
        for c in _plan(catalogue, bundle, "none").changes
        if c.field in (BPM, KEY)
    }
    assert found == {
        ("likely", BPM): ("128",),
        ("likely", KEY): ("C#m",),
        ("no beat", KEY): ("C#m",),
    }


def test_links_are_passed_over(catalogue: Catalogue, music: Path, bundle: Bundle) -> None:
    path = make_song(music / "a.flac")
    (music / "b.flac").hardlink_to(path)
    (music / "c.flac").symlink_to(path)
    scan(catalogue, [music])
    pretend(catalogue, bundle, "a.flac", {"jazz": 0.95})
    catalogue.db.execute("UPDATE file SET audio = (SELECT max(audio) FROM file)")
    plan = _plan(catalogue, bundle)
    assert plan.changes == []
    assert plan.abstained == {"a link": 1, "a file of several names (hard links)": 2}
    asked = make_plan(catalogue, bundle, families(bundle.labels), hard_links=True)
    assert set(_genres(asked)) == {"a.flac", "b.flac"}


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    changes = [
        Change("/a/ö\n.flac", GENRE, (), ("Jazz",), "why"),
        Change("/a/\udcff.mp3", OWN_GENRE, ("rock",), ("jazz",)),
    ]
    path = tmp_path / "plan.jsonl"
    path.write_text("".join(f"{to_line(change)}\n" for change in changes) + "\n", encoding="utf-8")
    assert read_plan(path) == changes


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"path": "a", "field": "title", "before": [], "after": ["x"]}',
        '{"path": "a", "field": "genre", "before": [], "after": "Jazz"}',
        '{"path": "a", "field": "genre", "before": ["Jazz"], "after": []}',
        '{"path": "a", "field": "genre", "before": [], "after": [" "]}',
        '{"path": "a", "field": "genre", "before": [], "after": ["a\\u0000b"]}',
        '{"field": "genre", "before": [], "after": ["Jazz"]}',
    ],
)
def test_a_line_that_is_no_change_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(LibraryError, match="line 2: it is no change"):
        read_plan(path)
