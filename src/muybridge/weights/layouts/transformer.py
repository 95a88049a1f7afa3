"""Where each layout keeps each module of the HunyuanVideo transformer."""

from muybridge.weights.layouts.table import Row, Table, identity, renamed, same

_BLOCKS = "individual_token_refiner.blocks.{i}."  # of the token refiner
_STREAMS = ("img", "txt")


def _qkv(official: str, *theirs: str) -> Row:
    return Row(official, theirs, "qkv")


TRANSFORMER: tuple[Row, ...] = (  # official beside diffusers, which splits fused projections
    *renamed(
        {
            "img_in.proj": "x_embedder.proj",
            "time_in.mlp.0": "time_text_embed.timestep_embedder.linear_1",
            "time_in.mlp.2": "time_text_embed.timestep_embedder.linear_2",
            "guidance_in.mlp.0": "time_text_embed.guidance_embedder.linear_1",
            "guidance_in.mlp.2": "time_text_embed.guidance_embedder.linear_2",
            "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
            "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
            "txt_in.input_embedder": "context_embedder.proj_in",
            "txt_in.t_embedder.mlp.0": "context_embedder.time_text_embed.timestep_embedder.linear_1",
            "txt_in.t_embedder.mlp.2": "context_embedder.time_text_embed.timestep_embedder.linear_2",
            "txt_in.c_embedder.linear_1": "context_embedder.time_text_embed.text_embedder.linear_1",
            "txt_in.c_embedder.linear_2": "context_embedder.time_text_embed.text_embedder.linear_2",
        }
    ),
    *renamed(
        {
            "norm1": "norm1",
            "norm2": "norm2",
            "self_attn_proj": "attn.to_out.0",
            "mlp.fc1": "ff.net.0.proj",
            "mlp.fc2": "ff.net.2",
            "adaLN_modulation.1": "norm_out.linear",
        },
        official="txt_in." + _BLOCKS,
        theirs="context_embedder.token_refiner.refiner_blocks.{i}.",
    ),
    _qkv(
        f"txt_in.{_BLOCKS}self_attn_qkv",
        *(f"context_embedder.token_refiner.refiner_blocks.{{i}}.attn.to_{part}" for part in "qkv"),
    ),
    *renamed(
        {
            "img_mod.linear": "norm1.linear",
            "img_attn_q_norm": "attn.norm_q",
            "img_attn_k_norm": "attn.norm_k",
            "img_attn_proj": "attn.to_out.0",
            "img_mlp.fc1": "ff.net.0.proj",
            "img_mlp.fc2": "ff.net.2",
            "txt_mod.linear": "norm1_context.linear",
            "txt_attn_q_norm": "attn.norm_added_q",
            "txt_attn_k_norm": "attn.norm_added_k",
            "txt_attn_proj": "attn.to_add_out",
            "txt_mlp.fc1": "ff_context.net.0.proj",
            "txt_mlp.fc2": "ff_context.net.2",
        },
        official="double_blocks.{i}.",
        theirs="transformer_blocks.{i}.",
    ),
    _qkv("double_blocks.{i}.img_attn_qkv", *(f"transformer_blocks.{{i}}.attn.to_{part}" for part in "qkv")),
    _qkv("double_blocks.{i}.txt_attn_qkv", *(f"transformer_blocks.{{i}}.attn.add_{part}_proj" for part in "qkv")),
    *renamed(
        {
            "linear2": "proj_out",
            "q_norm": "attn.norm_q",
            "k_norm": "attn.norm_k",
            "modulation.linear": "norm.linear",
        },
        official="single_blocks.{i}.",
        theirs="single_transformer_blocks.{i}.",
    ),
    Row(
        "single_blocks.{i}.linear1",
        tuple(
            f"single_transformer_blocks.{{i}}.{name}" for name in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
        ),
        "qkv_mlp",
    ),
    Row("final_layer.linear", ("proj_out",)),
    Row("final_layer.adaLN_modulation.1", ("norm_out.linear",), "swapped"),
)

_LAYERS = {"mlp.0": "in_layer", "mlp.2": "out_layer"}  # as in Flux


