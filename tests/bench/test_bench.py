"""`make bench` produces its tables; how fast anything is, no test asks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import FIGURES, main
from benchmarks.harness import Measure, Row, compare, in_turn


@pytest.mark.slow
def test_tables_agree_with_each_other(tiny_bundle: Path, tmp_path: Path) -> None:
    options = ["--quick", "--repeats", "1", "--only", "mel|cold|web", "--out", str(tmp_path)]
    main([*options, "--bundle", str(tiny_bundle)])

    with (tmp_path / "bench.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["figure"] for row in rows] == ["mel", "cold", "web"]
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    for row in rows:
        assert float(row["ours"]) > 0
        assert float(row["other"]) > 0
        assert float(row["low"]) <= float(row["ratio"]) <= float(row["high"])
        assert f"| {row['what']} |" in page
        why = ": [why](speed-notes.md#goals-that-are-missed)" if row["met"] == "no" else ""
        assert f"| {row['goal']} | {row['met']}{why} |" in page
    assert str(tmp_path) not in page
    (apart,) = (row["note"] for row in rows if row["figure"] == "mel")
    assert float(apart.split(": ")[1].split(" dB")[0]) < 1e-2


def _row(figure: str, what: str, ratio: float, cpu_ratio: float | None = 1.5) -> Row:
    return Row(
        figure=figure, what=what, ours=2.0, other_name="theirs", other=1.0, unit="s", ratio=ratio,
        low=1.0, high=3.0, cpu_ratio=cpu_ratio, goal="<= 2", repeats=3, note=f"of {what}",
    )  # fmt: skip


def _facts(date: str) -> dict[str, str]:
    return {"machine": "m", "load": "1.0", "date": date, "versions": "python 3"}


def test_figures_that_are_measured_anew_leave_the_others_as_they_were(tmp_path: Path) -> None:
    before = [_row("a", "first", 1.8), _row("b", "second", 2.5, None), _row("a", "third", 1.9)]
    report.write(tmp_path, before, _facts("day 1"), command="all", missing=[], keep=False)
    old = (tmp_path / "bench.csv").read_text(encoding="utf-8").splitlines()

    now = [_row("a", "new", 1.2), _row("c", "last", 4.0)]
    report.write(tmp_path, now, _facts("day 2"), command="some", missing=["d (absent)"], keep=True)

    new = (tmp_path / "bench.csv").read_text(encoding="utf-8").splitlines()
    assert (new[0], new[2]) == (old[0], old[3])
    with (tmp_path / "bench.csv").open(encoding="utf-8") as file:
        rows = [(row["what"], row["date"], row["command"]) for row in csv.DictReader(file)]
    assert rows == [
        ("new", "day 2", "some"),
        ("second", "day 1", "all"),
        ("last", "day 2", "some"),
    ]
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "| 1.2 (1 to 3) | <= 2 | yes | 1 |" in page
    assert "1. `some`, day 2, on m (load 1.0 at the start), python 3." in page
    assert "2. `all`, day 1, on m (load 1.0 at the start), python 3." in page
    assert ("of second" in page, "of first" in page, "d (absent)" in page) == (True, False, True)

    report.write(tmp_path, now, _facts("day 3"), command="all", missing=[], keep=False)
    assert "second" not in (tmp_path / "bench.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_growth_is_drawn(tiny_bundle: Path, tmp_path: Path) -> None:
    options = ["--quick", "--repeats", "1", "--only", "scaling", "--out", str(tmp_path)]
    main([*options, "--bundle", str(tiny_bundle)])

    with (tmp_path / "bench.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lengths = [row for row in rows if row["figure"] == "length"]
    assert [float(row["other"]) for row in lengths] == [4, 8, 16]
    assert all(float(row["peak_mb"]) > 0 for row in lengths)
    assert {"linear", "memory"} <= {row["figure"] for row in rows}
    assert (tmp_path / "bench-scaling.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_an_unknown_figure_is_named() -> None:
    with pytest.raises(SystemExit, match=r"no figure is called nothing; there are folder, "):
        main(["--only", "nothing"])
    assert "folder" in FIGURES


def test_sides_run_in_turn_after_one_round_to_warm_up() -> None:
    calls: list[str] = []

    def side(name: str, wall_s: float) -> Measure:
        calls.append(name)
        return Measure(wall_s, wall_s)

    found = in_turn({"a": lambda: side("a", 1), "b": lambda: side("b", 2)}, repeats=2)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert [len(measures) for measures in found.values()] == [2, 2]


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [("<= 2", 0.5, True), (">= 3", 2.0, False), (">= 2", 2.0, True), ("", 0.5, None)],
)
def test_the_goal_says_which_way_the_ratio_goes(goal: str, ratio: float, met: bool | None) -> None:
    found = {"ours": [Measure(1, 1), Measure(3, 3)], "b": [Measure(2, 2), Measure(6, 6)]}
    row: Row = compare(found, figure="f", what="w", other="b", other_name="b", goal=goal)
    assert row.ratio == ratio
    assert row.cpu_ratio == ratio
    assert row.met is met
