from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from library_makers import make_song, tag

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.scan import scan
from genrescope.library.songs import by_path
from genrescope.library.tags import apply
from genrescope.library.tags.apply import apply_changes, changes_of_run, recover, undo
from genrescope.library.tags.fields import GENRE, OWN_GENRE, values_of
from genrescope.library.tags.plan import Change
from genrescope.library.tags.reading import read_tags


@pytest.fixture
def song(catalogue: Catalogue, music: Path) -> Path:
    path = make_song(music / "a.mp3", artist="Me")
    scan(catalogue, [music])
    return path


def _changes(path: Path, genre: str = "Jazz") -> list[Change]:
    return [
        Change(str(path), GENRE, (), (genre,)),
        Change(str(path), OWN_GENRE, (), ("jazz",)),
    ]


def _values(path: Path, meaning: str) -> list[str]:
    return values_of(read_tags(path).tags, meaning)


def test_a_dry_run_writes_nothing(catalogue: Catalogue, song: Path) -> None:
    before = song.read_bytes()
    report = apply_changes(catalogue, _changes(song))
    assert (report.run, report.written, report.conflicts) == (None, [str(song)], [])
    assert song.read_bytes() == before
    assert catalogue.counts()["runs"] == 0


def test_a_write_keeps_all_but_the_fields(catalogue: Catalogue, song: Path) -> None:
    song.chmod(0o640)
    if hasattr(os, "setxattr"):
        os.setxattr(song, "user.mood", b"late")
    sound = audio_hash(song)
    report = apply_changes(catalogue, _changes(song), dry=False)
    assert report.written == [str(song)]
    assert _values(song, GENRE) == ["Jazz"]
    assert _values(song, "artist") == ["Me"]
    assert audio_hash(song) == sound
    assert stat.S_IMODE(song.stat().st_mode) == 0o640
    if hasattr(os, "getxattr"):
        assert os.getxattr(song, "user.mood") == b"late"
    assert [path.name for path in song.parent.iterdir()] == ["a.mp3"]
    assert check(catalogue) == []


def test_the_catalogue_knows_what_was_written(catalogue: Catalogue, song: Path) -> None:
    catalogue.db.execute("UPDATE file SET audio = x'01'")
    apply_changes(catalogue, _changes(song), dry=False)
    found = by_path(catalogue, None, str(song))
    assert found is not None
    assert (found.genre, found.audio) == ("Jazz", b"\x01")
    assert scan(catalogue).changed == 0


def test_the_time_of_change_is_kept_on_request(catalogue: Catalogue, song: Path) -> None:
    os.utime(song, (1e9, 1e9))
    scan(catalogue)
    apply_changes(catalogue, _changes(song)[:1], dry=False, keep_time=True)
    assert song.stat().st_mtime == 1e9
    apply_changes(catalogue, _changes(song)[1:], dry=False)
    assert song.stat().st_mtime > 1e9


def test_undo_restores_what_still_holds(catalogue: Catalogue, song: Path) -> None:
    before = read_tags(song).tags
    run = apply_changes(catalogue, _changes(song), dry=False).run
    assert run is not None
    assert undo(catalogue, run).written == [str(song)]
    assert _values(song, GENRE) == ["Jazz"]  # a dry run
    report = undo(catalogue, run, dry=False)
    assert read_tags(song).tags == before
    assert changes_of_run(catalogue, report.run or 0)[0].before == ("jazz",)


def test_undo_leaves_a_persons_edits_and_names_them(catalogue: Catalogue, song: Path) -> None:
    run = apply_changes(catalogue, _changes(song), dry=False).run
    tag(song, genre="Cool Jazz", title="Mine")
    report = undo(catalogue, run or 0, dry=False)
    assert _values(song, GENRE) == ["Cool Jazz"]
    assert _values(song, "title") == ["Mine"]
    assert _values(song, OWN_GENRE) == []
    assert report.conflicts == [f"{song}: genre is 'Cool Jazz', not 'Jazz'; left alone."]


