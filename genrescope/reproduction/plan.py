"""What `genrescope reproduce` runs: every cell of the tables, with its settings, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from genrescope.lab.training.augment import NO_AUGMENT, Augment
from genrescope.lab.training.recipe import Recipe

PROTOCOLS = ("windows", "fault-filtered", "artists", "tracks")
"""The most telling first."""

TALK_NETS = ("cnn", "bigru", "resnet18", "res-bigru")
TALK_BASELINES = ("knn-10", "knn-15", "knn-20", "svm")
SUMMARY_MODELS = ("random-forest", "logistic")
FIELD_NETS = ("bbnn", "cspdarknet53")
OWN_NETS = ("compact",)
SEEDS = (0, 1, 2)

# A window that is met again in another place of its clip is best known by its timbre, so
# equaliser and noise, which teach to disregard it, are left out or weak.
LIGHT = replace(
    NO_AUGMENT, shift_bands=1.0, equaliser=0.2, contrast=0.1, masks=2, mixup=0.5, cutmix=0.3
)
STRONG = Augment(
    band_limit=0.0, reverb=0.2, noise=0.3, loudest_noise=-0.4, style=0.0, mixup=0.5, cutmix=0.2
)

# Widths are chosen for hours on two processor cores; where a paper's own is larger, the report
# says both.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "cnn": {"width": 16},
    "bigru": {},
    "resnet18": {"width": 24, "dropout": 0.3},
    "res-bigru": {"width": 24, "dropout": 0.5},
    "compact": {},
    "bbnn": {"width": 8},
    "cspdarknet53": {"width": 6},
    "m5": {"width": 32},
}
NARROW: Mapping[str, Mapping[str, Any]] = {
    **OPTIONS,
    "cnn": {**OPTIONS["cnn"], "width": 8},
    "resnet18": {**OPTIONS["resnet18"], "width": 16},
    "res-bigru": {**OPTIONS["res-bigru"], "width": 16},
    "compact": {"width": 16},
    "cspdarknet53": {"width": 4},
}
"""For the STFT, whose 1,025 bins cost eight times as much."""
TINY: Mapping[str, Mapping[str, Any]] = {
    "cnn": {"width": 4},
    "bigru": {"hidden": 16, "n_layers": 1},
    "resnet18": {"width": 4},
    "res-bigru": {"width": 4, "hidden": 16, "n_layers": 1},
    "compact": {"width": 4},
    "bbnn": {"width": 4},
    "cspdarknet53": {"width": 2},
    "m5": {"width": 8},
}
FULL_WIDTHS = {"resnet18": 64, "res-bigru": 64, "bbnn": 32, "cspdarknet53": 32, "m5": 128}

TASKS: Mapping[str, Mapping[str, float]] = {
    "genre": {},
    "genre+tempo": {"tempo": 0.3},
    "genre+key": {"key": 0.3},
    "genre+tempo+key": {"tempo": 0.3, "key": 0.3},
}
"""What is learned together, and how much the others weigh beside the genre."""
TASK_PROTOCOLS = ("fault-filtered", "artists")
TASK_NET = "compact"
TASK_OPTIONS: Mapping[str, Any] = {"width": 16}

BASE = Recipe(epochs=120, excerpts=1, batch_size=32, lr=2e-3, weight_decay=0.05, ema=0.995)


@dataclass(frozen=True)
class Published:
    """What others report of a model.

    Attributes:
        accuracy: theirs.
        source: where.
    """

    accuracy: float
    source: str


def _talk(kind: str, models: Iterable[str], accuracies: Iterable[float]) -> dict[Any, Published]:
    pairs = zip(models, accuracies, strict=True)
    return {(kind, model): Published(accuracy, "the talk") for model, accuracy in pairs}


TALK: Mapping[tuple[str, str], Published] = {
    **_talk("mel", TALK_BASELINES, (0.66, 0.63, 0.60, 0.65)),
    **_talk("stft", TALK_BASELINES, (0.67, 0.64, 0.60, 0.69)),
    **_talk("raw", TALK_BASELINES, (0.25, 0.26, 0.27, 0.12)),
    **_talk("mel", TALK_NETS, (0.66, 0.78, 0.87, 0.90)),
    **_talk("stft", TALK_NETS, (0.61, 0.71, 0.70, 0.86)),
}
"""By input and model: the talk's figures."""

FIELD: Mapping[str, Published] = {
    "random-forest": Published(0.81, "cited by the talk"),
    "cnn, hard votes": Published(0.72, "cited by the talk"),
    "src": Published(0.91, "Panagakis et al. 2009"),
    "cspdarknet53": Published(0.945, "Cheng and Kuo 2022"),
    "bbnn": Published(0.939, "Liu et al. 2021"),
}
"""By model: figures of the cited papers, each on all of GTZAN under a split of its own."""

HUMAN = Published(0.70, "listeners, cited by the talk")


@dataclass(frozen=True)
class Cell:
    """One figure of the tables: a model, trained and evaluated under a protocol.

    Attributes:
        protocol: name in `genrescope.data.splits.SPLITS`.
        data: ``all``, the feature store, or ``audio``, the clips that are here as sound.
        input: raw, stft, mel, or the vectors ``bands``, ``summary`` and ``modulations``.
        model: name of a net or a baseline.
        seed: of the model; the split's is always 0.
        recipe: how a net is trained; None for a baseline.
        all_folds: whether every round of the split is run, or the first alone.
    """

    protocol: str
    data: str
    input: str
    model: str
    seed: int = 0
    recipe: Recipe | None = None
    all_folds: bool = True

    @property
    def id(self) -> str:
        """Names the cell: ``windows/all-mel/res-bigru/seed0``."""
        return f"{self.protocol}/{self.data}-{self.input}/{self.model}/seed{self.seed}"


