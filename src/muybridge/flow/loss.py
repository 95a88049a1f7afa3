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
    cells_per_sample: int | None = None,
) -> Float[Tensor, ""]:
    """Mean over samples of weight x mean squared error, in float32.   Paper 4.5.1.

    `counted` marks the latent frames that are learned (False on held ones, which carry no error); a sample with no
    counted frame adds 0. Each sample counts the same however many it has, unless `cells_per_sample` is given: then
    each learned latent cell (t x h x w) counts 1 / cells_per_sample, whatever the shape of the batch it came in, so a
    long clip counts more than a picture, as its tokens are more. `weights` are used as they are, not normalised.
    """
    if predicted.shape != target.shape:
        given = f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)}"
        raise invalid(given, "must have one shape", "compare velocities of the same latents")
    per_frame = (predicted.float() - target.float()).square().mean(dim=(1, 3, 4))
    if cells_per_sample is not None:
        cells_of_frame = predicted.shape[3] * predicted.shape[4]
        learned = per_frame if counted is None else per_frame * counted
        per_sample = learned.sum(dim=1) * (cells_of_frame / cells_per_sample)
    elif counted is None:
        per_sample = per_frame.mean(dim=1)
    else:
        per_sample = (per_frame * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
    return (per_sample if weights is None else per_sample * weights.float()).mean()
