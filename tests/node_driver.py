"""Runs the page's own modules under Node, so that tests can hold them against Python."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

import genrescope
from genrescope.web.local import settings

ROOT = Path(genrescope.__file__).parents[1]
ORT = ROOT / "page" / "node_modules" / "onnxruntime-web" / "dist"
_MOST_S = 900  # a script that hangs must not hang the tests
_SCRIPT = Path(__file__).parent / "web" / "answer.mjs"


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples to answer for.

    Attributes:
        samples: (n_samples,) or (n_channels, n_samples).
        sr: Hz.
        more: what else the task takes.
    """

    samples: ArrayLike
    sr: int
    more: dict[str, Any] | None = None


class Node:
    """Node, and the page's modules in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules = folder / "modules"
        shutil.copytree(ROOT / "genrescope" / "web" / "static" / "local", self._modules)
        (self._modules / "package.json").write_text('{"type": "module"}')

    def run(
        self, task: str, jobs: Sequence[Sound | dict[str, Any]], *, bundle: Path, net: bool = False
    ) -> list[Any]:
        """What ``tests/web/answer.mjs`` says of each job.

        Args:
            task: a name of its ``tasks``.
            jobs: sounds, or what a task takes that needs none.
            bundle: whose settings are used.
            net: whether the task asks the net; then the test skips without ONNX Runtime.
        """
        if net and not ORT.exists():
            pytest.skip("needs ONNX Runtime for browsers: npm ci --prefix page")
        clips = [self._clip(i, job) for i, job in enumerate(jobs)]
        job = {
            "task": task,
            "modules": str(self._modules),
            "ort": str(ORT) if net else None,
            "bundle": str(bundle),
            "settings": settings(),
            "clips": clips,
        }
        path = self._folder / "job.json"
        path.write_text(json.dumps(job))
        done = subprocess.run(
            ["node", str(_SCRIPT), str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_MOST_S,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["found"] for line in done.stdout.splitlines()]

    def _clip(self, i: int, job: Sound | dict[str, Any]) -> dict[str, Any]:
        if isinstance(job, dict):
            return job
        samples = np.atleast_2d(np.asarray(job.samples, "<f4"))
        path = self._folder / f"{i}.f32"
        path.write_bytes(np.ascontiguousarray(samples).tobytes())
        clip = {"path": str(path), "rate": job.sr, "channels": len(samples)}
        return {**clip, **(job.more or {})}


def array(text: str) -> NDArray[np.float32]:
    """Numbers as the script prints them, float32 (n,)."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def find_node(folder: Path) -> Node:
    """Node; skips where it is absent or too old."""
    if shutil.which("node") is None:
        pytest.skip("needs Node, which is not on the PATH")
    version = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    if int(version.stdout[1:].split(".")[0]) < 20:
        pytest.skip(f"needs Node 20, and this is {version.stdout.strip()}")
    return Node(folder)
