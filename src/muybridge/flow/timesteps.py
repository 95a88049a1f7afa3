"""Noise levels: the shift, the inference grid, and the draws of training, held frames among them."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid

MANY_STEPS_SHIFT = 7.0  # paper 5.1, at 50 steps
FEW_STEPS_SHIFT = 17.0  # paper 5.1, below 20 steps
FEW_STEPS = 20
UNIFORM_SHARE = 0.1  # of the "mix" draw: keeps both ends of [0, 1] visited, where the logit-normal has no mass

FIRST_FRAME_SHARE = 0.5  # of the held clips, whose first latent frame alone is given: image to video (convention)
LAST_FRAME_SHARE = 0.125  # whose last is given too, or alone (half each); the rest hold prefixes: extension

DrawMethod = Literal["logit_normal", "uniform", "mix"]


def shift(sigma: Float[Tensor, "*b"], s: float) -> Float[Tensor, "*b"]:
    """Warp noise levels towards 1 when s > 1; 0 and 1 stay fixed.   Paper 5.1.

    Raises InvalidInput unless s is a positive number and every sigma lies in [0, 1].
    """
    _check_shift(s)
    if not bool(((sigma >= 0) & (sigma <= 1)).all()):
        raise invalid("sigma", "noise levels lie in [0, 1]", "clamp or mend the values")
    return s * sigma / (1 + (s - 1) * sigma)


def default_shift(num_steps: int) -> float:
    """The paper's shift for a number of steps: 17 below 20 steps, else 7 (which it states for 50).   Paper 5.1."""
    _check_steps(num_steps)
    return FEW_STEPS_SHIFT if num_steps < FEW_STEPS else MANY_STEPS_SHIFT


def inference_sigmas(num_steps: int, *, shift: float, strength: float = 1.0) -> Float[Tensor, "n_plus_1"]:
    """The num_steps + 1 float32 noise levels of a run, from exactly 1 down to exactly 0.

    Bit-equal to diffusers' flow-match Euler scheduler under the HunyuanVideo pipeline: an even grid made in float64,
    rounded to float32, then shifted in float32. strength: the share of the run that is left to do where a film is
    given; the even grid then starts at `strength` instead of 1 and has `steps_left` steps, so that 0.5 is the latter
    half of a run. Raises InvalidInput on a bad number of steps, shift or strength.
    """
    _check_shift(shift)
    left = steps_left(num_steps, strength)
    even = ((torch.arange(left + 1, dtype=torch.float64) * (-1.0 / left) + 1) * strength).to(torch.float32)
    even[-1] = 0
    return shift * even / (1 + (shift - 1) * even)


def steps_left(num_steps: int, strength: float) -> int:
    """How many of `num_steps` are taken at this strength: its share, rounded, at least one.

    Raises InvalidInput on a bad number of steps, or a strength that does not lie above 0 and up to 1.
    """
    _check_steps(num_steps)
    if not 0 < strength <= 1:
        raise invalid(f"strength={strength}", "lies above 0 and up to 1", "use 0.6, or 1 for pure noise")
    return max(1, round(num_steps * strength))


def draw_sigmas(
    num: int,
    *,
    generator: torch.Generator,
    method: DrawMethod = "logit_normal",
    mean: float = 0.0,
    std: float = 1.0,
    shift: float = 1.0,
) -> Float[Tensor, "num"]:
    """Training noise levels, float32 in [0, 1], shifted after the draw; consumes the same randomness for every method.

    "logit_normal" is sigmoid(mean + std z) (paper 4.5.1; arXiv 2403.03206), "uniform" is U[0, 1), "mix" takes the
    uniform draw in a tenth of the cases. Raises InvalidInput on an unknown method or an unusable number.
    """
    _check_draw(num, mean=mean, std=std)
    _check_shift(shift)
    normal = torch.randn(num, generator=generator, device=generator.device)
    uniform, coin = torch.rand(2, num, generator=generator, device=generator.device)
    logit_normal = torch.sigmoid(mean + std * normal)
    if method == "logit_normal":
        sigma = logit_normal
    elif method == "uniform":
        sigma = uniform
    elif method == "mix":
        sigma = torch.where(coin < UNIFORM_SHARE, uniform, logit_normal)
    else:
        raise invalid(f"method={method!r}", "unknown way to draw sigma", "use logit_normal, uniform or mix")
    return shift * sigma / (1 + (shift - 1) * sigma)


def tokens_shift(num_tokens: int, *, shift: float, reference_tokens: int) -> float:
    """The training shift of clips of `num_tokens` where `shift` is right for `reference_tokens`.

    Grows with the square root, so that more tokens are left as uncertain by as much noise: arXiv 2403.03206, 5.3.2,
    Eq. 23. Raises InvalidInput on counts below 1 or an unusable shift.
    """
    _check_shift(shift)
    if min(num_tokens, reference_tokens) < 1:
        given = f"num_tokens={num_tokens}, reference_tokens={reference_tokens}"
        raise invalid(given, "clips have at least one token", "count t x h x w patches")
    return shift * math.sqrt(num_tokens / reference_tokens)


def draw_held(num: int, num_frames: int, *, generator: torch.Generator, share: float) -> Bool[Tensor, "num t"]:
    """Which latent frames of `num` training clips are given, hence at sigma 0: none in all but a `share` of the clips.

    Half of the held clips give their first frame (image to video), an eighth their first and last or only their last,
    the rest a prefix of any length (extension); at least one frame is always left to learn, so pictures are never held.
    Consumes the same randomness for every share. Raises InvalidInput unless share lies in [0, 1].
    """
    if not 0 <= share <= 1:
        raise invalid(f"share={share}", "a share in [0, 1]", "use 0.3")
    coin, kind, length = torch.rand(3, num, generator=generator, device=generator.device)
    frame = torch.arange(num_frames, device=generator.device)
    prefix = 1 + (length * (num_frames - 1)).long().clamp(max=max(num_frames - 2, 0))  # 1 ... t - 1 frames
    prefix = torch.where(kind < FIRST_FRAME_SHARE, 1, prefix)
    gives_last = kind >= 1 - LAST_FRAME_SHARE
    prefix = torch.where(gives_last, ((length < 0.5) & (num_frames > 2)).long(), prefix)
    held = (frame < prefix[:, None]) | (gives_last[:, None] & (frame == num_frames - 1))
    return held & (coin < share)[:, None] & (num_frames > 1)


def _check_steps(num_steps: int) -> None:
    if isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 1:
        raise invalid(
            f"steps={num_steps}", "a run takes a whole number of steps, at least 1", "use 50, or 10 for a sketch"
        )


def _check_shift(s: float) -> None:
    if not (math.isfinite(s) and s > 0):
        raise invalid(f"shift={s}", "must be a positive number", "use 7 at 50 steps, 17 below 20, or 1 for none")


def _check_draw(num: int, *, mean: float, std: float) -> None:
    if num < 1:
        raise invalid(f"num={num}", "at least one noise level is drawn", "use the batch size")
    if not math.isfinite(mean):
        raise invalid(f"mean={mean}", "must be a number", "use 0")
    if not (math.isfinite(std) and std > 0):
        raise invalid(f"std={std}", "must be a positive number", "use 1")
