"""Captions of held-out world clips beside the truth: F1 of each field, schema, subjects named and made up; and films.

    python benchmarks/captions.py                              # tags, which need no model
    python benchmarks/captions.py --captioner small            # ours
    python benchmarks/captions.py --captioner models/qwen2.5-vl-7b --device cuda
    python benchmarks/captions.py --captioner http://localhost:8000/v1 --model qwen2.5-vl-7b-instruct

Clips are of both worlds, of combinations that are never trained on. Every captioner is given the camera's movement as
curation measures it, by the shipped classifier over all 17 frames. Scores are `captioning.scores`, against the nearest
of eight wordings of the truth. Beside the captioner stand the truth in another wording, which is how much wording alone
costs, and for each field the most frequent value of 200 training scenes, which is what one scores without looking.
Of natural films (the asset natural-films, and what lies in folders given by --footage) it is counted how many excerpts
the captioner holds for clips of our worlds.
Writes benchmarks/reports/captions_NAME_HARDWARE_DATE.md.
"""

import argparse
import collections
import datetime
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from planted import natural  # noqa: E402

from muybridge.captioning.camera import camera_movement  # noqa: E402
from muybridge.captioning.camera_network import load_camera  # noqa: E402
from muybridge.captioning.captioner import Captioner, CaptionResult, ClipView, spread  # noqa: E402
from muybridge.captioning.opened import open_captioner  # noqa: E402
from muybridge.captioning.own.captioner import FOREIGN, OwnCaptioner  # noqa: E402
from muybridge.captioning.schema import CHOICES, FIELDS, problems, to_json  # noqa: E402
from muybridge.captioning.scores import Aliases, field_scores, made_up, mean_scores, subjects_named  # noqa: E402
from muybridge.recipes.sources import fetched_library  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.physics.captions import structured_caption  # noqa: E402
from muybridge.worlds.physics.config import PhysicsConfig  # noqa: E402
from muybridge.worlds.physics.shapes import SHAPES  # noqa: E402
from muybridge.worlds.physics.world import PhysicsWorld  # noqa: E402
from muybridge.worlds.prose import structured_staged  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld, complete_sprites  # noqa: E402
from muybridge.worlds.structured import StructuredCaption  # noqa: E402
from muybridge.worlds.world import DescribedWorld  # noqa: E402

