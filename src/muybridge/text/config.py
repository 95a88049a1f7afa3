"""The numbers of the text encoders' networks; the defaults are the released system's."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.core.errors import invalid

Activation = Literal["quick_gelu", "gelu"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageConfig:
    """Sizes of a Llama-like decoder; the defaults are LLaVA-Llama-3-8B's language model (290 tensors).

    Raises InvalidInput where the numbers do not fit together.
    """

    vocab_size: int = 128_320
    hidden_size: int = 4096
    num_layers: int = 32
    num_heads: int = 32
    num_kv_heads: int = 8
    head_dim: int = 128
    mlp_dim: int = 14_336
    rope_theta: float = 500_000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        _check_sizes(
            self, "vocab_size", "hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_dim", "mlp_dim"
        )
        if self.num_heads % self.num_kv_heads:
            rule = f"num_heads={self.num_heads} is no multiple of it"
            raise invalid(f"num_kv_heads={self.num_kv_heads}", rule, "change either")
        for name in ("rope_theta", "norm_eps"):
            if not 0 < getattr(self, name) < math.inf:
                raise invalid(f"{name}={getattr(self, name)}", "must be positive and finite", "use the model's own")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter of the network and its shape."""
        d, q, kv = self.hidden_size, self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        layer = {
            "self_attn.q_proj": (q, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
            "self_attn.o_proj": (d, q), "mlp.gate_proj": (self.mlp_dim, d), "mlp.up_proj": (self.mlp_dim, d),
            "mlp.down_proj": (d, self.mlp_dim), "input_layernorm": (d,), "post_attention_layernorm": (d,),
        }  # fmt: skip
        layers = range(self.num_layers)
        inside = {f"layers.{i}.{name}.weight": shape for i in layers for name, shape in layer.items()}
        return {"embed_tokens.weight": (self.vocab_size, d), **inside, "norm.weight": (d,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PooledConfig:
    """Sizes of a CLIP text model; the defaults are CLIP ViT-L/14's (196 tensors).

    Raises InvalidInput where the numbers do not fit together.
    """

    vocab_size: int = 49_408
    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    mlp_dim: int = 3072
    max_tokens: int = 77
    activation: Activation = "quick_gelu"
    eos_token_id: int = 49_407

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        _check_sizes(self, "vocab_size", "hidden_size", "num_layers", "num_heads", "mlp_dim", "max_tokens")
        if self.activation not in get_args(Activation):
            known = ", ".join(get_args(Activation))
            raise invalid(f"activation={self.activation!r}", f"known are {known}", "use quick_gelu for CLIP ViT-L/14")
        if self.hidden_size % self.num_heads:
            rule = f"must be a multiple of num_heads={self.num_heads}"
            raise invalid(f"hidden_size={self.hidden_size}", rule, "change either")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter of the network and its shape."""
        d = self.hidden_size
        matrices = {f"self_attn.{name}_proj": (d, d) for name in ("q", "k", "v", "out")}
        matrices |= {"mlp.fc1": (self.mlp_dim, d), "mlp.fc2": (d, self.mlp_dim)}
        norms = {"layer_norm1": (d,), "layer_norm2": (d,)}
        found = {
            "embeddings.token_embedding.weight": (self.vocab_size, d),
            "embeddings.position_embedding.weight": (self.max_tokens, d),
        }
        modules = {f"encoder.layers.{i}.{name}": shape for i in range(self.num_layers) for name, shape in
                   (matrices | norms).items()} | {"final_layer_norm": (d,)}  # fmt: skip
        for name, shape in modules.items():
            found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionConfig:
    """Sizes of a CLIP vision tower and of LLaVA's projector behind it; the defaults are CLIP ViT-L/14's at 336 px.

    output_dim: the width of the language model. The tower's last layer never computes: LLaVA reads the states before
    it. Raises InvalidInput where the numbers do not fit together.
    """

    image_px: int = 336
    patch_px: int = 14
    hidden_size: int = 1024
    num_layers: int = 24
    num_heads: int = 16
    mlp_dim: int = 4096
    output_dim: int = 4096
    activation: Activation = "quick_gelu"

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        _check_sizes(self, "image_px", "patch_px", "hidden_size", "num_layers", "num_heads", "mlp_dim", "output_dim")
        if self.activation not in get_args(Activation):
            known = ", ".join(get_args(Activation))
            raise invalid(f"activation={self.activation!r}", f"known are {known}", "use quick_gelu for CLIP ViT-L/14")
        for name, divisor in (("hidden_size", self.num_heads), ("image_px", self.patch_px)):
            if getattr(self, name) % divisor:
                raise invalid(f"{name}={getattr(self, name)}", f"must be a multiple of {divisor}", "change either")

    @property
    def num_patches(self) -> int:
        """How many vectors stand for a picture; 576 in the released system."""
        return (self.image_px // self.patch_px) ** 2

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter that is read, of the tower and the projector, and its shape."""
        d, tower = self.hidden_size, "vision_tower."
        linears = {f"self_attn.{name}_proj": (d, d) for name in ("q", "k", "v", "out")}
        linears |= {"mlp.fc1": (self.mlp_dim, d), "mlp.fc2": (d, self.mlp_dim)}
        layer = linears | {"layer_norm1": (d,), "layer_norm2": (d,)}
        modules = {
            f"{tower}encoder.layers.{i}.{name}": shape
            for i in range(self.num_layers - 1)
            for name, shape in layer.items()
        }
        modules |= {f"{tower}pre_layrnorm": (d,), f"{tower}post_layernorm": (d,)}
        modules |= {
            "multi_modal_projector.linear_1": (self.output_dim, d),
            "multi_modal_projector.linear_2": (self.output_dim, self.output_dim),
        }
        found: dict[str, tuple[int, ...]] = {
            f"{tower}embeddings.class_embedding": (d,),
            f"{tower}embeddings.patch_embedding.weight": (d, 3, self.patch_px, self.patch_px),
            f"{tower}embeddings.position_embedding.weight": (self.num_patches + 1, d),
        }
        for name, shape in modules.items():
            found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return found


def _check_sizes(config: LanguageConfig | PooledConfig | VisionConfig, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise invalid(f"{name}={getattr(config, name)}", "sizes are positive", "use 1 or more")
