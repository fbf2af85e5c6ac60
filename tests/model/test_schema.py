"""bundle.json is checked whole before anything of it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_maker import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.errors import BundleError
from genrescope.model import schema

Change = Callable[[dict[str, Any]], None]


def spoil(folder: Path, change: Change) -> None:
    path = folder / "bundle.json"
    payload = json.loads(path.read_text())
    change(payload)
    path.write_text(json.dumps(payload))


HALL = {
    "name": "hall", "n": 98, "accuracy": 0.5, "low": 0.4, "high": 0.6, "drop": 0.1,
    "sink": "jazz", "sink_share": 0.25,
}  # fmt: skip


def _set(key: str, value: Any) -> Change:
    return lambda payload: payload.__setitem__(key, value)


def _feature(key: str, value: Any) -> Change:
    return lambda payload: payload["features"].__setitem__(key, value)


def _features(**values: Any) -> Change:
    return lambda payload: payload["features"].update(values)


def _metric(key: str, value: Any) -> Change:
    return lambda payload: payload["metrics"][0].__setitem__(key, value)


def _file(key: str, value: Any) -> Change:
    return lambda payload: payload["files"].__setitem__(key, value)


HOSTILE: dict[str, tuple[Change, str]] = {
    "unknown version": (_set("format_version", 2), "format version 2"),
    "version of another type": (_set("format_version", True), "format version True"),
    "path out of the folder": (_file("../../etc/passwd", "0" * 64), "does not belong"),
    "absolute path": (_file("/etc/passwd", "0" * 64), "does not belong"),
    "files of another type": (_set("files", ["model.onnx"]), "files"),
    "no model": (lambda payload: payload["files"].pop("model.onnx"), "model.onnx"),
    "no hash": (_file("model.onnx", 12), "SHA-256"),
    "unknown key": (_set("exec", "rm -rf /"), "unknown keys"),
    "missing key": (lambda payload: payload.pop("labels"), "labels"),
    "one label": (_set("labels", ["rock"]), "labels"),
    "a label twice": (_set("labels", ["rock"] * 10), "labels"),
    "labels that are numbers": (_set("labels", list(range(10))), "labels"),
    "a label that drives the terminal": (
        lambda payload: payload["labels"].__setitem__(0, "\x1b]0;owned\x07"),
        "control characters",
    ),
    "a label that turns text around": (
        lambda payload: payload["labels"].__setitem__(0, "kcor \u202e rock"),
        "control characters",
    ),
    "a label that is no text": (
        lambda payload: payload["labels"].__setitem__(0, "rock \udce9"),
        "control characters",
    ),
    "an empty name": (_set("name", " "), "name"),
    "a name without end": (_set("name", "n" * 1000), "name"),
    "features of another type": (_set("features", None), "features"),
    "an unknown feature": (_feature("n_mfcc", 13), "n_mfcc"),
    "an absurd sr": (_feature("sr", 10**12), "sr"),
    "an absurd n_fft": (_feature("n_fft", 2**40), "n_fft"),
    "a text for a number": (_feature("hop_length", "1708"), "hop_length"),
    "bands without end": (_features(n_fft=2**16, n_mels=None, kind="stft"), "bands"),
    "more bands than bins": (_feature("n_mels", 60_000), "n_mels must be at most"),
    "frames without end": (_feature("hop_length", 1), "frames per second"),
    "fmax below fmin": (_feature("fmin", 11_025.0), "fmin"),
    "a window of no length": (_set("window_s", 0), "window_s"),
    "a window without end": (_set("window_s", 1e300), "window_s"),
    "a hop beyond the window": (_set("hop_s", 3.5), "hop_s"),
    "a hop of nothing": (_set("hop_s", 1e-3), "hop_s"),
    "a temperature of zero": (_set("temperature", 0), "temperature"),
    "a temperature that is no number": (_set("temperature", float("nan")), "JSON"),
    "a threshold that is no number": (_set("thresholds", {"uncertain": "x"}), "thresholds"),
    "training of another type": (_set("training", []), "training"),
    "tracks of another type": (_set("training", {"tracks": [1]}), "training.tracks"),
    "metrics of another type": (_set("metrics", {}), "metrics"),
    "an accuracy above one": (_metric("accuracy", 1.5), "metrics[0]"),
    "nothing measured": (_metric("n", 0), "metrics[0]"),
    "an interval turned round": (_metric("low", 0.9), "metrics[0]"),
    "degradations of another type": (_set("degradations", {}), "degradations"),
    "a degradation without figures": (_set("degradations", [{"name": "hall"}]), "degradations[0]"),
    "a degradation with a share of two": (
        _set("degradations", [HALL | {"flagged": {"uncertain": 2.0}}]),
        "degradations[0]",
    ),
    "deep nesting": (_set("training", json.loads("[" * 40 + "]" * 40)), ""),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_bundle_json_is_refused_in_words(folder: Path, case: str) -> None:
    change, words = HOSTILE[case]
    spoil(folder, change)
    message = refused(folder)
    assert words in message
    assert len(message) < 400
    assert message.isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format_version": 1' + b"0" * 10_000 + b"}",
        b" " * (schema.MAX_JSON_BYTES + 1),
    ],
    ids=["empty", "array", "null", "broken", "bytes", "depth", "digits", "size"],
)
def test_what_is_no_bundle_json_is_refused(folder: Path, raw: bytes) -> None:
    (folder / "bundle.json").write_bytes(raw)
    assert "bundle.json" in refused(folder) or "format version" in refused(folder)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused(tiny_bundle: Path, data: st.DataObject) -> None:
    payload = json.loads((tiny_bundle / "bundle.json").read_bytes())
    place = payload
    key: Any = data.draw(st.sampled_from(sorted(payload)))
    while data.draw(st.booleans()) and isinstance(place[key], dict) and place[key]:
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(_JSON)
    message = ""
    try:
        assert schema.parse(json.dumps(payload).encode()) == payload
    except BundleError as error:
        message = str(error)
    assert message.isprintable()
