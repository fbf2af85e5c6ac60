"""``genrescope classify``"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.options import bundle_option
from genrescope.cli.terminal import echo

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.cli.answer import Outcome
    from genrescope.cli.journal import Journal
    from genrescope.cli.output import Output
    from genrescope.cli.walk import Found
    from genrescope.model.bundle import Bundle
    from genrescope.model.prediction import Prediction


@click.command()
@click.argument("paths", type=click.Path(), nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object a line, timeline included.",
)
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print CSV with a header.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="Write the answers to a .jsonl or .csv file, with absolute paths. Run again, files that "
    "it answers already are skipped.",
)
@bundle_option()
def classify(
    paths: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    out: str | None,
    bundle: Path | None,
) -> None:
    """Say which genre recordings are.

    Name recordings, or folders, which are searched for files with the ending of an audio file.
    Answers come in the order of the input, as soon as they are known.

    The exit code is 0 if all went well, 1 if an input failed (standard error says which and why),
    2 if the command was wrong.
    """
    if "" in paths:
        raise click.BadParameter("a path is empty; name a file or a folder")
    if as_json and as_csv:
        raise click.BadParameter("choose one of --json and --csv")
    if out and not (as_json or as_csv):
        ending = os.path.splitext(out)[1].lower()  # noqa: PTH122
        as_json, as_csv = ending in (".jsonl", ".json", ".ndjson"), ending == ".csv"
        if not (as_json or as_csv):
            raise click.BadParameter(f"{out}: choose --json or --csv, or a name that ends so")

    if "numpy" not in sys.modules:
        # Its products of matrices are small: OpenBLAS would start threads that only wait.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from genrescope.cli import output
    from genrescope.cli.progress import bar
    from genrescope.cli.walk import find
    from genrescope.model.bundle import Bundle
    from genrescope.system import keep_freed_memory

    keep_freed_memory()
    # From any folder: an album's "01.mp3" must not stand for another's in the same file.
    # (Path.resolve would follow links.)
    found = todo = find([os.path.abspath(path) for path in paths] if out else paths)  # noqa: PTH100
    alone = len(found) == 1
    # For one answer the nets are verified when they are loaded, while the file is decoded.
    loaded = Bundle.load(bundle, verify_files=not alone or bool(out))
    printer: output.Output
    journal = None
    if out:
        printer, journal, todo = _taken_up(out, found, loaded, as_json=as_json)
    elif as_json:
        printer = output.JsonLines()
    elif as_csv:
        printer = output.Csv(loaded.labels)
    else:
        printer = output.Table([file.path for file in found], beat=bool(loaded.heads))
    failures = 0
    with journal or nullcontext(), bar(total=len(todo)) as progress:
        for file, answer in _answers(loaded, todo, alone=alone):
            if isinstance(answer, str):
                failures += 1
                printer.failure(file, answer)
                output.complain(answer)
            else:
                printer.answer(file, answer)
            progress.advance()
    if failures or out:
        _sum_up(len(todo) - failures, failures, len(found) - len(todo))
    if failures:
        raise Exit(1)


def _taken_up(
    out: str, found: list[Found], bundle: Bundle, *, as_json: bool
) -> tuple[Output, Journal, list[Found]]:
    """The writer of the file ``out``, its journal, and the recordings still to be answered."""
    from genrescope.cli.journal import Journal
    from genrescope.cli.output import Csv, JsonLines

    stamp = _stamp(bundle)
    form = JsonLines(stamp=stamp) if as_json else Csv(bundle.labels, stamp=stamp)
    journal = Journal(out, form)
    form.write = journal.write
    try:
        return form, journal, journal.take_up(found, [stamp(file) for file in found])
    except BaseException:
        journal.close()
        raise


def _stamp(bundle: Bundle) -> Callable[[Found], str]:
    """What tells an answer that still holds: the file's size and time, and all of the bundle."""
    import hashlib
    import json

    digest = hashlib.sha256(json.dumps(bundle.to_dict()).encode()).hexdigest()[:12]
    return lambda file: file.version and f"{file.version}-{digest}"


def _sum_up(answered: int, failed: int, kept: int) -> None:
    counts = [(answered, "classified"), (failed, "failed"), (kept, "answered before")]
    if sum(n for n, _ in counts) > 1:
        words = [f"{n} {what}" for n, what in counts if n or what == "classified"]
        echo(", ".join(words), err=True)


def _answers(bundle: Bundle, todo: list[Found], *, alone: bool) -> Iterator[tuple[Found, Outcome]]:
    """Each file with its prediction or what went wrong, in order."""
    if alone:  # in this process: it starts faster, and all cores are for the one file
        for file in todo:
            yield file, _while_loading(bundle, file)
        return
    from genrescope.cli import workers

    replies = workers.answers(bundle.path, [file.path for file in todo if file.error is None])
    for file in todo:
        yield file, next(replies) if file.error is None else str(file.error)


def _while_loading(bundle: Bundle, file: Found) -> Outcome:
    """The answer for one file, which is decoded while the net loads."""
    from genrescope.cli.answer import answer
    from genrescope.model.classifier import Classifier
    from genrescope.model.clip import extract_features

    loaded: list[Classifier | Exception] = []

    def load() -> None:
        try:
            loaded.append(Classifier(bundle))
        except Exception as error:  # it belongs to the thread that waits for it
            loaded.append(error)

    loading = threading.Thread(target=load)
    loading.start()

    def classify(path: str, *, max_duration_s: float) -> Prediction:
        clip = extract_features(bundle, path, max_duration_s=max_duration_s)
        loading.join()
        if isinstance(loaded[0], Exception):
            raise loaded[0]
        return loaded[0].classify_features(clip)

    result = answer(classify, file)
    loading.join()
    return result
