"""What a transformer's config refuses."""

import pytest

from muybridge.core.config import from_dict, to_dict
from muybridge.core.errors import InvalidInput
from muybridge.transformer import TransformerConfig


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"hidden_size": 3000, "num_heads": 24 * 7}, "hidden_size=3000: must be a multiple of num_heads=168; use 2856"),
        (
            {"rope_axes_dim": (16, 56, 58)},
            "must sum to the head.s 128 channels, not 130",
        ),
        ({"rope_axes_dim": (17, 55, 56)}, "even"),
        ({"rope_axes_dim": (64, 64)}, "three"),
        ({"rope_theta": 0.0}, "rope_theta=0.0: must be positive"),
        ({"rope_theta": float("nan")}, "rope_theta=nan: must be positive"),
        ({"num_heads": 0}, "num_heads=0"),
        ({"num_double_blocks": -1}, "num_double_blocks=-1"),
        ({"patch_size": (1, 0, 2)}, "patch_size"),
        ({"rope_theta": float("inf")}, "rope_theta=inf: must be positive"),
        ({"mlp_ratio": 0.0}, "mlp_ratio=0.0: must be positive"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio=nan: must be positive"),
        ({"mlp_ratio": 0.0001}, "mlp_dim=0"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(InvalidInput, match=message):
        TransformerConfig(**changes)


def test_a_config_survives_a_plain_dict():
    config = TransformerConfig(hidden_size=480, num_heads=5, rope_axes_dim=(12, 42, 42))
    assert from_dict(TransformerConfig, to_dict(config)) == config
