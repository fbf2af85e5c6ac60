"""Whatever ends a process, and whenever: no file is harmed, and nothing is done twice."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from library_makers import NOT_DECODED, WRITABLE, make_song

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.scan import scan
from genrescope.library.tags import apply
from genrescope.library.tags.apply import apply_changes, recover
from genrescope.library.tags.fields import GENRE, OWN_GENRE, OWN_SET, values_of
from genrescope.library.tags.plan import Change
from genrescope.library.tags.reading import read_tags

N_KILLS = 50

# Scan, judge, write tags and take them back, as the verbs do; the path of Python is handed on.
WORK = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from pathlib import Path
from genrescope.library.catalogue import Catalogue
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.songs import songs
from genrescope.library.tags.apply import apply_changes, undo
from genrescope.library.tags.fields import GENRE, OWN_GENRE, OWN_SET
from genrescope.library.tags.plan import Change
from genrescope.model.bundle import Bundle

music, bundle = sys.argv[3], Bundle.load(sys.argv[4])
with Catalogue(sys.argv[2]) as catalogue:
    scan(catalogue, [music])
    judge(catalogue, bundle)
    found = list(songs(catalogue, catalogue.bundle_id(bundle)))
    changes = [Change(s.path, GENRE, (), ("Jazz",)) for s in found]
    changes += [Change(s.path, OWN_GENRE, (), (s.sound,)) for s in found]
    changes += [Change(s.path, OWN_SET, (), ("x" * 9000,)) for s in found]
    report = apply_changes(catalogue, changes, dry=False)
    assert not report.conflicts, report.conflicts
    print("written", flush=True)
    if report.run is not None:
        report = undo(catalogue, report.run, dry=False)
        assert not report.conflicts, report.conflicts
"""


def _start(catalogue: Path, music: Path, bundle: Path) -> subprocess.Popen[bytes]:
    import json

    arguments = [json.dumps(sys.path), str(catalogue), str(music), str(bundle)]
    return subprocess.Popen(
        [sys.executable, "-c", WORK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
def test_killed_at_any_moment_no_file_is_harmed_and_nothing_is_judged_twice(
    music: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    files = [
        make_song(music / f"{i % 3}" / f"{kind}{i}{suffix}", kind, seed=i, artist=f"Person {i}")
        for i, (kind, suffix) in enumerate(WRITABLE.items())
        if kind not in NOT_DECODED
    ]
    sounds = {path: audio_hash(path) for path in files}
    catalogue = tmp_path / "library.db"
    began = time.monotonic()
    worker = _start(catalogue, music, tiny_bundle)
    _, errors = worker.communicate(timeout=300)
    assert worker.returncode == 0, errors.decode()
    whole_s = time.monotonic() - began
    rng = np.random.default_rng(0)
    killed = 0
    for i in range(N_KILLS):
        if i % 4 == 0:  # a new catalogue, so that scans and judgements are cut off as well
            with Catalogue(catalogue) as opened:
                recover(opened)
            for path in tmp_path.glob("library.db*"):
                path.unlink()
        worker = _start(catalogue, music, tiny_bundle)
        time.sleep(float(rng.uniform(0.2, 1.0)) * whole_s)
        worker.kill()
        worker.communicate(timeout=300)
        if worker.returncode == -signal.SIGKILL:
            killed += 1
        else:  # it was done before: most have less to do than the first
            whole_s *= 0.8
        for number, path in enumerate(files):
            assert audio_hash(path) == sounds[path]
            tags = read_tags(path).tags
            assert values_of(tags, "artist") == [f"Person {number}"]
            # All the fields of a plan, or none of them.
            fields = [values_of(tags, name) for name in (GENRE, OWN_GENRE, OWN_SET)]
            assert all(fields) or not any(fields)
            assert fields[0] in ([], ["Jazz"])
    assert killed > N_KILLS // 2
    worker = _start(catalogue, music, tiny_bundle)
    _, errors = worker.communicate(timeout=300)
    assert worker.returncode == 0, errors.decode()
    with Catalogue(catalogue) as opened:
        assert check(opened) == []
        assert opened.counts()["judgements"] == len(set(sounds.values()))
    assert sorted(path for path in music.rglob("*") if path.is_file()) == sorted(files)


def _planned(path: Path) -> list[Change]:
    return [Change(str(path), GENRE, (), ("Jazz",))]


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


def test_a_read_only_share_is_named_and_passed_over(
    catalogue: Catalogue, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_song(music / "a.flac")
    scan(catalogue, [music])

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(apply, "_copy", refuse)
    report = apply_changes(catalogue, _planned(path), dry=False)
    assert report.conflicts == [f"{path}: it cannot be written (Read-only file system)."]
    assert check(catalogue) == []
