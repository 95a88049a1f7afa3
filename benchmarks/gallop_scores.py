"""What `gallop` gets right on combinations it never saw, measured with the renderer's own facts.

    python benchmarks/gallop_scores.py --num 64 --out runs/scores          # the shipped model; the same command resumes
    python benchmarks/gallop_scores.py --model runs/gallop/gallop --out runs/scores-new --no-report

Prompts are captions of held-out scenes of the sprites world, in turns over subjects and cameras, seeds 0, 1, ..., no
picking. A probe trained on the world's clips (`muybridge train gallop-probe`) says what each film shows; the same probe
is scored on the renderer's own clips of these scenes, clean and through the model's VAE, because no film can be judged
better than that. Writes OUT/films, OUT/scores.json and benchmarks/reports/gallop-scores_HARDWARE_DATE.md.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import muybridge  # noqa: E402
from benchmarks.machine import commit, hardware, processor  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402
from muybridge.evaluation.accuracy import Share, mean_recall, share_right  # noqa: E402
from muybridge.evaluation.motion import flicker  # noqa: E402
from muybridge.evaluation.probes import ClipProbe, judge, load_probe  # noqa: E402
from muybridge.media.frames import from_uint8, to_uint8  # noqa: E402
from muybridge.recipes.gallop import flow_world  # noqa: E402
from muybridge.training.tasks.probing import facts_of  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.backgrounds import BACKGROUNDS  # noqa: E402
from muybridge.worlds.scene import Scene  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld  # noqa: E402

CHUNK = 8  # films between two savings
CANDIDATES = 6000
PROBE = ROOT / "src" / "muybridge" / "evaluation" / "embedded" / "gallop-probe.safetensors"
DIRECTIONS = ("left", "right", "up", "down")
PLAIN = tuple(name for name, background in BACKGROUNDS.items() if not background.is_place)
TARGETS = {"subject": 0.80, "colour": 0.85, "direction": 0.75, "camera": 0.70}
MAX_FLICKER = 1.5  # of real clips

Films = Sequence[np.ndarray]
Facts = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """Films of the same scenes from one source, judged."""

    name: str
    shares: dict[str, Share]
    camera_recall: float
    flicker: float


def spread_scenes(world: SpritesWorld, num: int) -> list[Scene]:
    """Held-out scenes in turns over the subjects, and for each subject in turns over the cameras."""
    queues: dict[tuple[str, str], list[Scene]] = {}
    for index in range(CANDIDATES):
        scene = world.scene(index, split="held_out")
        queues.setdefault((scene.subject, scene.camera), []).append(scene)
    names = [subject.name for subject in world.subjects]
    cameras = sorted({camera for _, camera in queues})
    chosen: list[Scene] = []
    for turn in range(num):
        subject = names[turn % len(names)]
        for offset in range(len(cameras)):
            queue = queues.get((subject, cameras[(turn // len(names) + names.index(subject) + offset) % len(cameras)]))
            if queue:
                chosen.append(queue.pop(0))
                break
    return chosen


def generated(pipe: muybridge.Pipeline, prompts: Sequence[str], out: Path, options: argparse.Namespace) -> Films:
    """The films of the prompts, each kept in OUT/films as soon as its chunk is done."""
    settings = {
        "weights": pipe.components.weights,
        "steps": options.steps,
        "cfg": options.cfg,
        "prompts": list(prompts),
    }
    note = out / "made-with.json"
    if note.exists() and json.loads(note.read_text()) != settings:
        sys.exit(f"{out}: holds films of other weights or settings; choose another folder.")
    with atomic_path(note) as temporary:
        temporary.write_text(json.dumps(settings))
    paths = [out / "films" / f"{index:04d}.npz" for index in range(len(prompts))]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        films = pipe([prompts[index] for index in chunk], seed=chunk, steps=options.steps, cfg=options.cfg)
        for index, film in zip(chunk, films, strict=True):
            with atomic_path(paths[index]) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, pixels=film.pixels)
        print(
            f"{len(prompts) - len(missing) + start + len(chunk)} of {len(prompts)} films", file=sys.stderr, flush=True
        )
    return [np.load(path)["pixels"] for path in paths]


@torch.inference_mode()
def through_vae(pipe: muybridge.Pipeline, films: Films) -> Iterator[np.ndarray]:
    """The films as the model's VAE gives them back."""
    vae = pipe.components.vae
    for film in films:
        yield to_uint8(vae.decode(vae.encode(from_uint8(film)[None]).mode()).float()[0])


