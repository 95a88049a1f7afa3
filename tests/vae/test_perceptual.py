"""The perceptual distance: zero at equality, growing with damage, learning only from what was decoded."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from muybridge.core.errors import AssetError, InvalidInput
from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.vae.perceptual import PerceptualDistance, pick_frames, take_frames
from muybridge.weights.assets import ensure

BLURS_PX = (0.5, 1.0, 2.0, 3.0)
NOISES = (0.02, 0.05, 0.1, 0.2, 0.4)


@pytest.fixture(scope="module")
def trunk() -> EfficientNetFeatures:
    torch.manual_seed(0)
    return EfficientNetFeatures((0, 2))


@pytest.fixture(scope="module")
def trained() -> EfficientNetFeatures:
    try:
        return EfficientNetFeatures.load(ensure("efficientnet-lite0") / "efficientnet-lite0.pth")
    except AssetError as error:
        pytest.skip(str(error))


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(count: int = 2, *, seed: int = 0) -> list[torch.Generator]:
    return [draw(seed + number) for number in range(count)]


def clips(batch: int = 2, frames: int = 5, side: int = 32, *, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, frames, side, side, generator=draw(seed)) * 2 - 1


def discs(side: int = 64, count: int = 4) -> Tensor:
    """One-frame clips of a striped disc on a flat ground, the places where blur and noise look most different."""
    generator = draw(7)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    pictures = []
    for _ in range(count):
        ground, light, dark = (torch.rand(3, 1, 1, generator=generator) * 2 - 1 for _ in range(3))
        cy, cx, radius, period = (torch.rand(4, generator=generator) * torch.tensor([20.0, 20, 8, 4])).tolist()
        stripes = torch.where(((x + y) / (3 + period)).long() % 2 == 0, light, dark)
        is_inside = (x - 22 - cx) ** 2 + (y - 22 - cy) ** 2 < (12 + radius) ** 2
        pictures.append(torch.where(is_inside, stripes, ground))
    return torch.stack(pictures)[:, :, None]


def blurred(clip: Tensor, sigma_px: float) -> Tensor:
    reach = int(4 * sigma_px) + 1
    taps = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma_px**2))
    kernel = (taps[:, None] * taps / taps.sum() ** 2).expand(3, 1, -1, -1)
    return F.conv2d(F.pad(clip[:, :, 0], (reach,) * 4, mode="replicate"), kernel, groups=3)[:, :, None]


def noisy(clip: Tensor, std: float) -> Tensor:
    return clip + std * torch.randn(clip.shape, generator=draw(9))


def test_equal_clips_are_at_distance_zero(trunk) -> None:
    assert float(PerceptualDistance(trunk)(clips(), clips(), draws())) == 0.0


def test_the_gradient_reaches_the_chosen_frames_of_the_decoded_clip_only(trunk) -> None:
    decoded, pixels = clips(seed=1).requires_grad_(), clips().requires_grad_()
    PerceptualDistance(trunk, num_frames=2)(decoded, pixels, draws(seed=3)).backward()
    assert pixels.grad is None and decoded.grad is not None
    reached = decoded.grad.abs().sum(dim=(1, 3, 4)) > 0
    chosen = torch.zeros_like(reached).scatter(1, pick_frames(5, 2, draws=draws(seed=3)), True)
    assert torch.equal(reached, chosen)


def test_the_draw_decides_everything(trunk) -> None:
    distance, decoded, pixels = PerceptualDistance(trunk), clips(seed=1), clips()
    assert torch.equal(distance(decoded, pixels, draws(seed=3)), distance(decoded, pixels, draws(seed=3)))
    assert not torch.equal(distance(decoded, pixels, draws(seed=3)), distance(decoded, pixels, draws(seed=4)))


def test_a_clip_costs_the_same_in_any_batch(trunk) -> None:
    """So that micro-batches and ranks add up to the whole batch."""
    distance, decoded, pixels = PerceptualDistance(trunk), clips(seed=1), clips()
    whole = distance(decoded, pixels, draws())
    parts = [distance(decoded[i : i + 1], pixels[i : i + 1], [draw(i)]) for i in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_autocast_changes_nothing(trunk) -> None:
    distance, decoded, pixels = PerceptualDistance(trunk), clips(seed=1), clips()
    expected = distance(decoded, pixels, draws())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distance(decoded, pixels, draws()), expected)


def test_a_bfloat16_decoder_is_taken(trunk) -> None:
    decoded = clips(seed=1).bfloat16().requires_grad_()
    value = PerceptualDistance(trunk)(decoded, clips(), draws())
    value.backward()
    assert value.dtype == torch.float32 and decoded.grad is not None and bool(decoded.grad.isfinite().all())


def test_it_lies_between_zero_and_four_for_each_depth(trunk) -> None:
    assert 0 < float(PerceptualDistance(trunk)(clips(seed=1), clips(), draws())) <= 4 * len(trunk.depths)


def test_pictures_are_compared_too(trunk) -> None:
    assert float(PerceptualDistance(trunk, num_frames=4)(clips(frames=1, seed=1), clips(frames=1), draws())) > 0


def test_frames_are_distinct_and_all_come_up() -> None:
    picked = pick_frames(5, 3, draws=draws(200))
    assert picked.shape == (200, 3)
    assert all(len(set(row)) == 3 for row in picked.tolist())
    assert picked.unique().tolist() == [0, 1, 2, 3, 4]
    assert sorted(pick_frames(4, 9, draws=draws(1))[0].tolist()) == [0, 1, 2, 3]


def test_taken_frames_are_those_of_their_own_clip() -> None:
    x = clips(batch=2, frames=4, side=2)
    taken = take_frames(x, torch.tensor([[3, 0], [1, 2]]))
    assert torch.equal(taken, torch.stack([x[0, :, 3], x[0, :, 0], x[1, :, 1], x[1, :, 2]]))


@pytest.mark.parametrize("num_frames", [0, -1])
def test_no_frames_is_refused(trunk, num_frames: int) -> None:
    with pytest.raises(InvalidInput, match=f"num_frames={num_frames}: at least one"):
        PerceptualDistance(trunk, num_frames)


@pytest.mark.parametrize("dither", [-0.1, float("nan")])
def test_a_dither_that_is_no_deviation_is_refused(trunk, dither: float) -> None:
    with pytest.raises(InvalidInput, match="dither="):
        PerceptualDistance(trunk, dither=dither)


@pytest.mark.parametrize("network", ["trunk", "trained"])
def test_more_damage_is_more_distance(network: str, request: pytest.FixtureRequest) -> None:
    distance, pixels = PerceptualDistance(request.getfixturevalue(network), 1), discs()
    for damage, amounts in ((blurred, BLURS_PX), (noisy, NOISES)):
        values = [float(distance(damage(pixels, amount), pixels, draws(len(pixels)))) for amount in amounts]
        assert all(a < b for a, b in zip([0.0, *values], values, strict=False)), (damage.__name__, values)


def test_invisible_noise_costs_less_than_visible_blur(trained) -> None:
    """Which is what the dither is for: without it the order is the other way round."""
    pixels = discs()

    def cost(damaged: Tensor, dither: float) -> float:
        return float(PerceptualDistance(trained, 1, dither=dither)(damaged, pixels, draws(len(pixels))))

    assert cost(noisy(pixels, 0.02), 0.05) < cost(blurred(pixels, 1.0), 0.05)
    assert cost(noisy(pixels, 0.02), 0.0) > cost(blurred(pixels, 1.0), 0.0)