def test_an_unknown_run_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(LibraryError, match="no such run"):
        undo(catalogue, 7)


def test_what_changed_since_the_scan_is_left_alone(catalogue: Catalogue, song: Path) -> None:
    tag(song, title="Somebody was here")
    before = song.read_bytes()
    report = apply_changes(catalogue, _changes(song), dry=False)
    assert report.written == []
    assert "changed since the scan" in report.conflicts[0]
    assert song.read_bytes() == before


def test_what_changes_meanwhile_is_left_alone(
    catalogue: Catalogue, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = apply.edit_copy

    def meanwhile(path: Path, copy: Path, changes: dict[str, tuple[str, ...]]) -> bytes:
        result = real(path, copy, changes)
        tag(path, title="Somebody was quicker")
        return result

    monkeypatch.setattr(apply, "edit_copy", meanwhile)
    report = apply_changes(catalogue, _changes(song), dry=False)
    assert "changed while its tags were written" in report.conflicts[0]
    assert _values(song, "title") == ["Somebody was quicker"]
    assert _values(song, GENRE) == []
    assert check(catalogue) == []


def test_links_are_left_alone_unless_asked_for(
    catalogue: Catalogue, song: Path, music: Path
) -> None:
    (music / "hard.mp3").hardlink_to(song)
    (music / "soft.mp3").symlink_to(song)
    scan(catalogue)
    changes = [*_changes(song), *_changes(music / "soft.mp3")]
    report = apply_changes(catalogue, changes, dry=False)
    assert report.written == []
    assert "2 names (hard links)" in report.conflicts[0]
    assert "a link" in report.conflicts[1]
    assert apply_changes(catalogue, _changes(song), dry=False, hard_links=True).written
    assert _values(music / "hard.mp3", GENRE) == []


def test_a_person_may_edit_the_plan_but_not_the_past(catalogue: Catalogue, song: Path) -> None:
    report = apply_changes(catalogue, [Change(str(song), GENRE, ("Rock",), ("Jazz",))], dry=False)
    assert report.conflicts == [f"{song}: genre is absent, not 'Rock'; left alone."]


def test_a_plan_that_was_carried_out_has_nothing_left(catalogue: Catalogue, song: Path) -> None:
    apply_changes(catalogue, _changes(song), dry=False)
    report = apply_changes(catalogue, _changes(song), dry=False)
    assert (report.run, report.written, report.conflicts) == (None, [], [])


def test_a_damaged_file_does_not_end_the_run(catalogue: Catalogue, song: Path, music: Path) -> None:
    (music / "Z.flac").write_bytes(b"fLaC" + b"\xff" * 90)
    scan(catalogue)
    changes = [*_changes(music / "Z.flac"), *_changes(song)]
    report = apply_changes(catalogue, changes, dry=False)
    assert report.written == [str(song)]
    assert "Z.flac: its tags cannot be read" in report.conflicts[0]


@pytest.mark.parametrize("state", ["copying", "ready"])
def test_a_copy_that_was_left_goes(state: str, catalogue: Catalogue, song: Path) -> None:
    part = apply.part_name()
    copy = song.with_name(part.decode())
    copy.write_bytes(b"half")
    before = song.read_bytes()
    catalogue.db.execute("INSERT INTO run (kind, began) VALUES ('apply', 0)")
    catalogue.db.execute(
        "INSERT INTO edit (run, path, part, state, changes, audio) VALUES (1, ?, ?, ?, '[]', x'')",
        (os.fsencode(song), part, state),
    )
    assert len(check(catalogue)) == 2
    assert recover(catalogue) == 1
    assert not copy.exists()
    assert song.read_bytes() == before
    assert check(catalogue) == []


def test_two_runs_do_not_write_at_once(catalogue: Catalogue, song: Path) -> None:
    with apply._alone(catalogue), pytest.raises(LibraryError, match="another run"):
        apply_changes(catalogue, _changes(song), dry=False)
