"""How a net is trained: everything but the data and the seed, as a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from genrescope.errors import GenrescopeError
from genrescope.lab.training.augment import Augment

DEFAULT_RECIPE = Path(__file__).parents[1] / "recipes" / "default.toml"
"""How a net is trained where no recipe is named: right for a set of the size of GTZAN."""

SHIPPED_RECIPE = DEFAULT_RECIPE.with_name("world.toml")
"""How the net of the shipped bundle is trained, on several sets together."""

OLD_NAMES = {"judge_every": "validate_every"}
"""Fields of recipes as earlier versions called them, which are still read."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "window_s": (0.01, math.inf),
    "epochs": (1, math.inf),
    "excerpts": (1, math.inf),
    "batch_size": (2, math.inf),  # batch normalisation needs two
    "lr": (0, math.inf),
    "weight_decay": (0, math.inf),
    "label_smoothing": (0, 0.999),
    "ema": (0, 0.999999),
    "validate_every": (1, math.inf),
    "patience": (0, math.inf),
    "balance": (0, 1),
    "doubtful": (0, 1),
    "tempo": (0, math.inf),
    "key": (0, math.inf),
}


@dataclass(frozen=True)
class Recipe:
    """A way to train a net.

    Attributes:
        net: name in `genrescope.lab.nets.NETS`.
        options: keyword arguments of the net.
        weights: file of image-trained weights, or its URL, from which a ResNet starts, or the
            ResNet in a Res-BiGRU; empty for none.
        weights_sha256: checksum of that file; a URL needs one.
        window_s: length of an excerpt in s.
        epochs: passes; one pass takes ``excerpts`` of each clip.
        excerpts: random excerpts of a clip in one epoch; a fixed window counts as one.
        batch_size: excerpts in a step.
        lr: highest learning rate, reached after a tenth of the steps, then cosine to 0.
        weight_decay: of AdamW, on matrices and kernels alone.
        label_smoothing: probability spread over all classes.
        ema: decay a step of the averaged weights that are kept; 0 keeps the last ones.
        validate_every: epochs from one validation to the next; the last is always validated.
        patience: validations without a better loss before stopping; 0 never stops.
        balance: 0 draws every clip as often as any other, 1 every genre; between them a genre's
            share goes with its number of clips to the power of 1 - balance.
        doubtful: how often a clip of doubtful genre is drawn, beside a certain one.
        tempo, key: weights of the losses of these tasks beside the genre's, which are learned of
            the tracks that have them; 0 leaves a task out. See `genrescope.lab.training.auxiliary`.
        augment: how excerpts are disturbed.

    Raises:
        GenrescopeError: a number outside of its range.
    """

    net: str = "compact"
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""
    weights_sha256: str = ""
    window_s: float = 3.0
    epochs: int = 30
    excerpts: int = 5
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    ema: float = 0.999
    validate_every: int = 1
    patience: int = 0
    balance: float = 0.0
    doubtful: float = 1.0
    tempo: float = 0.0
    key: float = 0.0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if not (lowest <= value <= highest and math.isfinite(value)):
                to = f"from {lowest:g} to {highest:g}" if highest < math.inf else f">= {lowest:g}"
                raise GenrescopeError(f"recipe: {name} must be {to}, not {value:g}.")

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dict; `Recipe.from_dict` is the inverse."""
        return {**asdict(self), "options": dict(self.options)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from a dict such as a TOML file holds; what is absent keeps its default.

        Raises:
            GenrescopeError: a name that no recipe has, or a value of another type.
        """
        given = dict(values)
        for old, name in OLD_NAMES.items():
            if old in given and name in given:
                raise GenrescopeError(f"recipe: {old} is the earlier name of {name}; give one.")
            if old in given:
                given[name] = given.pop(old)
        augment = _typed(Augment, given.pop("augment", {}), "augment.")
        options = given.pop("options", {})
        if not isinstance(options, Mapping):
            raise GenrescopeError("recipe: options must be a table.")
        return cls(**_typed(cls, given), options=dict(options), augment=Augment(**augment))

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe file.

        Raises:
            GenrescopeError: it is absent, no TOML, or no recipe.
        """
        try:
            with Path(path).open("rb") as file:
                return cls.from_dict(tomllib.load(file))
        except OSError as error:
            raise GenrescopeError(f"{path}: cannot be read ({error.strerror}).") from None
        except (ValueError, RecursionError, GenrescopeError) as error:
            raise GenrescopeError(f"{path}: {error}") from None


def _typed(kind: type, values: Any, prefix: str = "") -> dict[str, Any]:
    """The values, each known to ``kind`` and of the type of its default."""
    if not isinstance(values, Mapping):
        raise GenrescopeError(f"recipe: {prefix.rstrip('.')} must be a table.")
    defaults = {f.name: f.default for f in fields(kind)}
    for name, value in values.items():
        if name not in defaults:
            raise GenrescopeError(f"recipe: there is no {prefix}{name}; see docs/training.md.")
        wanted = type(defaults[name])
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or isinstance(value, bool):
            raise GenrescopeError(f"recipe: {prefix}{name} must be {wanted.__name__}.")
    return dict(values)
