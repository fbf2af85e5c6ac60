"""What a long run found, as a page and as a table."""

from __future__ import annotations

import csv
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from soak.api import Exploration
from soak.collection import Damage
from soak.fleet import Disturbance
from soak.fleet_broken import Breakage
from soak.fleet_overhead import Comparison
from soak.folder import Survival
from soak.fuzz import Findings
from soak.load import Traffic, percentiles
from soak.siege import ATTACKS, MEMORY_MB, Siege

from genrescope import __version__

_LIBRARIES = ("numpy", "av", "soundfile", "soxr", "onnxruntime", "fastapi", "uvicorn")

MEMORY_GROWTH = 1.25
"""The last round of the load may take so much more memory than the first."""


@dataclass
class Result:
    """One part of the run: its title, a sentence or table for the page, figures, failures."""

    title: str
    text: str
    figures: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def of_agreement(found: tuple[int, list[str]]) -> Result:
    compared, wrong = found
    text = (
        f"{compared} answers of two classifiers at once, in eight threads, with one, two and four "
        f"threads of ONNX Runtime; {len(wrong)} were not those of one thread, bit for bit."
    )
    return Result("One answer, whoever is asked", text, {"compared": compared}, wrong)


def of_fuzz(findings: Findings, saved: Path) -> Result:
    good = ("sound", "refused")
    bad = {what: n for what, n in findings.outcomes.items() if what not in good}
    failures = [f"fuzzer: {n} × {what}" for what, n in bad.items()]
    if failures:
        failures.append(f"fuzzer: inputs saved in {saved}")
    kinds = sorted({kind for kind, _ in findings.by_kind})
    rows = [
        f"| {kind} | {findings.by_kind[kind, 'sound']} | {findings.by_kind[kind, 'refused']} |"
        for kind in kinds
    ]
    text = "\n".join(
        [
            f"{findings.total} mutated files of {len(kinds)} kinds, decoded or classified: "
            f"{findings.outcomes['sound']} gave a sound, {findings.outcomes['refused']} an "
            f"`AudioError`, {sum(bad.values())} anything else. "
            f"The slowest took {findings.slowest_s:.1f} s; no process had more than "
            f"{findings.peak_mb:.0f} MB.",
            "",
            "| kind | sound | refused |",
            "|---|---|---|",
            *rows,
        ]
    )
    figures = {
        "inputs": findings.total,
        **{f"inputs {what}": findings.outcomes[what] for what in good},
        "failures": sum(bad.values()),
        "slowest s": findings.slowest_s,
        "peak MB": findings.peak_mb,
    }
    return Result("Mutated files", text, figures, failures)


def of_folder(survival: Survival) -> Result:
    failures = [f"folder: torn: {line}" for line in survival.torn]
    if not survival.same:
        failures.append("folder: the answers are not those of an undisturbed run")
    endings = ", ".join(f"{n} × {what}" for what, n in survival.endings.items())
    text = (
        f"A job of {survival.n_files} files, ended {survival.endings.total()} times in the middle "
        f"({endings}) and started again: torn records {len(survival.torn)}; at the end the file "
        f"holds {'the same answers as' if survival.same else 'other answers than'} that of an "
        "undisturbed run."
    )
    figures = {"files": survival.n_files, "runs ended": survival.endings.total()}
    return Result("A folder job, killed and starved", text, figures, failures)


def of_collection(found: Damage) -> Result:
    kills = ", ".join(f"{n} at {stage}" for stage, n in sorted(found.kills.items()))
    starved = ", ".join(f"{n} at {stage}" for stage, n in sorted(found.starved.items()))
    text = (
        f"Jobs that scan, judge, write tags and take them back, over {found.files} files of as "
        f"many containers: killed {found.kills.total()} times ({kills}), without room on the disk "
        f"{found.starved.total()} times ({starved}), with {found.edits} edits of a person in "
        "between. Damaged files, half-written plans, sounds judged twice, edits lost, findings of "
        f"`check`: {len(found.wrong)}."
    )
    figures = {"collection kills": found.kills.total(), "collection edits": found.edits}
    return Result(
        "A collection, killed and starved", text, figures, [f"collection: {w}" for w in found.wrong]
    )


def of_fleet(found: Disturbance) -> Result:
    failures = []
    if found.kills.total() < found.planned:
        failures.append(f"fleet: {found.kills.total()} kills fell of {found.planned}")
    if not found.same:
        failures.append("fleet: the parts are not those of an undisturbed run")
    if not found.within_bounds:
        failures.append(f"fleet: {found.again} songs were done twice, {found.most_again} may be")
    failures += [f"fleet: it was connected to {address}" for address in sorted(found.reported)]
    failures += [f"fleet: it may report its use: {name}" for name in sorted(found.may_report)]
    kills = ", ".join(f"{n} × {who}" for who, n in found.kills.items())
    again, most = sum(found.again), sum(found.most_again)
    text = (
        f"A run of {found.n_songs} songs on Ray, killed {found.kills.total()} times ({kills}): "
        f"{again} songs were answered for twice, of {most} that may have been; "
        f"its parts are {'' if found.same else 'not '}those of an undisturbed run, byte by byte."
    )
    figures = {"songs": found.n_songs, "kills": found.kills.total(), "twice": again}
    return Result("Many shards, killed", text, figures, failures)


MOST_OVERHEAD = 0.10
"""So much more than plain processes Ray may take, as a share, of the processor for a song."""

LEAST_ROWS_S = 1_000
"""Songs a second, with a net that does nothing."""


