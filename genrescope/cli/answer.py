"""An outcome for each file: its prediction, or what went wrong in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from genrescope.cli.walk import Found
    from genrescope.model.prediction import Prediction

    Outcome: TypeAlias = Prediction | str

MOST_WORKERS = 32
"""Of files that are decoded at once."""


def answer(classify: Callable[..., Prediction], file: Found) -> Outcome:
    """The prediction for one file, or in words why there is none."""
    from genrescope.audio.isolation import FOLDER_LIMITS
    from genrescope.errors import AudioError, GenrescopeError

    try:
        if file.error is not None:
            raise file.error
        return classify(file.path, max_duration_s=FOLDER_LIMITS.audio_s)
    except AudioError as error:
        return str(error)
    except GenrescopeError:
        raise
    except Exception as error:  # one odd file must not end a job of thousands
        return f"{file.path}: it could not be classified ({type(error).__name__}: {error})."
