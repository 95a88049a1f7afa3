"""Captions on disk, a file for each clip, so that a run continues where it was and several may run at once.

OUT/CAPTIONER/identity.txt       what the captioner is; CAPTIONER begins with its name and ends with a digest of it
OUT/CAPTIONER/AB/ABCD....json    a clip's caption, or its problem
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.captioning.captioner import Captioner
from muybridge.captioning.prompts import training_captions
from muybridge.captioning.schema import FIELDS, validated
from muybridge.core.files import atomic_path
from muybridge.core.seeding import mix
from muybridge.worlds.structured import StructuredCaption


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionRecord:
    """What is known of a clip's caption: itself, or the problem that kept it from being made."""

    id: str
    by: str
    caption: StructuredCaption | None
    problem: str | None
    repairs: tuple[str, ...]
    num_tokens: int


class CaptionStore:
    """The captions of one captioner, all written whole or not at all."""

    def __init__(self, folder: Path, captioner: Captioner) -> None:
        self.by = captioner.name
        digest = hashlib.sha256(captioner.identity.encode()).hexdigest()
        self.folder = folder / f"{_plain(captioner.name)[:40]}-{digest[:12]}"
        if not (self.folder / "identity.txt").exists():
            with atomic_path(self.folder / "identity.txt") as temporary:
                temporary.write_text(f"{captioner.identity}\n", encoding="utf-8")

    def read(self, clip_id: str) -> CaptionRecord | None:
        """A clip's record; None where it has none, or none that fits today's schema."""
        try:
            note = json.loads(self._path(clip_id).read_text(encoding="utf-8"))
            caption = None if note["caption"] is None else validated(note["caption"])
            return CaptionRecord(**{**note, "caption": caption, "repairs": tuple(note["repairs"])})
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def write(self, record: CaptionRecord) -> None:
        """Keep a record; equal ones have equal bytes."""
        with atomic_path(self._path(record.id)) as temporary:
            temporary.write_text(json.dumps(asdict(record), ensure_ascii=False, indent=1), encoding="utf-8")

    @contextmanager
    def claimed(self, clip_id: str, *, is_patient: bool) -> Iterator[bool]:
        """The clip to this process while the block runs; False where another has it and `is_patient` is not set.

        The system lets go where a process is killed.
        """
        place = self._path(clip_id).with_suffix(".lock")
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if is_patient else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        try:
            yield True
        finally:
            place.unlink(missing_ok=True)
            os.close(handle)

    def _path(self, clip_id: str) -> Path:
        name = _plain(clip_id)
        if name != clip_id or len(name) > 100:  # not one of ours: any text may be an id
            name = hashlib.sha256(clip_id.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.json"


def caption_columns(record: CaptionRecord, *, num_captions: int = 4) -> Mapping[str, Any]:
    """A record as columns of the manifest: `caption` is the short one, `captions` prompts for training.

    All are None, and `captions` empty, where there is no caption.
    """
    columns: dict[str, Any] = dict.fromkeys(("caption", *(name for name in FIELDS if name != "short")))
    columns |= {"captions": [], "caption_by": record.by, "caption_problem": record.problem}
    if record.caption is not None:
        fields = asdict(record.caption)
        columns["caption"] = fields.pop("short")
        columns |= fields
        columns["captions"] = list(training_captions(record.caption, num_captions, seed=mix(0, record.id)))
    return columns


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text)
