"""The unit of commit: all answers of a shard as one file, which is complete or absent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.errors import FleetError
from genrescope.fleet.plan import Shard, read_shard
from genrescope.fleet.rows import encode
from genrescope.fleet.step import SongStep, Step
from genrescope.fleet.store import Folder, read
from genrescope.model.bundle import Bundle

_SONGS_AT_ONCE = 3  # one decodes while two are fetched


@dataclass(frozen=True)
class Model:
    """The bundle that every worker must have.

    Attributes:
        path: its folder, on each machine.
        sha256: of its ``bundle.json``, which holds those of its other files.
    """

    path: str
    sha256: str

    @classmethod
    def of(cls, bundle: Bundle) -> Model:
        return cls(str(bundle.path), bundle_sha256(bundle))

    def load(self) -> Bundle:
        """Read it, and see that it is the one (BundleError, FleetError)."""
        bundle = Bundle.load(self.path)
        if bundle_sha256(bundle) != self.sha256:
            raise FleetError(
                self.path,
                "this machine has another bundle than the one that started the run",
                "Put the same folder on every machine.",
            )
        return bundle


def bundle_sha256(bundle: Bundle) -> str:
    """Names a bundle by all that it holds."""
    return hashlib.sha256(Path(bundle.path, "bundle.json").read_bytes()).hexdigest()


class ShardJob:
    """What a worker does with a shard; it is pickled to each and warm after its first.

    Args:
        plan: folder of the plan.
        out: folder of the parts.
        plan_sha256: of the plan.
        model: what answers.
        make_step: makes what answers for a song, once in each worker.
    """

    def __init__(
        self,
        plan: Folder,
        out: Folder,
        plan_sha256: str,
        model: Model,
        *,
        make_step: Callable[[Bundle], Step] = SongStep,
    ) -> None:
        self._plan, self._out = plan, out
        self._plan_sha256 = plan_sha256
        self._model = model
        self._make_step = make_step
        self._ready: tuple[Step, tuple[str, ...]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_ready": None}

    def __call__(self, shard: Shard) -> None:
        """Answer for all songs of a shard and commit them.

        Raises:
            GenrescopeError: it is not this shard's songs that are to blame, see the text.
        """
        songs = read_shard(self._plan, shard)
        if self._ready is None:
            bundle = self._model.load()
            self._ready = self._make_step(bundle), bundle.labels
        step, labels = self._ready
        with ThreadPoolExecutor(_SONGS_AT_ONCE) as pool:
            answers = list(pool.map(step, songs))
        data = encode(answers, bundle=self._model.sha256, labels=labels, plan=self._plan_sha256)
        self._out.create(shard.part, data)


RUN = "run.json"


def run_text(
    plan: Folder, plan_sha256: str, bundle: Bundle, *, excerpt_s: float | None = None
) -> bytes:
    """What ``run.json`` says of a run; two runs into one folder must agree on it."""
    payload = {
        "plan": plan.url,
        "plan_sha256": plan_sha256,
        "bundle": bundle.name,
        "bundle_sha256": bundle_sha256(bundle),
        "labels": list(bundle.labels),
        "excerpt_s": excerpt_s,
    }
    return (json.dumps(payload, indent=1) + "\n").encode()


def read_run(folder: Folder) -> dict[str, Any]:
    """What `run_text` wrote into a folder (FleetError: it is damaged)."""
    try:
        payload = json.loads(read(folder, RUN))
        if not isinstance(payload["bundle"], str):
            raise TypeError("bundle is no name")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FleetError(
            f"{folder.url}/{RUN}", "it is damaged", "Begin the run anew in another folder."
        ) from error
    return dict(payload)
