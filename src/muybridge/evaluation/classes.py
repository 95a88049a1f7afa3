"""Figures of what names classes: confusion, F1 of each class and their mean, and whether confidence can be believed."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def confusion(named: Int[Tensor, " n"], truth: Int[Tensor, " n"], *, num_classes: int) -> Int[Tensor, "true named"]:
    """How often each true class was named as each class."""
    counted = torch.bincount(truth * num_classes + named, minlength=num_classes**2)
    return counted.reshape(num_classes, num_classes)


def class_f1(counts: Int[Tensor, "true named"]) -> Float[Tensor, " classes"]:
    """F1 of each class, from `confusion`; not a number for a class that neither is true nor was named."""
    return 2 * counts.diagonal().double() / (counts.sum(0) + counts.sum(1))


def macro_f1(named: Int[Tensor, " n"], truth: Int[Tensor, " n"], *, num_classes: int) -> float:
    """The mean of `class_f1` over the classes that are true or were named at all."""
    return float(class_f1(confusion(named, truth, num_classes=num_classes)).nanmean())


def calibration_error(confidence: Float[Tensor, " n"], is_right: Bool[Tensor, " n"], *, num_bins: int = 10) -> float:
    """Mean gap of confidence and share right, in equal bins: expected calibration error (Guo et al. 2017, eq. 3)."""
    bins = (confidence * num_bins).long().clamp(0, num_bins - 1)
    gaps = torch.zeros(num_bins, dtype=torch.float64)
    gaps.index_add_(0, bins, is_right.double() - confidence.double())
    return float(gaps.abs().sum() / len(confidence))
