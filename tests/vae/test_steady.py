"""Steadied films keep what moves and lose what comes and goes."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.vae.steady import REACH_PX, motion, steadied, steadied_stream

SIDE, FRAMES, STRENGTH = 48, 4, 0.3


def textured(height: int = SIDE, width: int = SIDE, *, seed: int = 0) -> Tensor:
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8
    return torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")


def panned(step_px: int) -> Tensor:
    """A view that slides over a larger picture."""
    picture = textured(SIDE, SIDE * 2)
    return torch.stack([picture[..., step_px * t : step_px * t + SIDE] for t in range(FRAMES)], dim=2)


def noise(*, seed: int = 1) -> Tensor:
    return 0.1 * torch.randn(1, 3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def test_motion_is_where_a_block_went() -> None:
    film = panned(3)
    ways = motion(film[:, :, 1], film[:, :, 2])[0, :, 1:-1, 1:-1]
    assert bool((ways[0] == 0).all()) and bool((ways[1] == -3).all())


def test_what_moves_within_reach_keeps_its_look() -> None:
    inner = slice(16, -16)
    film = panned(3)[..., inner, :]
    torch.testing.assert_close(steadied(film, STRENGTH)[..., inner], film[..., inner], atol=1e-6, rtol=0)


def test_noise_falls_as_that_of_a_mean_of_three() -> None:
    error = (steadied(panned(2) + noise(), STRENGTH) - panned(2))[:, :, 1:-1, 8:-8, 16:-16]
    assert float(error.std() / noise().std()) == pytest.approx(3**-0.5, abs=0.08)


def test_a_cut_and_what_moves_too_far_stay_as_they_are() -> None:
    cut = torch.cat([textured()[:, :, None], -textured()[:, :, None]], dim=2)
    torch.testing.assert_close(steadied(cut, 0.05), cut, atol=0.02, rtol=0)
    fast = panned(2 * REACH_PX)
    assert float((steadied(fast, 0.05) - fast).abs().mean()) < 0.02


def test_a_frame_depends_on_its_neighbours_alone() -> None:
    film, changed = panned(1), panned(1)
    changed[:, :, 3] = 0
    before, after = steadied(film, STRENGTH), steadied(changed, STRENGTH)
    assert torch.equal(before[:, :, :2], after[:, :, :2]) and not torch.equal(before[:, :, 2], after[:, :, 2])


def test_a_batch_is_its_films() -> None:
    films = torch.cat([panned(1), panned(3) + noise()])
    torch.testing.assert_close(steadied(films, STRENGTH)[1:], steadied(films[1:], STRENGTH))


def test_off_and_pictures_are_given_back() -> None:
    assert torch.equal(steadied(panned(1), 0.0), panned(1))
    assert torch.equal(steadied(panned(1)[:, :, :1], STRENGTH), panned(1)[:, :, :1])


def test_a_negative_strength_is_refused() -> None:
    with pytest.raises(InvalidInput, match="steady=-1"):
        steadied(panned(1), -1.0)


def test_blocks_that_do_not_fill_the_sides_are_refused() -> None:
    with pytest.raises(InvalidInput, match="multiples of 8"):
        steadied(torch.zeros(1, 3, 2, 12, 16), STRENGTH)


def test_float64_keeps_its_digits() -> None:
    assert steadied(panned(3).double(), STRENGTH).dtype == torch.float64


@pytest.mark.parametrize("strength", [0, STRENGTH])
@pytest.mark.parametrize("sizes", [(4,), (1, 1, 2), (3, 1)])
def test_a_film_that_comes_in_chunks_is_steadied_as_the_whole_bitwise(strength: float, sizes: tuple[int, ...]) -> None:
    film = panned(3) + noise()
    pieces = list(steadied_stream(film.split(sizes, dim=2), strength))
    assert torch.equal(torch.cat(pieces, dim=2), steadied(film, strength))


def test_a_frame_is_steadied_as_soon_as_the_next_is_there() -> None:
    given = []

    def frames() -> Iterator[Tensor]:
        for index, frame in enumerate(panned(3).split(1, dim=2)):
            given.append(index)
            yield frame

    next(steadied_stream(frames(), STRENGTH))
    assert given == [0, 1]
