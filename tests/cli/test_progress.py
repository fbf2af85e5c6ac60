"""The bar: drawn on a terminal, a line now and then elsewhere, wiped at the end."""

from __future__ import annotations

import sys

import pytest
from cli_makers import Terminal, make_terminal

from genrescope.cli import progress
from genrescope.cli.progress import bar, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, as its only member."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def drawn(screen: Terminal) -> list[str]:
    return [row.strip() for row in screen.getvalue().split("\r") if row.strip()]


def test_a_terminal_sees_share_number_time_and_note(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = make_terminal(monkeypatch)
    with bar("features", 4) as shown:
        for i in (1, 2):
            clock[0] += 30
            shown.update(i, note="\x1b[2Jname")
    first, second = drawn(screen)
    assert first.startswith("features  ████")
    assert "1 of 4  90 s left  \\x1b[2Jname" in first
    assert "2 of 4  60 s left" in second
    assert second.count("█") == second.count("░") == 15
    assert screen.getvalue().endswith(" \r")


def test_no_line_is_wider_than_the_terminal(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = make_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "60")
    with bar("features", 4) as shown:
        shown.update(4, note="long " * 30)
    assert max(map(len, drawn(screen))) < 60


def test_a_terminal_is_not_flooded(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    screen = make_terminal(monkeypatch)
    with bar(total=1000) as shown:
        for _ in range(500):
            clock[0] += 0.01
            shown.advance()
    assert 40 <= len(drawn(screen)) <= 60


def test_a_log_gets_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with bar("reading", 90, unit="MB", log=True) as shown:
        for i in range(1, 91):
            clock[0] += 1
            shown.update(i)
    assert capsys.readouterr().err.splitlines() == [
        f"reading: {i} of 90 MB" for i in range(10, 91, 10)
    ]


def test_where_no_log_is_wanted_a_pipe_gets_nothing(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with bar("reading", 90) as shown:
        clock[0] += 60
        shown.update(45)
    assert capsys.readouterr() == ("", "")


def test_what_was_done_before_counts_for_no_speed(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    screen = make_terminal(monkeypatch)
    with bar("epochs", 100, first=90) as shown:
        clock[0] += 10
        shown.update(95)
        clock[0] += 1
        shown.update(10, total=20, what="another")
        clock[0] += 5
        shown.update(15)
    assert "95 of 100  10 s left" in drawn(screen)[0]
    assert "10 of 20" in drawn(screen)[1]
    assert drawn(screen)[2].endswith("15 of 20  5 s left")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (180, "3 min"), (36_000, "10 h")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_stream_is_what_standard_error_is_now(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    screen = Terminal()
    with bar(total=2) as shown:
        monkeypatch.setattr(sys, "stderr", screen)
        shown.advance()
    assert drawn(screen)
