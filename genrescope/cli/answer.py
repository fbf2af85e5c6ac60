"""An outcome for each file: its prediction, or what went wrong in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from concurrent.futures import Future

    from genrescope.cli.walk import Found
    from genrescope.model.prediction import Prediction

    Outcome: TypeAlias = Prediction | str

MOST_WORKERS = 32
"""Of files that are decoded at once."""
_LONGEST_S = 24 * 3600.0  # a few MB can decode to weeks, whose spectrogram fills any memory


def in_order(
    classify: Callable[..., Prediction], found: Iterable[Found], workers: int
) -> Iterator[tuple[Found, Outcome]]:
    """Each file with its prediction or what went wrong, a few files ahead at a time.

    Args:
        classify: takes a path and ``max_duration_s``; called in ``workers`` threads.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    ahead: deque[tuple[Found, Future[Outcome]]] = deque()
    try:
        for file in found:
            ahead.append((file, pool.submit(answer, classify, file)))
            if len(ahead) > 2 * workers:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def answer(classify: Callable[..., Prediction], file: Found) -> Outcome:
    """The prediction for one file, or in words why there is none."""
    from genrescope.errors import AudioError, GenrescopeError

    try:
        if file.error is not None:
            raise file.error
        return classify(file.path, max_duration_s=_LONGEST_S)
    except AudioError as error:
        return str(error)
    except GenrescopeError:
        raise
    except Exception as error:  # one odd file must not end a job of thousands
        return f"{file.path}: it could not be classified ({type(error).__name__}: {error})."
