"""Against the talk's own way: librosa, a mel hop of 512, ResNet18 beside Bi-GRU in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from benchmarks.harness import Row, Session, compare, in_turn, workers
from benchmarks.material import recordings
from benchmarks.ours import n_cores

_WINDOW_S = 3.0
_NOTE = "windows of 3 s without overlap, one file's windows at a time; random weights"


def measure(session: Session) -> Iterator[Row]:
    n = 2 if session.quick else 8
    files = recordings(session, session.seconds, n=n)
    with ExitStack() as stack:
        sides = workers(
            stack,
            session,
            ours=(
                "benchmarks.ours:classifier",
                {"bundle": session.bundle, "files": files, "threads": n_cores()},
            ),
            talk=("benchmarks.talk:talk", {"files": files}),
        )
        found = in_turn(sides, repeats=session.repeats)
    yield compare(
        found,
        figure="talk",
        what=f"classify an mp3 of {session.seconds:g} s, libraries loaded",
        other="talk",
        other_name="librosa.load, librosa mel (hop 512), ResNet18 beside Bi-GRU in eager PyTorch",
        goal=">= 15",
        per=n,
        note=_NOTE,
    )


def talk(files: Sequence[str]) -> Callable[[], None]:
    """Each file by librosa and an eager net, with the threads torch takes by itself."""
    import librosa
    import numpy as np
    import torch

    from genrescope.lab.nets import NETS

    net = NETS["res-bigru"](10).eval()

    def run() -> None:
        for file in files:
            samples, sr = librosa.load(file, sr=22_050)
            mel = librosa.feature.melspectrogram(y=samples, sr=sr, n_fft=2048, hop_length=512)
            x = librosa.power_to_db(mel, ref=np.max)
            x = (x - x.mean()) / x.std()
            length = round(_WINDOW_S * sr / 512)
            starts = range(0, x.shape[1] - length + 1, length)
            windows = np.stack([x[:, start : start + length] for start in starts])
            with torch.inference_mode():
                net(torch.from_numpy(windows)).softmax(1).mean(0).argmax().item()

    return run
