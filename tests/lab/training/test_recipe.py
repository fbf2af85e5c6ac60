"""Recipes: read from TOML, checked, and written as plain values."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_makers import SMALL_CNN as RECIPE

from genrescope.errors import GenrescopeError
from genrescope.lab.training.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "no epoch"),
        ("epochs = 'many'", "epochs must be int"),
        ("[augment]\nnois = 0.1", r"augment\.nois"),
        ("lr = inf", "lr must be >= 0, not inf"),
        ("lr = nan", "lr must be >= 0, not nan"),
        ("[augment]\nstretch = inf", r"augment\.stretch must be a number, not inf"),
        ("[augment]\nloudest_noise = nan", r"augment\.loudest_noise must be a number, not nan"),
        ("[augment]\nmixup_alpha = 0", r"augment\.mixup_alpha must be above 0"),
        ("[augment]\nmixup = 0.9\ncutmix = 0.2", "mixup and cutmix: a probability is at most 1"),
        ("net = ", "Invalid value"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(GenrescopeError, match=message):
        Recipe.load(path)


def test_the_earlier_name_of_a_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("judge_every = 7")
    assert Recipe.load(path).validate_every == 7
    path.write_text("judge_every = 7\nvalidate_every = 5")
    with pytest.raises(GenrescopeError, match="judge_every is the earlier name of validate_every"):
        Recipe.load(path)


def test_a_recipe_goes_through_a_dict_unchanged() -> None:
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE
