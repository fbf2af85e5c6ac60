"""The report: the cells' own numbers, every protocol beside the others, nothing from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lab_makers import REPORT_FACTS

from genrescope.reproduction.report import write_report
from genrescope.reproduction.results import read_results


@pytest.mark.slow
def test_the_page_needs_nothing_else_and_says_what_is_leaky(folder: Path) -> None:
    page = (folder / "report.html").read_text()

    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
            self.found += [tag] if tag in ("script", "link", "img", "iframe") else []

    links = Links()
    links.feed(page)
    assert all(link.startswith(("#", "data:")) for link in links.found)
    outside = [u for u in re.findall(r"https?://[^\"' )]+", page) if "w3.org" not in u]
    assert outside == []
    assert "windows (leaky)" in page
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert "A &amp; B" in page
    assert "&lt;13&gt;" in page
    assert "quick trial" in page
    assert "no GTZAN track" in page
    assert page.count("<svg") == 1 + 2 + 4  # protocols, curves, confusion matrices


@pytest.mark.slow
def test_pictures_are_kept_as_files_too(folder: Path) -> None:
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    assert {"protocols.png", "curves-windows.png", "confusion-tracks-cnn.png"} <= pictures
    for path in (folder / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_genres_without_a_clip_and_cells_without_a_date_are_said(
    folder: Path, tmp_path: Path
) -> None:
    assert "none of" not in (folder / "report.html").read_text()
    assert "carry no date" not in (folder / "report.html").read_text()
    results = read_results(folder)
    cell = results["tracks/all-mel/cnn/seed0"]
    cell["confusion"][0] = [0] * len(cell["labels"])
    del cell["date"]
    page = write_report(tmp_path, results, title="A", facts=REPORT_FACTS).read_text()
    assert page.count(f"none of {cell['labels'][0]}") == 3  # the CNN's, and its votes'
    assert "but for 1 cells that carry no date" in page


@pytest.mark.slow
def test_the_page_says_what_its_nets_were_developed_on(folder: Path) -> None:
    page = " ".join((folder / "report.html").read_text().split())
    assert "Within a cell nothing is fitted, scaled or chosen" in page
    assert "developed on GTZAN's fault-filtered validation part" in page
