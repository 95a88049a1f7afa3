"""A captioner by what names it: a word, the address of a server, or a folder."""

from pathlib import Path

import torch

from muybridge import captioning
from muybridge.captioning.answers import ANSWERS
from muybridge.captioning.captioner import Captioner
from muybridge.captioning.chat import EndpointConfig
from muybridge.captioning.tags import TagCaptioner
from muybridge.captioning.truth import TruthCaptioner
from muybridge.core.env import cache_folder
from muybridge.core.errors import invalid

SMALL = "small"


def open_captioner(
    which: str, *, model: str | None = None, device: str | None = None, batch_size: int = 4
) -> Captioner:
    """The captioner, not yet loaded.

    which: "tags" (needs no model), "small" (ours, for clips such as the worlds'), the address of a chat endpoint with
    the `model` that it serves, a folder that `worlds` wrote (its scenes' truth), or a folder with an image-text model
    of transformers, which runs on `device`, None for cuda where there is one. Raises InvalidInput on anything else.
    """
    if which == TagCaptioner.name:
        return TagCaptioner()
    if which == SMALL:
        return captioning.OwnCaptioner()
    if which.startswith(("http://", "https://")):
        config = EndpointConfig(url=which, model=model or "", num_parallel=batch_size)
        return captioning.EndpointCaptioner(config, cache=cache_folder() / ANSWERS)
    folder = Path(which).expanduser()
    if (folder / "world.json").is_file():
        return TruthCaptioner(folder=folder)
    if (folder / "config.json").is_file():
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = "float32" if device == "cpu" else "bfloat16"
        config = captioning.VlmConfig(folder=folder, device=device, dtype=dtype, batch_size=batch_size)
        return captioning.VlmCaptioner(config)
    choices = "tags, small, http://HOST/v1 with a model, a folder of `worlds`, or a model's folder"
    raise invalid(f"captioner={which!r}", "is neither a word, a server nor a folder of these", f"give {choices}")
