"""From votes to one verdict for each clip, and from there to columns of the manifest.

An approved clip that the table would leave out is let into all tiers that `decide.STANDING` rules allow; one that the
table keeps stays in its tiers. A rejected clip is in no tier.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from muybridge.core.errors import RunFailed
from muybridge.core.files import atomic_path
from muybridge.curation.output.table import Table
from muybridge.curation.review.votes import REVIEW, Vote, Votes
from muybridge.curation.stage import Column

VERDICTS_FILE = "verdicts.json"  # of those that were applied: later runs keep them
REVIEW_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {"review_verdict": "text", "review_reason": "text", "review_by": "text"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What counts of a clip. `verdict` is None where only the caption was edited; `by` names all who gave it."""

    sha256: str
    verdict: str | None
    reason: str | None
    by: str | None
    caption: Mapping[str, str] | None
    caption_by: str | None


def settle(votes: Votes, digests: Mapping[str, str]) -> dict[str, Settled]:
    """Clip to what counts, sorted. digests: sha256 of each clip as it is now; votes on other bytes do not count.

    The last vote that settles decides, else more than half of the verdicts; where they are split none is given, and the
    clip is disputed. Of edited captions the last that settles counts, else the last.
    """
    given: dict[str, list[tuple[str, Vote]]] = {}
    for reviewer, their in votes.items():
        for clip, vote in their.items():
            if digests.get(clip) == vote.sha256:
                given.setdefault(clip, []).append((reviewer, vote))
    found = {clip: _settled(given[clip]) for clip in sorted(given)}
    return {clip: each for clip, each in found.items() if each.verdict or each.caption}


def write_verdicts(folder: Path, settled: Mapping[str, Settled]) -> None:
    """Keep what counts, for `read_verdicts`; equal verdicts give equal bytes."""
    said = {clip: asdict(each) for clip, each in sorted(settled.items())}
    with atomic_path(folder / REVIEW / VERDICTS_FILE, is_durable=True) as temporary:
        temporary.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_verdicts(folder: Path) -> dict[str, Settled]:
    """What was applied last; nothing where nothing was. Raises RunFailed where the file is damaged."""
    path = folder / REVIEW / VERDICTS_FILE
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return {clip: Settled(**each) for clip, each in said.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise RunFailed(f"{path}: damaged ({error}); remove it, and apply the votes again.") from None


def with_verdicts(table: Table, settled: Mapping[str, Settled]) -> Table:
    """The table with `REVIEW_COLUMNS`, or without them where nothing is settled, and none of other bytes."""
    if not settled:
        return table.without(REVIEW_COLUMNS)
    found = current(table, settled)
    each = [found.get(clip) for clip in table.values("id")]
    columns = {
        "review_verdict": [one and one.verdict for one in each],
        "review_reason": [one and one.reason for one in each],
        "review_by": [one and one.by for one in each],
    }
    return table.with_columns(columns, REVIEW_COLUMNS)


def current(table: Table, settled: Mapping[str, Settled]) -> dict[str, Settled]:
    """Those of clips whose file is still the one that was judged."""
    digests = zip(table.values("id"), table.values("sha256"), strict=True)
    return {clip: settled[clip] for clip, digest in digests if clip in settled and settled[clip].sha256 == digest}


def _settled(given: list[tuple[str, Vote]]) -> Settled:
    given = sorted(given, key=lambda pair: (pair[1].is_settling, pair[1].time, pair[0]))
    judged = [(reviewer, vote) for reviewer, vote in given if vote.is_judged]
    if judged and judged[-1][1].is_settling:
        judged = judged[-1:]
    most = Counter(vote.verdict for _, vote in judged).most_common(1)
    verdict = most[0][0] if most and 2 * most[0][1] > len(judged) else None
    behind = [(reviewer, vote) for reviewer, vote in judged if vote.verdict == verdict]
    edits = [(reviewer, vote) for reviewer, vote in given if vote.caption]
    return Settled(
        sha256=given[0][1].sha256,
        verdict=verdict,
        reason=next((vote.reason for _, vote in reversed(behind) if vote.reason), None),
        by=", ".join(sorted(reviewer for reviewer, _ in behind)) or None,
        caption=edits[-1][1].caption if edits else None,
        caption_by=f"reviewer {edits[-1][0]}" if edits else None,
    )
