"""What an excerpt costs is measured on tracks that the bundle did not learn."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle

from benchmarks.excerpt import main
from genrescope.fleet.cost import ExcerptCost, read_excerpt_cost
from genrescope.model.bundle import Bundle


def _stored(folder: Path, labels: tuple[str, ...]) -> list[str]:
    rng = np.random.default_rng(0)
    names = [f"song-{i}" for i in range(8)]
    mel = rng.integers(0, 256, (8, 128, 387), np.uint8)
    np.savez(folder / "mel.npz", track=np.array(names), mel=mel)
    with (folder / "tracks.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track", "genre", "certain"])
        for i, name in enumerate(names):
            writer.writerow([name, labels[i % len(labels)], "no" if i == 7 else "yes"])
    return [str(folder / "mel.npz"), str(folder / "tracks.csv")]


def test_it_is_measured_and_kept(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").path
    data = _stored(tmp_path, Bundle.load(bundle).labels)
    main(["--bundle", str(bundle), "--data", *data, "--out", str(tmp_path / "cost.json")])
    cost = ExcerptCost(**json.loads((tmp_path / "cost.json").read_text()))
    assert cost.tracks == 7
    assert cost.excerpt_s == pytest.approx(11.25)
    assert cost.change_low <= cost.accuracy_excerpt - cost.accuracy <= cost.change_high
    assert f"of {cost.tracks} tracks" in str(cost)


def test_what_ships_was_measured_on_what_is_at_hand() -> None:
    cost = read_excerpt_cost()
    assert cost.tracks > 200
    assert 0.5 < cost.accuracy_excerpt < 1
