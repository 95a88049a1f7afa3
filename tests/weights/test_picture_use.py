"""How weights take a picture: by their channels, else by what their config, the catalogue or their folder says."""

from pathlib import Path

import pytest

from muybridge.core.errors import WeightsError
from muybridge.weights.catalog import catalogue
from muybridge.weights.picture_use import HELD, LATENT_CONCAT, TOKEN_REPLACE, PictureUse, picture_use

ANYWHERE = Path("weights/transformer")
RELEASED = Path("ckpts/hunyuan-video-i2v-720p/transformers/mp_rank_00_model_states.pt")


@pytest.mark.parametrize(
    ("place", "in_channels", "said", "catalogued", "expected"),
    [
        (ANYWHERE, 16, None, None, HELD),
        (ANYWHERE, 33, None, None, LATENT_CONCAT),
        (ANYWHERE, 16, "token_replace", None, TOKEN_REPLACE),
        (ANYWHERE, 33, "latent_concat", None, LATENT_CONCAT),
        (ANYWHERE, 16, None, "token_replace", TOKEN_REPLACE),
        (RELEASED, 16, None, None, TOKEN_REPLACE),
        (RELEASED, 33, None, None, LATENT_CONCAT),
    ],
)
def test_what_tells(place: Path, in_channels: int, said: str | None, catalogued: str | None, expected: PictureUse):
    beside = {"image_condition_type": said}
    found = picture_use(place, in_channels=in_channels, latent_channels=16, beside=beside, catalogued=catalogued)
    assert found is expected


@pytest.mark.parametrize(
    ("in_channels", "said", "message"),
    [
        (32, None, "takes 32 channels, the VAE has 16; use weights of 16 channels, or 33"),
        (16, "latent_concat", "latent_concat weights take 33 channels, these take 16"),
        (16, "image_first", "image_condition_type='image_first' in config.json; known are held, token_replace"),
    ],
)
def test_weights_that_fit_no_kind_are_refused(in_channels: int, said: str | None, message: str):
    with pytest.raises(WeightsError, match=message):
        picture_use(ANYWHERE, in_channels=in_channels, latent_channels=16, beside={"image_condition_type": said})


def test_the_released_models_for_pictures_run():
    models = catalogue()
    uses = {name: models[name].picture_use for name in ("hunyuanvideo-i2v", "hunyuanvideo-i2v-33ch", "hunyuanvideo")}
    assert list(uses.values()) == ["token_replace", "latent_concat", None]
    assert all(models[name].is_runnable for name in uses)
