"""Labelled features of clips, which several measurements ask of a bundle."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Facts = dict[str, str]


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """``--data NPZ CSV``, as often as there are stores."""
    parser.add_argument(
        "--data",
        nargs=2,
        type=Path,
        action="append",
        required=True,
        metavar=("NPZ", "CSV"),
        help="features (track, mel: uint8 over 80 dB) and a table (track, genre); may be repeated",
    )


def read_facts(table: Path) -> dict[str, Facts]:
    """What a table says of each track, by its name."""
    with table.open(encoding="utf-8", newline="") as file:
        return {row["track"]: row for row in csv.DictReader(file)}


def certain_clips(
    store: Path, facts: dict[str, Facts]
) -> Iterator[tuple[str, Facts, NDArray[np.float32]]]:
    """Name, facts and log-mel in dB, float32 (n_mels, n_frames), of tracks of a certain genre."""
    with np.load(store, allow_pickle=False) as arrays:
        for name, mel in zip(arrays["track"].tolist(), arrays["mel"], strict=True):
            fact = facts[name]
            if fact.get("certain", "yes") == "yes":
                yield name, fact, ((mel.astype(np.float32) + 0.5) / 256 * 80 - 80)
