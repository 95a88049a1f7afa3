"""The texts of a film in states: every prompt at its time with its camera and weights, and the negative prompt."""

from collections.abc import Mapping
from dataclasses import dataclass

from muybridge.media.frames import Picture
from muybridge.pipelines.components import TextSource
from muybridge.pipelines.prompting.prompting import spoken
from muybridge.pipelines.prompting.weighting import WeightedPrompt, weighted
from muybridge.pipelines.request import GenerationRequest
from muybridge.text.encoder import TextStates
from muybridge.text.vision import black_picture


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FilmTexts:
    """States of one film: of its prompts in the order of their times, and of its negative prompt where it is guided."""

    prompts: tuple[TextStates, ...]
    negative: TextStates | None


def encode_texts(
    source: TextSource, request: GenerationRequest, *, cameras: Mapping[str, str], picture: Picture | None = None
) -> FilmTexts:
    """All that a request says, each text encoded alone.

    cameras: the sentence of each camera movement. picture: what the film begins with, for encoders that look at it;
    beside the negative prompt they see black, as released.
    """

    def encode(prompt: str, picture: Picture | None = picture) -> TextStates:
        said = WeightedPrompt.parse(prompt)
        frames = min(request.num_frames, 2)  # encoders ask only whether it is a picture
        text = source.encode([said.text], num_frames=frames, picture=picture)
        if said.is_plain:
            return text
        return weighted(text, said.token_weights(source.places(said.text, num_frames=frames)))

    prompts = tuple(map(encode, spoken(request.prompt, request.prompting, cameras)))
    black = None if picture is None else black_picture()
    return FilmTexts(prompts=prompts, negative=encode(request.negative_prompt, black) if request.is_guided else None)
