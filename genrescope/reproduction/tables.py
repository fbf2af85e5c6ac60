"""From the results of cells to the rows of the report's tables, seeds pooled."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrescope.data.fold import track_of
from genrescope.data.splits import SPLITS
from genrescope.lab.metrics import score
from genrescope.reproduction.plan import (
    FIELD,
    FIELD_NETS,
    FULL_WIDTHS,
    HUMAN,
    OWN_NETS,
    PROTOCOLS,
    SUMMARY_MODELS,
    TALK,
    TALK_BASELINES,
    TALK_NETS,
    TASKS,
    Published,
)
from genrescope.reproduction.results import Result

INPUT_NAMES = {
    "raw": "waveform",
    "stft": "STFT",
    "mel": "mel",
    "bands": "band statistics",
    "summary": "summary features",
    "modulations": "temporal modulations",
}
OF_SOUND = (
    "The clips that are here as sound; every input takes the same windows. Clips shorter than a "
    "window of 3 s are left out under windows, and elsewhere repeated to fill one."
)
MEL_SUMMARY = "summary of the mel"
"""The summary of a feature store: without sound there is no chroma, tempo or zero crossing."""


@dataclass(frozen=True)
class Entry:
    """A model under one protocol.

    Attributes:
        level: ``window`` or ``track``.
        part: of the folds, that it was evaluated on.
        folds: how many rounds were run, and how many the split has.
        n_seeds: trainings of it, pooled.
        n: windows or tracks evaluated, with each seed.
        scores: as `genrescope.lab.metrics.Scores.to_dict`; over all seeds.
        by_seed: accuracy of each seed.
        seconds: that a cell took, the mean over the seeds.
        commits: of the code that computed it.
        lacking: genres of the data without a clip among those evaluated.
    """

    level: str
    part: str
    folds: tuple[int, int]
    n_seeds: int
    n: int
    scores: Mapping[str, Any]
    by_seed: tuple[float, ...]
    seconds: float
    commits: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A model of a table.

    Attributes:
        model: its name for people.
        input: likewise.
        settings: width, epochs and the like.
        published: what the talk or a paper reports.
        entries: protocol -> figures.
        impossible: protocol -> why there are none.
    """

    model: str
    input: str
    settings: str
    published: Published | None
    entries: dict[str, Entry] = field(default_factory=dict)
    impossible: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: short, of its file.
        title: for people.
        note: what it is about.
        rows: a row for each model.
    """

    name: str
    title: str
    note: str
    rows: list[Row]

    def to_csv(self) -> str:
        """A line for each model and protocol."""
        out = io.StringIO()
        writer: csv.DictWriter[str] | None = None
        for row in self.rows:
            for protocol, entry in row.entries.items():
                line = _line(row, protocol, entry)
                if writer is None:
                    writer = csv.DictWriter(out, list(line), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(line)
        return out.getvalue()


def _line(row: Row, protocol: str, entry: Entry) -> dict[str, object]:
    published = row.published
    accuracy = entry.scores["accuracy"]
    return {
        "model": row.model,
        "input": row.input,
        "settings": row.settings,
        "protocol": protocol,
        "leaky": "yes" if SPLITS[protocol].leaky else "no",
        "level": entry.level,
        "part": entry.part,
        "folds_run": entry.folds[0],
        "folds": entry.folds[1],
        "seeds": entry.n_seeds,
        "n": entry.n,
        "accuracy": _round(accuracy["value"]),
        "low": _round(accuracy["low"]),
        "high": _round(accuracy["high"]),
        **{key: _round(entry.scores[key]["value"]) for key in ("precision", "recall", "f1")},
        "calibration_error": _round(entry.scores["calibration_error"]),
        "accuracy_by_seed": " ".join(f"{a:.4f}" for a in entry.by_seed),
        "seconds": round(entry.seconds, 1),
        "commit": "; ".join(entry.commits),
        "published": published.accuracy if published else "",
        "source": published.source if published else "",
    }


def make_tables(results: Mapping[str, Result]) -> list[Table]:
    """All tables with at least one result, in the order of the report."""
    tables = [
        Table(
            "nets",
            "The talk's nets on mel spectrograms",
            "Every track of the feature store. Compact is the net that ships, here trained as "
            "the others are.",
            _rows(results, "all", "mel", (*TALK_NETS, *OWN_NETS)),
        ),
        Table(
            "baselines",
            "The talk's baselines on mel spectrograms",
            "The same tracks. Windows of 3 s, flattened, or each band's mean and deviation over "
            "the window (the whole track, where tracks are told apart); scaled, and where there "
            "are more numbers than 128, their first 128 principal components.",
            [
                *_rows(results, "all", "mel", TALK_BASELINES),
                *_rows(results, "all", "bands", TALK_BASELINES),
            ],
        ),
        Table(
            "field",
            "The cited field",
            "The same tracks. Published figures are of all 1,000 tracks, each under a split of "
            f"the paper's own; {HUMAN.source}: {HUMAN.accuracy:.2f}. The sparse representations "
            "are of modulations of the mel spectrogram, in octaves from 0.5 Hz to at most half "
            "its frame rate, where the paper has an auditory model. Under windows few windows of "
            "a track are evaluated, so that there is little to vote on.",
            [
                *_rows(results, "all", "summary", SUMMARY_MODELS),
                *_rows(results, "all", "modulations", ("src",)),
                *_voting(results),
                *_rows(results, "all", "mel", FIELD_NETS),
            ],
        ),
        Table(
            "tasks",
            "The genre, learned together with tempo and key",
            "Does it help the genre? Compact learns the genre alone, or with it the tempo and the "
            "key of the tracks that have them, by a linear layer each; they weigh .3 beside it. "
            "Figures are of the genre.",
            _rows(results, "all", "mel", tuple(TASKS)),
        ),
        Table(
            "input-baselines",
            "Baselines on waveform, STFT and mel",
            OF_SOUND,
            [
                *(r for k in ("raw", "stft", "mel")
                  for r in _rows(results, "audio", k, TALK_BASELINES)),
                *_rows(results, "audio", "summary", SUMMARY_MODELS),
                *_rows(results, "audio", "modulations", ("src",)),
            ],
        ),
        Table(
            "input-nets",
            "Nets on waveform, STFT and mel",
            OF_SOUND,
            [
                *_rows(results, "audio", "raw", ("m5",)),
                *(r for k in ("stft", "mel") for r in
                  _rows(results, "audio", k, (*TALK_NETS, *OWN_NETS, *FIELD_NETS))),
            ],
        ),
    ]  # fmt: skip
    return [t for t in tables if any(row.entries or row.impossible for row in t.rows)]


def _rows(results: Mapping[str, Result], data: str, kind: str, models: Sequence[str]) -> list[Row]:
    rows = []
    for model in models:
        mine = [
            r for r in results.values()
            if (r["data"], r["input"], r["model"]) == (data, kind, model)
        ]  # fmt: skip
        if mine:
            published = TALK.get((kind, model)) or (FIELD.get(model) if data == "all" else None)
            of_mel = (data, kind) == ("all", "summary")
            name = MEL_SUMMARY if of_mel else INPUT_NAMES[kind]
            rows.append(_row(mine, model, name, published))
    return rows


def _row(mine: Sequence[Result], model: str, name: str, published: Published | None) -> Row:
    row = Row(model, name, _settings(mine), published)
    for protocol in PROTOCOLS:
        seeds = sorted((r for r in mine if r["protocol"] == protocol), key=lambda r: r["seed"])
        done = [r for r in seeds if "impossible" not in r]
        if done:
            row.entries[protocol] = _entry(done)
        elif seeds:
            row.impossible[protocol] = seeds[0]["impossible"]
    return row


def _entry(seeds: Sequence[Result], level: str | None = None) -> Entry:
    first = seeds[0]
    level = level or first["level"]
    scores = [r[level] for r in seeds]
    return Entry(
        level="track" if level == "hard" else level,
        part=first["part"],
        folds=(first["folds"][0], first["folds"][1]),
        n_seeds=len(seeds),
        n=scores[0]["n"],
        scores=_pooled(seeds) if len(seeds) > 1 else scores[0],
        by_seed=tuple(s["accuracy"]["value"] for s in scores),
        seconds=float(np.mean([r["seconds"] for r in seeds])),
        commits=tuple(dict.fromkeys(r["commit"] for r in seeds if r.get("commit"))),
        lacking=tuple(
            label
            for label, row in zip(first["labels"], first["confusion"], strict=True)
            if not any(row)
        ),
    )


def _pooled(seeds: Sequence[Result]) -> dict[str, Any]:
    """Scores over all seeds' answers; a track is drawn, or not, with those of every seed."""
    answers = [r["answers"] for r in seeds]
    return score(
        np.concatenate([a["labels"] for a in answers]),
        np.concatenate([a["probs"] for a in answers]),
        groups=[track_of(member) for a in answers for member in a["members"]],
    ).to_dict()


