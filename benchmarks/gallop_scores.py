"""What `gallop` gets right on combinations it never saw, measured with the renderer's own facts.

    python benchmarks/gallop_scores.py --num 96 --out runs/scores          # the shipped model
    python benchmarks/gallop_scores.py --model runs/gallop/gallop --out runs/scores --no-report

The same command goes on where it was left, a larger --num makes the further films only, and a model with another
decoder for the same latents is judged on those that there are.

Prompts are captions of held-out scenes of the sprites world, in turns over subjects and cameras, seeds 0, 1, ..., no
picking. A probe trained on the world's clips (`muybridge train gallop-probe`) says what each film shows; the same probe
is scored on the renderer's own clips of these scenes, clean and through the model's VAE, because no film can be judged
better than that. Writes OUT/latents, OUT/scores.json and benchmarks/reports/gallop-scores_HARDWARE_DATE.md.
"""

import argparse
import datetime
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import muybridge  # noqa: E402
from benchmarks.machine import commit, hardware, processor  # noqa: E402
from benchmarks.made_films import Sampling, decoded, made_latents, spread_scenes  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402
from muybridge.evaluation.accuracy import Share, mean_recall, share_right  # noqa: E402
from muybridge.evaluation.estimates import Estimate  # noqa: E402
from muybridge.evaluation.motion import flicker, travel  # noqa: E402
from muybridge.evaluation.probes import ClipProbe, judge, load_probe  # noqa: E402
from muybridge.media.frames import from_uint8  # noqa: E402
from muybridge.recipes.gallop import flow_world  # noqa: E402
from muybridge.training.tasks.probing import facts_of  # noqa: E402
from muybridge.vae import to_model  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.backgrounds import BACKGROUNDS  # noqa: E402
from muybridge.worlds.scene import Scene  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld  # noqa: E402

WANTED_HALF_WIDTH = 0.07  # of a share that is to be trusted
MIN_TRAVEL = 4 / 128  # of the side: a subject that moves less stands still
PROBE = ROOT / "src" / "muybridge" / "evaluation" / "embedded" / "gallop-probe.safetensors"
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}  # right and down
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
    flicker: tuple[float, ...]


@torch.inference_mode()
def encoded(pipe: muybridge.Pipeline, films: Films) -> list[Tensor]:
    """The films' latents at the transformer's scale."""
    vae = pipe.components.vae
    return [to_model(vae.encode(from_uint8(film)[None]).mode(), vae.config)[0].float() for film in films]


def judged(name: str, asked: Facts, films: Films, probe: ClipProbe) -> Column:
    """A column of the report."""
    asked = asked[: len(films)]
    seen = judge(probe, films)
    pairs = list(zip(asked, seen, strict=True))
    followed = [pair for pair in pairs if pair[0]["camera"] == "follow"]
    others = [pair for pair in pairs if pair[0]["camera"] != "follow"]
    shares = {
        "subject": share_right(asked, seen, "subject"),
        "colour": share_right(asked, seen, "background", among=PLAIN),
        "background": share_right(asked, seen, "background"),
        "direction": directions_right(pairs),
        "direction, camera follows": directions_right(followed),
        "direction, other cameras": directions_right(others),
        "direction by the subject's middle": travelled(asked, films),
        "motion": share_right(asked, seen, "motion"),
        "camera": share_right(asked, seen, "camera"),
    }
    recall = mean_recall(asked, seen, "camera")
    return Column(name=name, shares=shares, camera_recall=recall, flicker=tuple(map(flicker, films)))


def directions_right(pairs: Sequence[tuple[dict[str, str], dict[str, str]]]) -> Share:
    """Of the films asked to go left, right, up or down, those that are seen to."""
    return share_right([a for a, _ in pairs], [s for _, s in pairs], "motion", among=tuple(DIRECTIONS))


def travelled(asked: Facts, films: Films) -> Share:
    """How often a subject's middle goes the way it was asked to, before a plain ground that stands still."""
    ways = [
        (DIRECTIONS[facts["motion"]], travel(film))
        for facts, film in zip(asked, films, strict=True)
        if facts["motion"] in DIRECTIONS and facts["camera"] == "static" and facts["background"] in PLAIN
    ]
    is_right = [way[0] * gone[0] + way[1] * gone[1] > MIN_TRAVEL for way, gone in ways]
    return Share(num_right=sum(is_right), num=len(is_right))


def num_needed(share: Share) -> int:
    """How many have to be counted until the interval is `WANTED_HALF_WIDTH` either side."""
    return math.ceil(share.value * (1 - share.value) * (1.96 / WANTED_HALF_WIDTH) ** 2)


