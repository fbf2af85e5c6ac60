"""The nets of tempo and key: small, and alike at every tempo and in every key.

What moves the label moves the input: a faster rhythm is the same picture further along the axis of
tempo, a transposed song the same chroma, turned. So what is learned of one tempo or key holds for
all, and a few hundred tracks teach it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrescope.features.chroma import AROUND, BLOCK_FRAMES
from genrescope.features.rhythm import BINS_PER_OCTAVE, MARGIN, N_CHANNELS, N_TEMPI, N_TIMBRE

RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4)
"""Of the tempi that are looked at beside a candidate: what it is a part of, and its parts."""

_OFFSETS = tuple(
    MARGIN + round(float(torch.log2(torch.tensor(ratio)) * BINS_PER_OCTAVE)) for ratio in RATIOS
)
N_CHROMA = 4
"""Chromas of a `PitchNet`."""
_PRIOR = 16  # points between which the liking for a tempo as such is a straight line


class TempoNet(nn.Module):
    """How well each tempo fits a clip's tempogram.

    Each candidate is seen with its multiples and parts, by one small net for all; what the clip
    sounds like says what to look for. What it likes of itself is a line of few points.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        n_seen = N_CHANNELS * len(RATIOS)
        self.dropout = dropout
        self.register_buffer("mean", torch.zeros(N_TIMBRE))
        self.register_buffer("scale", torch.ones(N_TIMBRE))
        self.norm = nn.BatchNorm1d(n_seen)
        self.see = nn.Conv1d(n_seen, width, 1)
        self.compare = nn.Conv1d(width, width, 5, padding=2)
        self.answer = nn.Conv1d(width, 1, 1)
        self.listen = nn.Sequential(nn.Linear(N_TIMBRE, 16), nn.ReLU(), nn.Linear(16, width))
        self.prior = nn.Linear(N_TIMBRE, _PRIOR)

    def fit_scale(self, timbres: Tensor) -> None:
        """Take mean and deviation of the timbres (n, N_TIMBRE) to learn from."""
        self.mean.copy_(timbres.mean(dim=0))
        self.scale.copy_(timbres.std(dim=0).clamp_min(1e-3))

    def forward(self, tempogram: Tensor, timbre: Tensor) -> Tensor:
        """Logits (batch, N_TEMPI) of what `genrescope.features.rhythm` makes of clips."""
        seen = [tempogram[:, :, first : first + N_TEMPI] for first in _OFFSETS]
        x = self.norm(torch.cat(seen, dim=1))
        x = functional.dropout1d(x, self.dropout, self.training)
        sound = (timbre - self.mean) / self.scale
        sound = functional.dropout(sound, 0.3, self.training)
        x = functional.relu(self.see(x) + self.listen(sound)[:, :, None])
        x = functional.dropout(x, self.dropout, self.training)
        x = self.answer(functional.relu(self.compare(x)))[:, 0]
        prior = functional.interpolate(
            0.3 * self.prior(sound)[:, None], size=N_TEMPI, mode="linear", align_corners=True
        )
        logits: Tensor = x + prior[:, 0]
        return logits


class _Turned(nn.Module):
    """A convolution all around the circle of pitch classes, and over a few blocks of time."""

    def __init__(self, n_in: int, n_out: int, n_blocks: int = 1) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(n_in, n_out, (12, n_blocks), padding=(0, n_blocks // 2))

    def forward(self, x: Tensor) -> Tensor:
        turned: Tensor = self.weigh(torch.cat([x, x[:, :, :11]], dim=2))
        return turned


class PitchNet(nn.Module):
    """Which pitch classes sound in a log-mel, and which of them in the bass.

    It sees a frame and its neighbours, as they are and as they stand out of the bands around.
    """

    def __init__(self, n_mels: int, *, width: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.hear = nn.Conv1d(2 * n_mels, width, 3, padding=1, padding_mode="replicate")
        self.combine = nn.Conv1d(width, width // 2, 1)
        self.answer = nn.Conv1d(width // 2, 24, 1)
        self.dropout = nn.Dropout(dropout)

    def notes(self, log_mel: Tensor) -> Tensor:
        """Logits of each frame (batch, 24, n_frames): of all parts, from A upwards; of the bass.

        Args:
            log_mel: standardised, (batch, n_mels, n_frames).
        """
        beside = functional.pad(log_mel.transpose(1, 2), (AROUND, AROUND), mode="replicate")
        around = functional.avg_pool1d(beside, 2 * AROUND + 1, 1).transpose(1, 2)
        x = torch.cat([log_mel, log_mel - around], dim=1)
        x = functional.relu(self.combine(self.dropout(functional.relu(self.hear(x)))))
        logits: Tensor = self.answer(x)
        return logits

    def forward(self, log_mel: Tensor) -> Tensor:
        """Chroma (batch, N_CHROMA, 12, n_blocks) in blocks of half a second: the probability of
        all parts and of the bass, then their logits."""
        logits = self.notes(log_mel)
        told = torch.cat([logits.sigmoid(), logits.clamp(-6, 6) / 4], dim=1)
        # The last block is filled with its last frame.
        told = functional.pad(told, (0, BLOCK_FRAMES - 1), mode="replicate")
        blocks = functional.avg_pool1d(told, BLOCK_FRAMES)
        return blocks.reshape(-1, N_CHROMA, 12, blocks.shape[2])


class KeyNet(nn.Module):
    """How well each key fits a clip's chroma: two modes on each of twelve tonics."""

    def __init__(self, *, width: int = 16, dropout: float = 0.3) -> None:
        super().__init__()
        n_summed = 2 * N_CHROMA + width
        self.dropout = dropout
        self.norm = nn.BatchNorm2d(N_CHROMA)
        self.chords = _Turned(N_CHROMA, width)
        self.plain = _Turned(n_summed, 2)
        self.scales = _Turned(n_summed, width)
        self.answer = _Turned(width, 2)

    def forward(self, chroma: Tensor) -> Tensor:
        """Logits (batch, 24) of what a `PitchNet` makes of clips."""
        x = self.norm(chroma)
        mean = x.mean(dim=3, keepdim=True)
        deviation = ((x - mean) ** 2).mean(dim=3, keepdim=True).add(1e-4).sqrt()
        chords = functional.relu(self.chords(x)).mean(dim=3, keepdim=True)
        summed = torch.cat([mean, deviation, chords], dim=1)
        summed = functional.dropout2d(summed, self.dropout, self.training)
        scales = functional.relu(self.scales(summed))
        scales = functional.dropout(scales, self.dropout, self.training)
        logits: Tensor = self.plain(summed) + self.answer(scales)
        return logits.flatten(1)


class Averaged(nn.Module):
    """Several nets as one, whose answer is the logarithm of their mean probabilities.

    Args:
        nets: of one kind.
        temperature: what the logarithm is divided by.
    """

    def __init__(self, nets: Sequence[nn.Module], *, temperature: float = 1.0) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.temperature = temperature

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits, as of each net."""
        probs = torch.stack([net(*inputs).softmax(dim=1) for net in self.nets]).mean(dim=0)
        return probs.clamp_min(1e-12).log() / self.temperature


class Behind(nn.Module):
    """A net that hears through another."""

    def __init__(self, front: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.front, self.net = front, net

    def forward(self, x: Tensor) -> Tensor:
        """What the net answers."""
        answer: Tensor = self.net(self.front(x))
        return answer
