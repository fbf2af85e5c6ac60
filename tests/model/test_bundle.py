from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_maker import LABELS, make_bundle, tiny_onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.errors import BundleError
from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.model import bundle as bundle_module
from genrescope.model import schema
from genrescope.model.bundle import DEFAULT_BUNDLE, Bundle
from genrescope.model.card import model_card

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle to spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def spoil(folder: Path, change: Change) -> None:
    path = folder / "bundle.json"
    payload = json.loads(path.read_text())
    change(payload)
    path.write_text(json.dumps(payload))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert message.count(str(folder)) == 1
    return message.replace(str(folder), "")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = make_bundle(tmp_path / "b", features=FeatureConfig(fmin=30.0), temperature=0.7)
    assert Bundle.load(tmp_path / "b") == written
    assert written.features == FeatureConfig(fmin=30.0)
    assert written.temperature == 0.7
    assert written.labels == LABELS
    assert written.read("model.onnx") == tiny_onnx()


def test_a_window_of_three_seconds_is_39_frames(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    assert bundle.features == STORE_CONFIG
    assert bundle.windowing.window_length == 39


def test_files_hold_their_true_sha256(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    assert bundle.files.keys() == {"model.onnx", "MODEL_CARD.md", "catalogue.npz"}
    for name, digest in bundle.files.items():
        assert hashlib.sha256((tiny_bundle / name).read_bytes()).hexdigest() == digest


def test_any_ordinary_file_name_may_be_in_a_bundle(folder: Path) -> None:
    names = [
        "宇多田\u3000ヒカル.mp3",
        "Barbara\u00a0!.mp3",
        "\U0001f469\u200d\U0001f3a4.mp3",
        "אמא\u200e.mp3",
        "so\u00adft.mp3",
        "\ue000.mp3",
    ]
    make_bundle(folder, training={"tracks": names})
    assert Bundle.load(folder).training["tracks"] == names


def test_writing_over_a_bundle_leaves_nothing_of_the_old(folder: Path) -> None:
    again = make_bundle(folder, name="second", catalogue=None)
    assert Bundle.load(folder).name == "second"
    assert sorted(p.name for p in folder.iterdir()) == sorted([*again.files, "bundle.json"])


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "catalogue.npz"])
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    message = refused(folder)
    assert name in message
    assert "SHA-256" in message


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "catalogue.npz"])
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refused(folder)


def test_a_folder_that_is_absent_or_no_bundle(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "absent")
    assert "bundle.json" in refused(tmp_path)


def test_a_package_without_its_model_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bundle_module, "DEFAULT_BUNDLE", tmp_path)
    with pytest.raises(BundleError, match="ships without its model"):
        Bundle.load()


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


def test_a_file_beyond_the_limit_is_not_read_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MAX_FILE_BYTES", 1 << 10)
    assert "larger than" in refused(folder)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


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


def test_a_bundle_that_would_not_load_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="temperature"):
        make_bundle(tmp_path / "b", temperature=0.0)
    assert not (tmp_path / "b").exists()


def test_the_card_tells_what_bundle_json_holds(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    card = (tiny_bundle / "MODEL_CARD.md").read_text()
    assert card == model_card(bundle)
    for said in (
        "# tiny",
        *LABELS,
        "22050 Hz",
        "Apache-2.0",
        "| fault-filtered | valid | track | 10 | 0.500 | 0.200 to 0.800 |",
        "below 0.15",
        bundle.files["model.onnx"],
    ):
        assert said in card


def test_the_card_tells_how_the_model_stands_a_room(tmp_path: Path) -> None:
    doubtful = HALL | {"name": "telephone", "flagged": {"uncertain": 0.05, "no music": 0.17}}
    bundle = make_bundle(tmp_path, degradations=[HALL, doubtful])
    assert Bundle.load(tmp_path).degradations == [HALL, doubtful]
    figures = "98 | 0.500 | 0.400 to 0.600 | +0.100 | jazz (25%)"
    assert f"| hall | {figures} |  |  |" in model_card(bundle)
    assert f"| telephone | {figures} | 5% | 17% |" in model_card(bundle)
    assert "Degradations" not in model_card(make_bundle(tmp_path))


def test_the_card_names_the_limits_and_the_licence_of_a_known_dataset(tmp_path: Path) -> None:
    known = {"limits": "- Western music alone.", "recordings": "They carry no licence."}
    bundle = make_bundle(tmp_path / "b", training={"data": "GTZAN", **known}, metrics=[])
    card = model_card(bundle)
    assert card.count("Western") == 1
    assert card.index("## Limits") < card.index("Western") < card.index("## Licence")
    assert card.index("## Licence") < card.index("no licence") < card.index("## Files")
    assert "Not measured" in card


def test_the_bundle_that_ships_is_whole_and_small() -> None:
    if not (DEFAULT_BUNDLE / "bundle.json").exists():
        pytest.skip("no bundle ships with this copy")
    bundle = Bundle.load()
    assert (DEFAULT_BUNDLE / "MODEL_CARD.md").read_text() == model_card(bundle)
    assert sum((DEFAULT_BUNDLE / name).stat().st_size for name in bundle.files) < 25e6
    assert bundle.metrics
    assert bundle.training["command"]
