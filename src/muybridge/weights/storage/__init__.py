"""How tensors are stored in files, apart from how they are named: every known quantisation, one file per scheme."""

from muybridge.weights.storage.schemes import Quantisation, plain

__all__ = ["Quantisation", "plain"]
