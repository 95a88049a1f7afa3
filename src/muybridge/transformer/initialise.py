"""Starting weights for training from scratch."""

import math

import torch
from torch import Tensor, nn

from muybridge.ops.norm import RMSNorm
from muybridge.transformer.blocks import FinalLayer, Modulation
from muybridge.transformer.embed import PatchEmbed, ScalarEmbed
from muybridge.transformer.model import Transformer
from muybridge.transformer.refiner import RefinerBlock
from muybridge.transformer.sources import SourceEmbed

TIME_STD = 0.02  # released, after arXiv 2212.09748


def initialise(model: Transformer, generator: torch.Generator) -> None:
    """Overwrite every parameter in place, as a function of the generator's state alone.

    As released: modulation, the final layer and the refiner's gates are zero (each block starts as the identity and the
    velocity as zero), time and guidance perceptrons N(0, 0.02), the patch embedding Xavier-uniform as a flat matrix.
    Other matrices keep the variance of their input (uniform, variance 1 / inputs), biases are zero, norms one.
    The model must be in memory, not on the meta device, and on the generator's device.
    """
    zero = {id(layer) for module in model.modules() for layer in _zero_layers(module)}
    time = {id(layer) for module in model.modules() if isinstance(module, ScalarEmbed) for layer in module.mlp}
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                std = 0.0 if id(module) in zero else TIME_STD if id(module) in time else None
                _fill(module.weight, generator, std=std)
                module.bias.zero_()
            elif isinstance(module, PatchEmbed):
                nn.init.xavier_uniform_(module.proj.weight.flatten(1), generator=generator)
                module.proj.bias.zero_()  # type: ignore[union-attr]
            elif isinstance(module, SourceEmbed):
                module.weight.zero_()
            elif isinstance(module, RMSNorm):
                module.weight.fill_(1)
            elif isinstance(module, nn.LayerNorm):
                module.weight.fill_(1)
                module.bias.zero_()


def _zero_layers(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, Modulation):
        return [module.get_submodule(module.layer)]
    if isinstance(module, RefinerBlock):
        return [module.adaLN_modulation[1]]
    if isinstance(module, FinalLayer):
        return [module.linear]
    return []


def _fill(weight: Tensor, generator: torch.Generator, *, std: float | None) -> None:
    """Normal of standard deviation `std`; where None, uniform with variance 1 / inputs."""
    if std is None:
        bound = math.sqrt(3 / weight.shape[1])
        weight.uniform_(-bound, bound, generator=generator)
    elif std == 0:
        weight.zero_()
    else:
        weight.normal_(0.0, std, generator=generator)
