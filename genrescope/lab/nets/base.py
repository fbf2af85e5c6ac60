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
    """Kinds of features the net is made for, see `genrescope.features.config.KINDS`."""

    min_frames: ClassVar[int] = 16
    """Fewest frames (of a waveform: samples) that `embed` takes."""

    head: nn.Module

    def embed(self, x: Tensor) -> Tensor:
        """Vector before the head.

        Args:
            x: standardised input, float32 (batch, n_bins, n_frames), any n_frames from
                `min_frames` on; a waveform has one bin and a frame for each sample.

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

    def embed_by_band(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`embed`'s vector, and what tells pitch as well, from one pass.

        The mean over all bands does not know where in them a sound lies; what is learned beside
        the genre may have to. A net that keeps no map over the bands gives its vector twice.

        Returns:
            (batch, d) and (batch, d_by_band).
        """
        embedding = self.embed(x)
        return embedding, embedding

    def embed_steps(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
        """`embed`'s vector, and those of the steps of x, from one pass.

        A net that keeps no map over time knows of one step, the whole.

        Args:
            x: as `embed` takes it.
            n_steps: equal parts, side by side, that x is told in.

        Returns:
            (batch, d) and (batch, n_steps or 1, d).
        """
        embedding = self.embed(x)
        return embedding, embedding.unsqueeze(1)

    def serve(self, x: Tensor, n_steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """What a bundle's ONNX graph computes, from one pass.

        Returns:
            Logits (batch, n_classes), embedding (batch, d) and logits of each step
            (batch, n_steps or 1, n_classes), see `embed_steps`.
        """
        embedding, steps = self.embed_steps(x, n_steps)
        logits: Tensor = self.head(steps.flatten(0, 1))
        of_steps = logits.reshape(-1, steps.shape[1], logits.shape[1])
        return self.head(embedding), embedding, of_steps
