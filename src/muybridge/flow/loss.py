"""The flow-matching loss."""

from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid


def velocity_loss(
    predicted: Float[Tensor, "b c t h w"],
    target: Float[Tensor, "b c t h w"],
    *,
    weights: Float[Tensor, "b"] | None = None,
    counted: Bool[Tensor, "b t"] | None = None,
    num_cells: float | None = None,
) -> Float[Tensor, ""]:
    """Mean over samples of weight x mean squared error, in float32.   Paper 4.5.1.

    `counted` marks the latent frames that are learned (False on held ones, which carry no error); a sample with no
    counted frame adds 0. Each sample counts the same however many it has, unless `num_cells` is given: then the result
    is the sum over learned latent cells (t x h x w) divided by that number, so cells weigh the same in batches of any
    shape and size. `weights` are used as they are, not normalised.
    """
    if predicted.shape != target.shape:
        given = f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)}"
        raise invalid(given, "must have one shape", "compare velocities of the same latents")
    per_frame = (predicted.float() - target.float()).square().mean(dim=(1, 3, 4))
    if num_cells is not None:
        cells = predicted.shape[0] * predicted.shape[3] * predicted.shape[4]  # of all samples, in one frame each
        learned = per_frame if counted is None else per_frame * counted
        per_sample = learned.sum(dim=1) * (cells / num_cells)
    elif counted is None:
        per_sample = per_frame.mean(dim=1)
    else:
        per_sample = (per_frame * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
    return (per_sample if weights is None else per_sample * weights.float()).mean()
