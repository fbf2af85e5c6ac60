"""ResNet18 on one-channel images, with torchvision's parameter names.

He, Zhang, Ren, Sun: Deep residual learning for image recognition. CVPR 2016.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import urllib.error
import urllib.request
from pathlib import Path

import torch
from torch import Tensor, nn

from genrescope.errors import GenrescopeError
from genrescope.lab.nets.base import Net

_MOST_BYTES = 1 << 28  # of image weights; torchvision's have 45 MB


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, n_in: int, n_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride = stride
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        if self.downsample is not None:
            # Strided here and not in the convolution: in torch 2.13 on a CPU the gradient of a
            # strided 1x1 convolution of fewer than 16 channels, channels last, writes outside
            # its memory.
            shortcut = self.downsample(x[:, :, :: self.stride, :: self.stride])
        y = self.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.relu(self.bn2(self.conv2(y)) + shortcut)
        return out


class ResNet18(Net):
    """ResNet18 over the spectrogram as a grey image.

    Args:
        n_classes: number of logits.
        n_bins: bins of the input; any number works, as the last pooling is global.
        width: channels of the first stage; 64 is the paper's, and what image weights need.
        dropout: probability at the embedding, in training.

    The embedding has 8 x width numbers.
    """

    def __init__(
        self, n_classes: int, n_bins: int = 128, *, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.dropout = nn.Dropout(dropout)
        self.fc: nn.Module = nn.Linear(8 * width, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def head(self) -> nn.Module:  # type: ignore[override]  # `fc` is torchvision's name for it
        return self.fc

    def embed(self, x: Tensor) -> Tensor:
        y = self.maxpool(self.relu(self.bn1(self.conv1(x.unsqueeze(1)))))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        pooled: Tensor = self.dropout(y.mean(dim=(2, 3)))
        return pooled


def _stage(n_in: int, n_out: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(n_in, n_out, stride=stride), BasicBlock(n_out, n_out, stride=1))


def load_image_weights(net: ResNet18, source: str | Path, *, sha256: str | None = None) -> None:
    """Start a ResNet18 from weights trained on colour images.

    The three input channels of the first convolution are added up, which answers a grey image
    as the original answers the same image in three equal channels; the old classifier `fc` is
    left out. For a Res-BiGRU pass its `resnet`.

    Args:
        net: of width 64, as torchvision's.
        source: path of a state dict in torch's format, or an http(s) URL of one.
        sha256: hexadecimal checksum of the file; a URL must have one.

    Raises:
        GenrescopeError: the file cannot be read, has another checksum, holds more than tensors,
            or does not fit the net.
    """
    name = str(source)
    state = _read_state(name, _fetch(name, sha256))
    weight = state.get("conv1.weight")
    if weight is not None and weight.ndim == 4:
        state["conv1.weight"] = weight.sum(dim=1, keepdim=True)
    own = net.state_dict()
    wanted = {key for key in own if not key.startswith("fc.")}
    # Files written by old versions of torch do not count batches.
    missing = {k for k in wanted - state.keys() if not k.endswith("num_batches_tracked")}
    if missing:
        raise GenrescopeError(
            f"{name}: no weights for {min(missing)}; it is no ResNet18 with torchvision's names."
        )
    fitting = {key: state[key] for key in wanted & state.keys()}
    for key, value in fitting.items():
        if value.shape != own[key].shape:
            raise GenrescopeError(
                f"{name}: {key} has shape {tuple(value.shape)}, the net needs "
                f"{tuple(own[key].shape)}; image weights fit a net of width 64."
            )
    net.load_state_dict(fitting, strict=False)


def _fetch(name: str, sha256: str | None) -> bytes:
    remote = name.startswith(("http://", "https://"))
    if remote and sha256 is None:
        raise GenrescopeError(f"{name}: weights from a URL need their SHA-256 checksum.")
    try:
        if remote:
            with urllib.request.urlopen(name, timeout=60) as response:
                content: bytes = response.read(_MOST_BYTES + 1)
                if len(content) > _MOST_BYTES:
                    raise GenrescopeError(f"{name}: is larger than any file of a ResNet18.")
        else:
            content = Path(name).read_bytes()
    except (OSError, urllib.error.URLError) as error:
        raise GenrescopeError(f"{name}: cannot be read ({error}).") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise GenrescopeError(f"{name}: SHA-256 is {found}, not {sha256}; the file was not used.")
    return content


def _read_state(name: str, content: bytes) -> dict[str, Tensor]:
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise GenrescopeError(f"{name}: is no file of torch weights, tensors alone.") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise GenrescopeError(f"{name}: holds something other than a state dict of tensors.")
    return dict(loaded)
