"""The plan: each cell once, the talk first."""

from __future__ import annotations

from dataclasses import replace

from genrescope.data.splits import SPLITS
from genrescope.lab.nets import NETS
from genrescope.reproduction.material import KINDS
from genrescope.reproduction.plan import (
    FIELD_NETS,
    OWN_NETS,
    PROTOCOLS,
    SEEDS,
    TALK_NETS,
    TASK_PROTOCOLS,
    TASKS,
    full_plan,
    quick_plan,
)


def test_the_plan_names_each_cell_once_and_the_talk_first() -> None:
    cells = full_plan(audio=True)
    assert len({cell.id for cell in cells}) == len(cells)
    assert {cell.protocol for cell in cells} == set(SPLITS) - {"world", "all"} == set(PROTOCOLS)
    nets = [cell for cell in cells if cell.recipe is not None]
    assert [cell.model for cell in nets[:4]] == list(TALK_NETS)
    assert {cell.protocol for cell in nets[:8]} == {"windows", "fault-filtered"}
    assert {c.seed for c in cells if (c.protocol, c.model) == ("windows", "res-bigru")} == set(
        SEEDS
    )
    alone = [cell for cell in nets if cell.model not in TASKS]
    assert {cell.model for cell in alone} == {*TALK_NETS, *OWN_NETS, *FIELD_NETS, "m5"} <= set(NETS)
    for cell in alone:
        assert cell.recipe is not None
        assert cell.recipe.net == cell.model
        assert KINDS[cell.input] in NETS[cell.model].inputs
    kept_apart = [c for c in nets if c.data == "all" and c.protocol in ("artists", "tracks")]
    assert {c.model for c in kept_apart if c.all_folds} >= {*TALK_NETS, "compact"}
    small = {cell.id for cell in quick_plan(audio=True)}
    assert small == {cell.id for cell in cells if cell.seed == 0}


def test_tasks_differ_in_their_weights_alone_and_seeds_come_evenly() -> None:
    cells = [cell for cell in full_plan(audio=False) if cell.model in TASKS]
    assert len(cells) == len(SEEDS) * len(TASK_PROTOCOLS) * len(TASKS)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    for protocol in TASK_PROTOCOLS:
        recipes = {cell.model: cell.recipe for cell in cells if cell.protocol == protocol}
        alone = recipes["genre"]
        assert alone is not None
        assert (alone.tempo, alone.key) == (0.0, 0.0)
        for name, recipe in recipes.items():
            assert recipe is not None
            assert recipe == replace(alone, **TASKS[name])


def test_effort_scales_epochs() -> None:
    whole, half = full_plan(audio=False), full_plan(audio=False, effort=0.5)
    epochs = [[c.recipe.epochs for c in cells if c.recipe] for cells in (whole, half)]
    assert all(abs(2 * b - a) <= 1 for a, b in zip(*epochs, strict=True))