def judged(name: str, asked: Facts, films: Films, probe: ClipProbe) -> Column:
    """A column of the report."""
    seen = judge(probe, films)
    shares = {
        "subject": share_right(asked, seen, "subject"),
        "colour": share_right(asked, seen, "background", among=PLAIN),
        "background": share_right(asked, seen, "background"),
        "direction": share_right(asked, seen, "motion", among=DIRECTIONS),
        "motion": share_right(asked, seen, "motion"),
        "camera": share_right(asked, seen, "camera"),
    }
    recall, residual = mean_recall(asked, seen, "camera"), float(np.mean([flicker(film) for film in films]))
    return Column(name=name, shares=shares, camera_recall=recall, flicker=residual)


def report(columns: Sequence[Column], options: argparse.Namespace, num: int) -> str:
    real, made = columns[0], columns[-1]
    lines = [
        "# What gallop gets right",
        "",
        f"`python benchmarks/gallop_scores.py --model {options.model} --num {num}` at commit {commit()}, "
        f"{datetime.date.today().isoformat()}, {processor()}.",
        f"{num} captions of held-out combinations, in turns over the subjects and the cameras, seeds 0 to "
        f"{num - 1}, no picking; shares with 95 % Wilson intervals.",
        "The probe judges all columns; the first two say how well it judges. Through the VAE: the renderer's clips, "
        "encoded and decoded.",
        "",
        "| what | target | " + " | ".join(column.name for column in columns) + " |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for name in made.shares:
        target = f"{TARGETS[name]:.0%}" if name in TARGETS else ""
        lines.append(f"| {name} | {target} | " + " | ".join(str(column.shares[name]) for column in columns) + " |")
    lines.append("| camera, mean over kinds | | " + " | ".join(f"{c.camera_recall:.1%}" for c in columns) + " |")
    lines.append(
        f"| flicker, of real clips' | <= {MAX_FLICKER} | "
        + " | ".join(f"{column.flicker / real.flicker:.2f}" for column in columns) + " |"
    )  # fmt: skip
    lines += [
        "",
        f"Colour: the {len(PLAIN)} plain backgrounds, as the caption names them (each subject comes in one colour, "
        "so its own is part of knowing it). Direction: left, right, up, down. Motion: all nine.",
        f"Flicker: what no motion explains between frames, {real.flicker:.2f} of 255 in the real clips.",
    ]
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop", help="catalogue name or folder")
    parser.add_argument("--num", type=int, default=64, help="prompts")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the films")
    parser.add_argument("--subjects", nargs="+", default=(), help="only these of the sixteen")
    parser.add_argument("--probe", type=Path, default=PROBE, help="file of `muybridge train gallop-probe`")
    parser.add_argument("--steps", type=int, default=None, help="the model's own if left out")
    parser.add_argument("--cfg", type=float, default=None, help="the model's own if left out")
    parser.add_argument("--num-through-vae", type=int, default=32, help="clips of the VAE column")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the dated report")
    return parser.parse_args()


def main() -> int:
    """Generate what is missing, judge, report; exit code 1 where a target is missed."""
    options = parse()
    config = replace(flow_world(), subjects=tuple(options.subjects) or flow_world().subjects)
    world = SpritesWorld(config, ensure("fluent-emoji-anim", on_progress=print))
    scenes = spread_scenes(world, options.num)
    asked = [facts_of(scene) for scene in scenes]
    probe, pipe = load_probe(options.probe), muybridge.load(options.model)
    made = generated(pipe, [world.captions(scene)[0] for scene in scenes], options.out, options)
    height, width = made[0].shape[1:3]
    real = [world.render(scene, size_px=(width, height), num_frames=len(made[0])) for scene in scenes]
    num = min(options.num_through_vae, len(real))
    columns = [
        judged("real clips", asked, real, probe),
        judged("through the VAE", asked[:num], list(through_vae(pipe, real[:num])), probe),
        judged(f"{options.model}, generated", asked, made, probe),
    ]
    text = report(columns, options, len(scenes))
    print(text)
    shares = {c.name: {name: share.value for name, share in c.shares.items()} for c in columns}
    scores = {"shares": shares, "flicker_ratio": columns[-1].flicker / columns[0].flicker}
    with atomic_path(options.out / "scores.json") as temporary:
        temporary.write_text(json.dumps(scores, indent=1))
    if options.report:
        name = f"gallop-scores_{hardware()}_{datetime.date.today().isoformat()}.md"
        (ROOT / "benchmarks" / "reports" / name).write_text(text)
    holds = all(columns[-1].shares[name].value >= target for name, target in TARGETS.items())
    return 0 if holds and scores["flicker_ratio"] <= MAX_FLICKER else 1


if __name__ == "__main__":
    sys.exit(main())
