"""What each reviewer said, a line for each word: OUT/review/NAME.jsonl. Only added to, so that none is ever lost."""

import fcntl
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path

Verdict = Literal["approved", "rejected", "skipped", "open"]  # open: taken back, or only the caption was edited
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
REASONS = (
    "blurred", "damaged picture", "text or watermark", "nothing happens", "too fast", "several shots", "dull or ugly",
    "not fit to show", "person without consent",
)  # fmt: skip  # keys 1 to 9
REVIEW = "review"  # the folder
_LOCK = ".lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,38}[A-Za-z0-9]|[A-Za-z0-9]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """All that a reviewer holds of a clip at a time: a later vote on the same clip takes the place of this one.

    sha256: of the clip's file as it was looked at. caption: all fields, where the reviewer edited any. time: seconds
    since 1970, of the server's clock. is_settling: given by one who decides where others disagree.
    """

    clip: str
    sha256: str
    verdict: Verdict
    time: float
    reason: str | None = None
    caption: Mapping[str, str] | None = None
    seconds: float = 0.0
    is_settling: bool = False

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise invalid(f"verdict {self.verdict!r}", "is none", f"use one of {', '.join(VERDICTS)}")
        if self.reason is not None and self.reason not in REASONS:
            raise invalid(f"reason {self.reason!r}", "is none", f"use one of {', '.join(REASONS)}")
        if not (isinstance(self.clip, str) and isinstance(self.sha256, str)):
            raise invalid("vote", "names a clip and the digest of its file", "send both as text")
        is_number = all(isinstance(each, int | float) for each in (self.time, self.seconds))
        if not is_number or not 0 <= self.seconds < 1e7:
            raise invalid(f"seconds={self.seconds!r}", "is the time that was looked at", "send a number of seconds")

    @property
    def is_judged(self) -> bool:
        """Whether it says yes or no."""
        return self.verdict in ("approved", "rejected")


Votes = Mapping[str, Mapping[str, Vote]]  # reviewer to clip to the last vote


def check_reviewer(name: str) -> str:
    """The name as it is. Raises InvalidInput where it cannot name a file anywhere."""
    if not _NAME.fullmatch(name):
        raise invalid(f"reviewer {name!r}", "is letters, digits, space, dot, dash; 40 at most", "use a short name")
    return name


def add_vote(folder: Path, reviewer: str, vote: Vote) -> None:
    """Write a vote so that it outlives a power cut; other processes may do the same. folder: of the curation."""
    place = folder / REVIEW / f"{check_reviewer(reviewer)}.jsonl"
    line = json.dumps(asdict(vote), ensure_ascii=False).encode() + b"\n"
    with _locked(folder), place.open("ab+") as file:
        if file.seek(0, os.SEEK_END) and _last_byte(file.fileno()) != b"\n":  # a write that was cut short
            line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_votes(folder: Path) -> Votes:
    """The last vote of each reviewer on each clip. Lines that were cut short are passed over."""
    return {
        path.stem: {vote.clip: vote for vote in _lines(path.read_bytes())}
        for path in sorted((folder / REVIEW).glob("*.jsonl"))
    }


def forget(folder: Path, kept: Collection[str]) -> None:
    """Take out all votes on clips that are not among those `kept`, as erasing a source demands."""
    if not (folder / REVIEW).is_dir():
        return
    with _locked(folder):
        for path in (folder / REVIEW).glob("*.jsonl"):
            _rewrite(path, kept)


def _rewrite(path: Path, kept: Collection[str]) -> None:
    """Only what is about clips that are kept; a file of which nothing goes is left alone."""
    votes = list(_lines(path.read_bytes()))
    left = [json.dumps(asdict(vote), ensure_ascii=False) + "\n" for vote in votes if vote.clip in kept]
    if len(left) < len(votes):
        with atomic_path(path, is_durable=True) as temporary:
            temporary.write_text("".join(left), encoding="utf-8")


def _lines(content: bytes) -> Iterator[Vote]:
    for line in content.split(b"\n"):
        try:
            yield Vote(**json.loads(line))
        except (ValueError, TypeError):  # InvalidInput is a ValueError
            continue


def _last_byte(handle: int) -> bytes:
    return os.pread(handle, 1, os.fstat(handle).st_size - 1)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The votes to this process while the block runs."""
    (folder / REVIEW).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / REVIEW / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
