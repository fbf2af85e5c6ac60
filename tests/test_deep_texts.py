"""Files of text that nest a hundred thousand deep are refused in words by all who read such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from genrescope.data.store import INDEX_NAME, FeatureStore
from genrescope.errors import GenrescopeError
from genrescope.features.config import STORE_CONFIG
from genrescope.fleet.cost import read_figures
from genrescope.fleet.plan import PLAN, read_plan
from genrescope.fleet.shard import RUN, read_run
from genrescope.fleet.store import DiskFolder
from genrescope.lab.export.evidence import degradation_rows
from genrescope.lab.heads.run import HEAD_JSON, load_heads
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.run import CONFIG, Run
from genrescope.library.learn.lessons import read_table
from genrescope.library.playlist import read_recipe
from genrescope.library.tags import plan
from genrescope.model.bundle import Bundle

DEEP = 100_000
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a bundle": ("bundle.json", lambda path: Bundle.load(path.parent)),
    "a run": (CONFIG, lambda path: Run.load(path.parent)),
    "a run of heads": (HEAD_JSON, lambda path: load_heads({"key": path.parent}, STORE_CONFIG)),
    "a feature store": (INDEX_NAME, lambda path: FeatureStore.load(path.parent)),
    "a robustness report": ("report.json", lambda path: degradation_rows(path, [])),
    "a run of a fleet": (RUN, lambda path: read_run(DiskFolder(path.parent))),
    "a plan of a fleet": (PLAN, lambda path: read_plan(DiskFolder(path.parent))),
    "figures of a machine": ("figures.json", read_figures),
    "a recipe of a playlist": ("list.json", read_recipe),
    "a plan of tags": ("plan.jsonl", plan.read_plan),
    "a recipe": ("recipe.toml", Recipe.load),
    "a table of genres": ("genres.toml", read_table),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("sign", ["[", '{"a":'])
def test_what_nests_too_deep_is_refused(tmp_path: Path, reader: str, sign: str) -> None:
    name, read = READERS[reader]
    opening = "a = " if name.endswith(".toml") else ""
    path = tmp_path / name
    path.write_text(opening + sign * DEEP)
    with pytest.raises(GenrescopeError) as caught:
        read(path)
    assert len(str(caught.value)) < 1_000
    assert str(caught.value).isprintable()