def of_overhead(idle: Comparison, busy: Comparison) -> Result:
    """Ray beside plain processes: with a net that does nothing, and with one that works."""
    failures = []
    if idle.courses["ray"].rate < LEAST_ROWS_S:
        failures.append(f"fleet: {idle.courses['ray'].rate:.0f} songs a second by Ray")
    if busy.by_processor > MOST_OVERHEAD:
        failures.append(f"fleet: Ray takes {busy.by_processor:.1%} more of the processor")
    rows = [
        f"| {what} | {engine} | {course.n_songs} | {course.rate:,.0f} | {course.core_ms:.2f} | "
        f"{course.whole_s:.1f} |"
        for what, compared in (("nothing", idle), ("a hash", busy))
        for engine, course in compared.courses.items()
    ]
    text = "\n".join(
        [
            f"The same songs in {idle.n_shards} and {busy.n_shards} shards, two workers, each "
            "engine three times in turn; medians. Rate and processor are from the first shard "
            "that was committed to the last, all processes of the run together; the whole has "
            "the start as well. Where a song takes work, Ray takes "
            f"{1 + busy.by_processor:.3f} times the processor of plain processes, and answers for "
            f"{1 / (1 + busy.by_clock):.2f} times as many songs in a second, on a machine that "
            "may have had other work.",
            "",
            "| a song is | engine | songs | songs a second | ms of a core a song | whole, s |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )
    figures = {"more processor": busy.by_processor, "lower rate": busy.by_clock}
    figures["songs a second"] = idle.courses["ray"].rate
    return Result("Ray beside plain processes", text, figures, failures)


def of_breakage(found: Breakage) -> Result:
    n_bad = found.n_broken + found.n_hanging
    failures = [f"fleet: {line}" for line in found.wrong]
    if found.answered != found.n_songs - n_bad:
        failures.append(f"fleet: {found.answered} songs were answered")
    errors = ", ".join(f"{n} × {code}" for code, n in sorted(found.errors.items()))
    text = (
        f"{found.n_songs} songs on Ray, of which {found.n_broken} are broken and "
        f"{found.n_hanging} hang: {found.answered} were answered, each of the others is a row "
        f"that names it ({errors})."
    )
    figures = {"songs": found.n_songs, "answered": found.answered}
    return Result("Broken and hanging songs", text, figures, failures)


def of_api(found: Exploration) -> Result:
    rows = [
        f"| {operation} | {mode} | {status} | {n} |"
        for (operation, mode, status), n in sorted(found.statuses.items())
    ]
    text = "\n".join(
        [
            f"Schemathesis sent {found.statuses.total()} requests made from the API's own "
            f"description; {len(found.failures)} answers broke it.",
            "",
            "| operation | requests | status | answers |",
            "|---|---|---|---|",
            *rows,
        ]
    )
    return Result(
        "The API's own description",
        text,
        {"requests": found.statuses.total()},
        [f"API: {failure}" for failure in found.failures],
    )


def of_load(rounds: list[Traffic], marks: list[float], held: dict[str, float]) -> Result:
    failures = [f"load: {what} ({n} times)" for what, n in _wrong(rounds).items()]
    failures += [f"load: {name} is {value:g} at the end" for name, value in held.items() if value]
    if marks[-1] > MEMORY_GROWTH * marks[0]:
        failures.append(f"load: memory grew from {marks[0]:.0f} to {marks[-1]:.0f} MB")
    answered = sum(r.answered for r in rounds)
    wall_s = sum(r.wall_s for r in rounds)
    figures = {
        "answered": answered,
        "wrong": sum(len(r.wrong) for r in rounds),
        "refused": sum(r.refused.total() for r in rounds),
        "answers per s": answered / wall_s,
        **{f"peak MB round {i + 1}": mark for i, mark in enumerate(marks)},
    }
    rows = []
    for group in sorted({group for r in rounds for group in r.seconds}):
        seconds = [s for r in rounds for s in r.seconds[group]]
        ms = percentiles(seconds)
        refused = sum(r.refused[group] for r in rounds)
        figures |= {f"{group} {name} ms": value for name, value in ms.items()}
        cells = " | ".join(f"{value:.0f}" for value in ms.values())
        rows.append(f"| {group} | {len(seconds)} | {cells} | {refused} |")
    text = "\n".join(
        [
            f"64 clients beside the server on the same machine, {answered} answers in "
            f"{wall_s:.0f} s, {figures['wrong']:g} of them wrong: each recording's answer is "
            "compared, byte for byte, with that of one thread before there was any load. "
            f"{figures['refused']:g} times the server said 503 with a time to come back, and the "
            f"client came back; {sum(r.left for r in rounds)} clients hung up on purpose. Peak "
            f"memory in each third: {', '.join(f'{mark:.0f} MB' for mark in marks)}. At the end "
            f"{'every worker and every byte was free again' if not any(held.values()) else held}.",
            "",
            "| request | answers | p50 ms | p95 ms | p99 ms | max ms | refused first |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    return Result("Load", text, figures, failures)


def of_siege(siege: Siege, memory_mb: float) -> Result:
    failures = [f"siege: {failure}" for failure in siege.failures]
    if memory_mb > MEMORY_MB:
        failures.append(f"siege: {memory_mb:.0f} MB of memory")
    if not siege.good_s:
        failures.append("siege: no good recording was answered")
    health, good = sorted(siege.health_s), sorted(siege.good_s)
    text = (
        f"64 attackers at once, in {len(ATTACKS)} ways ({', '.join(ATTACKS)}). The server and its "
        f"processes together had {memory_mb:.0f} MB at most. {len(health)} health checks took "
        f"{1000 * health[len(health) // 2]:.0f} ms in the middle and {1000 * health[-1]:.0f} at "
        f"most; {len(good)} good recordings of 10 s were answered, after "
        f"{good[-1] if good else 0:.1f} s at most."
    )
    figures = {"peak MB": memory_mb, "health max s": health[-1], "good": len(good)}
    return Result("Siege", text, figures, failures)


def _wrong(rounds: list[Traffic]) -> Counter[str]:
    return Counter(line for r in rounds for line in r.wrong)


def write(
    results: list[Result], folder: Path, *, command: str, bundle: str, name: str = "soak"
) -> None:
    """``soak.md`` and ``soak.csv``, or files of another name."""
    facts = _facts(command, bundle)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Under load and under fire", "", *(f"- {k}: {v}" for k, v in facts.items())]
    for result in results:
        lines += ["", f"## {result.title}", "", result.text]
        lines += (
            ["", *(f"- **{failure}**" for failure in result.failures)] if result.failures else []
        )
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["part", "figure", "value", *facts])
        for result in results:
            for name, value in {**result.figures, "failed": len(result.failures)}.items():
                rows.writerow([result.title, name, f"{value:.6g}", *facts.values()])


def _facts(command: str, bundle: str) -> dict[str, str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return {
        "command": command,
        "bundle": bundle,
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": f"genrescope {__version__}, Python {platform.python_version()}, {libraries}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
