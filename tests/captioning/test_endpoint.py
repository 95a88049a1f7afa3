import email.utils
import json
import time
from dataclasses import replace

import pytest

from muybridge.captioning.answers import forget_answers
from muybridge.captioning.chat import EndpointConfig
from muybridge.captioning.endpoint import EndpointCaptioner
from muybridge.captioning.schema import json_schema, to_json
from muybridge.core.errors import InvalidInput, RunFailed
from tests.captioning.chat_server import Reply, serving
from tests.captioning.examples import HORSE, view

GOOD = to_json(HORSE)


def captioner(url, folder, **settings):
    config = {"first_pause_s": 0.0, "max_attempts": 4, "timeout_s": 5.0, "num_parallel": 2} | settings
    return EndpointCaptioner(EndpointConfig(url=url, model="tiny", **config), cache=folder)


def captions(url, folder, *names, **settings):
    return captioner(url, folder, **settings).caption([view(name) for name in names or ("a",)])


def test_frames_and_schema_are_sent_and_the_answer_is_read(tmp_path):
    with serving(lambda body, number: Reply(GOOD)) as served:
        (result,) = captions(served.url, tmp_path)
    assert result.caption == HORSE and result.num_tokens == 7 and not result.repairs
    (asked,) = served.asked
    assert asked["response_format"]["json_schema"]["schema"] == json_schema()
    pictures = [part for part in asked["messages"][1]["content"] if part["type"] == "image_url"]
    assert len(pictures) == 3 and pictures[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_rerun_asks_nothing(tmp_path):
    with serving(lambda body, number: Reply(GOOD)) as served:
        first = captions(served.url, tmp_path, "a", "b", "c")
        again = captions(served.url, tmp_path, "a", "b", "c")
        captions(served.url, tmp_path, "d")
    assert [one.caption for one in first] == [one.caption for one in again]
    assert len(served.asked) == 4 and all(one.num_tokens == 0 for one in again)


def test_answers_about_a_forgotten_clip_are_gone_and_no_others(tmp_path):
    with serving(lambda body, number: Reply(GOOD)) as served:
        captions(served.url, tmp_path, "a", "b")
        forget_answers(tmp_path, ["a", "never asked about"])
        captions(served.url, tmp_path, "a", "b")
    assert len(served.asked) == 3


def test_a_damaged_kept_answer_is_asked_again(tmp_path):
    with serving(lambda body, number: Reply(GOOD)) as served:
        captions(served.url, tmp_path)
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(GOOD[:50])
        assert captions(served.url, tmp_path)[0].caption == HORSE
    assert len(served.asked) == 2


def test_busy_answers_and_broken_connections_are_tried_again(tmp_path):
    bad = [Reply(status=503), Reply(GOOD, is_cut=True), Reply(status=429, headers={"Retry-After": "0"})]
    with serving(lambda body, number: (*bad, Reply(GOOD))[number]) as served:
        assert captions(served.url, tmp_path)[0].caption == HORSE
    assert len(served.asked) == 4


def test_the_pause_that_a_server_names_is_kept(tmp_path):
    busy = Reply(status=429, headers={"Retry-After": "0.3"})
    begun = time.monotonic()
    with serving(lambda body, number: Reply(GOOD) if number else busy) as served:
        assert captions(served.url, tmp_path)[0].caption == HORSE
    assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize("is_date", [False, True])
def test_a_pause_that_is_too_long_sets_the_clip_aside(tmp_path, is_date):
    asked = email.utils.formatdate(time.time() + 3600, usegmt=True) if is_date else "3600"
    with serving(lambda body, number: Reply(status=429, headers={"Retry-After": asked})) as served:
        (result,) = captions(served.url, tmp_path)
    assert result.caption is None and "asks to wait 3" in str(result.problem) and len(served.asked) == 1


def test_a_server_that_stays_busy_sets_the_clip_aside(tmp_path):
    with serving(lambda body, number: Reply(status=500, body=b'{"error": {"message": "oops"}}')) as served:
        (result,) = captions(served.url, tmp_path)
    assert len(served.asked) == 4
    assert "500 oops, 4 times" in str(result.problem)


def test_servers_without_schemas_are_asked_without(tmp_path):
    def answer(body, number):
        kind = body.get("response_format", {}).get("type")
        return Reply(status=400, body=b"response_format unknown") if kind else Reply(f"Here:\n{GOOD}")

    with serving(answer) as served:
        results = captions(served.url, tmp_path, "a", "b", num_parallel=1)
    assert [one.caption for one in results] == [HORSE, HORSE]
    kinds = [asked.get("response_format", {}).get("type") for asked in served.asked]
    assert kinds == ["json_schema", "json_object", None, None]


def test_one_request_that_is_refused_does_not_loosen_the_others(tmp_path):
    with serving(lambda body, number: Reply(GOOD) if number > 2 else Reply(status=400)) as served:
        results = captions(served.url, tmp_path, "a", "b", num_parallel=1)
    assert [one.caption for one in results] == [None, HORSE]
    assert served.asked[-1]["response_format"]["type"] == "json_schema"


def test_an_answer_that_cannot_be_mended_is_sent_back_once(tmp_path):
    with serving(lambda body, number: Reply(GOOD if number else "A horse, I think.")) as served:
        (result,) = captions(served.url, tmp_path)
    assert result.caption == HORSE and result.num_tokens == 14
    told = served.asked[1]["messages"]
    assert [one["role"] for one in told] == ["system", "user", "assistant", "user"]
    assert "holds no JSON object" in told[-1]["content"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply("no"), Reply(body=b"<html>"), Reply(body=b"{}"), Reply(body=b'{"choices": []}'), Reply(body=b"\xff\xfe"),
        Reply(body=b'{"choices": [{"message": {"content": null}}]}'), Reply(status=418), Reply(body=b"x" * (5 * 2**20)),
    ],
)  # fmt: skip
def test_nonsense_spoils_one_clip_only(tmp_path, reply):
    first = None

    def answer(body, number):
        nonlocal first
        first = first or body["messages"][1]["content"][0]
        return reply if body["messages"][1]["content"][0] == first else Reply(GOOD)

    with serving(answer) as served:
        results = captions(served.url, tmp_path, "a", "b", num_parallel=1)
    assert [one.caption for one in results] == [None, HORSE]
    assert results[0].problem and "\n" not in results[0].problem


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_a_refusal_stops_the_run(tmp_path, status):
    with (
        serving(lambda body, number: Reply(status=status, headers={"Location": "http://127.0.0.1:9/"})) as served,
        pytest.raises(RunFailed, match=f"refuses with {status}"),
    ):
        captions(served.url, tmp_path, "a", num_parallel=1)
    assert len(served.asked) == 1


