from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle

from genrescope.data import gtzan
from genrescope.errors import GenrescopeError
from genrescope.features.config import FeatureConfig
from genrescope.lab.heads import train as module
from genrescope.lab.heads.nets import PitchNet
from genrescope.lab.heads.pitch import train_pitch
from genrescope.lab.heads.run import attach
from genrescope.lab.heads.tasks import TASKS
from genrescope.lab.heads.train import fit_temperature, train_head
from genrescope.model.classifier import Classifier
from genrescope.model.clip import Clip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GTZAN's names over made music: beats at the annotated tempo, notes of the annotated tonic."""
    tempi, keys = gtzan.tempo_by_track(), gtzan.key_by_track()
    chosen, artists = [], set[str]()
    for track in gtzan.tracks():
        known = track.track_id in tempi and track.track_id in keys
        if known and track.artist and track.artist not in artists:
            chosen.append(track)
            artists.add(track.artist)
    rng = np.random.default_rng(0)
    mel = np.zeros((len(chosen), 128, 387), np.uint8)
    for row, track in zip(mel, chosen, strict=True):
        since = np.mod(np.arange(387) / 12.91, 60 / tempi[track.track_id])
        level = 90 + 80 * np.exp(-since / 0.1) + rng.normal(0, 4, (128, 387))
        row[:] = np.clip(level, 0, 255)
    path = tmp_path_factory.mktemp("store") / "mel_u8.npz"
    np.savez(
        path,
        track=np.array([track.track_id for track in chosen]),
        genre=np.array([track.genre for track in chosen]),
        mel=mel,
    )
    return path


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    def front(config: FeatureConfig, seed: int) -> PitchNet:
        return train_pitch(config, seed=seed, n_clips=8, epochs=1)

    for name, task in list(TASKS.items()):
        quick = dataclasses.replace(task, epochs=3, n_nets=1, front=task.front and front)
        monkeypatch.setitem(TASKS, name, quick)


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
def test_heads_are_trained_judged_and_attached(store: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    for task in ("tempo", "key"):
        made = train_head(
            task, [store], tmp_path / task, seed=1, command="as typed",
            progress=lambda done, total, note: seen.append(done),
        )  # fmt: skip
        assert json.loads((tmp_path / task / "head.json").read_text()) == made
        assert made["training"]["seed"] == 1
        assert made["training"]["command"] == "as typed"
    assert seen
    tempo = json.loads((tmp_path / "tempo" / "head.json").read_text())
    assert tempo["figures"]["accuracy2"]["value"] >= tempo["figures"]["accuracy1"]["value"]
    assert tempo["figures"]["accuracy2"]["value"] > 0.5
    bundle = make_bundle(tmp_path / "b")
    runs = {"tempo": tmp_path / "tempo", "key": tmp_path / "key"}
    with_both = attach(bundle.path, tmp_path / "with", runs)
    noise = np.random.default_rng(0).normal(-40, 5, (128, 387)).astype(np.float32)
    prediction = Classifier(with_both).classify_features(Clip(noise, 30.0, ()))
    assert prediction.tempo is not None
    assert prediction.key is not None
    assert "accuracy1" in (with_both.path / "MODEL_CARD.md").read_text()
    with pytest.raises(GenrescopeError, match="not the tempo"):
        attach(bundle.path, tmp_path / "c", {"tempo": tmp_path / "key", "key": None})


def test_music_without_annotations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(
        path,
        track=np.array(["a", "b"]),
        genre=np.array(["jazz", "rock"]),
        mel=np.zeros((2, 128, 50), np.uint8),
    )
    with pytest.raises(GenrescopeError, match="no track in it has an annotation"):
        train_head("tempo", [path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_temperature_undoes_what_logits_were_multiplied_by() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in probs])
    inside = np.arange(5) == truth[:, None]
    assert fit_temperature(2 * logits, inside) == pytest.approx(2, rel=0.1)
    assert module.BEATLESS < 0.5
