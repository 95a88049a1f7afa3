"""The token refiner against a literal reading of the released rule."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from muybridge.transformer.refiner import TextRefiner
from tests.transformer.networks import conditions, network


def literal(refiner: TextRefiner, text: Tensor, timestep: Tensor, mask: Tensor) -> Tensor:
    """As released: nothing dropped; the mask is valid x valid, then key 0 is open to every query."""
    mean = (text * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    signal = refiner.t_embedder(timestep, dtype=text.dtype) + refiner.c_embedder(mean)
    allowed = (mask[:, None, :, None] & mask[:, None, None, :]).clone()
    allowed[..., 0] = True
    x = refiner.input_embedder(text)
    for block in refiner.individual_token_refiner.blocks:
        gate_attention, gate_mlp = block.adaLN_modulation(signal)[:, None].chunk(2, -1)
        q, k, v = rearrange(block.self_attn_qkv(block.norm1(x)), "b l (n h d) -> n b h l d", n=3, h=block.num_heads)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + gate_attention * block.self_attn_proj(rearrange(attended, "b h l d -> b l (h d)"))
        x = x + gate_mlp * block.mlp.fc2(F.silu(block.mlp.fc1(block.norm2(x))))
    return x


@torch.no_grad()
def test_valid_tokens_are_refined_as_released():
    refiner, given = network().txt_in, conditions((7, 4, 1))
    timestep = torch.tensor([900.0, 250.0, 0.0])
    expected = literal(refiner, given.text, timestep, given.text_mask)
    ours = refiner(given.text, timestep, lengths=[7, 4, 1])
    torch.testing.assert_close(ours[given.text_mask], expected[given.text_mask], rtol=1e-5, atol=1e-5)
