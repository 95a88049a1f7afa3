"""A captioner behind any OpenAI-compatible chat endpoint: vLLM, SGLang, llama.cpp, Ollama, or a company's.

Each clip is one request, several at once. Answers are kept on disk by clip and by what was asked: a rerun pays nothing,
and a clip can be forgotten.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from muybridge.captioning.answers import clip_folder
from muybridge.captioning.captioner import CaptionResult, ClipView, spread
from muybridge.captioning.chat import Chat, EndpointConfig, NoAnswer
from muybridge.captioning.facts import measured
from muybridge.captioning.instructions import SYSTEM, VERSION, instruction
from muybridge.captioning.parse import Parsed, parse
from muybridge.captioning.private import redacted
from muybridge.captioning.schema import json_schema, validated
from muybridge.core.env import api_key
from muybridge.core.errors import InvalidInput
from muybridge.core.files import atomic_path
from muybridge.worlds.structured import StructuredCaption

JPEG_QUALITY = 85


class EndpointCaptioner:
    """A `Captioner` that asks a server. The key is $MUYBRIDGE_API_KEY, where the server wants one."""

    def __init__(self, config: EndpointConfig, *, cache: Path) -> None:
        """cache: folder of answers; they hold no personal data that the redaction finds."""
        self.config = config
        self.cache = cache
        self._chat: Chat | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.model

    @property
    def identity(self) -> str:
        """Server, model and instruction."""
        config = self.config
        return f"endpoint-{VERSION}-{config.url}-{config.model}-{config.num_frames}x{config.side_px}"

    def prepare(self) -> None:
        """Open the connections; the server is first asked with the first clip."""
        if self._chat is None:
            self._chat = Chat(self.config, json_schema(), key=api_key())

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """A caption for each clip, `num_parallel` asked at once.

        An answer that cannot be mended is sent back once with what is wrong with it. Raises RunFailed where the server
        refuses altogether.
        """
        self.prepare()
        with ThreadPoolExecutor(max_workers=self.config.num_parallel) as pool:
            try:
                return list(pool.map(self._one, views))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, view: ClipView) -> CaptionResult:
        facts, messages = measured(view), self._messages(view)
        kept = clip_folder(self.cache, view.id) / f"{_key(self.identity, messages)}.json"
        if (caption := _read(kept)) is not None:
            return CaptionResult(caption=facts.imposed(caption))
        try:
            parsed, num_tokens = self._asked(messages)
        except (NoAnswer, InvalidInput) as error:
            return CaptionResult(caption=None, problem=str(error))
        caption = redacted(parsed.caption)
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(asdict(caption), ensure_ascii=False), encoding="utf-8")
        repairs = tuple(map(str, parsed.repairs))
        return CaptionResult(caption=facts.imposed(caption), repairs=repairs, num_tokens=num_tokens)

    def _asked(self, messages: list[dict[str, Any]]) -> tuple[Parsed, int]:
        assert self._chat is not None
        first = self._chat.ask(messages)
        try:
            return parse(first.text), first.num_tokens
        except InvalidInput as error:
            complaint = f"That is not usable: {error} Answer again with the JSON object alone."
            answered = {"role": "assistant", "content": first.text[:4000] or "(nothing)"}
            second = self._chat.ask([*messages, answered, {"role": "user", "content": complaint}])
            return parse(second.text), first.num_tokens + second.num_tokens

    def _messages(self, view: ClipView) -> list[dict[str, Any]]:
        frames = spread(view.frames, self.config.num_frames)
        content: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": _data_url(frame, self.config.side_px)}}
            for frame in map(Image.fromarray, frames)
        ]
        content.append({"type": "text", "text": instruction(measured(view), num_frames=len(frames))})
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]


def _key(identity: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """Equal questions to equal models have one answer."""
    return hashlib.sha256(json.dumps([identity, messages], sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> StructuredCaption | None:
    """A kept answer; one that is damaged or of an older schema is none."""
    with suppress(OSError, ValueError):
        return validated(json.loads(path.read_text(encoding="utf-8")))
    return None


def _data_url(picture: Image.Image, side_px: int) -> str:
    picture.thumbnail((side_px, side_px), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
