"""The pages about weights and LoRAs do what they show: their commands and snippets, in order, on the embedded model."""

import re
import shlex
from pathlib import Path

import pytest

from muybridge.weights.catalog import locate, resolve

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
FETCHED = re.compile(r"\$\(muybridge fetch ([\w-]+)\)")
ELSEWHERE = re.compile(r"ckpts|hunyuan|mp_rank_00")  # weights of tens of GB, which no test has


@pytest.mark.slow
@pytest.mark.parametrize(("name", "made"), [("loras.md", "half.png"), ("load-released-weights.md", "vae.safetensors")])
def test_what_a_page_shows_runs_as_it_stands(run, folder, name, made):
    text = (PAGES / name).read_text(encoding="utf-8")
    for language, code in re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL):
        if language == "python" and not ELSEWHERE.search(_without_comments(code)):
            exec(compile(code, name, "exec"), {})
        for line in code.splitlines() if language == "sh" else ():
            if not ELSEWHERE.search(line):
                outcome = run(*shlex.split(FETCHED.sub(_folder, line))[1:])
                assert outcome.code == 0, f"{line}: {outcome.err}"
    assert (folder / made).exists()


def _without_comments(code: str) -> str:
    return re.sub(r"#.*", "", code)


def _folder(found: re.Match[str]) -> str:
    """What `muybridge fetch NAME` prints."""
    return str(locate(resolve(found[1])))
