"""The commands of docs/own-music.md, one after the other, on music made on the spot."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from lab_makers import GENRES, few_counterexamples, music_folder

from genrescope.cli import app
from genrescope.lab.training.recipe import Recipe

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "own-music.md"
BRIEF = """
net = "compact"
epochs = 12
batch_size = 8
lr = 0.005
ema = 0.9
options = { width = 4 }
"""


def commands() -> list[list[str]]:
    """Every genrescope command of the tutorial, as typed."""
    blocks = re.findall(
        r"```\n(genrescope .*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL
    )
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_the_tutorial_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    music_folder(Path("music"), 12)
    Path("recipe.toml").write_text(BRIEF)
    Path("song.mp3").write_bytes(Path("music/tango/3.wav").read_bytes())  # known by its bytes
    typed = commands()
    verbs = [command[0] for command in typed]
    assert verbs == [
        *("dataset", "dataset", "train", "train", "train", "evaluate", "train", "export"),
        *("info", "classify", "serve"),
    ]
    outputs = {}
    for command in typed[:-1]:
        if command[0] == "classify":
            command = [*command, "--json"]
        with few_counterexamples(10):
            result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, f"{command}: {result.output}"
        outputs[command[0]] = result.stdout
        if command[0] == "export":
            assert "always list every genre" not in result.stderr
            few = [*command[: command.index("--evidence") + 2], "--out", "few"]
            with few_counterexamples(10):
                assert "always list every genre" in CliRunner().invoke(app, few).stderr
    answer = json.loads(outputs["classify"])
    assert answer["genre"] == "tango"
    assert set(answer["probabilities"]) == set(GENRES)
    assert "artists" in outputs["info"]
    from genrescope.model import Classifier

    bundle = typed[-1][typed[-1].index("--bundle") + 1]
    assert Classifier.load(bundle).classify("music/fado/0.wav").genre == "fado"
    card = (Path(bundle) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "tango" in card


def test_the_recipe_of_the_tutorial_is_one() -> None:
    [text] = re.findall(r"```toml\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    recipe = Recipe.from_dict(tomllib.loads(text))
    assert recipe.net == "compact"
    assert recipe.augment.mixup == 0.5


def test_every_field_of_a_recipe_is_explained() -> None:
    from dataclasses import fields

    from genrescope.lab.nets import NETS
    from genrescope.lab.training.augment import Augment

    text = (TUTORIAL.parent / "training.md").read_text(encoding="utf-8")
    defaults = Recipe()
    for kind, values in ((Recipe, defaults), (Augment, defaults.augment)):
        for field in fields(kind):
            if field.name in ("augment", "options"):
                continue
            row = re.search(rf"\| `{field.name}` \| `?\"?([^|`\"]+)\"?`? \|", text)
            assert row is not None, field.name
            default = getattr(values, field.name)
            written = row.group(1) if row.group(1) != "none" else ""
            assert type(default)(written) == default
    assert all(f"`{name}`" in text for name in NETS)
