"""``genrescope classify``"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genrescope.cli.walk import Found
    from genrescope.model.classifier import Classifier
    from genrescope.model.prediction import Prediction


def classify(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER...", help="Recordings, and folders of them."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, timeline included.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The model to ask, where not the one that ships."),
    ] = None,
) -> None:
    """Say which genre recordings are.

    Folders are walked. Answers come in the order of the input, as soon as they are known. The
    exit code is 0 if all went well, 1 if some input failed (standard error says which and why),
    2 if the command was wrong.
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")

    from genrescope.cli import output
    from genrescope.cli.walk import find
    from genrescope.model.classifier import Classifier

    found = find(paths)
    # Many files: a core each. One file: all cores for it.
    classifier = Classifier.load(bundle, threads=None if len(found) == 1 else 1)
    out: output.Output
    if as_json:
        out = output.JsonLines()
    elif as_csv:
        out = output.Csv(classifier.bundle.labels)
    else:
        out = output.Table([one.path for one in found])
    failures = 0
    with output.progress(len(found), lines=not (as_json or as_csv)) as advance:
        for path, answer in _answers(classifier, found):
            if isinstance(answer, str):
                failures += 1
                out.failure(path, answer)
                output.complain(answer)
            else:
                out.answer(path, answer)
            advance()
    if failures:
        if len(found) > 1:
            typer.echo(f"{len(found) - failures} classified, {failures} failed", err=True)
        raise typer.Exit(1)


def _answers(
    classifier: Classifier, found: Iterable[Found]
) -> Iterator[tuple[str, Prediction | str]]:
    """Each path with its prediction or what went wrong, in order, a few files ahead at a time."""
    workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    ahead: deque[tuple[str, Future[Prediction | str]]] = deque()
    try:
        for one in found:
            ahead.append((one.path, pool.submit(_answer, classifier, one)))
            if len(ahead) > 2 * workers:
                path, future = ahead.popleft()
                yield path, future.result()
        for path, future in ahead:
            yield path, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answer(classifier: Classifier, one: Found) -> Prediction | str:
    from genrescope.errors import AudioError, GenrescopeError

    try:
        if one.error is not None:
            raise one.error
        return classifier.classify(one.path)
    except AudioError as error:
        return str(error)
    except GenrescopeError:
        raise
    except Exception as error:  # one odd file must not end a job of thousands
        return f"{one.path}: it could not be classified ({type(error).__name__}: {error})."
