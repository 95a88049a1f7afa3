"""How a checkpoint's weights take the picture that a film begins with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import WeightsError

_RELEASED_TREE = "hunyuan-video-i2v-720p"  # its weights have the keys and shapes of text to video


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureUse:
    """name: as diffusers has it in `image_condition_type`. needs_picture: the weights make no film without one.

    stands_beside: the picture's latents are further channels of the input, and no frame is held (the transformer makes
    the first one anew); else the first latent frame is the picture's, at sigma 0. stride: which of the picture's
    vectors the transformer reads among the text states; 0 where its text encoder sees no picture.
    """

    name: str
    needs_picture: bool = False
    stands_beside: bool = False
    stride: int = 0


HELD = PictureUse(name="held")  # any weights can do that (DESIGN law 2)
TOKEN_REPLACE = PictureUse(name="token_replace", needs_picture=True, stride=4)
LATENT_CONCAT = PictureUse(name="latent_concat", needs_picture=True, stands_beside=True, stride=2)
PICTURE_USES: Mapping[str, PictureUse] = {use.name: use for use in (HELD, TOKEN_REPLACE, LATENT_CONCAT)}


def picture_use(
    place: Path,
    *,
    in_channels: int,
    latent_channels: int,
    beside: Mapping[str, Any] | None = None,
    catalogued: str | None = None,
) -> PictureUse:
    """What the channels say; of those that take the noise alone what the config or the catalogue says, else the folder.

    place: the transformer's file or folder. beside: the `config.json` there. Raises WeightsError where the transformer
    takes channels that no known kind does, or the config says a kind that they are not.
    """
    said = (beside or {}).get("image_condition_type")
    if said is not None and said not in PICTURE_USES:
        known = ", ".join(PICTURE_USES)
        raise WeightsError(f"{place}: image_condition_type={said!r} in config.json; known are {known}; mend the file.")
    if in_channels == 2 * latent_channels + 1:
        return LATENT_CONCAT
    if in_channels != latent_channels:
        rule = f"its transformer takes {in_channels} channels, the VAE has {latent_channels}"
        raise WeightsError(
            f"{place}: {rule}; use weights of {latent_channels} channels, or {2 * latent_channels + 1} for a picture "
            "beside the noise; others can be inspected and converted."
        )
    name = said or catalogued or (TOKEN_REPLACE.name if _RELEASED_TREE in place.parts else HELD.name)
    if PICTURE_USES[name].stands_beside:
        rule = f"{name} weights take {2 * latent_channels + 1} channels, these take {in_channels}"
        raise WeightsError(f"{place}: {rule}; use the config.json that came with them.")
    return PICTURE_USES[name]