def test_no_server_stops_the_run(tmp_path):
    with pytest.raises(RunFailed, match="cannot be reached"):
        captions("http://127.0.0.1:9/v1", tmp_path, max_attempts=2)


def test_a_slow_server_is_given_up(tmp_path):
    def answer(body, number):
        time.sleep(0.3)
        return Reply(GOOD)

    with serving(answer) as served:
        (result,) = captions(served.url, tmp_path, timeout_s=0.05, max_attempts=2)
    assert result.caption is None and len(served.asked) == 2


def test_a_server_that_drips_is_given_up(tmp_path):
    begun = time.monotonic()
    with serving(lambda body, number: Reply(GOOD, drip_s=0.02)) as served:
        (result,) = captions(served.url, tmp_path, timeout_s=0.2, max_attempts=1)
        assert result.caption is None and "too long" in str(result.problem)
        assert time.monotonic() - begun < 5


def test_the_key_goes_to_the_server_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_API_KEY", "sesame")
    with serving(lambda body, number: Reply(GOOD)) as served:
        made = captioner(served.url, tmp_path)
        made.caption([view("a")])
    assert served.headers[0]["Authorization"] == "Bearer sesame"
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "sesame" not in repr(made) + made.identity + kept


def test_what_was_measured_stands_above_the_model(tmp_path):
    measured = view("a", camera="tilt up", camera_confidence=0.95, technical=0.1)
    with serving(lambda body, number: Reply(GOOD)) as served:
        made = captioner(served.url, tmp_path)
        first, again = made.caption([measured]), made.caption([measured])
    assert first[0].caption == replace(HORSE, camera="tilt up", quality="low quality") == again[0].caption
    assert "measured: tilt up" in json.dumps(served.asked[0])


def test_private_data_in_an_answer_is_never_kept(tmp_path):
    said = to_json(replace(HORSE, background="a sign with jane.doe@example.com on it"))
    with serving(lambda body, number: Reply(said)) as served:
        (result,) = captions(served.url, tmp_path)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "jane.doe" not in f"{result.caption}{kept}" and "[email]" in kept


@pytest.mark.parametrize(
    "change", [{"url": "ftp://x"}, {"url": ""}, {"model": ""}, {"num_parallel": 0}, {"timeout_s": 0}]
)
def test_wrong_settings_are_refused(change):
    with pytest.raises(InvalidInput):
        EndpointConfig(**{"url": "http://localhost/v1", "model": "m"} | change)
