"""Which single vector of a caption tells more of what it says: gallop's mean of states, or the text tower's.

    muybridge train curation-clip --out runs
    python benchmarks/pooled_text.py --clips runs/curation-clip/clips

A linear classifier (ridge, its strength chosen on a tenth of the training captions) reads each field off the vector: it
learns from captions of the worlds and is judged on held-out combinations in other wordings. Besides the towers as they
are, the mean is cut to as many numbers as the tower has, by its principal components, so that width is no advantage.
Writes benchmarks/reports/pooled-text_HARDWARE_DATE.md.
"""

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.similarity.embedding import WEIGHTS  # noqa: E402
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig, padded  # noqa: E402
from muybridge.training.curating.world_clips import CaptionedClips, WorldClips, WorldClipsConfig  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.weights.small import load_small  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld, complete_sprites  # noqa: E402
from muybridge.worlds.staging import StagedScene  # noqa: E402

FIELDS = ("subject", "motion", "camera", "background", "light", "style")
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
BATCH = 64


def main() -> int:
    options = parse()
    torch.set_num_threads(1)
    config = WorldClipsConfig()
    clips = WorldClips(config, options.clips)
    world = SpritesWorld(complete_sprites(size_px=config.size_px), ensure("fluent-emoji-anim"))
    learned, asked = dict[str, list[np.ndarray]](), dict[str, list[np.ndarray]]()
    facts: list[dict[str, str]] = []
    for number, part in enumerate(clips.train()):
        collect(learned, part, config)
        first = number * config.num_staged
        facts += [facts_of(world.scene(index)) for index in range(first, first + config.num_staged)]
    collect(asked, clips.held_out(), config)
    wanted = [facts_of(world.scene(index, split="held_out")) for index in range(config.num_staged)]
    train = {name: np.concatenate(each) for name, each in learned.items()}
    test = {name: np.concatenate(each) for name, each in asked.items()}
    train["mean of states, 256 components"], test["mean of states, 256 components"] = components(
        train["mean of states"], test["mean of states"], count=256
    )
    lines = [
        "# One vector of a caption: the mean of the states, or the text tower",
        "",
        f"`python {' '.join(['benchmarks/pooled_text.py', *sys.argv[1:]])}` at commit {commit()}, "
        f"{datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, one thread; torch {torch.__version__}, "
        f"Python {platform.python_version()}.",
        f"{len(next(iter(train.values())))} captions to learn from, {len(next(iter(test.values())))} of held-out "
        "combinations to be judged on; share of captions whose field is read right.",
        "",
        f"| vector | numbers | {' | '.join(FIELDS)} | mean |",
        f"|---|---|{'---|' * (len(FIELDS) + 1)}",
    ]
    wordings = config.num_captions
    for name, rows in train.items():
        shares = [
            share_right(rows, test[name], repeated(facts, field, wordings), repeated(wanted, field, wordings))
            for field in FIELDS
        ]
        shown = " | ".join(f"{share:.1%}" for share in [*shares, float(np.mean(shares))])
        lines.append(f"| {name} | {rows.shape[1]} | {shown} |")
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"pooled-text_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="the folder of clips that the training has drawn")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


@torch.inference_mode()
def collect(into: dict[str, list[np.ndarray]], part: CaptionedClips, config: WorldClipsConfig) -> None:
    """Add the vectors of the staged clips' captions, which a part has first."""
    tower = load_small(WEIGHTS, VideoClipConfig, VideoClip).text
    wordings = [(clip, wording) for clip in range(config.num_staged) for wording in range(config.num_captions)]
    states = [part.caption(clip, wording) for clip, wording in wordings]
    means = torch.stack([((each - tower.mean) / tower.std).mean(0) for each in states])
    told = [tower(*padded(states[start : start + BATCH])) for start in range(0, len(states), BATCH)]
    into.setdefault("mean of states", []).append(means.numpy())
    into.setdefault("text tower", []).append(torch.cat(told).numpy())


def facts_of(scene: object) -> dict[str, str]:
    """The fields of a staged scene, of its main subject."""
    assert isinstance(scene, StagedScene)
    main_one = scene.actors[0]
    return {
        "subject": main_one.subject, "motion": main_one.motion, "camera": scene.camera,
        "background": scene.background, "light": scene.light, "style": scene.style,
    }  # fmt: skip


def repeated(facts: list[dict[str, str]], field: str, wordings: int) -> np.ndarray:
    """The field of each caption."""
    return np.repeat([fact[field] for fact in facts], wordings)


def components(train: np.ndarray, test: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The leading principal components, of the training rows."""
    mean = train.mean(0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:count].T
    return (train - mean) @ axes, (test - mean) @ axes


def share_right(train: np.ndarray, test: np.ndarray, facts: np.ndarray, wanted: np.ndarray) -> float:
    """Accuracy on the captions whose value was seen."""
    mean, std = train.mean(0), train.std(0) + 1e-6
    rows, asked = (train - mean) / std, (test - mean) / std
    values, numbers = np.unique(facts, return_inverse=True)
    last = len(rows) // 10
    tried: Mapping[float, float] = {
        strength: float((_read(rows[:-last], numbers[:-last], rows[-last:], strength) == numbers[-last:]).mean())
        for strength in STRENGTHS
    }
    best = max(tried, key=lambda strength: tried[strength])
    known = np.isin(wanted, values)
    read = values[_read(rows, numbers, asked, best)]
    return float((read == wanted)[known].mean())


def _read(rows: np.ndarray, numbers: np.ndarray, asked: np.ndarray, strength: float) -> np.ndarray:
    targets = np.eye(numbers.max() + 1)[numbers]
    offset = targets.mean(0)
    weights = np.linalg.solve(rows.T @ rows + strength * np.eye(rows.shape[1]), rows.T @ (targets - offset))
    return (asked @ weights + offset).argmax(1)


if __name__ == "__main__":
    sys.exit(main())
