"""The mutation fuzzer: decodes and classifies damaged files in processes that may die.

A process is confined as those are that decode strangers' files. It makes each input, says its
number, and works on it. One that dies, stays silent, grows, takes too much of the processor, or
raises anything but an `AudioError` has failed; its input is saved, and another goes on.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from soak.kinds import KINDS, seed_file
from soak.mutate import mutant

from genrescope.audio.decode import decode
from genrescope.confinement import confine
from genrescope.errors import AudioError
from genrescope.model import Classifier

LIMIT_S = 60.0
"""How long the fuzzer waits for an input, and how long it may claim to play, s."""

GROWTH_MB = 300
"""How much memory one input may take beyond what all before it took."""

PROCESSOR_S = 10.0
"""How much of a processor one input may take, s."""

_ADDRESS_BYTES = 1 << 30


@dataclass
class Findings:
    """What a run found.

    Attributes:
        outcomes: inputs by what became of them: ``sound``, ``refused``, or a failure in words.
        by_kind: inputs by format and outcome, ``sound`` and ``refused`` alone.
        saved: where the inputs that failed lie.
        peak_mb: the most memory any process had.
        slowest_s: the most of a processor that any input took.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)
    saved: list[Path] = field(default_factory=list)
    peak_mb: float = 0.0
    slowest_s: float = 0.0

    @property
    def total(self) -> int:
        return self.outcomes.total()


def fuzz(
    n_inputs: int, *, bundle: Path, folder: Path, seed: int = 0, processes: int = 1
) -> Findings:
    """Work on inputs 0 to ``n_inputs`` of ``seed``; what fails is saved in ``folder``."""
    findings = Findings()
    edges = np.linspace(0, n_inputs, processes + 1).astype(int)
    with ThreadPoolExecutor(processes) as pool:
        jobs = [
            pool.submit(_share, range(a, b), bundle, folder, seed, findings)
            for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        ]
        for job in jobs:
            job.result()
    return findings


def _share(
    indices: Sequence[int], bundle: Path, folder: Path, seed: int, findings: Findings
) -> None:
    left = list(indices)
    while left:
        done = _until_failure(left, bundle, seed, findings)
        left = left[done:]
        if left:  # the process ended on the first of these
            kind, data = mutant(left[0], seed=seed)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"seed{seed}-{left[0]}.{kind}"
            path.write_bytes(data)
            findings.saved.append(path)
            left = left[1:]


def _until_failure(indices: Sequence[int], bundle: Path, seed: int, findings: Findings) -> int:
    """How many inputs one process got through."""
    command = [sys.executable, "-m", "soak.fuzz", str(bundle), str(seed)]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [*command, str(indices[0]), str(indices[-1] + 1)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            return _watch(process, len(indices), findings)
        finally:
            process.kill()


def _watch(process: subprocess.Popen[bytes], n: int, findings: Findings) -> int:
    assert process.stdout is not None
    for done in range(n):
        if not select.select([process.stdout], [], [], LIMIT_S + 30)[0]:
            findings.outcomes["hang"] += 1
            return done
        line = process.stdout.readline()
        if not line:
            findings.outcomes[f"crash (status {process.wait(60)})"] += 1
            return done
        report = json.loads(line)
        findings.outcomes[report["outcome"]] += 1
        findings.peak_mb = max(findings.peak_mb, report["peak_mb"])
        findings.slowest_s = max(findings.slowest_s, report["s"])
        if report["outcome"] not in ("sound", "refused"):
            return done
        findings.by_kind[report["kind"], report["outcome"]] += 1
    return n


def _outcome(data: bytes, index: int, classifier: Classifier) -> str:
    """``sound`` or ``refused``; otherwise what is wrong."""
    try:
        if index % 2:
            prediction = classifier.classify(data, name="mutant", max_duration_s=LIMIT_S)
            good = bool(np.isfinite(prediction.probs).all()) and prediction.duration_s > 0
        else:
            wave = decode(data, name="mutant", max_duration_s=LIMIT_S)
            good = len(wave.samples) > 0 and bool(np.isfinite(wave.samples).all())
    except AudioError as error:
        return "refused" if error.name == "mutant" and error.reason else "a refusal without words"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "sound" if good else "an answer that is none"


def work(bundle: str, seed: int, start: int, end: int) -> None:
    """Works on inputs ``start`` to ``end`` and prints one JSON object about each."""
    # Descriptor 1 is for reports alone, whatever the C libraries print.
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    classifier = Classifier.load(bundle, threads=1)
    for kind in KINDS:
        with suppress(AudioError):  # of some, nothing can be decoded but what a mutation makes
            classifier.classify(seed_file(kind))
    confine(memory_bytes=_ADDRESS_BYTES, readable=[*filter(None, sys.path), "/proc/self"])
    peak = _peak_mb()
    for index in range(start, end):
        kind, data = mutant(index, seed=seed)
        started = time.process_time()
        outcome = _outcome(data, index, classifier)
        seconds = time.process_time() - started
        peak, before = _peak_mb(), peak
        if peak - before > GROWTH_MB:
            outcome = f"{peak - before:.0f} MB of memory"
        elif seconds > PROCESSOR_S:
            outcome = f"{seconds:.0f} s of the processor"
        report = {"kind": kind, "outcome": outcome, "peak_mb": peak, "s": seconds}
        print(json.dumps(report), file=reports, flush=True)


def _peak_mb() -> float:
    """The most memory this process had."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage counts the parent's memory before exec, too
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    work(sys.argv[1], *map(int, sys.argv[2:]))