def recipe_for(net: str, *, protocol: str, data: str, kind: str) -> Recipe:
    """The settings of a net's cell in the full plan."""
    options = NARROW if kind == "stft" else OPTIONS
    recipe = replace(BASE, net=net, options=options[net], augment=LIGHT)
    if kind == "raw":
        recipe = replace(recipe, augment=NO_AUGMENT)
    if data == "audio":
        epochs = (30 if protocol == "windows" else 20) // (2 if kind == "stft" else 1)
        return replace(recipe, epochs=epochs, batch_size=16)
    if protocol != "windows":
        recipe = replace(recipe, epochs=25, excerpts=5, batch_size=64, augment=STRONG)
    elif net in FIELD_NETS:
        recipe = replace(recipe, epochs=30)
    return recipe


def task_recipe(*, protocol: str, weights: Mapping[str, float]) -> Recipe:
    """How genre, tempo and key are learned together, or the genre alone.

    Alike for all but the weights. Every second excerpt keeps its pitch, since only those have a
    key; none is mixed with another, which would hide its tempo and key; and no validation part
    chooses the epoch, which would be another one for each task.
    """
    recipe = recipe_for(TASK_NET, protocol=protocol, data="all", kind="mel")
    return replace(
        recipe,
        options=TASK_OPTIONS,
        excerpts=2,
        validate_every=recipe.epochs,
        augment=replace(STRONG, shift_bands=1.0, mixup=0.0, cutmix=0.0),
        tempo=weights.get("tempo", 0.0),
        key=weights.get("key", 0.0),
    )


def full_plan(*, audio: bool, effort: float = 1.0) -> tuple[Cell, ...]:
    """All cells, the most valuable first.

    Args:
        audio: whether there is sound for the raw and STFT cells.
        effort: factor of all numbers of epochs.
    """
    first, others = PROTOCOLS[:2], PROTOCOLS[2:]
    cells = [
        *_baselines("all", "mel", TALK_BASELINES, first),
        *_nets("all", "mel", TALK_NETS, first),
        *_baselines("all", "bands", TALK_BASELINES, PROTOCOLS),
        *_baselines("all", "summary", SUMMARY_MODELS, PROTOCOLS),
        *_baselines("all", "modulations", ("src",), PROTOCOLS),
        *_baselines("all", "mel", TALK_BASELINES, others),
        *(cell for seed in SEEDS[1:] for cell in _nets("all", "mel", TALK_NETS, first[:1], seed)),
        *_nets("all", "mel", TALK_NETS, others),
        *_nets("all", "mel", OWN_NETS, PROTOCOLS),
        *_nets("all", "mel", FIELD_NETS, PROTOCOLS),
        *_tasks(),
    ]
    if audio:
        cells += [
            *(c for kind in ("raw", "stft", "mel") for c in
              _baselines("audio", kind, TALK_BASELINES, PROTOCOLS)),
            *_baselines("audio", "summary", SUMMARY_MODELS, PROTOCOLS),
            *_nets("audio", "mel", TALK_NETS, PROTOCOLS),
            *_nets("audio", "raw", ("m5",), PROTOCOLS),
            *_nets("audio", "stft", TALK_NETS, PROTOCOLS),
            *_baselines("audio", "modulations", ("src",), PROTOCOLS),
            *(cell for kind in ("mel", "stft") for cell in
              _nets("audio", kind, (*OWN_NETS, *FIELD_NETS), PROTOCOLS)),
        ]  # fmt: skip
    return tuple(_scaled(cell, effort) for cell in cells)


def quick_plan(*, audio: bool) -> tuple[Cell, ...]:
    """Every cell once, with nets so small and short that only the machinery is shown."""
    cells = [cell for cell in full_plan(audio=audio) if cell.seed == 0]
    return tuple(
        replace(
            cell,
            all_folds=False,
            recipe=cell.recipe
            and replace(
                cell.recipe,
                options=TINY[cell.recipe.net],
                epochs=1 if cell.input == "stft" else 2,
                excerpts=1,
                batch_size=32,
                ema=0.9,
            ),
        )
        for cell in cells
    )


def _baselines(data: str, kind: str, models: Iterable[str], protocols: Iterable[str]) -> list[Cell]:
    return [Cell(protocol, data, kind, m) for protocol in protocols for m in models]


def _nets(
    data: str, kind: str, nets: Iterable[str], protocols: Iterable[str], seed: int = 0
) -> list[Cell]:
    return [
        Cell(
            protocol, data, kind, net, seed,
            recipe=recipe_for(net, protocol=protocol, data=data, kind=kind),
            # A fifth of the windows is plenty to evaluate on, a fifth of the tracks is not.
            all_folds=data == "all" and protocol != "windows" and net not in FIELD_NETS,
        )
        for protocol in protocols
        for net in nets
    ]  # fmt: skip


def _tasks() -> list[Cell]:
    return [
        Cell(protocol, "all", "mel", name, seed,
             recipe=task_recipe(protocol=protocol, weights=weights))
        for seed in SEEDS
        for protocol in TASK_PROTOCOLS
        for name, weights in TASKS.items()
    ]  # fmt: skip


def _scaled(cell: Cell, effort: float) -> Cell:
    if cell.recipe is None or effort == 1.0:
        return cell
    epochs = max(1, round(cell.recipe.epochs * effort))
    return replace(cell, recipe=replace(cell.recipe, epochs=epochs))
