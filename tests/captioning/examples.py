"""Clips and captions to test with."""

import zlib

import numpy as np

from muybridge.captioning.captioner import ClipView
from muybridge.worlds.physics.scene import PhysicsScene, Thing, Viewpoint
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.subjects import SUBJECTS

HORSE = StructuredCaption(
    short="A brown horse gallops to the right.",
    dense="A brown horse gallops to the right across a meadow. It enters at the left edge. The camera pans right.",
    background="a green meadow", style="3D cartoon", shot_type="wide shot", lighting="soft daylight",
    atmosphere="cheerful", camera="pan right",
)  # fmt: skip

CAST = {subject.name: subject for subject in SUBJECTS}


def staged(*names: str, relation: Relation = "left of", motion: str = "still") -> StagedScene:
    """A noon in a meadow with one subject or two, of which the first one moves."""
    actors = tuple(
        Actor(
            subject=name, motion="still" if place else motion, facing="left", x=0.0, z=1.0, size=0.5, phase=0.0
        ) for place, name in enumerate(names)
    )  # fmt: skip
    return StagedScene(
        actors=actors, relations=(relation,) if len(names) > 1 else (), background="meadow", light="noon",
        style="3D render", camera="static", sway=0.0, detail_seed=0,
    )  # fmt: skip


def rolling(event: str = "roll", *others: Thing, shape: str = "ball") -> PhysicsScene:
    """A red thing that goes to the left on a meadow, the sun on the right."""
    thing = Thing(name="subject", shape=shape, colour="red", material="shiny", scale=1.0, position=(0, 0, 1))
    return PhysicsScene(
        event=event, things=(thing, *others), direction=-1, place="meadow", light="noon", sun_deg=60.0,
        viewpoint=Viewpoint(camera="zoom in", azimuth_deg=0, elevation_deg=10, fov_deg=40), shot_type="wide shot",
        detail_seed=0,
    )  # fmt: skip


def view(name: str = "a", *, num_frames: int = 3, level: int = 120, **columns: object) -> ClipView:
    """A grey clip with a corner that tells it from others."""
    frames = np.full((num_frames, 24, 32, 3), level, np.uint8)
    frames[:, :8, :8] = zlib.crc32(name.encode()) % 251
    return ClipView(id=name, frames=frames, fps=24.0, duration_s=num_frames / 24, columns=columns)  # pyright: ignore
