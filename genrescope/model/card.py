"""The model card: what ``bundle.json`` holds, told to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genrescope.model.prediction import DOUBTS

if TYPE_CHECKING:
    from genrescope.model.bundle import Bundle

_COLUMNS = ("protocol", "leaky", "part", "level", "n", "accuracy", "low", "high")
_TRAINING = {
    "data": "Data",
    "split": "Split",
    "protocol": "Protocol",
    "net": "Net",
    "recipe": "Recipe",
    "seed": "Seed",
    "command": "Command",
    "commit": "Commit",
    "date": "Date",
}
_NOTES = ("limits", "recordings")
"""What the card says of the training data: what it cannot teach, and its licence."""


def model_card(bundle: Bundle) -> str:
    """Markdown that says what a bundle is, how good it is, on what, and where it ends.

    It depends on ``bundle.json`` alone, so that the same file gives the same card.
    """
    sections = [
        _head(bundle),
        _use(),
        _training(bundle),
        _metrics(bundle),
        *([_degradations(bundle)] if bundle.degradations else []),
        *([_heads(bundle)] if bundle.heads else []),
        _answers(bundle),
        _limits(bundle),
        _licence(bundle),
        _files(bundle),
    ]
    return "\n".join(sections)


def _head(bundle: Bundle) -> str:
    config = bundle.features
    rows = {
        "Classes": f"{len(bundle.labels)}: {', '.join(bundle.labels)}",
        "Input": f"{_input(bundle)}, n_fft {config.n_fft}, hop {config.hop_length} samples "
        f"({config.frame_rate:.1f} frames/s), {config.top_db:g} dB range, "
        "each clip standardised by its own mean and deviation",
        "Window": f"{bundle.window_s:g} s, one every {bundle.hop_s:g} s, stretched to fill the "
        "clip; the probabilities of a clip are the mean over its windows",
        "Output": "probabilities of a clip, of its windows and, for a timeline, of their parts; "
        "and an embedding",
        "Created": bundle.created,
    }
    return (
        f"# {bundle.name}\n\n"
        f"A music genre classifier for Genrescope: it hears a recording and says which of "
        f"{len(bundle.labels)} genres it sounds like.\n\n" + _table(rows)
    )


def _input(bundle: Bundle) -> str:
    config = bundle.features
    titles = {"mel": "log-mel of {} bands", "stft": "{} STFT bins", "waveform": "the waveform"}
    return f"{titles[config.kind].format(config.n_bins)} at {config.sr} Hz mono"


def _use() -> str:
    return """\
## Use

```
genrescope classify song.mp3
```

```python
from genrescope.model import Classifier

print(Classifier.load().classify("song.mp3").genre)
```

