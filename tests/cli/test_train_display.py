"""What a training shows while it runs, and when it is stopped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from cli_makers import invoke

from genrescope.lab.training.train import Training

run = partial(invoke, "train")


@pytest.mark.slow
def test_a_stopped_run_says_how_to_go_on_and_does(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--data", work / "store", "--recipe", work / "recipe.toml"]
    arguments += ["--out", tmp_path / "run"]
    whole = run(*arguments[:-1], tmp_path / "whole")
    original = Training._epoch

    def stop(self: Training, progress: object) -> tuple[float, float]:
        if len(self.history) == 1:
            raise KeyboardInterrupt
        return original(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "_epoch", stop)
    stopped = run(*arguments)
    assert stopped.exit_code == 130
    assert "1 of 3 epochs are kept" in stopped.stderr
    assert "--resume" in stopped.stderr
    monkeypatch.undo()
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "--resume" in refused.stderr
    resumed = run(*arguments, "--resume")
    assert resumed.exit_code == 0
    assert "going on after epoch 1" in resumed.stderr
    last = [result.stdout.split(": ")[1].splitlines()[0] for result in (whole, resumed)]
    assert last[0] == last[1]


@pytest.mark.slow
def test_a_net_that_tells_no_genres_apart_is_warned_of(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--data", work / "store", "--recipe", work / "recipe.toml", "--epochs", 1]
    end_epoch = Training._end_epoch

    def sure_of_polka(self: Training, *arguments: float) -> None:
        self.average.head.bias.data = torch.tensor([0.0, 1e6, 0.0])
        end_epoch(self, *arguments)

    monkeypatch.setattr(Training, "_end_epoch", sure_of_polka)
    result = run(*common, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "WARNING: this net names polka for every clip" in result.stderr
