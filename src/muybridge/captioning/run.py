"""Captioning many clips: in batches, continued where a run was stopped, clips that fail set aside with their reason."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

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
    num_tokens = num_new = 0
    left = [job for job in unique if _is_open(store, job.id, is_retrying=is_retrying)]
    num_before, problems = len(unique) - len(left), {job.id for job in left if store.read(job.id)}
    if left:
        captioner.prepare()
    for is_patient in (False, True):  # what another process has is looked at again in the end
        elsewhere: list[CaptionJob] = []
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            taken = _batch(batch, captioner, store, is_patient=is_patient, known=problems)
            elsewhere += [job for job in batch if job.id not in taken]
            num_tokens += sum(taken.values())
            num_new += len(taken)
            if on_progress:
                on_progress(num_before + num_new, len(unique))
        left = elsewhere
    num_failed = sum(1 for job in unique if (record := store.read(job.id)) and record.caption is None)
    seconds = time.perf_counter() - begun
    return CaptionRun(
        num_clips=len(unique), num_before=num_before, num_failed=num_failed, num_tokens=num_tokens, seconds=seconds
    )  # fmt: skip


def _is_open(store: CaptionStore, clip_id: str, *, is_retrying: bool) -> bool:
    record = store.read(clip_id)
    return record is None or (is_retrying and record.caption is None)


def _batch(
    jobs: Sequence[CaptionJob], captioner: Captioner, store: CaptionStore, *, is_patient: bool, known: set[str]
) -> dict[str, int]:
    """Caption the jobs that no other process has; the tokens written for each that is done now, by id.

    known: clips whose record is a problem to be tried again.
    """
    with ExitStack() as claims:
        free = [job for job in jobs if claims.enter_context(store.claimed(job.id, is_patient=is_patient))]
        done = {job.id: 0 for job in free if job.id not in known and store.read(job.id)}  # by another, meanwhile
        views: list[ClipView] = []
        for job in free:
            if job.id in done:
                continue
            try:
                views.append(job.view())
            except _FAILS as error:
                _keep(store, job.id, CaptionResult(caption=None, problem=_line(error)))
                done[job.id] = 0
        for view, result in zip(views, _results(captioner, views), strict=True):
            _keep(store, view.id, result)
            done[view.id] = result.num_tokens
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


def _keep(store: CaptionStore, clip_id: str, result: CaptionResult) -> None:
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


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