def flicker_ratio(column: Column, real: Column) -> Estimate:
    """A column's flicker over that of the real clips of the same scenes."""
    return Estimate.ratio(column.flicker, real.flicker[: len(column.flicker)])


def report(columns: Sequence[Column], options: argparse.Namespace, num: int) -> str:
    """The table, and what its rows mean."""
    real, made = columns[0], columns[-1]
    lines = [
        "# What gallop gets right",
        "",
        f"`python benchmarks/gallop_scores.py --model {options.model} --num {num}` at commit {commit()}, "
        f"{datetime.date.today().isoformat()}, {processor()}.",
        f"{num} captions of held-out combinations, in turns over the subjects and the cameras, seeds 0 to "
        f"{num - 1}, no picking; shares with 95 % Wilson intervals.",
        "The probe judges all columns; the real clips say how well it judges. Through the VAE: the renderer's clips, "
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
        + " | ".join(flicker_ratio(column, real).text(2) for column in columns) + " |"
    )  # fmt: skip
    lines += [
        "",
        f"Colour: the {len(PLAIN)} plain backgrounds, as the caption names them (each subject comes in one colour, "
        "so its own is part of knowing it). Direction: left, right, up, down; by the subject's middle, where plain "
        "ground stands still, without a probe. Where the camera follows, only the ground tells. Motion: all nine.",
        f"Flicker: what no motion explains between frames, {np.mean(real.flicker):.2f} of 255 in the real clips; "
        "ratios of means ± standard errors. Steadied: averaged along the motion, as the pipeline finishes films.",
        f"An interval of {WANTED_HALF_WIDTH:.0%} either side takes {num_needed(made.shares['direction'])} captions "
        f"with a direction; {made.shares['direction'].num} of these {num} have one.",
    ]
    return "\n".join(lines) + "\n"


def columns_of(
    pipe: muybridge.Pipeline,
    world: SpritesWorld,
    scenes: Sequence[Scene],
    latents: Sequence[Tensor],
    *,
    probe: ClipProbe,
    options: argparse.Namespace,
) -> list[Column]:
    """Real clips, through the VAE and generated, each of the latter plain and steadied."""
    asked, steady = [facts_of(scene) for scene in scenes], pipe.components.defaults.steady
    defaults = pipe.components.defaults
    size = {"size_px": (defaults.width, defaults.height), "num_frames": defaults.frames}
    real = [world.render(scene, **size) for scene in scenes]
    through = encoded(pipe, real[: options.num_through_vae])
    sources = {"through the VAE": through, f"{options.model}, generated": latents}
    films = {"real clips": real}
    for name, source in sources.items():
        films[f"{name}, plain"] = list(decoded(pipe, source, steady=0.0))
        films[f"{name}, steadied"] = list(decoded(pipe, source, steady=steady))
    return [judged(name, asked, made, probe) for name, made in films.items()]


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
    probe, pipe = load_probe(options.probe), muybridge.load(options.model)
    sampling = Sampling(steps=options.steps, cfg=options.cfg)
    prompts, seeds = [world.captions(scene)[0] for scene in scenes], range(len(scenes))
    latents = made_latents(pipe, prompts, seeds, folder=options.out / "latents", sampling=sampling)
    columns = columns_of(pipe, world, scenes, latents, probe=probe, options=options)
    text = report(columns, options, len(scenes))
    print(text)
    with atomic_path(options.out / "scores.json") as temporary:
        temporary.write_text(json.dumps(as_json(columns), indent=1) + "\n")
    if options.report:
        name = f"gallop-scores_{hardware()}_{datetime.date.today().isoformat()}.md"
        (ROOT / "benchmarks" / "reports" / name).write_text(text)
    holds = all(columns[-1].shares[name].value >= target for name, target in TARGETS.items())
    return 0 if holds and flicker_ratio(columns[-1], columns[0]).value <= MAX_FLICKER else 1


def as_json(columns: Sequence[Column]) -> dict:
    """Counts and ratios, for the report of the documentation."""
    found = {}
    for column in columns:
        ratio = flicker_ratio(column, columns[0])
        shares = {name: [share.num_right, share.num] for name, share in column.shares.items()}
        found[column.name] = {"shares": shares, "flicker": [round(ratio.value, 4), round(ratio.error, 4)]}
    return {"commit": commit(), "date": datetime.date.today().isoformat(), "targets": TARGETS, "columns": found}


if __name__ == "__main__":
    sys.exit(main())
