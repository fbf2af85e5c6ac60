"""Whatever ends a process, and whenever: no file is harmed, and nothing is done twice."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from library_makers import make_song
from soak.collection import STAGES, disturb_collection

from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.tags import apply
from genrescope.library.tags.apply import apply_changes
from genrescope.library.tags.fields import GENRE
from genrescope.library.tags.plan import Change
from genrescope.model.bundle import Bundle

N_KILLS = 20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
def test_killed_at_any_moment_no_file_is_harmed_nothing_is_judged_twice_and_no_edit_is_lost(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    damage = disturb_collection(tiny_bundle, tmp_path, n_kills=N_KILLS)
    assert damage.wrong == []
    assert damage.kills.total() == N_KILLS
    assert damage.starved.total() == N_KILLS // 10
    assert set(STAGES) <= set(damage.kills)
    assert damage.edits >= 4


def _planned(path: Path) -> list[Change]:
    return [Change(str(path), GENRE, (), ("Jazz",))]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
def test_a_full_disk_leaves_the_file_as_it_was(catalogue: Catalogue, music: Path) -> None:
    import resource

    path = make_song(music / "a.wav", seconds=60)
    scan(catalogue, [music])
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, old[1]))
    try:
        with pytest.raises(LibraryError, match="disk is full"):
            apply_changes(catalogue, _planned(path), dry=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert path.read_bytes() == before
    assert list(music.iterdir()) == [path]
    assert check(catalogue) == []
    assert apply_changes(catalogue, _planned(path), dry=False).written == [str(path)]


@pytest.mark.slow
def test_a_full_disk_ends_scan_and_judge_in_words_and_both_go_on(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    for i in range(8):
        make_song(music / f"{i}" / f"{i}.flac", seed=i, title="long " * 2_000)
    bundle = Bundle.load(tiny_bundle)
    catalogue.bundle_id(bundle)
    steps: list[Callable[[], object]] = [
        lambda: scan(catalogue, [music]),
        lambda: judge(catalogue, bundle),
    ]
    for step in steps:
        (size,) = catalogue.db.execute("PRAGMA page_count").fetchone()
        catalogue.db.execute(f"PRAGMA max_page_count = {size}")
        with pytest.raises(LibraryError, match="the disk is full"):
            step()
        assert check(catalogue) == []
        catalogue.db.execute("PRAGMA max_page_count = 1000000")
        step()
    assert check(catalogue) == []
    assert catalogue.counts()["judgements"] == 8


def test_a_read_only_share_is_named_and_passed_over(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_song(music / "a.flac")
    scan(catalogue, [music])

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(apply, "_copy", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    report = apply_changes(catalogue, _planned(path), dry=False)
    assert report.conflicts == [f"{path}: it cannot be written (Read-only file system)."]
    assert check(catalogue) == []
