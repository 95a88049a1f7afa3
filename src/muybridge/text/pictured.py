"""The released text encoder of image to video: LLaVA reads the prompt beside the picture, CLIP the prompt alone."""

import logging
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.modeling_utils import PreTrainedModel
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.core.errors import WeightsError, invalid
from muybridge.media.frames import Picture
from muybridge.text.clip import ClipPooled
from muybridge.text.encoder import Place, TextStates, pad_states
from muybridge.text.llm import PROBE, LanguageStates
from muybridge.text.places import token_places
from muybridge.text.released import check_released_crops
from muybridge.text.templates import (
    PICTURE,
    PICTURED_IMAGE,
    PICTURED_VIDEO,
    RELEASED_TEXT_TOKENS,
    Template,
    pictured_template,
)
from muybridge.text.vision import PictureTower

HEADER_TOKENS = 4  # released: cut out before the template's last line break; in a whole prompt the answer's header

log = logging.getLogger(__name__)


class PicturedEncoder:
    """A `TextEncoder` that sees a picture: `hidden_states[-3]` of LLaVA's language model, and CLIP's pooled output.

    States are those of every `stride`-th of the picture's vectors, then those of the prompt: up to 252 tokens of the
    prompt and the line break that ends the template (the released code cuts the four tokens before that, and of a
    prompt that is too long its last four). They are padded to one length. Each prompt is run alone, so a batch equals
    its prompts one by one; the released code mends prompts that are too long in batches of one only.
    """

    def __init__(
        self,
        llm: PreTrainedModel,
        llm_tokenizer: PreTrainedTokenizerBase,
        *,
        tower: PictureTower,
        stride: int,
        clip: CLIPTextModel,
        clip_tokenizer: PreTrainedTokenizerBase,
        max_tokens: int = RELEASED_TEXT_TOKENS,
    ) -> None:
        """Raises WeightsError where the tokenizer knows no picture, or is Llama-3's and splits the template otherwise.

        stride: 4 for weights that replace the first frame's tokens, 2 for those that read the picture beside the noise.
        """
        self.language = LanguageStates(llm, llm_tokenizer)
        self.clip = ClipPooled(clip, clip_tokenizer)
        self.tower = tower
        self.stride = stride
        self._picture_id = _picture_id(llm_tokenizer)
        self._crops = {template: self.language.crop(template) for template in (PICTURED_IMAGE, PICTURED_VIDEO)}
        check_released_crops(llm_tokenizer, self._crops)
        self._max_length = max_tokens + self._crops[PICTURED_VIDEO]  # for pictures too, as released
        whole = PICTURED_VIDEO.fill(PROBE)
        lengths = [len(llm_tokenizer(text)["input_ids"]) for text in (whole, whole.rstrip("\n"))]
        self._num_last = lengths[0] - lengths[1]  # tokens of the line break that ends the templates: one of Llama-3's

    @property
    def text_dim(self) -> int:
        """4096 in the released system."""
        return self.language.dim

    @property
    def pooled_dim(self) -> int:
        """768 in the released system."""
        return self.clip.dim

    def encode(self, prompts: Sequence[str], *, num_frames: int, picture: Picture | None = None) -> TextStates:
        """States of each prompt beside the picture, as if it were alone.

        A prompt beyond 252 tokens is cut with a warning. Raises InvalidInput without a picture, and on a prompt that
        holds the picture's own token.
        """
        if picture is None:
            raise invalid("no picture", "this text encoder reads the prompt beside one", "give the film an image")
        for prompt in prompts:
            if PICTURE in prompt:
                raise invalid(f"prompt with {PICTURE}", "stands for the picture in the template", "say it otherwise")
        template = pictured_template(num_frames)
        vectors = self.tower(picture)
        states = [self._states(template, prompt, vectors) for prompt in prompts]
        pooled = [self.clip.pooled(prompt) for prompt in prompts]
        num_text = self._max_length - self._crops[template] - HEADER_TOKENS
        return pad_states(states, pooled, length=len(vectors[:: self.stride]) + num_text)

    def places(self, prompt: str, *, num_frames: int) -> list[Place]:
        """The characters of each token of the prompt that is read; the template's end has none."""
        template = pictured_template(num_frames)
        places = token_places(self.language.tokenizer, template, prompt)
        end = self._end(len(places))
        return places[self._crops[template] : end - HEADER_TOKENS] + places[end : self._max_length]

    def _end(self, num_tokens: int) -> int:
        """Where the template's last line break begins, or what is read ends."""
        return min(num_tokens - self._num_last, self._max_length)

    def _states(self, template: Template, prompt: str, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "l d"]:
        ids = self.language.token_ids(template, prompt)
        end = self._end(len(ids))
        if dropped := ids[end - HEADER_TOKENS : len(ids) - self._num_last - HEADER_TOKENS]:
            text = self.language.tokenizer.decode(dropped)
            log.warning("prompt_too_long encoder=llm limit_tokens=%d dropped=%r", self._max_length, text)
        ids = ids[: self._max_length]
        place, more = ids.index(self._picture_id), len(vectors) - 1  # the picture's one token becomes many
        tokens = self.language.embedded(ids)
        states = self.language.states_of(torch.cat([tokens[:place], vectors.to(tokens), tokens[place + 1 :]]))
        seen = states[place : place + len(vectors) : self.stride]
        before = states[self._crops[template] + more : end - HEADER_TOKENS + more]
        return torch.cat([seen, before, states[end + more :]])


def _picture_id(tokenizer: PreTrainedTokenizerBase) -> int:
    ids = list(tokenizer(PICTURE, add_special_tokens=False)["input_ids"])
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        rule = f"has no token {PICTURE}, which stands for the picture"
        raise WeightsError(f"tokenizer {tokenizer.name_or_path}: {rule}; use LLaVA's, which came with the model.")
    return ids[0]
