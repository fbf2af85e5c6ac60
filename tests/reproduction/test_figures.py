"""Pictures: with or without validation, and in the ink of their page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab_makers import REPORT_FACTS

from genrescope.reproduction.figures import draw_confusion, draw_curves, svg
from genrescope.reproduction.report import write_report
from genrescope.reproduction.results import read_results


@pytest.mark.slow
def test_identifiers_of_pictures_do_not_meet(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)


@pytest.mark.slow
def test_curves_without_validation_say_so(folder: Path, tmp_path: Path) -> None:
    words = "All are of training, and no line is solid"
    assert words not in (folder / "report.html").read_text()
    results = read_results(folder)
    for net in ("cnn", "bigru"):
        for epoch in results[f"tracks/all-mel/{net}/seed0"]["history"]:
            epoch |= {"valid_loss": None, "valid_accuracy": None}
    page = write_report(tmp_path, results, title="A", facts=REPORT_FACTS).read_text()
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert [c.split(":")[0] for c in captions if words in c] == ["tracks"]


@pytest.mark.slow
def test_a_picture_takes_the_page_s_ink() -> None:
    text = svg(draw_confusion([[3, 1], [0, 4]], ["fado", "polka"], "cnn, windows (leaky)"), "one")
    assert text.startswith("<svg")
    assert "currentColor" in text
    assert ">75<" in text
    assert "fado" in text
    assert "windows (leaky)" in text
    epochs = [
        {"epoch": i, "train_loss": 1.0, "train_accuracy": 0.5, "valid_loss": None}
        | {"valid_accuracy": None}
        for i in range(3)
    ]
    assert "cnn" in svg(draw_curves({"cnn": epochs}, "windows (leaky)"), "two")
