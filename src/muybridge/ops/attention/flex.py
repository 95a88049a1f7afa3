"""A pattern as FlexAttention on CUDA: tokens of a cell brought together, so that most blocks are all or nothing."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from muybridge.ops.attention.cells import Cells

BLOCK_TOKENS = 128  # FlexAttention's own: queries and keys of one block


@dataclass(frozen=True, kw_only=True, slots=True)
class FlexPlan:
    """Tokens in the order of their cells, the text last, and which blocks of them are computed.

    order: the token at each place; back: the place of each token. The order holds inside one attention alone, because
    everything else keeps a frame's tokens together (its modulation is the frame's). The copies it takes are 3 to 4 % of
    the sparse attention's time at 720x1280x129 (by their bytes, on an H200).
    """

    order: Integer[Tensor, " s"]
    back: Integer[Tensor, " s"]
    blocks: BlockMask

    @classmethod
    def of(cls, cells: Cells, num_tokens: int, *, device: torch.device) -> "FlexPlan":
        """The plan of cells that are followed by text up to `num_tokens`."""
        num_text = num_tokens - len(cells.of)
        all_cells = cells.with_text()
        of = torch.cat([cells.of, cells.of.new_full((num_text,), len(cells.allowed))])
        order = of.argsort(stable=True)
        blocks = _block_mask(of[order].to(device), all_cells.allowed.to(device))
        return cls(order=order.to(device), back=order.argsort().to(device), blocks=blocks)


def flex_attend(
    query: Float[Tensor, "1 heads s d"],
    key: Float[Tensor, "1 heads s d"],
    value: Float[Tensor, "1 heads s d"],
    *,
    plan: FlexPlan,
) -> Float[Tensor, "1 heads s d"]:
    """Attention over the pairs of `plan`, by a compiled kernel that passes over the blocks it leaves out.

    On a CPU that compiles nothing it is computed whole, for tests of the plan alone.
    """
    q, k, v = (x.index_select(2, plan.order) for x in (query, key, value))
    kernel = _compiled() if value.is_cuda else _plain
    return kernel(q, k, v, block_mask=plan.blocks).index_select(2, plan.back)


def _block_mask(of: Tensor, allowed: Tensor) -> BlockMask:
    """From what cells see to what blocks see: all of a block, some of it, or none."""
    num_tokens, num_cells = len(of), len(allowed)
    num_blocks = -(-num_tokens // BLOCK_TOKENS)
    holds = torch.zeros(num_blocks, num_cells, device=of.device)
    holds[torch.arange(num_tokens, device=of.device) // BLOCK_TOKENS, of] = 1
    sees_some = holds @ allowed.float() @ holds.T > 0
    misses_some = holds @ (~allowed).float() @ holds.T > 0
    misses_some[:, num_tokens // BLOCK_TOKENS :] |= num_tokens % BLOCK_TOKENS > 0  # the last block is not full
    partial, full = sees_some & misses_some, sees_some & ~misses_some
    return BlockMask.from_kv_blocks(
        *_listed(partial),
        *_listed(full),
        BLOCK_SIZE=BLOCK_TOKENS,
        mask_mod=lambda b, h, q, k: allowed[of[q], of[k]],
        seq_lengths=(num_tokens, num_tokens),
    )


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks each row of blocks sees, and which: those first."""
    count = blocks.sum(1, dtype=torch.int32)
    return count[None, None], blocks.byte().argsort(dim=1, descending=True, stable=True).int()[None, None]


@functools.cache
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(flex_attention)


def _plain(*tensors: Tensor, block_mask: BlockMask) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is not compiled
        return flex_attention(*tensors, block_mask=block_mask)  # type: ignore[return-value]
