"""What one reviewer works on: the clips of a queue, what is known of each, and the reviewer's own words.

A reviewer never sees what others said: agreement tells numbers, and disputed clips are shown without their votes.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.decide import PASSED, Decisions, decide, lowest_tier
from muybridge.curation.output.table import Table
from muybridge.curation.report.examples import shown
from muybridge.curation.review.agreement import agreement
from muybridge.curation.review.queue import QueueConfig, queue
from muybridge.curation.review.verdicts import REVIEW_COLUMNS, settle
from muybridge.curation.review.votes import REASONS, Vote, add_vote, check_reviewer, read_votes
from muybridge.curation.thresholds import TIERS, Thresholds

Json = dict[str, Any]
_FACTS = ("id", "uri", "start_s", "end_s", "is_picture")
_ABOUT = ("width", "height", "fps", "num_frames", "source_width", "source_height", "licence", "has_sound")


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionField:
    """A field of a caption as a form has it, and the manifest's column that holds it. No choices: free text."""

    name: str
    column: str
    max_characters: int
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionForm:
    """Captions as reviewers edit them.

    completed: the whole caption of what was filled in. Raises InvalidInput that names each field that is wrong.
    """

    fields: tuple[CaptionField, ...]
    completed: Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskConfig:
    """Who reviews what.

    is_settling: the reviewer's word counts where others disagree. num_in_part: clips that the page is told of at once.
    """

    reviewer: str
    queue: QueueConfig
    is_settling: bool = False
    num_in_part: int = 200

    def __post_init__(self) -> None:
        check_reviewer(self.reviewer)
        if self.num_in_part < 1:
            raise invalid(f"num_in_part={self.num_in_part}", "must be at least 1", "use 200")


def disputed_clips(folder: Path, digests: Mapping[str, str]) -> set[str]:
    """Clips on which reviewers disagree and that nobody settled."""
    votes = read_votes(folder)
    settled = settle(votes, digests)
    return {clip for clip in agreement(votes).disputed if clip not in settled or settled[clip].verdict is None}


