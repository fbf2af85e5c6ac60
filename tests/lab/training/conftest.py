"""What tests of training share."""

from __future__ import annotations

import pytest
from lab_makers import bands_store, begin_training

from genrescope.data.store import FeatureStore
from genrescope.lab.training.run import Run


@pytest.fixture(scope="package")
def store() -> FeatureStore:
    return bands_store()


@pytest.fixture(scope="package")
def teachers(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two seeds of a fold."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (0, 1):
        begin_training(store, folder / str(seed), seed=seed).run()
    return [Run.load(folder / str(seed)) for seed in (0, 1)]
