"""Measures of reconstruction: exact where they can be, monotone where they must be."""

import math

import torch
import torch.nn.functional as F

from muybridge.evaluation.reconstruction import detail_ratio, psnr, ssim


def clips(*, seed: int = 0) -> torch.Tensor:
    return torch.rand(2, 3, 3, 24, 20, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def blurred(pixels: torch.Tensor) -> torch.Tensor:
    return F.avg_pool3d(pixels, (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)


def test_psnr_of_a_known_error() -> None:
    torch.testing.assert_close(psnr(clips() + 0.02, clips()), torch.full((2,), 20 * math.log10(2 / 0.02)))


def test_equal_clips_are_wholly_similar() -> None:
    torch.testing.assert_close(ssim(clips(), clips()), torch.ones(2))
    torch.testing.assert_close(detail_ratio(clips(), clips()), torch.ones(2))


def test_ssim_of_flat_clips_is_its_luminance_term() -> None:
    a, b = 0.5, -0.25
    first = 0.02**2
    expected = (2 * a * b + first) / (a * a + b * b + first)
    found = ssim(torch.full((1, 3, 1, 16, 16), a), torch.full((1, 3, 1, 16, 16), b))
    torch.testing.assert_close(found, torch.tensor([expected]), rtol=1e-3, atol=1e-4)  # float32 variances near zero


def test_noise_and_blur_lower_similarity_and_a_clip_is_judged_alone() -> None:
    noisy = clips() + 0.1 * torch.randn(clips().shape, generator=torch.Generator().manual_seed(1))
    assert bool((ssim(noisy, clips()) < 0.99).all()) and bool((ssim(blurred(clips()), clips()) < 0.9).all())
    torch.testing.assert_close(ssim(noisy[1:], clips()[1:]), ssim(noisy, clips())[1:])


def test_blur_loses_detail_and_noise_invents_it() -> None:
    assert bool((detail_ratio(blurred(clips()), clips()) < 0.5).all())
    noisy = clips() + 0.5 * torch.randn(clips().shape, generator=torch.Generator().manual_seed(1))
    assert bool((detail_ratio(noisy, clips()) > 1.2).all())
