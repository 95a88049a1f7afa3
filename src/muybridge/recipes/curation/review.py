"""Reviewing a curation: a desk in the browser, how far reviewers agree, and their verdicts written back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.captioning.schema import CHOICES, FIELDS, MAX_CHARACTERS, validated
from muybridge.core.errors import RunFailed
from muybridge.curation.output.manifest import read_manifest
from muybridge.curation.output.table import Table
from muybridge.curation.review.agreement import Agreement, agreement
from muybridge.curation.review.desk import CaptionField, CaptionForm, Desk, DeskConfig, disputed_clips
from muybridge.curation.review.server import ReviewServer
from muybridge.curation.review.suggest import Suggestion, suggest
from muybridge.curation.review.verdicts import settle, write_verdicts
from muybridge.curation.review.votes import read_votes
from muybridge.recipes.curation.results import Curated, OnStep
from muybridge.recipes.curation.run import retier, thresholds_of
from muybridge.recipes.curation.settings import CurationSettings
from muybridge.worlds.structured import UNKNOWN


def completed(said: Mapping[str, Any]) -> dict[str, Any]:
    """The caption that a reviewer filled in: without a dense text that is the short one, and classes are unknown.

    Raises InvalidInput where it fits the schema not even then.
    """
    classes = {name: UNKNOWN for name in CHOICES if said.get(name) == ""}
    dense = {"dense": said.get("short")} if said.get("dense") == "" else {}
    return asdict(validated({**said, **classes, **dense}))


FORM = CaptionForm(
    fields=tuple(
        CaptionField(
            name=name,
            column="caption" if name == "short" else f"caption_{name}",
            max_characters=MAX_CHARACTERS.get(name, 100),
            choices=CHOICES.get(name, ()),
        )
        for name in FIELDS
    ),
    completed=completed,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What was written back, and the curation as it is now."""

    num_approved: int
    num_rejected: int
    num_captions: int
    num_disputed: int
    curated: Curated

    def as_mapping(self) -> Mapping[str, Any]:
        """JSON-ready."""
        return {
            "approved": self.num_approved,
            "rejected": self.num_rejected,
            "captions": self.num_captions,
            "disputed": self.num_disputed,
            "clips": self.curated.table.num_rows,
            "kept": int(self.curated.decisions.is_kept.sum()),
            "tiers": self.curated.decisions.counts(),
            "manifest": str(self.curated.manifest),
            "report": str(self.curated.report),
        }


def open_review(folder: Path, config: DeskConfig, *, port: int = 0) -> ReviewServer:
    """A server for one reviewer, listening; `serve_forever` answers. Raises as `Desk` and `ReviewServer` do."""
    desk = Desk(folder, read_manifest(folder), thresholds_of(folder), form=FORM, config=config)
    return ReviewServer(desk, on_apply=lambda: apply_reviews(folder).as_mapping(), port=port)


def apply_reviews(folder: Path, *, on_step: OnStep | None = None) -> Applied:
    """Settle all votes and make manifest, shards and report anew by them; the same votes give the same bytes.

    Raises RunFailed where nobody has reviewed anything, or another run is writing in the folder.
    """
    digests = _digests(read_manifest(folder))
    votes = read_votes(folder)
    if not votes:
        raise RunFailed(f"{folder}: nobody has judged a clip; muybridge review {folder} opens the page for it.")
    settled = settle(votes, digests)
    write_verdicts(folder, settled)
    done = retier(CurationSettings(out=folder, thresholds=thresholds_of(folder)), on_step=on_step)
    verdicts = [each.verdict for each in settled.values()]
    return Applied(
        num_approved=verdicts.count("approved"),
        num_rejected=verdicts.count("rejected"),
        num_captions=sum(each.caption is not None for each in settled.values()),
        num_disputed=len(disputed_clips(folder, digests)),
        curated=done,
    )


def agreement_of(folder: Path) -> Agreement:
    """How far the reviewers of a folder agree. Raises RunFailed where there is no manifest."""
    read_manifest(folder)
    return agreement(read_votes(folder))


def suggestions(folder: Path) -> list[Suggestion]:
    """Limits that would agree best with the reviewers. Raises RunFailed where both verdicts are not there yet."""
    table = read_manifest(folder)
    settled = settle(read_votes(folder), _digests(table))
    verdicts = {clip: each.verdict for clip, each in settled.items() if each.verdict}
    found = suggest(table, verdicts, thresholds_of(folder))
    if not found:
        said = f"{folder}: {len(verdicts)} verdicts tell no limit of any column"
        raise RunFailed(f"{said}; judge clips on both sides, approved and rejected.")
    return found


def _digests(table: Table) -> Mapping[str, str]:
    return dict(zip(table.values("id"), table.values("sha256"), strict=True))
