"""`muybridge plan`."""

import json
import re

import pytest
from PIL import Image

NOMINAL = ("--device", "4090")


def test_a_plan_is_a_table(run):
    outcome = run("plan", "--model", "hunyuanvideo", *NOMINAL)
    assert outcome.code == 0
    assert "1280x720, 129 frames, 50 steps on 4090 (nominal, not measured)" in outcome.out
    for word in ("load", "text", "denoise", "decode", "instead", "films decoded"):
        assert word in outcome.out


def test_a_plan_for_machines_has_all_of_it(run):
    outcome = run("plan", "--model", "hunyuanvideo", "--memory", "12GiB", "--size", "540p", "--json", *NOMINAL)
    found = json.loads(outcome.out)
    assert found["peak_bytes"] <= found["device"]["limit_bytes"] == 12 * 2**30
    assert [phase["name"] for phase in found["phases"]] == ["load", "text", "denoise", "decode"]
    assert found["peak_bytes"] == max(phase["peak_bytes"] for phase in found["phases"])
    assert found["device"]["is_nominal"] and found["changes"] == []
    assert {"name", "value", "fits", "peak_bytes", "seconds"} <= set(found["alternatives"][0])


def test_gallop_is_planned_without_being_loaded(run):
    found = json.loads(run("plan", "--json", *NOMINAL).out)
    assert found["model"] == "gallop" and found["settings"]["weights"] == "device"


def test_a_film_in_windows_is_planned_by_all_of_them_and_one_through_a_context_by_what_it_sees(run):
    short, long = (json.loads(run("plan", "--frames", frames, "--json", *NOMINAL).out) for frames in ("17", "401"))
    assert long["request"]["num_windows"] == 50 and long["peak_bytes"] == short["peak_bytes"]
    assert long["seconds"] > 5 * short["seconds"]
    words = ("plan", "--model", "hunyuanvideo", "--frames", "257", "--context", "129", *NOMINAL)
    assert "257 frames through 129, 50 steps" in run(*words).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--memory", "lots"), "memory='lots'"),
        (("--memory", "1MiB"), "needs about"),
        (("--device", "abacus"), "device=abacus"),
        (("--size", "17x17"), "multiples of 16"),
        (("--frames", "128"), "4n\\+1"),
        (("--model", "nonsense"), "model=nonsense"),
        (("--model", "hunyuanvideo-avatar"), "not run yet"),
        (("--dtype", "int3"), "dtype="),
        (("--quantise", "int3"), "quantise=int3"),
        (("--weights", "cloud"), "weights="),
        (("--weights", "disk", "--quantise", "int8"), "write a quantised file with `muybridge convert --quantise`"),
        (("--steps", "4", "--speed", "2x"), "needs at least 12"),
        (("--vae-mode", "fast"), "vae_mode="),
        (("--host-memory", "x"), "host-memory="),
    ],
)
def test_wrong_input_is_one_line(run, words, message):
    outcome = run("plan", "--model", "gallop", *NOMINAL, *words)
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err.count("\n") == 1 and outcome.err.startswith("error: ")
    assert re.search(message, outcome.err)


def test_a_picture_gives_its_size_and_another_size_overrules_it(run, folder):
    Image.new("RGB", (96, 48)).save(folder / "a.png")
    sizes = [run("plan", "--image", "a.png", *words, *NOMINAL).out.split(",")[0] for words in ((), ("--size", "64x64"))]
    assert "96x48" in sizes[0] and "64x64" in sizes[1]
    missing = run("plan", "--image", "b.png", *NOMINAL)
    assert missing.code == 2 and missing.err.startswith("error: image b.png: no such file") and not missing.out
