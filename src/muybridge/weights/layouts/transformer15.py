"""Where each layout keeps each module of HunyuanVideo-1.5's transformer: HunyuanVideo's rows, and what differs."""

from muybridge.weights.layouts.table import Row, Table, identity, renamed, same
from muybridge.weights.layouts.transformer import TRANSFORMER, comfy_rows

_ABSENT = (  # what this network has not, or not in this form
    "guidance_in.", "vector_in.", "single_blocks.", "double_blocks.{i}.img_attn_qkv", "double_blocks.{i}.txt_attn_qkv",
)  # fmt: skip

TRANSFORMER_15: tuple[Row, ...] = (  # official beside diffusers
    *(row for row in TRANSFORMER if not row.official.startswith(("time_in.", *_ABSENT))),
    *renamed(
        {
            "time_in.mlp.0": "time_embed.timestep_embedder.linear_1",
            "time_in.mlp.2": "time_embed.timestep_embedder.linear_2",
            "time_r_in.mlp.0": "time_embed.timestep_embedder_r.linear_1",
            "time_r_in.mlp.2": "time_embed.timestep_embedder_r.linear_2",
            "byt5_in.layernorm": "context_embedder_2.norm",
            "byt5_in.fc1": "context_embedder_2.linear_1",
            "byt5_in.fc2": "context_embedder_2.linear_2",
            "byt5_in.fc3": "context_embedder_2.linear_3",
            "vision_in.proj.0": "image_embedder.norm_in",
            "vision_in.proj.1": "image_embedder.linear_1",
            "vision_in.proj.3": "image_embedder.linear_2",
            "vision_in.proj.4": "image_embedder.norm_out",
            "cond_type_embedding": "cond_type_embed",
        }
    ),
    *renamed(
        {
            "img_attn_q": "attn.to_q",
            "img_attn_k": "attn.to_k",
            "img_attn_v": "attn.to_v",
            "txt_attn_q": "attn.add_q_proj",
            "txt_attn_k": "attn.add_k_proj",
            "txt_attn_v": "attn.add_v_proj",
        },
        official="double_blocks.{i}.",
        theirs="transformer_blocks.{i}.",
    ),
)


def _comfy(norm_weight: str) -> tuple[Row, ...]:
    """ComfyUI's names inside, where q, k and v are one projection as in HunyuanVideo."""
    return (
        *(row for row in comfy_rows(norm_weight) if not row.official.startswith(_ABSENT)),
        *renamed({"mlp.0": "in_layer", "mlp.2": "out_layer"}, official="time_r_in.", theirs="time_r_in."),
        *same("cond_type_embedding", "byt5_in.layernorm", *(f"byt5_in.fc{i}" for i in (1, 2, 3))),
        *same(*(f"vision_in.proj.{i}" for i in (0, 1, 3, 4))),
        *(
            Row(f"{stream}_q", (f"{stream}.qkv",), joins=(f"{stream}_k", f"{stream}_v"))
            for stream in ("double_blocks.{i}.img_attn", "double_blocks.{i}.txt_attn")
        ),
    )


DIFFUSERS = Table(layout="diffusers", rows=TRANSFORMER_15)
TABLES: tuple[Table, ...] = (
    identity(DIFFUSERS),
    DIFFUSERS,
    Table(layout="comfy", rows=_comfy("weight")),
    Table(layout="comfy-scale", rows=_comfy("scale")),
)
