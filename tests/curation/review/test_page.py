"""The page in a real browser: keys judge, captions are edited, two reviewers do not see each other, all is kept."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from muybridge.curation.output.manifest import read_manifest
from muybridge.curation.review.desk import DeskConfig
from muybridge.curation.review.votes import read_votes
from muybridge.recipes.curation.review import open_review
from muybridge.recipes.curation.run import retier
from tests.curation.review.conftest import desk_of, settings

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}: apt-get install chromium")

Open = Callable[[Path, DeskConfig], Any]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a reviewer's page; each in a context of its own, as two people have."""
    with ExitStack() as stack:
        player = stack.enter_context(sync_api.sync_playwright())
        words = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = player.chromium.launch(executable_path=str(CHROMIUM), args=words)
        stack.callback(browser.close)
        problems: list[str] = []

        def open_page(out: Path, config: DeskConfig) -> Any:
            server = stack.enter_context(open_review(out, config))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            page = browser.new_context(color_scheme="dark").new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(server.address)
            page.wait_for_selector("body[data-ready]")
            return page

        yield open_page
        assert not problems


def judged(page: Any, counts: str) -> None:
    """Wait until the progress says so."""
    sync_api.expect(page.locator("#count")).to_contain_text(counts)


def test_keys_judge_a_caption_is_edited_and_a_second_reviewer_starts_blind(out: Path, opened: Open):
    ann = opened(out, desk_of("ann"))
    ann.keyboard.press("a")
    judged(ann, "1 of 3")
    ann.keyboard.press("2")
    judged(ann, "2 of 3 · 1 approved · 1 rejected")
    ann.keyboard.press("u")
    judged(ann, "1 of 3 · 1 approved · 0 rejected")
    ann.keyboard.press("e")
    ann.fill("#caption [name=short]", "A wall <b>slides</b> by.")
    ann.keyboard.press("Escape")  # from a field: nothing is kept
    ann.keyboard.press("e")
    ann.fill("#caption [name=short]", "A wall <b>slides</b> by.")
    ann.fill("#caption [name=dense]", "A wall slides by.")
    for field in ("camera", "source", "quality"):
        ann.select_option(f"#caption [name={field}]", "unknown")
    ann.focus("#caption [name=short]")
    ann.keyboard.press("Control+Enter")
    sync_api.expect(ann.locator("#caption-by")).to_have_text("edited by you")
    ann.reload()
    ann.wait_for_selector("body[data-ready]")
    judged(ann, "1 of 3 · 1 approved")
    edited = [vote.caption for vote in read_votes(out)["ann"].values() if vote.caption]
    assert [caption["short"] for caption in edited] == ["A wall <b>slides</b> by."]
    ben = opened(out, desk_of("ben"))
    judged(ben, "0 of 3")


@pytest.mark.slow
def test_two_reviewers_agree_in_numbers_one_settles_and_retier_keeps_the_verdicts(out: Path, opened: Open):
    pages = [opened(out, desk_of(name)) for name in ("ann", "ben")]
    for page, keys in zip(pages, ("aaa", "a3a"), strict=True):
        for key in keys:
            page.keyboard.press(key)
        judged(page, "3 of 3")
    ann = pages[0]
    ann.keyboard.press("v")
    said = ann.locator("#agreement-said")
    sync_api.expect(said).to_contain_text("3 clips judged by ann and ben; 1 disputed.")
    sync_api.expect(said).to_contain_text("equal verdicts0.67")
    ann.keyboard.press("Escape")
    lea = opened(out, desk_of("lea", is_settling=True, only="disputed"))
    lea.keyboard.press("3")
    judged(lea, "1 of 1 · 0 approved · 1 rejected")
    lea.click("#apply-button")
    lea.click("#apply-now")
    sync_api.expect(lea.locator("#apply-said")).to_contain_text("2 approved, 1 rejected, 0 captions, 0 disputed")

    def verdicts() -> list[Any]:
        return [(row["review_verdict"], row["review_by"], bool(row["tiers"])) for row in read_manifest(out).rows()]

    found = verdicts()
    assert sorted(found) == [("approved", "ann, ben", True)] * 2 + [("rejected", "lea", False)]
    retier(settings(out))
    assert verdicts() == found


@pytest.mark.slow
def test_clips_play_in_a_loop_and_seek(out: Path, opened: Open):
    page = opened(out, desk_of("ann", where=("is_picture=no",)))
    video = "document.querySelector('#screen video')"

    def comes_to(said: str) -> bool:  # the page's policy lets no predicate be evaluated in it
        return any(page.evaluate(said) or page.wait_for_timeout(50) for _ in range(100))

    assert comes_to(f"{video}.currentTime > 0.2")
    page.keyboard.press(" ")
    page.evaluate(f"{video}.currentTime = 0.5")
    assert comes_to(f"!{video}.seeking && Math.abs({video}.currentTime - 0.5) < 0.01")
    for _ in range(2):
        page.keyboard.press("+")
    assert page.evaluate(f"{video}.playbackRate") == 2


@pytest.mark.slow
def test_filters_the_grid_and_help_work_by_keys(out: Path, opened: Open):
    page = opened(out, desk_of("ann"))
    page.keyboard.press("?")
    sync_api.expect(page.locator("#help")).to_contain_text("undo the last verdict")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    sync_api.expect(page.locator("#grid .tile")).to_have_count(3)
    page.keyboard.press("Escape")
    page.select_option("#filter", "left")
    sync_api.expect(page.locator("#uri")).to_have_text("dark.mp4")
    sync_api.expect(page.locator("#scores tr.failed")).to_contain_text("at most 0.5")
    page.fill("#search", "nothing like it")
    sync_api.expect(page.locator("#nothing")).to_be_visible()
