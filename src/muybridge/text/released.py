"""The released text encoders: states of Llama-3 (from LLaVA) in the released templates, and CLIP's pooled output."""

import logging
from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor
from transformers.modeling_utils import PreTrainedModel
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.core.errors import WeightsError
from muybridge.media.frames import Picture
from muybridge.text.clip import ClipPooled
from muybridge.text.encoder import Place, TextStates, pad_states
from muybridge.text.llm import LanguageStates
from muybridge.text.places import token_places
from muybridge.text.templates import (
    RELEASED_IMAGE,
    RELEASED_TEXT_TOKENS,
    RELEASED_VIDEO,
    Template,
    released_template,
)

LLAMA3_HEADER = ("<|start_header_id|>", 128006)  # by which a real Llama-3 tokenizer is known

log = logging.getLogger(__name__)


class ReleasedEncoder:
    """A `TextEncoder` as the released system has it: `hidden_states[-3]` of the LLM, cropped, and CLIP's pooled output.

    States are padded to the released lengths, 256 for a film and 315 for a picture with the Llama-3 tokenizer. Padding
    is zero here, where the released code leaves what the LLM made of its padding tokens; no network looks at either.
    """

    def __init__(
        self,
        llm: PreTrainedModel,
        llm_tokenizer: PreTrainedTokenizerBase,
        *,
        clip: CLIPTextModel,
        clip_tokenizer: PreTrainedTokenizerBase,
        max_tokens: int = RELEASED_TEXT_TOKENS,
    ) -> None:
        """Raises WeightsError where the tokenizer is Llama-3's and splits the templates unlike the released code."""
        self.language = LanguageStates(llm, llm_tokenizer)
        self.clip = ClipPooled(clip, clip_tokenizer)
        self._crops = {template: self.language.crop(template) for template in (RELEASED_IMAGE, RELEASED_VIDEO)}
        self._max_length = max_tokens + self._crops[RELEASED_VIDEO]  # for pictures too, as released
        check_released_crops(llm_tokenizer, self._crops)

    @property
    def text_dim(self) -> int:
        """4096 in the released system."""
        return self.language.dim

    @property
    def pooled_dim(self) -> int:
        """768 in the released system."""
        return self.clip.dim

    def encode(self, prompts: Sequence[str], *, num_frames: int, picture: Picture | None = None) -> TextStates:
        """States of each prompt, as if it were alone; a prompt beyond 256 tokens is cut with a warning, as released.

        No picture is looked at: `text.pictured` does that.
        """
        template = released_template(num_frames)
        states = [self._states(template, prompt) for prompt in prompts]
        pooled = [self.clip.pooled(prompt) for prompt in prompts]
        return pad_states(states, pooled, length=self._max_length - self._crops[template])

    def places(self, prompt: str, *, num_frames: int) -> list[Place]:
        """The characters of each token of the prompt that is read; the template's end has none."""
        template = released_template(num_frames)
        return token_places(self.language.tokenizer, template, prompt)[self._crops[template] : self._max_length]

    def _states(self, template: Template, prompt: str) -> Float[Tensor, "l d"]:
        ids = self.language.token_ids(template, prompt)
        if len(ids) > self._max_length:
            dropped = self.language.tokenizer.decode(ids[self._max_length :])
            log.warning("prompt_too_long encoder=llm limit_tokens=%d dropped=%r", self._max_length, dropped)
        return self.language.states(ids[: self._max_length])[self._crops[template] :]


def check_released_crops(tokenizer: PreTrainedTokenizerBase, crops: Mapping[Template, int]) -> None:
    """Raises WeightsError where the tokenizer is Llama-3's and splits a template unlike the released code."""
    token, number = LLAMA3_HEADER
    if tokenizer.convert_tokens_to_ids(token) != number:
        return
    for template, crop in crops.items():
        if template.released_crop not in (None, crop):
            rule = f"splits a released template into {crop} tokens, not {template.released_crop}"
            raise WeightsError(f"tokenizer {tokenizer.name_or_path}: {rule}; use tokenizer.json of the release.")
