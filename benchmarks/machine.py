"""What the figures were measured on; no names of hosts, people or folders."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.ours import n_cores

_PACKAGES = (
    *("genrescope", "numpy", "onnxruntime", "av", "soxr"),
    *("librosa", "torch", "transformers"),
)


def facts() -> dict[str, str]:
    """Machine, load, date and versions, as columns of the CSV."""
    versions = [f"python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return {
        "machine": f"{_processor()}, {n_cores()} cores, {platform.system()}",
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": ", ".join(versions),
    }


def _processor() -> str:
    """The model of the processor, with what tells its generation where Linux says it."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    lines = cpuinfo.read_text(errors="replace").splitlines()
    known = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    name = known.get("model name", platform.machine())
    family = f" family {known['cpu family']}" if "cpu family" in known else ""
    return f"{name}{family}"