class Desk:
    """Thread-safe. Raises InvalidInput from the start where the queue would be empty."""

    def __init__(self, folder: Path, table: Table, thresholds: Thresholds, *, form: CaptionForm, config: DeskConfig):
        self.folder, self.form, self.config = folder, form, config
        self._lock = threading.Lock()
        self._table = table.without(REVIEW_COLUMNS)  # what others said is not for this reviewer's eyes
        self._thresholds = thresholds
        self._decisions = decide(self._table, thresholds)
        self._rows = {clip: row for row, clip in enumerate(table.values("id"))}
        self._digests = dict(zip(self._rows, table.values("sha256"), strict=True))
        places = table.values("clip")
        self._places = {clip: places[row] for clip, row in self._rows.items()}
        disputed = disputed_clips(folder, self._digests) if config.queue.only == "disputed" else set()
        self.queue = queue(table, self._decisions, config.queue, disputed=disputed)

    def state(self) -> Json:
        """All that the page begins with, but the clips: how many there are, and the words for them."""
        form = [{**asdict(field), "label": field.name.replace("_", " ")} for field in self.form.fields]
        return {
            "reviewer": self.config.reviewer,
            "is_settling": self.config.is_settling,
            "folder": self.folder.resolve().name,
            "reasons": list(REASONS),
            "fields": form,
            "num_clips": len(self.queue),
        }

    def part(self, start: int) -> Json:
        """`num_in_part` clips of the queue from `start` on, with the reviewer's votes; none past its end."""
        mine, is_kept = self._mine(), self._decisions.is_kept
        wanted = [self._rows[clip] for clip in self.queue[start : start + self.config.num_in_part]]
        rows = self._table.rows(wanted, only=_FACTS)
        clips = [
            {**row, "is_kept": bool(is_kept[number]), "vote": _said(mine.get(row["id"]))}
            for number, row in zip(wanted, rows, strict=True)
        ]
        return {"clips": clips}

    def clip(self, clip_id: str) -> Json:
        """A clip with its scores beside what the table asks, and its caption. Raises InvalidInput."""
        row = self._row(clip_id)
        (values,) = self._table.rows([row])
        caption = {field.name: values.get(field.column) or "" for field in self.form.fields}
        reached = [tier for tier in TIERS if self._decisions.reaches(tier)[row]]
        return {
            "id": clip_id,
            "tiers": reached,
            "scores": scores(self._table.taken([row]), self._thresholds),
            "failed": self._failed(row),
            "caption": caption,
            "caption_by": values.get("caption_by"),
            "facts": {name.replace("_", " "): shown(values[name]) for name in _ABOUT if values.get(name) is not None},
            "vote": _said(self._mine().get(clip_id)),
        }

    def vote(self, said: Mapping[str, Any]) -> Json:
        """Keep what the reviewer now holds of a clip. Raises InvalidInput where it is no vote or no caption."""
        known = ("clip", "verdict", "reason", "caption", "seconds")
        if strange := sorted(set(said) - set(known)):
            raise invalid(f"vote with {strange[0]!r}", "is no part of it", f"send {', '.join(known)}")
        caption, clip_id = said.get("caption"), str(said.get("clip"))
        self._row(clip_id)
        if caption is not None:
            caption = self.form.completed(caption)
        verdict: Any = said.get("verdict")
        vote = Vote(
            clip=clip_id,
            sha256=self._digests[clip_id],
            verdict=verdict,
            reason=said.get("reason") if verdict == "rejected" else None,
            caption=caption,
            seconds=said.get("seconds", 0.0),
            time=round(time.time(), 3),
            is_settling=self.config.is_settling,
        )
        with self._lock:
            add_vote(self.folder, self.config.reviewer, vote)
        return {"vote": _said(vote)}

    def agreement(self) -> Json:
        """How far all reviewers agree, in numbers."""
        return dict(agreement(read_votes(self.folder)).as_mapping())

    def file(self, clip_id: str) -> Path:
        """The clip's file. Raises InvalidInput where the manifest has no such clip, or names a file outside."""
        self._row(clip_id)
        path = (self.folder / self._places[clip_id]).resolve()
        if not path.is_relative_to((self.folder / "clips").resolve()):
            raise InvalidInput(f"{clip_id}: its file lies outside of the curation; curate anew.")
        return path

    def _mine(self) -> Mapping[str, Vote]:
        """The reviewer's votes on the clips as they are now."""
        mine = read_votes(self.folder).get(self.config.reviewer, {})
        return {clip: vote for clip, vote in mine.items() if self._digests.get(clip) == vote.sha256}

    def _row(self, clip_id: str) -> int:
        if clip_id not in self._rows:
            raise invalid(f"clip {clip_id[:60]!r}", "is not in the manifest", "reload the page")
        return self._rows[clip_id]

    def _failed(self, row: int) -> Json | None:
        """The rule by which the table leaves a clip out; None for one that it keeps."""
        number = int(self._decisions.rejected_by[row])
        if number == PASSED:
            return None
        rule = self._thresholds.rules[number]
        return {"stage": rule.stage, "column": rule.column}


def scores(one: Table, thresholds: Thresholds) -> list[Json]:
    """Each column that rules ask about and that a table of one row has, in the words of the report."""
    (values,) = one.rows()
    found = []
    for rule in thresholds.rules:
        tier = lowest_tier(bool(values.get("is_picture")))
        if values.get(rule.column) is None or tier not in rule.limits:
            continue
        failing = _failing(decide(one, Thresholds(rules=(rule,))))
        found.append(
            {
                "stage": rule.stage,
                "column": rule.column,
                "value": shown(values[rule.column]),
                "asked": rule.words(tier),
                "failed": failing,
                "is_out": tier in failing,
            }
        )
    return found


def _failing(held: Decisions) -> list[str]:
    """The tiers that one rule keeps one row out of."""
    return [tier for tier in TIERS if np.all(held.failed[tier] >= 0)]


def _said(vote: Vote | None) -> Json | None:
    if vote is None or (vote.verdict == "open" and not vote.caption):
        return None
    return {"verdict": vote.verdict, "reason": vote.reason, "caption": vote.caption}
