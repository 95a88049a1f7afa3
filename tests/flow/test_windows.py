"""Laws of windows over time."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.held import hold_frames
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.flow.windows import Window, at_rest, cover, levels_asked, pyramid, wandering, windowed

SIGMA = torch.tensor([0.5, 0.5])


def film(num_frames: int = 11) -> torch.Tensor:
    return torch.randn(2, 3, num_frames, 2, 2, generator=torch.Generator().manual_seed(0))


def by_frame(x, sigma):
    """A velocity that looks at each frame alone."""
    return x.sin() * 3 + (sigma if sigma.ndim == 2 else sigma[:, None])[:, None, :, None, None]


def by_mean(x, _sigma):
    """A velocity that looks at all frames it is given."""
    return x - x.mean(dim=2, keepdim=True)


@pytest.mark.parametrize("num_frames", [1, 4, 5, 6, 9, 11, 30])
@pytest.mark.parametrize("shift", [0, 1, 2, 17])
def test_windows_cover_the_film_in_one_size_and_share_what_was_asked(num_frames, shift):
    windows = cover(num_frames, size=5, overlap=2, shift=shift)
    assert windows[0].start == 0 and windows[-1].stop == num_frames
    assert {window.num_frames for window in windows} == {min(5, num_frames)}
    assert all(a.stop - b.start >= 2 and a.start < b.start for a, b in zip(windows, windows[1:], strict=False))


def test_one_window_is_the_plain_velocity_bitwise():
    whole = windowed(lambda _window: by_mean, at_rest(11, size=11, overlap=4))
    assert torch.equal(whole(film(), SIGMA), by_mean(film(), SIGMA))


LAYOUTS = [at_rest(11, size=5, overlap=3), wandering(11, size=5, overlap=2, sigmas=inference_sigmas(6, shift=7.0))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_velocity_of_each_frame_alone_is_reproduced_bitwise(layout):
    whole = windowed(lambda _window: by_frame, layout)
    assert torch.equal(whole(film(), SIGMA), by_frame(film(), SIGMA))
    by_frames = torch.rand(2, 11, generator=torch.Generator().manual_seed(1))
    assert torch.equal(whole(film(), by_frames), by_frame(film(), by_frames))


def test_each_window_is_evaluated_by_its_own_velocity():
    """Per-segment prompts: here a window's velocity is the place where it begins."""
    whole = windowed(lambda window: lambda x, _: torch.full_like(x, window.start), at_rest(8, size=5, overlap=2))
    levels = whole(film(8), SIGMA)[0, 0, :, 0, 0]
    # windows 0-4 and 3-7 with weights 1 2 3 2 1: shared are frame 3 (2 to 1) and frame 4 (1 to 2)
    torch.testing.assert_close(levels, torch.tensor([0, 0, 0, 1, 2, 3, 3, 3.0]))


def test_weights_rise_to_the_middle_and_fall():
    assert pyramid(5).tolist() == [1, 2, 3, 2, 1] and pyramid(4).tolist() == [1, 2, 2, 1]


def test_windows_wander_from_step_to_step_and_not_at_the_ends():
    sigmas = inference_sigmas(8, shift=7.0)
    layout = wandering(40, size=9, overlap=1, sigmas=sigmas)
    layouts = [layout(float(sigma)) for sigma in sigmas[:-1]]
    seconds = [windows[1].start for windows in layouts]
    assert len(set(seconds)) == 8  # eight steps over a stride of eight: every place once
    assert all(windows[0].start == 0 and windows[-1].stop == 40 for windows in layouts)
    assert layout(float(sigmas[3])) == layouts[3]  # of the level alone: the same whenever it is asked


def test_held_windows_are_not_asked_and_the_levels_asked_are_known():
    held = torch.arange(11) < 6
    seen = []

    def watching(x, sigma):
        seen.append(sigma)
        return by_frame(x, sigma)

    layout = at_rest(11, size=5, overlap=2)
    velocity = hold_frames(windowed(lambda _window: watching, layout), held)
    end = euler(velocity, film(), torch.tensor([1.0, 0.5]))
    assert torch.equal(end[:, :, held], film()[:, :, held])
    per_frame = torch.ones(2, 11).masked_fill(held, 0)
    expected = levels_asked(layout(1.0), per_frame)
    assert len(seen) == len(expected) == 2 < len(layout(1.0))
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


def test_windows_that_do_not_move_on_are_refused():
    with pytest.raises(InvalidInput, match="windows of 5 latent frames that share 5: .*; share 1"):
        cover(11, size=5, overlap=5)


def test_a_window_knows_its_frames():
    assert Window(start=2, stop=7).frames == slice(2, 7)


@pytest.mark.parametrize("shape", [(1,), (1, 9)])
def test_every_window_is_asked_at_level_0_where_none_is_left_to_make(shape):
    """Samplers of second order evaluate the end of the run."""
    layout = at_rest(9, size=5, overlap=1)
    x, level = torch.randn(1, 4, 9, 2, 2), torch.zeros(shape)
    velocity = windowed(lambda _window: lambda x, _sigma: torch.ones_like(x), layout)
    assert torch.equal(velocity(x, level), torch.ones_like(x))
    assert len(levels_asked(layout(0.0), level)) == (1 if level.ndim == 1 else 2)
