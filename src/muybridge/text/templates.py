"""The instruction templates around a prompt. The released ones are compatibility strings and must stay verbatim."""

from dataclasses import dataclass

from muybridge.core.errors import invalid

_SYSTEM = "<|start_header_id|>system<|end_header_id|>\n\n"
_USER = "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
_IMAGE_ASPECTS = (
    "color, shape, size, texture, quantity, text, spatial relationships of the objects and background:<|eot_id|>"
)
_VIDEO_ASPECTS = (  # no space after the full stops, as released
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """Text with one `{}` for the prompt. What stands before it is cropped from the states after encoding."""

    text: str
    released_crop: int | None = None  # tokens before the prompt under the Llama-3 tokenizer, as the released code crops

    def __post_init__(self) -> None:
        """Raises InvalidInput unless the text has exactly one place for the prompt."""
        if self.text.count("{}") != 1:
            raise invalid(f"template {self.text!r}", "needs exactly one {}", "mark where the prompt goes")

    @property
    def prefix(self) -> str:
        """The text before the prompt."""
        return self.text.partition("{}")[0]

    @property
    def suffix(self) -> str:
        """The text after the prompt."""
        return self.text.partition("{}")[2]

    def fill(self, prompt: str) -> str:
        """The text with the prompt in its place; braces in the prompt are plain text."""
        return self.prefix + prompt + self.suffix


# HunyuanVideo, text to image and text to video: hyvideo/constants.py "dit-llm-encode" and "dit-llm-encode-video".
RELEASED_IMAGE = Template(
    text=f"{_SYSTEM}Describe the image by detailing the {_IMAGE_ASPECTS}{_USER}", released_crop=36
)
RELEASED_VIDEO = Template(
    text=f"{_SYSTEM}Describe the video by detailing the following aspects: {_VIDEO_ASPECTS}{_USER}", released_crop=95
)
RELEASED_TEXT_TOKENS = 256  # hyvideo/config.py --text-len

# HunyuanVideo-I2V, where the language model sees the picture: "dit-llm-encode-i2v" and "dit-llm-encode-video-i2v".
PICTURE = "<image>"  # one token of LLaVA's tokenizer, in whose place the picture's features stand
_PICTURED = f"{_SYSTEM}{PICTURE}\nDescribe the "
_ANSWER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
PICTURED_IMAGE = Template(text=f"{_PICTURED}image by detailing the {_IMAGE_ASPECTS}\n\n{_USER}{_ANSWER}")
PICTURED_VIDEO = Template(
    text=f"{_PICTURED}video by detailing the following aspects according to the reference image: "
    f"{_VIDEO_ASPECTS}\n\n{_USER}{_ANSWER}",
    released_crop=103,
)

# Our own, in SmolLM2's chat form. A newline before the prompt keeps its first word a token of its own; the last
# two tokens remain for the empty prompt. Token 0, an attention sink of norm ~1e4 times the others, is cropped.
GALLOP = Template(text="<|im_start|>user\nA video of:\n{}<|im_end|>\n")


def released_template(num_frames: int) -> Template:
    """The template the released code picks: the image one for a single frame."""
    return RELEASED_IMAGE if num_frames == 1 else RELEASED_VIDEO


def pictured_template(num_frames: int) -> Template:
    """As `released_template`, for a language model that sees a picture."""
    return PICTURED_IMAGE if num_frames == 1 else PICTURED_VIDEO
