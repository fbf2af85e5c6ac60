"""The files of a run of ``train``, for who must know them before torch is loaded."""

from __future__ import annotations

from pathlib import Path

from genrescope.errors import GenrescopeError

CONFIG, METRICS, CHECKPOINT, WEIGHTS = "config.json", "metrics.csv", "checkpoint.pt", "best.pt"
"""How the run was begun, which makes a folder a run; its epochs; where it stands; its best weights.
"""


def check_is_run(folder: Path) -> None:
    """Refuse a folder that no training was begun in.

    Raises:
        GenrescopeError: it is such a folder, or is not there.
    """
    if not (folder / CONFIG).is_file():
        raise GenrescopeError(
            f"{folder}: is no run of genrescope train; name the folder that --out named there."
        )