def comfy_rows(norm_weight: str) -> tuple[Row, ...]:
    """ComfyUI's names inside, which saves and merges made there write; `norm_weight` has changed over time."""
    return (
        *same("img_in.proj", "vector_in.in_layer", "vector_in.out_layer", "txt_in.input_embedder"),
        *same("final_layer.linear", "final_layer.adaLN_modulation.1"),
        *(
            row
            for module in ("time_in.", "guidance_in.", "txt_in.t_embedder.")
            for row in renamed(_LAYERS, official=module, theirs=module)
        ),
        *renamed(
            {"linear_1": "in_layer", "linear_2": "out_layer"},
            official="txt_in.c_embedder.",
            theirs="txt_in.c_embedder.",
        ),
        *renamed(
            {
                "norm1": "norm1",
                "norm2": "norm2",
                "self_attn_qkv": "self_attn.qkv",
                "self_attn_proj": "self_attn.proj",
                "mlp.fc1": "mlp.0",
                "mlp.fc2": "mlp.2",
                "adaLN_modulation.1": "adaLN_modulation.1",
            },
            official="txt_in." + _BLOCKS,
            theirs="txt_in." + _BLOCKS,
        ),
        *(
            row
            for stream in _STREAMS
            for row in renamed(
                {
                    "mod.linear": "mod.lin",
                    "attn_qkv": "attn.qkv",
                    "attn_proj": "attn.proj",
                    "mlp.fc1": "mlp.0",
                    "mlp.fc2": "mlp.2",
                },
                official=f"double_blocks.{{i}}.{stream}_",
                theirs=f"double_blocks.{{i}}.{stream}_",
            )
        ),
        *renamed(
            {"linear1": "linear1", "linear2": "linear2", "modulation.linear": "modulation.lin"},
            official="single_blocks.{i}.",
            theirs="single_blocks.{i}.",
        ),
        *(
            Row(f"{official}_{short}_norm", (f"{theirs}.norm.{long}_norm",), weight=norm_weight)
            for official, theirs in (
                *((f"double_blocks.{{i}}.{stream}_attn", f"double_blocks.{{i}}.{stream}_attn") for stream in _STREAMS),
            )
            for short, long in (("q", "query"), ("k", "key"))
        ),
        *(
            Row(f"single_blocks.{{i}}.{long[0]}_norm", (f"single_blocks.{{i}}.norm.{long}_norm",), weight=norm_weight)
            for long in ("query", "key")
        ),
    )


_ENDS = {"0": "fc_in", "2": "fc_out"}
_HALVES = {"fc1": "fc_in", "fc2": "fc_out"}


def _fastvideo() -> tuple[Row, ...]:
    """FastVideo's names inside. It is fed from diffusers' files, so the halves of the last modulation are theirs."""
    kept = ("img_mod.linear", "img_attn_qkv", "img_attn_q_norm", "img_attn_k_norm", "img_attn_proj")
    return (
        *same("img_in.proj", "txt_in.input_embedder", "final_layer.linear"),
        *(
            row
            for module in ("time_in.mlp.", "guidance_in.mlp.", "txt_in.t_embedder.mlp.")
            for row in renamed(_ENDS, official=module, theirs=module)
        ),
        *renamed({"in_layer": "fc_in", "out_layer": "fc_out"}, official="vector_in.", theirs="vector_in."),
        *renamed(
            {"linear_1": "fc_in", "linear_2": "fc_out"}, official="txt_in.c_embedder.", theirs="txt_in.c_embedder."
        ),
        *renamed(
            {
                "norm1": "norm1",
                "norm2": "norm2",
                "self_attn_qkv": "self_attn_qkv",
                "self_attn_proj": "self_attn_proj",
                "mlp.fc1": "mlp.fc_in",
                "mlp.fc2": "mlp.fc_out",
                "adaLN_modulation.1": "adaLN_modulation.linear",
            },
            official="txt_in." + _BLOCKS,
            theirs="txt_in.refiner_blocks.{i}.",
        ),
        *same(*(f"double_blocks.{{i}}.{name.replace('img', stream)}" for stream in _STREAMS for name in kept)),
        *(
            row
            for stream in _STREAMS
            for row in renamed(
                _HALVES,
                official=f"double_blocks.{{i}}.{stream}_mlp.",
                theirs=f"double_blocks.{{i}}.{stream}_mlp.",
            )
        ),
        *same(
            *(f"single_blocks.{{i}}.{name}" for name in ("linear1", "linear2", "q_norm", "k_norm", "modulation.linear"))
        ),
        Row("final_layer.adaLN_modulation.1", ("final_layer.adaLN_modulation.linear",), "swapped"),
    )


DIFFUSERS = Table(layout="diffusers", rows=TRANSFORMER)
TABLES: tuple[Table, ...] = (
    identity(DIFFUSERS),
    DIFFUSERS,
    Table(layout="comfy", rows=comfy_rows("weight")),
    Table(layout="comfy-scale", rows=comfy_rows("scale")),
    Table(layout="fastvideo", rows=_fastvideo()),
)
