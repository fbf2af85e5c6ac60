"""Which of two nets is better, told by the clips that both answered."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from genrescope.reproduction.results import read_results


@pytest.mark.slow
def test_the_order_of_the_nets_is_told_by_the_clips_both_answered(folder: Path) -> None:
    results = read_results(folder)
    page = (folder / "report.html").read_text()
    with (folder / "order.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {(line["net"], line["less"]) for line in lines} == {("bigru", "cnn")}
    assert {line["protocol"] for line in lines} == {"windows", "tracks"}
    for line in lines:
        ahead, behind = (
            results[f"{line['protocol']}/all-mel/{line[key]}/seed0"] for key in ("net", "less")
        )
        value = (
            ahead[ahead["level"]]["accuracy"]["value"]
            - behind[behind["level"]]["accuracy"]["value"]
        )
        if line["protocol"] == "tracks":  # at the level of windows of clips `score` has more rows
            assert float(line["accuracy"]) == pytest.approx(value, abs=1e-6)
        assert float(line["low"]) <= float(line["accuracy"]) <= float(line["high"])
        assert f"<b>{float(line['accuracy']):+.3f}</b>" in page
