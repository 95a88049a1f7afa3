"""The numbers of text encoders are refused where no network can have them."""

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.text.config import LanguageConfig, PooledConfig


def test_an_activation_that_is_not_known_is_refused():
    with pytest.raises(InvalidInput, match="known are quick_gelu, gelu"):
        PooledConfig(activation="tanh")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("config", [LanguageConfig, PooledConfig])
def test_sizes_are_positive(config: type[LanguageConfig | PooledConfig]):
    with pytest.raises(InvalidInput, match="num_layers=0"):
        config(num_layers=0)
