"""What a run learned from besides its clips: other runs, as its config records them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from genrescope.lab.training.recipe import Recipe

Config = Mapping[str, Any]

NONE: Config = {"teachers": [], "start": None}
"""Of a run that learned from its clips alone."""

_RECORDED = ("command", "date", "seed", "recipe", "commit", *NONE)


def record(config: Config) -> dict[str, Any]:
    """How to have a run again: what one that learns from it keeps."""
    return {key: config.get(key) for key in _RECORDED}


def method(config: Config) -> dict[str, Any]:
    """How a net came to be, whatever its clips and seeds: its recipe and those it learned from."""
    start = config["start"]
    return {
        "recipe": Recipe.from_dict(config["recipe"]).to_dict(),
        "teachers": sorted((method(one) for one in config["teachers"]), key=repr),
        "start": method(start) if start else None,
    }


def ancestry(configs: Iterable[Config]) -> list[dict[str, Any]]:
    """Records of runs, each once and after those of all that it learned from."""
    found: list[dict[str, Any]] = []
    for config in configs:
        parents = [one for one in (*config["teachers"], config["start"]) if one]
        found += [one for one in (*ancestry(parents), record(config)) if one not in found]
    return found
