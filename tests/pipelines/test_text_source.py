"""States of a prompt are made once, and a released encoder comes back for a new one only."""

import torch

from muybridge.pipelines.components import KEPT_STATES, TextSource
from muybridge.text.encoder import HashEncoder


def source() -> tuple[TextSource, list[str]]:
    loads: list[str] = []

    def load() -> HashEncoder:
        loads.append("loaded")
        return HashEncoder()

    return TextSource(load), loads


def test_a_prompt_seen_lately_needs_no_encoder():
    text, loads = source()
    first = text.encode(["a horse"], num_frames=2)
    text.release()
    assert text.encode(["a horse"], num_frames=2) is first and loads == ["loaded"]
    assert torch.equal(text.encode(["a horse"], num_frames=1).states, first.states) and len(loads) == 2


def test_few_prompts_are_kept_and_the_oldest_goes_first():
    text, loads = source()
    for number in range(KEPT_STATES + 1):
        text.encode(["ugly"], num_frames=2)  # a negative prompt, asked for again and again
        text.encode([f"horse {number}"], num_frames=2)
    text.release()
    text.encode(["ugly"], num_frames=2)
    text.encode([f"horse {KEPT_STATES}"], num_frames=2)
    assert len(loads) == 1
    text.encode(["horse 0"], num_frames=2)
    assert len(loads) == 2