def _voting(results: Mapping[str, Result]) -> list[Row]:
    """The CNN's windows joined into tracks, by counting and by the mean probability."""
    mine = [
        r for r in results.values()
        if (r["data"], r["input"], r["model"], r["seed"]) == ("all", "mel", "cnn", 0)
        and "impossible" not in r
    ]  # fmt: skip
    rows = []
    for name, level in (("hard votes", "hard"), ("mean of probabilities", "track")):
        if mine:
            published = FIELD.get(f"cnn, {name}")
            row = Row(f"voting CNN, {name}", "mel", _settings(mine), published)
            for protocol in PROTOCOLS:
                for r in mine:
                    if r["protocol"] == protocol:
                        row.entries[protocol] = _entry([r], level)
            rows.append(row)
    return rows


def _settings(mine: Sequence[Result]) -> str:
    """What a reader needs to know of the training, of all protocols."""
    recipes = [r["recipe"] for r in mine if r["recipe"] is not None]
    if not recipes:
        return ""
    parts = [f"{key} {value}" for key, value in recipes[0]["options"].items() if key != "dropout"]
    paper = FULL_WIDTHS.get(mine[0]["model"])
    if paper is not None and recipes[0]["options"].get("width", paper) != paper:
        parts[0] += f" (full: {paper})"
    epochs = sorted({recipe["epochs"] for recipe in recipes})
    parts.append(f"{' or '.join(map(str, epochs))} epochs")
    weights = [r["weights"] for r in mine if "weights" in r]
    if weights:
        parts.append(f"{weights[0] / 1e6:.2f} M weights")
    return ", ".join(parts)


def _round(value: float) -> float:
    return round(float(value), 6)  # so that nobody who rounds it once more is misled
