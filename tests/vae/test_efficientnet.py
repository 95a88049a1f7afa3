"""The frozen trunk: its layers are the checkpoint's, and every key of the file is accounted for."""

import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.vae.efficientnet import DEPTHS, EfficientNetFeatures

ROUNDING = 1e-5  # of the features' standard deviation: float32 over eleven blocks (measured 1e-6)
# (repeats, kernel, stride, expansion, channels) of the whole network, arXiv 1905.11946 table 1
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


def blocks() -> Iterator[tuple[str, int, int, int, int, int]]:
    """(prefix, channels in, channels out, kernel, stride, expansion) of all sixteen."""
    index, width = 0, 32
    for repeats, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            yield f"_blocks.{index}.", width, channels, kernel, stride if repeat == 0 else 1, expansion
            index, width = index + 1, channels


def released_state(seed: int = 0) -> dict[str, Tensor]:
    """Random tensors under every key of the released checkpoint, in its shapes."""
    generator = torch.Generator().manual_seed(seed)
    shapes: list[tuple[str, str, tuple[int, ...]]] = [("_conv_stem", "_bn0", (32, 3, 3, 3))]
    for prefix, width, channels, kernel, _, expansion in blocks():
        wide = width * expansion
        if expansion > 1:
            shapes.append((f"{prefix}_expand_conv", f"{prefix}_bn0", (wide, width, 1, 1)))
        shapes.append((f"{prefix}_depthwise_conv", f"{prefix}_bn1", (wide, 1, kernel, kernel)))
        shapes.append((f"{prefix}_project_conv", f"{prefix}_bn2", (channels, wide, 1, 1)))
    shapes.append(("_conv_head", "_bn1", (1280, 320, 1, 1)))
    state = {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    for conv, norm, shape in shapes:
        state[f"{conv}.weight"] = torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))
        for part, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            state[f"{norm}.{part}"] = low + torch.rand(shape[0], generator=generator)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(1)
    return state


def same_padded(x: Tensor, weight: Tensor, *, stride: int = 1, groups: int = 1) -> Tensor:
    """TensorFlow's "same" convolution."""
    kernel, size = weight.shape[-1], x.shape[-1]
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    pad = (total // 2, total - total // 2)
    return F.conv2d(F.pad(x, pad * 2), weight, stride=stride, groups=groups)


def reference(state: dict[str, Tensor], pixels: Tensor) -> list[Tensor]:
    """Features after every block, with the norms as norms, from the paper's description."""

    def normed(x: Tensor, name: str) -> Tensor:
        part = [state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *part, eps=1e-3)

    levels = (pixels + 1) * 127.5
    x = F.relu6(normed(same_padded((levels - 127) / 128, state["_conv_stem.weight"], stride=2), "_bn0"))
    features = []
    for prefix, width, channels, _, stride, expansion in blocks():
        wide = x
        if expansion > 1:
            wide = F.relu6(normed(F.conv2d(x, state[f"{prefix}_expand_conv.weight"]), f"{prefix}_bn0"))
        depthwise = state[f"{prefix}_depthwise_conv.weight"]
        wide = F.relu6(normed(same_padded(wide, depthwise, stride=stride, groups=len(depthwise)), f"{prefix}_bn1"))
        out = normed(F.conv2d(wide, state[f"{prefix}_project_conv.weight"]), f"{prefix}_bn2")
        x = x + out if stride == 1 and width == channels else out
        features.append(x)
    return features


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return released_state()


@pytest.fixture
def saved(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    path = tmp_path / "trunk.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("depths", [DEPTHS, (10,), (0, 1, 2, 3)])
def test_loaded_features_are_those_of_the_checkpoint(saved: Path, state: dict[str, Tensor], depths) -> None:
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    features, expected = EfficientNetFeatures.load(saved, depths=depths)(pixels), reference(state, pixels)
    assert len(features) == len(depths)
    for given, depth in zip(features, depths, strict=True):
        wanted = expected[depth]
        assert given.shape == wanted.shape
        assert (given - wanted).abs().max() < ROUNDING * wanted.std()


def test_every_depth_halves_the_size_and_nothing_learns() -> None:
    trunk = EfficientNetFeatures()
    shapes = [tuple(features.shape[1:]) for features in trunk(torch.zeros(1, 3, 64, 32))]
    assert shapes == [(16, 32, 16), (24, 16, 8), (40, 8, 4), (112, 4, 2)]
    assert not any(parameter.requires_grad for parameter in trunk.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_blocks.3._bn1.bias": None}, "has no '_blocks.3._bn1.bias'"),
        ({"_conv_stem.weight": torch.zeros(32, 3, 5, 5)}, "shape (32, 3, 5, 5), not (32, 3, 3, 3)"),
        ({"_blocks.2._se_reduce.weight": torch.zeros(1)}, "'_blocks.2._se_reduce.weight' is no part"),
        ({"_blocks.16._bn1.bias": torch.zeros(1)}, "'_blocks.16._bn1.bias' is no part"),
        ({"classifier.weight": torch.zeros(1)}, "'classifier.weight' is no part"),
    ],
)
def test_a_checkpoint_with_other_keys_is_refused(tmp_path: Path, state: dict[str, Tensor], change, message) -> None:
    path = tmp_path / "trunk.pth"
    torch.save({key: value for key, value in {**state, **change}.items() if value is not None}, path)
    with pytest.raises(WeightsError) as caught:
        EfficientNetFeatures.load(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


class Code:
    """Runs when it is unpickled, if anything lets it."""

    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle ran')",)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(Code()), pickle.dumps({"a": 1})])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trunk.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        EfficientNetFeatures.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth.*No such file"):
        EfficientNetFeatures.load(tmp_path / "none.pth")


@pytest.mark.parametrize("depths", [(), (2, 0), (0, 0), (-1, 2), (0, 11)])
def test_depths_that_are_not_there_are_refused(depths) -> None:
    with pytest.raises(InvalidInput, match="rising block numbers"):
        EfficientNetFeatures(depths)
