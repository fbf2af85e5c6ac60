from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from bundle_maker import LABELS, make_bundle, refused, tiny_onnx

from genrescope.errors import BundleError
from genrescope.features.config import STORE_CONFIG, FeatureConfig
from genrescope.model import bundle as bundle_module
from genrescope.model import schema
from genrescope.model.bundle import DEFAULT_BUNDLE, Bundle, shipped_bundles
from genrescope.model.card import model_card


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


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "catalogue.npz"])
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    message = refused(folder)
    assert name in message
    assert "SHA-256" in message


def test_a_changed_file_is_refused_when_it_is_read_at_the_latest(folder: Path) -> None:
    (folder / "catalogue.npz").write_bytes(b"changed")
    bundle = Bundle.load(folder, verify_files=False)
    assert bundle.read("model.onnx") == tiny_onnx()
    with pytest.raises(BundleError, match="SHA-256 differs"):
        bundle.read("catalogue.npz")


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "catalogue.npz"])
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refused(folder)


def test_a_folder_that_is_absent_or_no_bundle(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "absent")
    assert "bundle.json" in refused(tmp_path)


def test_bundles_that_ship_have_names(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("default", "another", "wide"):
        shutil.copytree(tiny_bundle, tmp_path / "shipped" / name)
    monkeypatch.setattr(bundle_module, "DEFAULT_BUNDLE", tmp_path / "shipped/default")
    assert [path.name for path in shipped_bundles()] == ["default", "another", "wide"]
    monkeypatch.chdir(tmp_path)
    assert Bundle.load("wide").path == tmp_path / "shipped/wide"
    shutil.copytree(tiny_bundle, tmp_path / "wide")  # a folder of that name is nearer
    assert Bundle.load("wide").path == Path("wide")
    assert "no such folder" in refused(tmp_path / "elsewhere/wide")


def test_a_package_without_its_model_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bundle_module, "DEFAULT_BUNDLE", tmp_path)
    with pytest.raises(BundleError, match="ships without its model"):
        Bundle.load()


def test_a_file_beyond_the_limit_is_not_read_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MAX_FILE_BYTES", 1 << 10)
    assert "larger than" in refused(folder)


def test_what_ships_is_whole_and_small() -> None:
    if not (DEFAULT_BUNDLE / "bundle.json").exists():
        pytest.skip("no bundle ships with this copy")
    total = 0
    for folder in shipped_bundles():
        bundle = Bundle.load(folder)
        assert (folder / "MODEL_CARD.md").read_text() == model_card(bundle)
        assert bundle.metrics
        assert bundle.training["command"]
        total += sum(path.stat().st_size for path in folder.iterdir())
    assert total < 25e6