Give `--bundle FOLDER`, or `Classifier.load("FOLDER")`, where this is not the bundle that ships.
"""


def _training(bundle: Bundle) -> str:
    training = bundle.training
    rows = {title: plain(training[key]) for key, title in _TRAINING.items() if key in training}
    if "tracks" in training:
        rows["Tracks"] = f"{len(training['tracks'])}, listed in `bundle.json`"
    shown = {*_TRAINING, *_NOTES, "tracks"}
    rows |= {key: plain(value) for key, value in training.items() if key not in shown}
    body = _table(rows) if rows else "Not recorded.\n"
    return f"## Training\n\n{body}"


def _metrics(bundle: Bundle) -> str:
    if not bundle.metrics:
        return "## Accuracy\n\nNot measured.\n"
    lines = [
        "## Accuracy",
        "",
        "The protocol decides what a figure is worth: where windows or artists are shared between",
        "training and test it says more about memory than about genre. Intervals are of 95 %.",
        "",
        "| protocol | part | level | n | accuracy | interval | more |",
        "|---|---|---|---:|---:|---|---|",
    ]
    for row in bundle.metrics:
        more = "; ".join(f"{k}: {plain(v)}" for k, v in row.items() if k not in _COLUMNS)
        cells = [
            plain(protocol_of(row)),
            plain(row["part"]),
            plain(row["level"]),
            str(row["n"]),
            f"{row['accuracy']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            more,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _degradations(bundle: Bundle) -> str:
    lines = [
        "## Degradations",
        "",
        "Held-out recordings, some of them excerpts of a few seconds, each disturbed on its way to",
        "the model and heard through the whole path; judged by a model of the same recipe that had",
        "not learned them. Rooms, noise and voices are made, not recorded, and noise and voices",
        "are made alike in training: people and rooms as they are have not been tried.",
        "",
        "| degradation | n | accuracy | interval | drop | named most | uncertain | no music |",
        "|---|---:|---:|---|---:|---|---:|---:|",
    ]
    for row in bundle.degradations:
        flagged = row.get("flagged", {})
        doubts = (f"{flagged[f]:.0%}" if f in flagged else "" for f in DOUBTS)
        lines.append(
            f"| {plain(row['name'])} | {row['n']} | {row['accuracy']:.3f} "
            f"| {row['low']:.3f} to {row['high']:.3f} | {row['drop']:+.3f} "
            f"| {plain(row['sink'])} ({row['sink_share']:.0%}) | {' | '.join(doubts)} |"
        )
    return "\n".join(lines) + "\n"


def _heads(bundle: Bundle) -> str:
    lines = [
        "## Tempo and key",
        "",
        "Small nets beside the genre's tell them from the same log-mel. Each figure is of tracks",
        "whose artists the nets that judged them had not learned: `accuracy1` is the share of",
        "tempi within 4 % of the annotated one, `accuracy2` counts its double, triple, half and",
        "third as well; `weighted` gives a key that is a fifth above, relative or parallel a half,",
        "0.3 or 0.2 of a point (mir_eval's definitions). Intervals are of 95 %.",
        "",
        "| what | figure | n | value | interval |",
        "|---|---|---:|---:|---|",
    ]
    for name, head in bundle.heads.items():
        for figure, row in head["figures"].items():
            interval = f"{row['low']:.3f} to {row['high']:.3f}" if row["low"] < row["high"] else ""
            lines.append(
                f"| {name} | {plain(figure)} | {row['n']} | {row['value']:.3f} | {interval} |"
            )
    for name, head in bundle.heads.items():
        training = {key: value for key, value in head["training"].items() if key != "tracks"}
        lines += ["", f"- {name}: {plain(training)}."]
    if "beat" in bundle.thresholds:
        lines += [
            "",
            f"A recording whose pulse has a probability below {bundle.thresholds['beat']:.3g} gets "
            "the flag `no beat`.",
        ]
    return "\n".join(lines) + "\n"


def _answers(bundle: Bundle) -> str:
    lines = [
        "## How it answers",
        "",
        f"- Logits are divided by a temperature of {bundle.temperature:g} before the softmax.",
        "- Silences before, after and between the music are left out.",
        "- A silent recording gets no label (flag `silent`), one shorter than a window is told "
        "from what there is (`short`), a broken one is used as far as it decodes (`truncated`).",
    ]
    if "uncertain" in bundle.thresholds:
        lines.append(
            f"- A clip whose best genre has a probability below "
            f"{bundle.thresholds['uncertain']:.3g} gets the flag `uncertain`."
        )
    if "set" in bundle.thresholds:
        lines.append(
            "- `genres` are the most probable ones, so many that the true one is among them for "
            "nine recordings in ten like those it was measured on (adaptive prediction sets at "
            f"{bundle.thresholds['set']:.3g}, fitted on held-out tracks)."
        )
    if bundle.no_music is not None:
        lines.append(_no_music(bundle.no_music.figures))
    return "\n".join(lines) + "\n"


def _no_music(figures: dict[str, float]) -> str:
    text = (
        "- What sounds like no music gets the flag `no music`: a logistic model of the texture of "
        "its spectrogram, in windows of a few seconds, learned from the training tracks against "
        "made noise, tones, hum, clicks and the speech of one voice. Several people at once are "
        "mostly not flagged, since music with people talking over it must not be."
    )
    if figures:
        shares = ", ".join(f"{plain(kind)} {share:.1%}" for kind, share in figures.items())
        text += f" It falls, cross-validated, on: {shares}."
    return text


def _limits(bundle: Bundle) -> str:
    text = (
        "## Limits\n\n"
        "- It always ranks the genres it knows and no other; a recording that is no music gets "
        "probabilities too, flagged or not.\n"
        "- Genre is a habit of listeners, not a property of sound: people disagree as well.\n"
    )
    return text + _note(bundle, "limits")


def _licence(bundle: Bundle) -> str:
    note = _note(bundle, "recordings")
    return f"## Licence\n\n{bundle.licence}\n" + (f"\n{note}" if note else "")


def _files(bundle: Bundle) -> str:
    # The card cannot hold its own hash.
    digests = {f"`{k}`": f"`{v}`" for k, v in bundle.files.items() if k != "MODEL_CARD.md"}
    return "## Files\n\nSHA-256, checked each time the bundle is loaded.\n\n" + _table(digests)


def _note(bundle: Bundle, key: str) -> str:
    note = bundle.training.get(key)
    return f"{note}\n" if note else ""


def _table(rows: dict[str, str]) -> str:
    lines = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    return "\n".join(lines) + "\n"


def protocol_of(row: Mapping[str, Any]) -> str:
    """The protocol of a row of a bundle's metrics; one that flatters is called so."""
    return f"{row['protocol']} (leaky)" if row.get("leaky") else str(row["protocol"])


def plain(value: Any) -> str:
    """A value in a table's cell."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {plain(inner)}" for key, inner in value.items() if inner not in ({}, [], "")
        )
    if isinstance(value, list):
        between = "; " if any(isinstance(item, dict) for item in value) else ", "
        return between.join(plain(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
