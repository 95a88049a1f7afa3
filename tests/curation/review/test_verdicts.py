"""One verdict from many votes, and what it does to manifest, tiers, shards and report, again and again."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from muybridge.captioning.schema import FIELDS
from muybridge.core.errors import RunFailed
from muybridge.curation.output.manifest import MANIFEST, read_manifest
from muybridge.curation.review.verdicts import settle
from muybridge.curation.review.votes import Vote, add_vote
from muybridge.recipes.curation.results import gathered
from muybridge.recipes.curation.review import apply_reviews, suggestions
from muybridge.recipes.curation.run import curate, erase_source, retier, thresholds_of
from tests.curation.review.conftest import settings

CAPTION = dict.fromkeys(FIELDS, "") | {
    "short": "A wall slides by.", "dense": "A wall of tiles slides to the right.", "camera": "pan left",
    "source": "camera footage", "quality": "high quality",
}  # fmt: skip


def say(out: Path, reviewer: str, uri: str, verdict: str, **more: Any) -> None:
    for row in read_manifest(out).rows():
        if row["uri"] == uri:
            vote = Vote(clip=row["id"], sha256=row["sha256"], verdict=verdict, time=more.pop("time", 1.0), **more)  # type: ignore[arg-type]
            add_vote(out, reviewer, vote)


def by_uri(out: Path) -> dict[str, dict[str, Any]]:
    return {row["uri"]: row for row in read_manifest(out).rows()}


def digest(out: Path) -> str:
    files = [out / MANIFEST, *sorted(out.glob("shards/*/*.tar")), *sorted(out.glob("tiers/*"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def vote(verdict: str, *, time: float = 0.0, is_settling: bool = False, **more: Any) -> dict[str, Vote]:
    made = Vote(clip="a", sha256="1", verdict=verdict, time=time, is_settling=is_settling, **more)  # type: ignore[arg-type]
    return {"a": made}


def test_more_than_half_decide_and_who_settles_decides_alone():
    yes, no = vote("approved"), vote("rejected", reason="blurred")
    split = {"ann": yes, "ben": no}
    assert settle(split, {"a": "1"}) == {}  # disputed
    third = settle({**split, "eve": no}, {"a": "1"})["a"]
    assert (third.verdict, third.by, third.reason) == ("rejected", "ben, eve", "blurred")
    decided = settle({**split, "eve": no, "lea": vote("approved", is_settling=True)}, {"a": "1"})["a"]
    assert (decided.verdict, decided.by) == ("approved", "lea")
    assert settle({"ann": yes}, {"a": "2"}) == {}  # the clip has other bytes now
    assert settle({"ann": vote("skipped"), "ben": vote("open")}, {"a": "1"}) == {}


def test_verdicts_and_captions_are_written_back_and_stay(out: Path, footage: Path):
    before = by_uri(out)
    assert before["dark.mp4"]["rejected_column"] == "black_share"
    plain = digest(out)
    say(out, "ann", "dark.mp4", "approved")
    say(out, "ann", "moving.mp4", "rejected", reason="dull or ugly", caption=CAPTION)
    say(out, "ben", "still.png", "open", caption=CAPTION)
    done = apply_reviews(out)
    assert (done.num_approved, done.num_rejected, done.num_captions, done.num_disputed) == (1, 1, 2, 0)
    rows = by_uri(out)
    assert rows["dark.mp4"]["tiers"] == ["256p", "360p"]  # 48 px: no more
    assert rows["dark.mp4"]["rejected_stage"] is None
    assert rows["dark.mp4"]["caption"] and rows["dark.mp4"]["review_by"] == "ann"
    left = rows["moving.mp4"]
    assert left["tiers"] == [] and left["rejected_stage"] == "review" and left["review_reason"] == "dull or ugly"
    assert rows["still.png"]["caption"] == CAPTION["short"] and rows["still.png"]["caption_by"] == "reviewer ben"
    assert rows["still.png"]["caption_camera"] == "pan left" and rows["still.png"]["captions"]
    (tar,) = (out / "shards" / "256p").glob("*.tar")
    with tarfile.open(tar) as file:
        notes = [json.loads(file.extractfile(name).read()) for name in file.getnames() if name.endswith(".json")]  # type: ignore[union-attr]
    assert {note["uri"] for note in notes} == {"dark.mp4"}
    assert "review_verdict" in (out / "report" / "index.html").read_text()

    first = digest(out)
    assert first != plain
    apply_reviews(out)
    assert digest(out) == first
    retier(settings(out))
    assert digest(out) == first
    curate([str(footage)], settings(out))
    assert digest(out) == first


def test_verdicts_that_are_taken_back_leave_no_trace(out: Path):
    plain = digest(out)
    say(out, "ann", "still.png", "rejected", caption=CAPTION)
    apply_reviews(out)
    assert digest(out) != plain
    say(out, "ann", "still.png", "open", time=2.0)
    apply_reviews(out)
    assert digest(out) == plain


def test_erasing_a_source_erases_what_was_said_of_it(out: Path):
    say(out, "ann", "still.png", "approved", caption=CAPTION)
    say(out, "ann", "dark.mp4", "approved")
    apply_reviews(out)
    erase_source("still.png", settings(out))  # raises where a file still names one of its clips
    assert by_uri(out)["dark.mp4"]["review_verdict"] == "approved"
    assert set(gathered(settings(out)).values("id")) == set(read_manifest(out).values("id"))


def test_nothing_to_write_back_and_nothing_to_learn_are_told(out: Path):
    with pytest.raises(RunFailed, match="nobody has judged"):
        apply_reviews(out)
    say(out, "ann", "dark.mp4", "rejected")
    with pytest.raises(RunFailed, match="both sides"):
        suggestions(out)
    say(out, "ann", "moving.mp4", "approved")
    first = suggestions(out)[0]
    assert first.accuracy == 1 and {each.column for each in suggestions(out)} >= {"black_share"}
    black = next(each for each in suggestions(out) if each.column == "black_share")
    assert black.kind == "at_most" and 0 < black.limit < 1 and black.limit_now == 0.5 and black.now == 1
    assert thresholds_of(out).rules
