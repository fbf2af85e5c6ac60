"""The report of `genrescope reproduce`: one HTML page that needs nothing else, and CSV tables."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import genrescope
from genrescope.data.splits import SPLITS, protocol_title
from genrescope.files import atomic_write
from genrescope.model.interval import Interval
from genrescope.reproduction.figures import draw_confusion, draw_curves, draw_protocols, png, svg
from genrescope.reproduction.paired_bootstrap import (
    PAIRS,
    TASK_PAIRS,
    Difference,
    differences,
    to_csv,
)
from genrescope.reproduction.plan import PROTOCOLS, TALK_NETS
from genrescope.reproduction.results import Result
from genrescope.reproduction.tables import Entry, Row, Table, make_tables

PAGE, PICTURES = "report.html", "pictures"

_STYLE = """
:root { color-scheme: light dark; --ink: #22223b; --faint: #6b6b84; --line: #dcdce6;
  --paper: #fbfaf7; --leaky: #fbe9dc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e9f2; --faint: #a3a3b8; --line: #3a3a4d;
  --paper: #17171f; --leaky: #3d2a1c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 3rem; font-size: 1.25rem; }
p, li { max-width: 46rem; } .faint, small, caption { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; white-space: nowrap; }
td small { display: block; max-width: 11rem; white-space: normal; }
.leaky { background: var(--leaky); }
td.settings { white-space: normal; min-width: 9rem; color: var(--faint); font-size: .8rem; }
figure { margin: 1.2rem 0; overflow-x: auto; } figcaption { color: var(--faint); font-size: .9rem; }
figure svg { max-width: max(100%, 30rem); height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; }
details { margin: .8rem 0; } summary { cursor: pointer; }
"""

_ABOUT = """
<p>Each figure is an accuracy with its 95 % interval, from 2,000 bootstrap draws of tracks.
The columns are protocols, so that a leaky figure and an honest one stand side by side:</p>
<ul>{protocols}</ul>
<p>Within a cell nothing is fitted, scaled or chosen on the part that its figure is of. Where a
protocol has a test part, the epoch is chosen on the validation part and the figure is of the test
part; where its test tracks are absent, the figure is of the validation part and the last epoch is
kept. The recipes of the nets, and the net Compact, were developed on GTZAN's fault-filtered
validation part, so that figures of nets on that part are optimistic.
“1 of 5 folds” is what it says: the first round of a split alone was run; where all were, their
answers are put together. Curves are of the first.</p>
<p>Under <b>windows</b> a figure is per window of 3 s, as the talk's; elsewhere per track, from
the mean probability of its windows.</p>
"""

_DIFFERENCES = """
<h2>Where these differ from the talk's</h2>
<ul>
<li>Its split: random windows of all clips, so that a net meets other windows of the very clips
it is judged by. That is <b>windows</b> here. The other protocols show what is left where it
cannot.</li>
<li>What its kNN saw: on flattened windows, where two beats a frame apart are far apart, kNN falls
well short of the talk's figures; on each band's mean and deviation over time it reached them on
GTZAN. The talk's windows were probably averaged over time.</li>
<li>Its frames: the talk computes one every 512 samples, 43 a second. {frames}</li>
<li>Its data: 1,000 tracks. {data}</li>
<li>Its compute: widths and numbers of epochs here are those in the tables.</li>
</ul>
"""


def write_report(
    out: Path,
    results: Mapping[str, Result],
    *,
    title: str,
    facts: Mapping[str, str],
    quick: bool = False,
) -> Path:
    """Write the page, a CSV for each table and the pictures.

    Args:
        out: folder that they go to.
        results: of all cells, see `genrescope.reproduction.results.read_results`.
        title: headline of the page.
        facts: "frames" and "data": a sentence each on what was used.
        quick: say that this is a trial of the machinery.

    Returns:
        Path of the page.
    """
    tables = make_tables(results)
    for table in tables:
        _write(out / f"{table.name}.csv", table.to_csv())
    body = [f"<h1>{escape(title)}</h1>"]
    if quick:
        body.append(
            "<p><b>A quick trial:</b> tiny nets, an epoch or two, few tracks. It shows that "
            "everything runs; its figures mean nothing.</p>"
        )
    items = "".join(f"<li><b>{name}</b>: {escape(SPLITS[name].summary)}</li>" for name in PROTOCOLS)
    body.append(_ABOUT.format(protocols=items))
    body.append(_overview(tables, results, out))
    for table in tables:
        body.append(_table(table))
        if table.name == "nets":
            order = _differences(results, out, "order", "The order of the nets", PAIRS)
            body += [order, _curves(results, out), _confusions(results, out)]
        if table.name == "tasks":
            body.append(
                _differences(results, out, "tasks-help", "What the other tasks bring", TASK_PAIRS)
            )
    body.append(_DIFFERENCES.format(**{key: escape(text) for key, text in facts.items()}))
    body.append(_footer(results))
    page = out / PAGE
    _write(page, _page(title, "\n".join(body)))
    return page


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body>"
        "</html>\n"
    )


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_leaky(p)}>{escape(protocol_title(p))}</th>' for p in PROTOCOLS
    )
    published = any(row.published for row in table.rows)
    published_head = '<th scope="col">theirs</th>' if published else ""
    settings = any(row.settings for row in table.rows)
    lines = []
    for row in table.rows:
        cells = "".join(_cell(row, protocol) for protocol in PROTOCOLS)
        lines.append(
            f'<tr><th scope="row">{escape(row.model)}</th><td>{escape(row.input)}</td>'
            f"{_published(row) if published else ''}{cells}"
            + (f'<td class="settings">{escape(row.settings)}</td>' if settings else "")
            + "</tr>"
        )
    return (
        f'<h2 id="{table.name}">{escape(table.title)}</h2><p>{escape(table.note)} '
        f'<span class="faint">As a file: {table.name}.csv</span></p><div class="wide"><table>'
        f'<tr><th scope="col">model</th><th scope="col">input</th>{published_head}{heads}'
        + ('<th scope="col">settings</th>' if settings else "")
        + f"</tr>{''.join(lines)}</table></div>{_details(table)}"
    )


def _leaky(protocol: str) -> str:
    return ' class="leaky"' if SPLITS[protocol].leaky else ""


def _published(row: Row) -> str:
    if row.published is None:
        return "<td>–</td>"
    return f"<td>{row.published.accuracy:.3f}<small>{escape(row.published.source)}</small></td>"


def _cell(row: Row, protocol: str) -> str:
    if protocol in row.impossible:
        return f"<td{_leaky(protocol)}>–<small>{escape(row.impossible[protocol])}</small></td>"
    if protocol not in row.entries:
        return f"<td{_leaky(protocol)}><small>not run</small></td>"
    entry = row.entries[protocol]
    accuracy = entry.scores["accuracy"]
    small = [f"{accuracy['low']:.3f} to {accuracy['high']:.3f}", _basis(entry)]
    if entry.n_seeds > 1:
        small.append(f"{entry.n_seeds} seeds: " + ", ".join(f"{a:.3f}" for a in entry.by_seed))
    text = "".join(f"<small>{line}</small>" for line in small)
    return f"<td{_leaky(protocol)}><b>{accuracy['value']:.3f}</b>{text}</td>"


def _basis(entry: Entry) -> str:
    folds = "" if entry.folds[1] == 1 else f", {entry.folds[0]} of {entry.folds[1]} folds"
    lacking = f"; none of {', '.join(entry.lacking)}" if entry.lacking else ""
    return escape(f"{entry.n} {entry.level}s, {entry.part}{folds}{lacking}")


def _details(table: Table) -> str:
    lines = []
    for row in table.rows:
        for protocol, entry in row.entries.items():
            figures = [
                f"{entry.scores[key]['value']:.3f}"
                for key in ("accuracy", "precision", "recall", "f1")
            ]
            figures.append(f"{entry.scores['calibration_error']:.3f}")
            cells = [row.model, row.input, protocol_title(protocol), entry.level, *figures]
            marks = "".join(f"<td{_leaky(protocol)}>{escape(cell)}</td>" for cell in cells)
            lines.append(f"<tr>{marks}</tr>")
    names = ("model", "input", "protocol", "level", "accuracy", "precision", "recall", "F1")
    heads = "".join(f'<th scope="col">{name}</th>' for name in (*names, "calibration error"))
    return (
        "<details><summary>Precision, recall and F1 (macro means over the genres with a clip among "
        "those evaluated)</summary>"
        f'<div class="wide"><table><tr>{heads}</tr>{"".join(lines)}</table></div></details>'
    )


def _overview(tables: Sequence[Table], results: Mapping[str, Result], out: Path) -> str:
    shown = [
        row
        for table in tables
        if table.name in ("nets", "baselines", "field")
        for row in table.rows
        if row.entries
    ]
    models = [row.model for row in shown]
    rows = {
        row.model if models.count(row.model) == 1 else f"{row.model}, {row.input}": {
            p: Interval(**{key: e.scores["accuracy"][key] for key in ("value", "low", "high")})
            for p, e in row.entries.items()
        }
        for row in shown
    }
    if not rows:
        return ""
    n_classes = max(len(r["labels"]) for r in results.values() if "labels" in r)
    figure = draw_protocols(rows, chance=1 / n_classes)
    return _picture(
        figure, "protocols", out, "Accuracy with 95 % intervals; the dotted line is guessing."
    )


def _differences(
    results: Mapping[str, Result],
    out: Path,
    name: str,
    title: str,
    pairs: Sequence[tuple[str, str]],
) -> str:
    found = {(d.ahead, d.behind, d.protocol): d for d in differences(results, pairs)}
    if not found:
        return ""
    _write(out / f"{name}.csv", to_csv(list(found.values())))
    heads = "".join(
        f'<th scope="col"{_leaky(p)}>{escape(protocol_title(p))}</th>' for p in PROTOCOLS
    )
    lines = []
    for ahead, behind in pairs:
        cells = ""
        for protocol in PROTOCOLS:
            difference = found.get((ahead, behind, protocol))
            text = "<small>not run</small>" if difference is None else _difference(difference)
            cells += f"<td{_leaky(protocol)}>{text}</td>"
        lines.append(f'<tr><th scope="row">{ahead} less {behind}</th>{cells}</tr>')
    return (
        f'<h3 id="{name}">{title}</h3><p>Differences of accuracy, with 95 % intervals '
        "over tracks, from the answers of both nets for the same clips: an interval that holds 0 "
        f'shows no order. <span class="faint">As a file: {name}.csv</span></p><div class="wide">'
        f'<table><tr><th scope="col"></th>{heads}</tr>{"".join(lines)}</table></div>'
    )


def _difference(difference: Difference) -> str:
    value = difference.accuracy
    return f"<b>{value.value:+.3f}</b><small>{value.low:+.3f} to {value.high:+.3f}</small>"


def _curves(results: Mapping[str, Result], out: Path) -> str:
    parts = []
    for protocol in PROTOCOLS:
        histories = {
            net: results[key]["history"]
            for net in TALK_NETS
            if "history" in results.get(key := f"{protocol}/all-mel/{net}/seed0", {})
        }
        if histories:
            title = protocol_title(protocol)
            text = f"{title}: accuracy and loss of the talk's nets, seed 0."
            if all(e["valid_loss"] is None for epochs in histories.values() for e in epochs):
                text += (
                    " All are of training, and no line is solid: the validation part is what the "
                    "figures are of, and was left alone until the last epoch."
                )
            figure = draw_curves(histories, title)
            parts.append(_picture(figure, f"curves-{protocol}", out, text))
    return "".join(parts)


def _confusions(results: Mapping[str, Result], out: Path) -> str:
    parts: list[str] = []
    for protocol in PROTOCOLS:
        pair = []
        for net in TALK_NETS:
            result = results.get(f"{protocol}/all-mel/{net}/seed0", {})
            if "confusion" not in result:
                continue
            title = f"{net}, {protocol_title(protocol)}"
            text = f"{title}: per cent of the {result['level']}s of each genre."
            figure = draw_confusion(result["confusion"], result["labels"], title)
            pair.append(_picture(figure, f"confusion-{protocol}-{net}", out, text))
        if pair:
            parts.append(
                f"<details{' open' if not parts else ''}><summary>Confusion matrices, "
                f"{protocol_title(protocol)}"
                f'</summary><div class="pair">{"".join(pair)}</div></details>'
            )
    return "".join(parts)


def _picture(figure: Any, name: str, out: Path, text: str) -> str:
    folder = out / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{name}.png") as part:
        part.write_bytes(png(figure))
    markup = svg(figure, name).replace("<svg", f'<svg role="img" aria-label="{escape(text)}"', 1)
    return f"<figure>{markup}<figcaption>{escape(text)}</figcaption></figure>"


def _footer(results: Mapping[str, Result]) -> str:
    seconds = sum(r.get("seconds", 0.0) for r in results.values())
    commits = Counter(r["commit"] for r in results.values() if r.get("commit"))
    made_by = ", ".join(f"{name} ({n} cells)" for name, n in commits.most_common())
    by = f" Commits: {escape(made_by)}." if made_by else ""
    return (
        f'<p class="faint">{len(results)} cells, {seconds / 60:.0f} minutes of computing on '
        f"{escape(platform.machine())}, Python {platform.python_version()}, Genrescope "
        f"{genrescope.__version__}.{_when(results)}{by}</p>"
    )


def _when(results: Mapping[str, Result]) -> str:
    dates = sorted({r["date"] for r in results.values() if r.get("date")})
    if not dates:
        return ""
    undated = sum(not r.get("date") for r in results.values())
    but = f", but for {undated} cells that carry no date" if undated else ""
    return f" Computed {' to '.join(dict.fromkeys((dates[0], dates[-1])))}{but}."
