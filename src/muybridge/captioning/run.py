"""Captioning many clips: in batches, continued where a run was stopped, clips that fail set aside with their reason."""

import time
from collections.abc import Callable, Container, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from muybridge.captioning.captioner import Captioner, CaptionResult, ClipView
from muybridge.captioning.private import redacted
from muybridge.captioning.store import CaptionRecord, CaptionStore
from muybridge.core.errors import AssetError, InvalidInput, MissingExtra, RunFailed, WeightsError, invalid

OnProgress = Callable[[int, int], None]  # clips done, of how many
_STOPS = (RunFailed, AssetError, MissingExtra, WeightsError)  # no clip would fare better
_FAILS = (ValueError, RuntimeError, OSError, LookupError)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionJob:
    """A clip to caption. `view` reads its frames when its turn comes; it may raise MediaError."""

    id: str
    view: Callable[[], ClipView]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionRun:
    """How a run went: clips that have a caption now, those that had one before, and those set aside."""

    num_clips: int
    num_before: int
    num_failed: int
    num_tokens: int
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Tokens that the model wrote, by the clock."""
        return self.num_tokens / max(self.seconds, 1e-9)

    @property
    def clips_per_s(self) -> float:
        """Clips that this run worked on, by the clock."""
        return (self.num_clips - self.num_before) / max(self.seconds, 1e-9)


def caption_clips(
    jobs: Sequence[CaptionJob],
    captioner: Captioner,
    store: CaptionStore,
    *,
    batch_size: int = 16,
    is_retrying: bool = False,
    on_progress: OnProgress | None = None,
) -> CaptionRun:
    """Caption every clip that `store` does not hold yet; afterwards it holds a record of each.

    A clip that cannot be read or captioned is set aside with its problem, and tried again only if `is_retrying`.
    Another process may work on the same clips: each is captioned once. Raises what keeps all clips from being
    captioned: RunFailed, AssetError, WeightsError, MissingExtra.
    """
    if batch_size < 1:
        raise invalid(f"batch_size={batch_size}", "is at least 1", "use 16")
    begun = time.perf_counter()
    unique = list({job.id: job for job in jobs}.values())
    before = {job.id: record for job in unique if (record := store.read(job.id)) is not None}
    retried = {name for name, record in before.items() if is_retrying and record.caption is None}
    left = [job for job in unique if job.id not in before or job.id in retried]
    num_before = len(unique) - len(left)
    done = {name: _Done(record.caption is None, 0) for name, record in before.items() if name not in retried}
    if left:
        captioner.prepare()
    # What another process has is waited for in the end, one by one: who waits holds nothing that others wait for.
    for is_patient, length in ((False, batch_size), (True, 1)):
        for start in range(0, len(left), length):
            batch = left[start : start + length]
            done |= _batch(batch, captioner, store, is_patient=is_patient, retried=retried)
            if on_progress:
                on_progress(len(done), len(unique))
        left = [job for job in left if job.id not in done]
    return CaptionRun(
        num_clips=len(unique), num_before=num_before, num_failed=sum(each.is_failed for each in done.values()),
        num_tokens=sum(each.num_tokens for each in done.values()), seconds=time.perf_counter() - begun,
    )  # fmt: skip


class _Done(NamedTuple):
    """How it went with a clip: whether it has no caption, and the tokens that this process had written for it."""

    is_failed: bool
    num_tokens: int


def _batch(
    jobs: Sequence[CaptionJob], captioner: Captioner, store: CaptionStore, *, is_patient: bool, retried: Container[str]
) -> dict[str, _Done]:
    """Caption the jobs that no other process has; what was done, by id. Of those in `retried` a record is no news."""
    done: dict[str, _Done] = {}
    with ExitStack() as claims:
        views: dict[str, ClipView] = {}
        for job in jobs:
            if not claims.enter_context(store.claimed(job.id, is_patient=is_patient)):
                continue
            record = None if job.id in retried else store.read(job.id)
            if record is not None:  # another process has done it meanwhile
                done[job.id] = _Done(record.caption is None, 0)
                continue
            try:
                views[job.id] = job.view()
            except _FAILS as error:
                done[job.id] = _kept(store, job.id, CaptionResult(caption=None, problem=_line(error)))
        for name, result in zip(views, _results(captioner, list(views.values())), strict=True):
            done[name] = _kept(store, name, result)
    return done


def _results(captioner: Captioner, views: Sequence[ClipView]) -> list[CaptionResult]:
    """A result for each view: where a batch fails, each is tried alone, so that one cannot spoil the others."""
    if not views:
        return []
    try:
        return captioner.caption(views)
    except _STOPS:
        raise
    except _FAILS as error:
        if len(views) == 1:
            return [CaptionResult(caption=None, problem=_line(error))]
        return [_results(captioner, [view])[0] for view in views]


def _kept(store: CaptionStore, clip_id: str, result: CaptionResult) -> _Done:
    caption, problem = None, result.problem
    try:
        caption = redacted(result.caption) if result.caption else None
    except InvalidInput as error:  # a captioner that does not keep to the schema
        problem = _line(error)
    store.write(
        CaptionRecord(
            id=clip_id, by=store.by, caption=caption, problem=problem, repairs=result.repairs,
            num_tokens=result.num_tokens,
        )
    )  # fmt: skip
    return _Done(caption is None, result.num_tokens)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