NUM_WORDINGS, NUM_SEEN = 8, 200
TEXTS = tuple(name for name in FIELDS if name not in CHOICES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """A world, its scenes' captions in a wording, the names of its subjects, and those of a scene's main one."""

    name: str
    world: DescribedWorld
    wording: Callable[[Any, int], StructuredCaption]
    subjects: tuple[Aliases, ...]
    main: Callable[[Any], Aliases]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """A clip with its truth in several wordings, and one more that is not among them; who is to be named."""

    world: str
    view: ClipView
    truth: tuple[StructuredCaption, ...]
    other: StructuredCaption
    subjects: tuple[Aliases, ...]
    main: Aliases


def main() -> int:
    options = parse()
    captioner = open_captioner(
        options.captioner, model=options.model, device=options.device, batch_size=options.batch_size
    )
    captioner.prepare()
    clips = [clip for world in worlds() for clip in held_out(world, options.clips // 2, size_px=options.size)]
    usual = {world.name: most_frequent(world) for world in worlds()}
    begun = time.perf_counter()
    results = captioner.caption([clip.view for clip in clips])
    seconds = time.perf_counter() - begun
    said = [result.caption for result in results]
    rows = {
        f"{captioner.name}": said,
        "the truth in another wording": [clip.other for clip in clips],
        "the most frequent values": [usual[clip.world] for clip in clips],
    }
    num_valid = sum(one is not None and not problems(asdict(one)) for one in said)
    num_tokens = sum(result.num_tokens for result in results)
    lines = [
        f"# Captions of {captioner.name} beside the truth",
        "",
        f"`python {' '.join(['benchmarks/captions.py', *sys.argv[1:]])}` at {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}. "
        f"{len(clips)} held-out clips of {' and '.join(usual)}, {options.size} px.",
        "",
        f"Schema-valid: {num_valid} of {len(clips)}. "
        f"{len(clips) / seconds:.2f} clips/s, {num_tokens / seconds:.1f} tokens/s.",
        "",
        *(line for world in (*usual, "") for line in table(world, clips, rows)),
        "`texts`: the mean without camera, source and quality, which may be measured or taken for granted. "
        "`named`: share of captions that name the main subject. "
        "`made up`: share of captions that name a subject which the truth does not.",
        *(films(captioner, results, options.footage) if isinstance(captioner, OwnCaptioner) else ()),
    ]
    print("\n".join(lines))
    for clip, one in list(zip(clips, said, strict=True))[: options.show]:
        print(f"\n{to_json(one) if one else None}\ntruth: {to_json(clip.truth[0])}")
    if options.report:
        name = re.sub(r"[^a-z0-9]+", "-", captioner.name.lower())
        path = ROOT / "benchmarks" / "reports" / f"captions_{name}_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if num_valid == len(clips) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captioner", default="tags", help="as `muybridge.captioning.opened` takes it")
    parser.add_argument("--model", default=None, help="what an endpoint calls its model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--footage", type=Path, action="append", default=[], help="a folder with films, for FOREIGN")
    parser.add_argument("--show", type=int, default=0, help="also print so many captions with their truth")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def worlds() -> Iterator[Described]:
    """Sprites and physics."""
    sprites = SpritesWorld(complete_sprites(), fetched_library(print))
    cast = {subject.name: subject for subject in sprites.subjects}
    yield Described(
        name="sprites",
        world=sprites,
        wording=lambda scene, variant: structured_staged(scene, cast, variant=variant),
        subjects=tuple((subject.name, *subject.also) for subject in sprites.subjects),
        main=lambda scene: (cast[scene.actors[0].subject].name, *cast[scene.actors[0].subject].also),
    )
    yield Described(
        name="physics",
        world=PhysicsWorld(PhysicsConfig()),
        wording=lambda scene, variant: structured_caption(scene, variant=variant),
        subjects=tuple(shape.names for shape in SHAPES.values()),
        main=lambda scene: SHAPES[scene.subject.shape].names,
    )


def held_out(described: Described, num_clips: int, *, size_px: int) -> Iterator[HeldOut]:
    """The first clips of the split that is never trained on, with the camera's movement as it is measured."""
    network = load_camera()
    for index in range(num_clips):
        scene = described.world.scene(index, split="held_out")
        pixels = described.world.render(scene, size_px=size_px, num_frames=17)
        movement, confidence = camera_movement(network, pixels, fps=described.world.fps)
        yield HeldOut(
            world=described.name,
            view=ClipView(
                id=f"{described.name}-{index}",
                frames=spread(pixels),
                fps=described.world.fps,
                duration_s=len(pixels) / described.world.fps,
                columns={"camera": movement, "camera_confidence": confidence},
            ),
            truth=tuple(described.wording(scene, variant) for variant in range(NUM_WORDINGS)),
            other=described.wording(scene, NUM_WORDINGS),
            subjects=described.subjects,
            main=described.main(scene),
        )


def most_frequent(described: Described) -> StructuredCaption:
    """Each field's most frequent value over training scenes; of the prose one of the captions."""
    scenes = [described.world.scene(index, split="train") for index in range(NUM_SEEN)]
    seen = [asdict(described.wording(scene, 0)) for scene in scenes]
    return StructuredCaption(
        **{name: collections.Counter(row[name] for row in seen).most_common(1)[0][0] for name in FIELDS}
    )


def table(world: str, clips: Sequence[HeldOut], rows: dict[str, list[StructuredCaption | None]]) -> Iterator[str]:
    """A row for each captioner over the clips of a world, or of all where it is empty."""
    yield from (
        f"## {world or 'both'}",
        "",
        f"| | {' | '.join(FIELDS)} | mean | texts | named | made up |",
        "|---" * (len(FIELDS) + 5) + "|",
    )
    for name, said in rows.items():
        pairs = [(one, clip) for one, clip in zip(said, clips, strict=True) if one and world in ("", clip.world)]
        if pairs:
            means = mean_scores([field_scores(one, clip.truth) for one, clip in pairs])
            share = sum(made_up(one, clip.truth, subjects=clip.subjects) > 0 for one, clip in pairs) / len(pairs)
            means["texts"] = sum(means[field] for field in TEXTS) / len(TEXTS)
            named = sum(bool(subjects_named(f"{one.short} . {one.dense}", [clip.main])) for one, clip in pairs)
            values = " | ".join(f"{means[field]:.3f}" for field in (*FIELDS, "mean", "texts"))
            yield f"| {name} | {values} | {named / len(pairs):.3f} | {share:.3f} |"
    yield ""


def films(captioner: Captioner, results: Sequence[CaptionResult], folders: Sequence[Path]) -> Iterator[str]:
    """How many excerpts of natural films are told from the worlds' clips, and how many of these are held for others."""
    kept = [FOREIGN in result.repairs for result in results]
    found = collections.defaultdict[str, list[bool]](list)
    for part in (0, 1):
        for film, excerpt, frames in natural([ensure("natural-films"), *folders], part=part):
            view = ClipView(id=excerpt, frames=spread(frames), fps=25.0, duration_s=len(frames) / 25)
            found[film].append(FOREIGN in captioner.caption([view])[0].repairs)
    told = [one for each in found.values() for one in each]
    missed = [f"{film} ({each.count(False)} of {len(each)})" for film, each in found.items() if not all(each)]
    yield ""
    yield "## Natural footage"
    yield ""
    yield (
        f"{len(told)} excerpts of three seconds of {len(found)} films: {sum(told)} ({sum(told) / len(told):.1%}) are "
        "recognised as no clips of our worlds, and told by what was measured; the threshold is of the worlds alone. "
        f"Not recognised: {', '.join(missed) or 'none'}. "
        f"Of the {len(kept)} clips of the worlds {sum(kept)} are held for foreign."
    )


if __name__ == "__main__":
    sys.exit(main())
