"""A bundle's net, run by ONNX Runtime: checked before its first answer and at every answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import BundleError
from genrescope.model.bundle import Bundle
from genrescope.model.inference import NetOutput
from genrescope.model.schema import MODEL
from genrescope.system import n_cores

INPUT, LOGITS, EMBEDDING, STEPS = "log_mel", "logits", "embedding", "steps"
"""Names in the graph of ``model.onnx``."""

_MAX_THREADS = 4  # a net this small gains nothing beyond


class BundleNet:
    """A bundle's net as a function from windows to a `NetOutput`; many threads may call it.

    Args:
        bundle: already read.
        threads: how many work on one batch; None takes the machine's cores, 4 at most.

    Raises:
        BundleError: the net cannot be loaded, or takes and gives something else than it must.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        self._bundle = bundle
        self._session = _session(bundle, threads or min(_MAX_THREADS, n_cores()))
        given = {output.name for output in self._session.get_outputs()}
        # Bundles of before there were steps have none.
        self._outputs = [name for name in (LOGITS, EMBEDDING, STEPS) if name in given]

    def __call__(self, windows: NDArray[np.float32]) -> NetOutput:
        """Answer for windows, float32 (n_windows, n_bins, n_frames).

        Raises:
            BundleError: the answer has another shape than it must, or is not finite.
        """
        logits, embedding, *steps = self._session.run(self._outputs, {INPUT: windows})
        output = NetOutput(logits, steps[0] if steps else logits[:, None], embedding)
        expected = (len(windows), len(self._bundle.labels))
        assert output.steps is not None
        if (
            logits.shape != expected
            or output.steps.shape[::2] != expected
            or not output.steps.size
            or len(embedding) != len(windows)
        ):
            raise BundleError(f"bundle {self._bundle.path}: {MODEL} gives outputs of another shape")
        if not all(np.isfinite(array).all() for array in (logits, output.steps, embedding)):
            raise BundleError(f"bundle {self._bundle.path}: {MODEL} answers with NaN or infinity")
        return output


def open_session(bundle: Bundle, file: str, threads: int) -> Any:
    """An ONNX Runtime session of one of a bundle's files, or BundleError."""
    import onnxruntime as ort  # a tenth of a second: only who classifies pays

    ort.disable_telemetry_events()  # where it was imported before genrescope, and on Windows
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    # Threads that wait by spinning would take the cores other files are decoded on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes already verified, so that the file cannot change in between.
        session = ort.InferenceSession(
            bundle.read(file), options, providers=["CPUExecutionProvider"]
        )
    except BundleError as error:
        raise BundleError(f"bundle {bundle.path}: {error}") from error
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise BundleError(
            f"bundle {bundle.path}: ONNX Runtime cannot load {file}; it may be damaged, or made "
            "for a newer ONNX Runtime than this one"
        ) from error
    return session


def _session(bundle: Bundle, threads: int) -> Any:
    """A session of the net that honours the contract of a bundle, or BundleError."""
    session = open_session(bundle, MODEL, threads)
    if not _honours_contract(session, bundle):
        raise BundleError(
            f"bundle {bundle.path}: {MODEL} must take {INPUT} (batch, {bundle.features.n_bins}, "
            f"n_frames) and give {LOGITS} (batch, {len(bundle.labels)}), {EMBEDDING} (batch, d) "
            f"and, if any, {STEPS} (batch, n_steps, {len(bundle.labels)})"
        )
    return session


def _honours_contract(session: Any, bundle: Bundle) -> bool:
    """Whether names and fixed dimensions are right; an open dimension is a name or None."""
    shapes = {x.name: x.shape for x in (*session.get_inputs(), *session.get_outputs())}
    n_classes = len(bundle.labels)
    wanted = {INPUT: (3, 1, bundle.features.n_bins), LOGITS: (2, 1, n_classes)}
    if STEPS in shapes:
        wanted[STEPS] = (3, 2, n_classes)
    return (
        [x.name for x in session.get_inputs()] == [INPUT]
        and len(shapes.get(EMBEDDING, ())) == 2
        and all(
            len(shape := shapes.get(name, ())) == rank
            and (shape[axis] == length or not isinstance(shape[axis], int))
            for name, (rank, axis, length) in wanted.items()
        )
    )
