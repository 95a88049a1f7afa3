"""What `gallop` draws for 30 prompts of combinations it never saw, as a contact sheet and as two counts.

The prompts are the captions of held-out scenes of the sprites world: every subject at least once, seeds 0 to 29, no
picking. Background and direction of movement are scored against the scenes' own facts; whether the subject is right is
for a person to judge on the sheet.

    python benchmarks/gallop_sheet.py --out docs/pictures
"""

import argparse
import json
from pathlib import Path

import numpy as np

import muybridge
from muybridge.evaluation.motion import travel
from muybridge.media.sheet import contact_sheet
from muybridge.recipes.gallop import flow_world
from muybridge.weights.assets import ensure
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesWorld

NUM_PROMPTS = 30
NUM_CANDIDATES = 400
BORDER_PX = 6
MIN_TRAVEL = 4 / 128  # of the width: a subject that moves less stands still


def held_out_scenes(world: SpritesWorld) -> list[Scene]:
    """The first held-out scenes, in turns over the subjects so that each comes up."""
    candidates = [world.scene(index, split="held_out") for index in range(NUM_CANDIDATES)]
    queues = {subject.name: [s for s in candidates if s.subject == subject.name] for subject in world.subjects}
    rounds = [queue[turn] for turn in range(NUM_CANDIDATES) for queue in queues.values() if turn < len(queue)]
    return rounds[:NUM_PROMPTS]


def border_colours(pixels: np.ndarray) -> np.ndarray:
    """Mean colours (4, 3) of the first frame's corners, where the subject seldom is."""
    first, side = pixels[0].astype(float), BORDER_PX
    corners = (first[:side, :side], first[:side, -side:], first[-side:, :side], first[-side:, -side:])
    return np.stack([corner.mean(axis=(0, 1)) for corner in corners])


def nearest_background(pixels: np.ndarray, references: dict[str, np.ndarray]) -> str:
    """The background whose corners have the nearest colours."""
    seen = border_colours(pixels)
    return min(references, key=lambda name: float(np.abs(seen - references[name]).mean()))


def scores(world: SpritesWorld, scenes: list[Scene], films: list[np.ndarray]) -> dict[str, str]:
    """How many backgrounds and directions are as asked."""
    backgrounds = {scene.background: border_colours(world.render(scene)) for scene in reversed(scenes)}
    right_ground = [nearest_background(f, backgrounds) == s.background for s, f in zip(scenes, films, strict=True)]
    signs = {"right": 1.0, "left": -1.0}
    moving = [(s, f) for s, f in zip(scenes, films, strict=True) if s.motion in signs and s.camera == "static"]
    right_way = [signs[scene.motion] * travel(film)[0] > MIN_TRAVEL for scene, film in moving]
    return {
        "background": f"{sum(right_ground)}/{len(right_ground)} among {len(backgrounds)}",
        "direction": f"{sum(right_way)}/{len(right_way)}",
    }


def main() -> None:
    """Generate, write the sheets, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder of the sheet")
    parser.add_argument("--model", default="gallop", help="catalogue name or folder")
    parser.add_argument("--cfg", type=float, default=None, help="classifier-free guidance; the model's own if left out")
    parser.add_argument("--asked", type=Path, default=None, help="also a .png of the scenes as the world draws them")
    options = parser.parse_args()
    world = SpritesWorld(flow_world(), ensure("fluent-emoji-anim", on_progress=print))
    scenes = held_out_scenes(world)
    prompts = [world.captions(scene)[0] for scene in scenes]
    films = [film.pixels for film in muybridge.load(options.model)(prompts, seed=0, cfg=options.cfg)]
    sheet = options.out / "gallop.png"
    contact_sheet(films, labels=prompts, columns=5, films_per_row=2, path=sheet)
    if options.asked is not None:
        asked = [world.render(scene) for scene in scenes]
        contact_sheet(asked, labels=prompts, columns=5, films_per_row=2, path=options.asked)
    print(json.dumps({"sheet": str(sheet), **scores(world, scenes, films)}, indent=2))


if __name__ == "__main__":
    main()
