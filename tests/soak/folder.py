"""A folder job that is killed and starved again and again, and must end as if nothing had been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from soak.kinds import KINDS, seed_file
from soak.mutate import mutant

_LIMITED = (
    "import resource, sys; limit = int(sys.argv.pop(1)); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); "
    "from genrescope.cli import main; main()"
)


@dataclass
class Survival:
    """What became of the job.

    Attributes:
        endings: runs by how they were ended.
        n_files: files of the folder.
        torn: runs after which the file held what is no whole record, in words.
        same: whether it holds, at last, what an undisturbed run writes.
    """

    endings: Counter[str] = field(default_factory=Counter)
    n_files: int = 0
    torn: list[str] = field(default_factory=list)
    same: bool = False


def disturb(bundle: Path, folder: Path, *, n_files: int, n_runs: int, seed: int = 0) -> Survival:
    """Classify ``n_files`` files, good and damaged, in runs of which all but the last are ended."""
    music = folder / "music"
    music.mkdir(parents=True)
    for i in range(n_files):
        kind = KINDS[i % len(KINDS)]
        data = mutant(i, seed=seed)[1] if i % 5 == 0 else seed_file(kind)
        (music / f"{i:05d}.{kind.split('-')[0].rstrip('0123456789')}").write_bytes(data)
    # `find` takes known endings alone; whatever is in a file, it is asked for by name below.
    paths = [str(path) for path in sorted(music.iterdir())]
    once, often = folder / "once.jsonl", folder / "often.jsonl"
    classify = ["classify", "--bundle", str(bundle), *paths, "--out"]
    _run([*_GENRESCOPE, *classify, str(once)])
    survival = Survival(n_files=n_files)
    rng = np.random.default_rng(seed)
    for i in range(n_runs):
        before = often.read_bytes() if often.exists() else b""
        ending = ("SIGKILL", "SIGINT", "SIGTERM", "full disk")[i % 4]
        size = len(once.read_bytes()) * (i + 1) // (n_runs + 1)
        if ending == "full disk":
            limited = [sys.executable, "-c", _LIMITED, str(max(size, len(before)))]
            _run([*limited, *classify, str(often)])
        else:
            wanted = size + int(rng.integers(400))
            _run([*_GENRESCOPE, *classify, str(often)], kill=(often, wanted, ending))
        survival.endings[ending] += 1
        survival.torn += _torn(often, whole=ending != "SIGKILL")
    _run([*_GENRESCOPE, *classify, str(often)])
    survival.same = _records(often) == _records(once)
    return survival


_GENRESCOPE = (sys.executable, "-m", "genrescope")


def _run(command: list[str], *, kill: tuple[Path, int, str] | None = None) -> None:
    """Run a job to its end, or until its file has a size, when a signal ends it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as job:
        while kill is not None and job.poll() is None:
            path, size, ending = kill
            if path.exists() and path.stat().st_size >= size:
                job.send_signal(getattr(signal, ending))
                break
            time.sleep(0.002)


def _torn(path: Path, *, whole: bool) -> list[str]:
    """Lines that are no record; a last one may be cut where the process was killed outright."""
    lines = path.read_text().splitlines() if path.exists() else []
    torn = []
    for i, line in enumerate(lines):
        try:
            json.loads(line)
        except ValueError:
            if whole or i < len(lines) - 1:
                torn.append(f"line {i + 1} of {len(lines)}: {line[:80]}")
    return torn


def _records(path: Path) -> dict[str, object]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({record["path"] for record in records}) == len(records)
    return {record["path"]: record for record in records}
