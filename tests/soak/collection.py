"""A collection whose jobs are killed and starved again and again, while its owner goes on editing.

The job scans, judges, writes tags and takes them back. Whatever ends it, and whenever: no file is
damaged, none has half of a plan's fields, nothing is judged twice, no edit of a person is lost, and
in the end the catalogue's check is clean.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from library_makers import NOT_DECODED, WRITABLE, make_song, tag

from genrescope.library.audio_region import audio_hash
from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.tags.apply import recover
from genrescope.library.tags.fields import GENRE, OWN_GENRE, OWN_SET, values_of
from genrescope.library.tags.reading import read_tags

STAGES = ("scan", "judge", "apply", "undo")
_TIMEOUT_S = 300.0
_LEAST_ROOM, _MOST_ROOM = 20_000, 1_500_000  # bytes that a file may have where the disk is full

# As the verbs do it; the path of Python is handed on, and what it is about to do is told.
_WORK = """
import json, resource, sys
sys.path[:] = json.loads(sys.argv[1])
if room := int(sys.argv[5]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
from genrescope.errors import LibraryError
from genrescope.library.catalogue import Catalogue
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.songs import songs, tags_of
from genrescope.library.tags.apply import apply_changes, undo
from genrescope.library.tags.fields import GENRE, OWN_GENRE, OWN_SET, values_of
from genrescope.library.tags.plan import Change
from genrescope.model.bundle import Bundle

bundle = Bundle.load(sys.argv[4])
try:
    with Catalogue(sys.argv[2]) as catalogue:
        print("scan", flush=True)
        scan(catalogue, [sys.argv[3]])
        print("judge", flush=True)
        judge(catalogue, bundle)
        found = list(songs(catalogue, catalogue.bundle_id(bundle)))
        changes = []
        for song in found:  # set where they are absent, taken away where they are not
            tags = tags_of(catalogue, song.id)
            values = ((GENRE, "Jazz"), (OWN_GENRE, song.sound), (OWN_SET, "x" * 9000))
            for name, value in values:
                before = tuple(values_of(tags, name))
                changes.append(Change(song.path, name, before, () if before else (value,)))
        print("apply", flush=True)
        report = apply_changes(catalogue, changes, dry=False)
        assert not report.conflicts, report.conflicts
        print("undo", flush=True)
        report = undo(catalogue, report.run, dry=False)
        assert not report.conflicts, report.conflicts
except LibraryError as error:
    sys.exit(f"refused: {error}")
print("done", flush=True)
"""


@dataclass
class Damage:
    """What became of the collection.

    Attributes:
        files: how many it has, of every container that is written.
        kills: by what the job was about.
        starved: jobs whose disk was full, by what they were about.
        edits: of a person's, between the jobs.
        wrong: everything that should not be, in words.
    """

    files: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    starved: Counter[str] = field(default_factory=Counter)
    edits: int = 0
    wrong: list[str] = field(default_factory=list)


def disturb_collection(bundle: Path, folder: Path, *, n_kills: int, seed: int = 0) -> Damage:
    """Kill ``n_kills`` jobs at random moments, and starve a tenth as many of room on the disk."""
    music, path = folder / "music", folder / "library.db"
    kinds = {kind: suffix for kind, suffix in WRITABLE.items() if kind not in NOT_DECODED}
    files = [
        make_song(music / f"{i % 3}" / f"{kind}{i}{suffix}", kind, seed=i, artist=f"Person {i}")
        for i, (kind, suffix) in enumerate(kinds.items())
    ]
    known = _Known(
        {file: audio_hash(file) for file in files}, [f"Person {i}" for i in range(len(files))]
    )
    damage = Damage(files=len(files))
    job = _Job(bundle, path, music)
    job.run(damage)
    rng = np.random.default_rng(seed)
    for i in range(n_kills + n_kills // 10):
        if i % 4 == 0:  # a new catalogue, so that scans and judgements are cut off as well
            with Catalogue(path) as catalogue:
                recover(catalogue)
            for part in folder.glob("library.db*"):
                part.unlink()
        if i % 5 == 2:
            damage.edits += 1
            known.edit(int(rng.integers(len(files))), f"Edit {damage.edits}")
        if i % 11 == 10:
            stage = job.starve(int(np.exp(rng.uniform(*np.log([_LEAST_ROOM, _MOST_ROOM])))), damage)
            damage.starved[stage] += 1
        else:
            stage = job.kill(STAGES[i % len(STAGES)], float(rng.random()), damage)
            damage.kills[stage] += 1
        damage.wrong += known.wrong()
    job.run(damage)
    damage.wrong += known.wrong()
    with Catalogue(path) as catalogue:
        damage.wrong += check(catalogue)
        judged = catalogue.counts()["judgements"]
        if judged != len(set(known.sounds.values())):
            damage.wrong.append(f"{judged} judgements of {len(known.sounds)} sounds")
    left = sorted(set(music.rglob("*.*")) - set(files))
    damage.wrong += [f"{name} is left" for name in left]
    return damage


@dataclass
class _Job:
    bundle: Path
    catalogue: Path
    music: Path
    seconds: dict[str, float] = field(default_factory=dict)  # that each stage took undisturbed

    def run(self, damage: Damage) -> None:
        """To its end."""
        worker = self._start()
        marks = {stage: self._reached(worker, stage) for stage in (*STAGES, "done")}
        _, errors = worker.communicate(timeout=_TIMEOUT_S)
        if worker.returncode != 0:
            damage.wrong.append(f"undisturbed: {errors.decode()[-500:]}")
        self.seconds = {a: marks[b] - marks[a] for a, b in pairwise(marks)}

    def kill(self, stage: str, share: float, damage: Damage) -> str:
        """Kill it at a share of a stage, or soon behind it; what it was about."""
        worker = self._start()
        self._reached(worker, stage)
        time.sleep(share * self.seconds[stage])
        worker.kill()
        out, errors = worker.communicate(timeout=_TIMEOUT_S)
        if worker.returncode not in (0, -signal.SIGKILL):
            damage.wrong.append(f"{_last(out)}: {errors.decode()[-500:]}")
        return _last(out) if out else stage

    @staticmethod
    def _reached(worker: subprocess.Popen[bytes], stage: str) -> float:
        """Wait for a job's word that it begins a stage, or for its end; when that was."""
        assert worker.stdout is not None
        line = b"begun"
        while line.strip().decode() != stage and line:
            ready, _, _ = select.select([worker.stdout], [], [], _TIMEOUT_S)
            line = worker.stdout.readline() if ready else b""
        return time.monotonic()

    def starve(self, room: int, damage: Damage) -> str:
        """No file may grow beyond ``room`` bytes; what it was about when that was too little."""
        worker = self._start(room)
        out, errors = worker.communicate(timeout=_TIMEOUT_S)
        if worker.returncode != 0 and b"refused: " not in errors:
            damage.wrong.append(f"{_last(out)}, {room} bytes: {errors.decode()[-500:]}")
        return _last(out)

    def _start(self, room: int = 0) -> subprocess.Popen[bytes]:
        places = map(str, (self.catalogue, self.music, self.bundle, room))
        return subprocess.Popen(
            [sys.executable, "-c", _WORK, json.dumps(sys.path), *places],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # so that to select means what there is to read
        )


def _last(out: bytes) -> str:
    """What a job told last that it was about to do."""
    return (out.decode().split() or ["start"])[-1]


@dataclass
class _Known:
    """What files hold that no job may change.

    Attributes:
        sounds: hashes of their sound.
        artists: each file's, as its owner wrote it.
        titles: those that the owner wrote meanwhile.
    """

    sounds: dict[Path, bytes]
    artists: Sequence[str]
    titles: dict[Path, str] = field(default_factory=dict)

    def edit(self, number: int, title: str) -> None:
        path = list(self.sounds)[number]
        tag(path, title=title)
        self.titles[path] = title

    def wrong(self) -> list[str]:
        found = []
        for artist, (path, sound) in zip(self.artists, self.sounds.items(), strict=True):
            if audio_hash(path) != sound:
                found.append(f"{path}: another sound")
            tags = read_tags(path).tags
            if values_of(tags, "artist") != [artist]:
                found.append(f"{path}: another artist")
            if values_of(tags, "title") != ([self.titles[path]] if path in self.titles else []):
                found.append(f"{path}: a person's edit is lost")
            fields = [values_of(tags, name) for name in (GENRE, OWN_GENRE, OWN_SET)]
            if any(fields) and not all(fields):
                found.append(f"{path}: some fields of a plan, and not the others")
            if fields[0] not in ([], ["Jazz"]):
                found.append(f"{path}: its genre is {fields[0]}")
        return found
