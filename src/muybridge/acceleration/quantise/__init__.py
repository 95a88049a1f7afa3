"""Weights smaller than bfloat16 while the model runs: what schemes there are, and putting one in place from outside.

schemes: the table. apply: `quantise` swaps the blocks' linear layers; `settle` lays them out for where they stay;
`keep_packed` leaves a checkpoint's quantised weights as its file holds them. layers: the layers that are put there.
int8, fp8, four_bit: the numbers of each.
"""

from muybridge.acceleration.quantise.apply import Quantised, keep_packed, quantise, settle
from muybridge.acceleration.quantise.schemes import SCHEMES, Scheme

__all__ = ["SCHEMES", "Quantised", "Scheme", "keep_packed", "quantise", "settle"]
