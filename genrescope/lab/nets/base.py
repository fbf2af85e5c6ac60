"""What every net of the laboratory is: spectrogram in, logits out, an embedding between."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class Net(nn.Module):
    """Base of all nets: ``forward(x) == head(embed(x))``.

    A subclass takes ``(n_classes, n_bins=128, *, ...)``, sets `head` and writes `embed`.
    Dropout before the head belongs to `embed`, so that the equation holds.
    """

    inputs: ClassVar[tuple[str, ...]] = ("stft", "mel")
    """Names of the inputs the net is made for: "raw", "stft", "mel"."""

    min_frames: ClassVar[int] = 16
    """Fewest frames (for raw input: samples) that `embed` takes."""

    head: nn.Module

    def embed(self, x: Tensor) -> Tensor:
        """Vector before the head.

        Args:
            x: standardised input, float32 (batch, n_bins, n_frames), any n_frames from
                `min_frames` on; raw input has one bin and a frame for each sample.

        Returns:
            (batch, d).
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, n_classes) of x (batch, n_bins, n_frames)."""
        logits: Tensor = self.head(self.embed(x))
        return logits

    def branch_logits(self, embedding: Tensor) -> tuple[Tensor, ...]:
        """What each branch would answer alone, from its part of `embed`'s vector (batch, d).

        Training asks branches to be right as well (deep supervision: Lee et al. 2015), so that
        one that learns fast does not leave the other untaught. A net without branches has none.

        Returns:
            (batch, n_classes) for each branch.
        """
        return ()

    def serve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding from one pass: what a bundle's ONNX graph computes."""
        embedding = self.embed(x)
        return self.head(embedding), embedding
