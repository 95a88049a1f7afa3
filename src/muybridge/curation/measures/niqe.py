"""NIQE (Mittal, Soundararajan, Bovik 2013): how far a picture's texture is from that of clean photographs.

Differs from the paper: the clean ones are six photographs in the public domain at three scales, not the authors' 125,
so that values compare with each other and not with published ones.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from muybridge.curation.measures.looks import Grey
from muybridge.curation.measures.natural import MIN_SHARPNESS, niqe_features, texture

Mean = Float[np.ndarray, " 36"]
Covariance = Float[np.ndarray, "36 36"]


def pristine(pictures: Sequence[Grey]) -> tuple[Mean, Covariance]:
    """Mean and covariance of the sharp patches of clean pictures."""
    rows = []
    for picture in pictures:
        found = texture(picture)
        if found is not None:
            rows.append(niqe_features(found)[found.sharpness >= MIN_SHARPNESS * found.sharpness.max()])
    features = np.concatenate(rows)
    return features.mean(0), np.cov(features.T)


def niqe(pictures: Sequence[Grey], mean: Mean, covariance: Covariance) -> float | None:
    """The distance of all pictures' patches together from the pristine ones; 0 is clean, about 3 to 20 usual.

    None where no patch of 96 px fits.
    """
    found = [texture(picture) for picture in pictures]
    features = [niqe_features(each) for each in found if each is not None]
    if not features:
        return None
    rows = np.concatenate(features)
    spread = np.cov(rows.T) if len(rows) > 1 else np.zeros_like(covariance)
    apart = rows.mean(0) - mean
    return float(np.sqrt(max(0.0, apart @ np.linalg.pinv((covariance + spread) / 2, hermitian=True) @ apart)))
