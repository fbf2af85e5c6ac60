"""The files of a run of ``train``, for who must know them before torch is loaded."""

from __future__ import annotations

from pathlib import Path

from genrescope.errors import GenrescopeError

CONFIG = "config.json"
"""How the run was begun: what makes a folder a run."""


def check_is_run(folder: Path) -> None:
    """Refuse a folder that no training was begun in.

    Raises:
        GenrescopeError: it is such a folder, or is not there.
    """
    if not (folder / CONFIG).is_file():
        raise GenrescopeError(
            f"{folder}: is no run of genrescope train; name the folder that --out named there."
        )
