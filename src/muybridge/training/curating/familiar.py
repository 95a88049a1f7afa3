"""What the worlds' clips have in common, so that others can be told from them: a closed form of clips of ours alone."""

import torch
from jaxtyping import Int
from torch import Tensor

from muybridge.captioning.own.sight import Looks, Sight
from muybridge.training.curating.told_looks import rows_of

SPREAD = 0.1  # added to each feature's variance within a place, in those of all: few clips fill 112 dimensions
PART = 250  # clips that are looked at together
FAMILIAR = 0.995  # of the worlds' own clips


@torch.no_grad()
def set_familiar(network: Sight, looks: Looks, places: Int[Tensor, " n"]) -> None:
    """Set what `Sight.strangeness` compares with: each place's mean, the spread around it, and how far clips lie."""
    features = looks.stills.float().mean((1, 3, 4))
    scale = features.std(0) + 1e-3
    scaled = features / scale
    centres = torch.stack([
        scaled[places == place].mean(0) if (places == place).any() else scaled.mean(0)
        for place in range(len(network.centres))
    ])  # fmt: skip
    within = scaled - centres[places]
    covariance = within.T @ within / len(within) + SPREAD * torch.eye(features.shape[1])
    whitening = torch.linalg.cholesky(torch.linalg.inv(covariance))
    network.whitening.copy_(whitening / scale[:, None])
    network.centres.copy_(centres @ whitening)
    network.reach.fill_(1.0)
    parts = torch.arange(len(features)).split(PART)
    distances = torch.cat([network.strangeness(rows_of(looks, rows)) for rows in parts])
    network.reach.fill_(float(distances.quantile(FAMILIAR)))
