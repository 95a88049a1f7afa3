"""LPIPS: the published formula, on files in the published layouts and no others."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from muybridge.core.errors import MissingExtra, WeightsError
from muybridge.vae import lpips
from muybridge.vae.lpips import DEPTHS, WIDTHS, Lpips, LpipsDistance


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network with few channels: the real one is 59 MB."""
    monkeypatch.setattr(lpips, "WIDTHS", (2, 3, 4, 5, 6))


def vgg_state(widths: tuple[int, ...] = (2, 3, 4, 5, 6)) -> dict[str, Tensor]:
    """A state dict as torchvision's VGG16 gives, in its order of layers."""
    draw, state, place, before = torch.Generator().manual_seed(0), {}, 0, 3
    for width, depth in zip(widths, DEPTHS, strict=True):
        for _ in range(depth):
            state[f"features.{place}.weight"] = torch.randn(width, before, 3, 3, generator=draw) * (9 * before) ** -0.5
            state[f"features.{place}.bias"] = torch.randn(width, generator=draw) * 0.1
            place, before = place + 2, width
        place += 1
    return state | {"classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}


def heads_state(widths: tuple[int, ...] = (2, 3, 4, 5, 6)) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {f"lin{i}.model.1.weight": torch.rand(1, w, 1, 1, generator=draw) for i, w in enumerate(widths)}


def files(folder: Path) -> tuple[Path, Path]:
    trunk, heads = folder / "vgg16.safetensors", folder / "vgg.pth"
    save_file(vgg_state(), trunk)
    torch.save(heads_state(), heads)
    return trunk, heads


def pictures(count: int = 2, *, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def written_out(a: Tensor, b: Tensor) -> Tensor:
    """LPIPS as the paper's equation 1 says, layer by layer, on torchvision's numbering."""
    state, total = vgg_state(), torch.zeros(len(a))
    taps, pools = {2: 0, 7: 1, 14: 2, 21: 3, 28: 4}, {5, 10, 17, 24}
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x = (torch.cat([a, b]) - shift.view(3, 1, 1)) / scale.view(3, 1, 1)
    for place in sorted(int(key.split(".")[1]) for key in state if key.startswith("features") and "weight" in key):
        if place in pools:
            x = torch.max_pool2d(x, 2)
        x = torch.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1).relu()
        if place in taps:
            left, right = (x / x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-10)).chunk(2)
            weights = heads_state()[f"lin{taps[place]}.model.1.weight"]
            total += ((left - right).square() * weights).sum(1).mean(dim=(1, 2))
    return total


@pytest.mark.usefixtures("narrow")
def test_it_is_the_published_formula_on_the_published_layout(tmp_path: Path) -> None:
    a, b = pictures(), pictures(seed=5)
    torch.testing.assert_close(Lpips.load(*files(tmp_path))(a, b), written_out(a, b))


@pytest.mark.usefixtures("narrow")
def test_equal_clips_are_at_distance_zero_and_the_gradient_reaches_the_decoded_one(tmp_path: Path) -> None:
    distance, pixels = LpipsDistance(Lpips.load(*files(tmp_path)), num_frames=1), pictures()[:, :, None]
    draws = [torch.Generator().manual_seed(i) for i in range(2)]
    assert float(distance(pixels, pixels, draws)) == 0.0
    decoded = pictures(seed=5)[:, :, None].requires_grad_()
    distance(decoded, pixels, draws).backward()
    assert decoded.grad is not None and float(decoded.grad.abs().sum()) > 0


@pytest.mark.usefixtures("narrow")
def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    trunk, heads = files(tmp_path)
    with pytest.raises(WeightsError, match=r"has no 'features\.0\.weight'; give torchvision's VGG16"):
        Lpips.load(heads, heads)
    with pytest.raises(WeightsError, match=r"has no 'lin0\.model\.1\.weight'; give lpips"):
        Lpips.load(trunk, trunk)
    save_file(vgg_state() | {"features.1.running_mean": torch.zeros(2)}, trunk)
    with pytest.raises(WeightsError, match=r"'features\.1\.running_mean' is no part of VGG16"):
        Lpips.load(trunk, heads)
    trunk.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot be read"):
        Lpips.load(trunk, heads)


def test_its_widths_are_those_of_vgg16() -> None:
    assert WIDTHS == (64, 128, 256, 512, 512) and sum(DEPTHS) == 13


def test_heads_that_are_nowhere_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(MissingExtra, match="pip install --no-deps lpips"):
        lpips.installed_heads()
