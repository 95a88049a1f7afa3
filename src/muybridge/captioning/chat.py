"""A chat endpoint as OpenAI defined it, asked with patience: busy answers, timeouts, servers without JSON schemas."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from muybridge.core.errors import MuybridgeError, RunFailed, invalid

_BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_REFUSED = (401, 402, 403, 404, 405)  # the same for every clip
_MAX_ANSWER_BYTES = 4 * 2**20  # convention: a caption is a thousandth of it
_FORMAT_REFUSED = (400, 422, 501)

Message = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointConfig:
    """Where a model is served, and how patiently it is asked.

    `url` ends before /chat/completions, usually in /v1. `timeout_s` is for a whole answer. A pause that the server asks
    for beyond `longest_pause_s` ends the attempt. Frames are sent as JPEG of at most `side_px`.
    """

    url: str
    model: str
    num_parallel: int = 4
    timeout_s: float = 120.0
    max_attempts: int = 6
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    max_tokens: int = 1500
    num_frames: int = 8
    side_px: int = 512

    def __post_init__(self) -> None:
        try:
            scheme = httpx2.URL(self.url).scheme
        except (httpx2.InvalidURL, TypeError):
            scheme = ""
        if scheme not in ("http", "https"):
            raise invalid(f"url={self.url!r}", "an endpoint has an address", "use http://localhost:8000/v1")
        if not self.model:
            raise invalid("no model", "an endpoint serves models by name", "name one, as in qwen2.5-vl-7b-instruct")
        for name in ("num_parallel", "max_attempts", "max_tokens", "num_frames", "timeout_s", "side_px"):
            if getattr(self, name) <= 0:
                raise invalid(f"{name}={getattr(self, name)}", "must be above 0", "leave it out")
        if self.first_pause_s < 0 or self.longest_pause_s < 0:
            raise invalid(f"first_pause_s={self.first_pause_s}", "pauses are not negative", "leave it out")


class NoAnswer(MuybridgeError):
    """One request that had no usable answer; others may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the model wrote, with how many tokens."""

    text: str
    num_tokens: int


class Chat:
    """Connections to one endpoint, for several threads at once. Closed by `close`."""

    def __init__(self, config: EndpointConfig, schema: Mapping[str, Any], *, key: str | None) -> None:
        self.config = config
        self._has_key = key is not None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(timeout=config.timeout_s, headers=headers, follow_redirects=False)
        strict = {"name": "caption", "strict": True, "schema": schema}
        self._formats: list[Mapping[str, Any] | None] = [
            {"type": "json_schema", "json_schema": strict},
            {"type": "json_object"},
            None,
        ]

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def ask(self, messages: Sequence[Message]) -> Answer:
        """The model's answer.

        Busy servers and broken connections are asked again after growing pauses, or those that the server names. The
        answer's format is asked for as a schema, where the server refuses that as any object, and then not at all.
        Raises NoAnswer where this request has none, RunFailed where none would have one.
        """
        fault, formats, attempt = "", list(self._formats), 0
        while attempt < self.config.max_attempts:
            wanted = formats[0]
            try:
                response = self._post(messages, wanted)
            except httpx2.ConnectError as error:
                fault, asked_s = f"cannot be reached ({_line(error)})", None
                if attempt == self.config.max_attempts - 1:
                    raise self._failed(fault, "start the server, or check the address") from None
            except httpx2.HTTPError as error:
                fault, asked_s = _line(error), None
            else:
                if response.status_code == 200:
                    self._formats = formats if len(formats) < len(self._formats) else self._formats
                    return _answer(response)
                if response.status_code in _FORMAT_REFUSED and wanted is not None:
                    formats = formats[1:]  # kept for the next clips only where the looser one has an answer
                    continue
                self._check_allowed(response)
                fault, asked_s = f"answers {response.status_code} {_said(response)}", _asked_s(response)
            self._pause(attempt, asked_s, fault)
            attempt += 1
        raise NoAnswer(f"{self.config.url}: {fault}, {self.config.max_attempts} times; run again later.")

    def _post(self, messages: Sequence[Message], wanted: Mapping[str, Any] | None) -> httpx2.Response:
        body: dict[str, Any] = {
            "model": self.config.model, "messages": list(messages), "temperature": 0,
            "max_tokens": self.config.max_tokens,
        }  # fmt: skip
        if wanted is not None:
            body["response_format"] = wanted
        begun = time.monotonic()
        with self._client.stream("POST", f"{self.config.url.rstrip('/')}/chat/completions", json=body) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MAX_ANSWER_BYTES:
                    raise httpx2.RemoteProtocolError("the answer does not end")
                if time.monotonic() - begun > self.config.timeout_s:
                    raise httpx2.ReadTimeout("the answer takes too long")
            return httpx2.Response(response.status_code, headers=_plain(response.headers), content=bytes(content))

    def _check_allowed(self, response: httpx2.Response) -> None:
        """Raises RunFailed where every request would fare the same, NoAnswer where this one need not be repeated."""
        status, said = response.status_code, _said(response)
        if status in _REFUSED or 300 <= status < 400:
            remedy = (
                "set MUYBRIDGE_API_KEY"
                if status in (401, 403) and not self._has_key
                else "check address, model and key"
            )
            raise self._failed(f"refuses with {status} {said}", remedy)
        if status not in _BUSY:
            raise NoAnswer(f"{self.config.url}: answers {status} {said} to this clip; leave it out or mend it.")

    def _failed(self, what: str, remedy: str) -> RunFailed:
        return RunFailed(f"{self.config.url}: {what}; {remedy}.")

    def _pause(self, attempt: int, asked_s: float | None, fault: str) -> None:
        longest_s = self.config.longest_pause_s
        if asked_s is not None and asked_s > longest_s:
            raise NoAnswer(f"{self.config.url}: {fault} and asks to wait {asked_s:.0f} s; run again later.")
        if attempt < self.config.max_attempts - 1:
            grown_s = self.config.first_pause_s * 2**attempt * random.uniform(0.75, 1.25)  # not all threads at once
            time.sleep(min(longest_s, max(asked_s or 0.0, grown_s)))


def _answer(response: httpx2.Response) -> Answer:
    try:
        body = json.loads(response.content)
        choice = body["choices"][0]
        text = choice["message"]["content"]
        if isinstance(text, list):  # parts, as some servers write them
            text = "".join(str(part.get("text", "")) for part in text)
        usage = body.get("usage") or {}
        return Answer(text=text if isinstance(text, str) else "", num_tokens=int(usage.get("completion_tokens") or 0))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise NoAnswer(f"the server's answer is no chat completion ({response.text[:80]!r}); run again.") from None


def _plain(headers: httpx2.Headers) -> dict[str, str]:
    """Headers of a body that is decoded already."""
    return {
        name: value for name, value in headers.items() if name.lower() not in ("content-encoding", "content-length")
    }


def _said(response: httpx2.Response) -> str:
    """The server's own reason, one printable line."""
    text = response.text
    with suppress(ValueError, AttributeError, RecursionError):
        error = json.loads(text).get("error")
        text = str(error.get("message", "")) if isinstance(error, dict) else str(error or text)
    return "".join(letter for letter in " ".join(text.split())[:160] if letter.isprintable()).rstrip(".")


def _asked_s(response: httpx2.Response) -> float | None:
    """How long the server asks to wait: seconds, or until a date."""
    asked = response.headers.get("Retry-After", "").strip()
    with suppress(ValueError):
        return max(0.0, float(asked))
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    return None


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(". ")
