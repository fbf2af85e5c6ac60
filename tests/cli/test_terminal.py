"""What is printed fits the terminal and cannot drive it."""

from __future__ import annotations

import pytest
from cli_makers import make_terminal
from hypothesis import given
from hypothesis import strategies as st

from genrescope.cli import terminal
from genrescope.cli.terminal import cells, echo, fit, padded, printable, table


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("song.mp3", "song.mp3  "),
        ("a/long/name.mp3", "…/name.mp3"),
        ("音楽音楽音楽", "…音楽音楽 "),  # each takes two cells
        ("e\u0301.mp3", "e\u0301.mp3     "),  # the accent takes none
    ],
)
def test_names_are_cut_at_their_beginning_to_the_cells_they_take(text: str, fitted: str) -> None:
    assert padded(fit(text, 10), 10) == fitted


@given(st.text(), st.integers(5, 40), st.booleans())
def test_what_is_cut_fits(text: str, width: int, keep_end: bool) -> None:
    fitted = fit(text, width, keep_end=keep_end)
    assert cells(fitted) <= max(width, 0)
    assert fitted == text or "…" in fitted


@given(st.text())
def test_nothing_printable_is_a_control_character(text: str) -> None:
    safe = printable(text)
    assert not any(c < " " or "\x7f" <= c < "\xa0" for c in safe)
    assert printable(safe) == safe


def test_names_keep_their_spaces_of_any_width() -> None:
    assert printable("a b\u3000c\xa0d") == "a b\u3000c\xa0d"
    assert printable("a\tb\u202ec\udcff") == "a\\tb\\u202ec\\udcff"


def test_styles_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = make_terminal(monkeypatch)
    echo("\x1b[2J", fg="red")
    assert screen.getvalue() == "\x1b[31m\\x1b[2J\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    echo("plain", fg="red")
    assert screen.getvalue().endswith("plain\n")
    assert "\x1b[31mplain" not in screen.getvalue()


def test_what_is_printed_stands_above_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = make_terminal(monkeypatch)
    terminal.draw_last_line("half done")
    echo("an answer")
    terminal.draw_last_line("")
    rows = [row for row in screen.getvalue().replace("\r", "\n").split("\n") if row.strip()]
    assert rows == ["half done", "an answer", "half done"]
    assert screen.getvalue().endswith(f"\r{' ' * 9}\r")


def test_columns_of_a_table_stand_below_each_other() -> None:
    lines = table([["a", "n", "x"], ["音楽", "12", "\x1b"]], right=(1,))
    assert lines == ["a      n  x", "音楽  12  \\x1b"]
