"""Where answers that were paid for are kept, by clip, so that those about a clip can be forgotten with it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from shutil import rmtree

ANSWERS = "captions"  # in the cache folder


def clip_folder(cache: Path, clip: str) -> Path:
    """FF/FFFF...: the folder of the answers about a clip."""
    name = hashlib.sha256(clip.encode("utf-8", "surrogateescape")).hexdigest()
    return cache / name[:2] / name


def forget_answers(cache: Path, clips: Iterable[str]) -> None:
    """Remove all answers about these clips, whoever gave them."""
    for clip in clips:
        rmtree(clip_folder(cache, clip), ignore_errors=True)
