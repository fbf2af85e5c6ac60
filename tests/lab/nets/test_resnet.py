"""Resnets: their shortcut, and weights learned from images."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from net_makers import N_CLASSES
from torch import nn

from genrescope.errors import GenrescopeError
from genrescope.lab.nets import NETS, resnet
from genrescope.lab.nets.resbigru import ResBiGRU
from genrescope.lab.nets.resnet import ResNet18, load_image_weights


def _torchvision_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's resnet18, written down from its documentation."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}

    def norm(prefix: str, n: int) -> None:
        for key in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{prefix}.{key}"] = (n,)
        shapes[f"{prefix}.num_batches_tracked"] = ()

    norm("bn1", 64)
    n_in = 64
    for stage, n_out in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            prefix = f"layer{stage}.{block}"
            shapes[f"{prefix}.conv1.weight"] = (n_out, n_in, 3, 3)
            norm(f"{prefix}.bn1", n_out)
            shapes[f"{prefix}.conv2.weight"] = (n_out, n_out, 3, 3)
            norm(f"{prefix}.bn2", n_out)
            if n_in != n_out:
                shapes[f"{prefix}.downsample.0.weight"] = (n_out, n_in, 1, 1)
                norm(f"{prefix}.downsample.1", n_out)
            n_in = n_out
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


@pytest.mark.slow
def test_no_net_strides_a_1x1_convolution() -> None:
    """On a CPU, torch 2.13 writes outside the memory of its gradient where channels are few."""
    for net in NETS.values():
        for module in net(N_CLASSES, 64).modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
                assert module.stride == (1, 1), net


def test_resnets_shortcut_is_the_strided_convolution_it_replaces() -> None:
    torch.manual_seed(0)
    block = ResNet18(N_CLASSES, width=8).layer2[0].eval()
    x = torch.randn(2, 8, 9, 5)
    convolution, norm = block.downsample
    strided = norm(nn.functional.conv2d(x, convolution.weight, stride=2))
    torch.testing.assert_close(block.downsample(x[:, :, ::2, ::2]), strided)
    with torch.no_grad():
        block.bn2.weight.zero_()  # what is left is the shortcut
        block.bn2.bias.zero_()
    torch.testing.assert_close(block(x), strided.relu())


def test_resnet_has_torchvisions_names() -> None:
    ours = {key: tuple(value.shape) for key, value in ResNet18(1000).state_dict().items()}
    assert ours == _torchvision_shapes() | {"conv1.weight": (64, 1, 7, 7)}
    # 11,689,512 parameters are documented for the original with its three input channels.
    n_parameters = sum(p.numel() for p in ResNet18(1000).parameters())
    assert n_parameters == 11_689_512 - 2 * 64 * 7 * 7


@pytest.fixture(scope="module")
def image_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = torch.Generator().manual_seed(2)
    state = {
        key: torch.rand(shape, generator=generator) * 0.1 if shape else torch.tensor(7)
        for key, shape in _torchvision_shapes().items()
    }
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def image_weights_url(image_weights: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(image_weights.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{image_weights.name}"
        server.shutdown()
        thread.join(60)


@pytest.mark.slow
def test_image_weights_answer_grey_as_equal_colours(image_weights: Path) -> None:
    net = ResNet18(N_CLASSES)
    fc = net.fc.state_dict()["weight"].clone()
    load_image_weights(net, image_weights)
    original = torch.load(image_weights, weights_only=True)
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(
        net.conv1(grey),
        nn.functional.conv2d(grey.expand(-1, 3, -1, -1), original["conv1.weight"], None, 2, 3),
        atol=1e-4,
        rtol=1e-4,
    )
    state = net.state_dict()
    for key in original.keys() - {"conv1.weight", "fc.weight", "fc.bias"}:
        torch.testing.assert_close(state[key], original[key])
    torch.testing.assert_close(state["fc.weight"], fc)


@pytest.mark.slow
def test_image_weights_fit_the_branch_of_a_res_bigru(image_weights: Path) -> None:
    net = ResBiGRU(N_CLASSES, hidden=4)
    load_image_weights(net.resnet, image_weights)
    original = torch.load(image_weights, weights_only=True)
    torch.testing.assert_close(
        net.state_dict()["resnet.layer4.1.conv2.weight"], original["layer4.1.conv2.weight"]
    )


def test_an_address_gives_no_more_than_weights_can_have(
    image_weights_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resnet, "_MOST_BYTES", 1_000)
    with pytest.raises(GenrescopeError, match="larger than any file"):
        load_image_weights(ResNet18(N_CLASSES), image_weights_url, sha256="0" * 64)


@pytest.mark.slow
def test_image_weights_come_from_a_url_with_checksum(
    image_weights: Path, image_weights_url: str
) -> None:
    checksum = hashlib.sha256(image_weights.read_bytes()).hexdigest()
    near, far = ResNet18(N_CLASSES), ResNet18(N_CLASSES)
    load_image_weights(near, image_weights, sha256=checksum)
    load_image_weights(far, image_weights_url, sha256=checksum.upper())
    torch.testing.assert_close(near.conv1.weight, far.conv1.weight)


def test_a_url_without_or_with_a_wrong_checksum_is_refused(image_weights_url: str) -> None:
    net = ResNet18(N_CLASSES)
    before = net.conv1.weight.clone()
    with pytest.raises(GenrescopeError, match="need their SHA-256"):
        load_image_weights(net, image_weights_url)
    with pytest.raises(GenrescopeError, match=r"SHA-256 is \w+, not 00"):
        load_image_weights(net, image_weights_url, sha256="00" * 32)
    with pytest.raises(GenrescopeError, match="cannot be read"):
        load_image_weights(net, image_weights_url + "x", sha256="00" * 32)
    torch.testing.assert_close(net.conv1.weight, before)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("a pickle was executed",)


def test_files_that_are_no_weights_are_refused(
    tmp_path: Path, image_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = ResNet18(N_CLASSES)
    path = tmp_path / "weights.pth"
    with pytest.raises(GenrescopeError, match=r"weights\.pth: cannot be read"):
        load_image_weights(net, path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(GenrescopeError, match="no file of torch weights"):
        load_image_weights(net, path)
    torch.save({"conv1.weight": _Trap()}, path)
    with pytest.raises(GenrescopeError, match="no file of torch weights"):
        load_image_weights(net, path)
    assert capsys.readouterr().out == ""
    torch.save([torch.zeros(2)], path)
    with pytest.raises(GenrescopeError, match="other than a state dict"):
        load_image_weights(net, path)
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(GenrescopeError, match="no weights for bn1"):
        load_image_weights(net, path)
    with pytest.raises(GenrescopeError, match="fit a net of width 64"):
        load_image_weights(ResNet18(N_CLASSES, width=8), image_weights)
