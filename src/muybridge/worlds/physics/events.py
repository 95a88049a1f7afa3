"""Whether what a scene is named after truly happens in its clip, judged by the simulation."""

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from muybridge.worlds.physics.scene import PhysicsScene
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.physics.simulate import Contact, Motion

FALLEN_DEG = 60.0  # a thing that leans so far will not stand up again


def happens(scene: PhysicsScene, motion: Motion) -> bool:
    """True when the simulated clip shows the scene's event, whole and unmistakable."""
    if not np.isfinite(motion.positions).all() or np.abs(motion.positions).max() > 6:
        return False
    return _TESTS[scene.event](scene, motion)


def impacts(motion: Motion, first: str, second: str) -> tuple[Contact, ...]:
    """The contacts between two bodies in order of time."""
    return tuple(contact for contact in motion.contacts if set(contact.bodies) == {first, second})


def lean_deg(motion: Motion) -> np.ndarray:
    """How far each thing's own z axis has come from where it pointed at first, in degrees (n, k)."""
    w, x, y, z = np.moveaxis(motion.turns, -1, 0)
    axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    return np.degrees(np.arccos(np.clip((axis * axis[0]).sum(-1), -1, 1)))


def _after(motion: Motion, contact: Contact) -> slice:
    """The steps after a contact began."""
    return slice(int(contact.time_s / motion.step_s), None)


def _static(scene: PhysicsScene, motion: Motion) -> bool:
    return float(np.ptp(motion.positions, axis=0).max()) < 1e-6


def _drop(scene: PhysicsScene, motion: Motion) -> bool:
    """It falls for a quarter of the clip or more, lands, and hardly rises again."""
    landings = impacts(motion, "subject", "floor")
    if not landings or not 0.25 <= landings[0].time_s / motion.times_s[-1] <= 0.75:
        return False
    height, after = motion.positions[:, 0, 2], _after(motion, landings[0])
    rise = float((height[after] - np.minimum.accumulate(height[after])).max())
    return float(height[0] - height[after].min()) > 0.7 and rise < 0.18 * float(height[0])


def _bounce(scene: PhysicsScene, motion: Motion) -> bool:
    """It hits the floor and then rises visibly, losing contact."""
    landings = impacts(motion, "subject", "floor")
    if not landings or landings[0].duration_s > 0.1:
        return False
    height, after = motion.positions[:, 0, 2], _after(motion, landings[0])
    rise = height[after] - np.minimum.accumulate(height[after])
    return float(rise.max()) > 0.3 and float(motion.velocities[after, 0, 2].max()) > 1.2


def _roll(scene: PhysicsScene, motion: Motion) -> bool:
    """It travels on the floor the way meant, turning as far as rolling without slipping demands."""
    way = (motion.positions[:, 0, 0] - motion.positions[0, 0, 0]) * scene.direction
    height = motion.positions[:, 0, 2]
    turned = _turned_rad(motion)
    wanted = way[-1] / (scene.subject.scale * SHAPES[scene.subject.shape].extent[0])
    drift = float(np.abs(motion.positions[:, 0, 1]).max())
    return bool(way[-1] > 1.1 and np.ptp(height) < 0.06 and drift < 0.2 and abs(turned - wanted) < 0.15 * wanted)


def _turned_rad(motion: Motion) -> float:
    """The subject's whole turn, summed over steps."""
    before, after = motion.turns[:-1, 0], motion.turns[1:, 0]
    return float(2 * np.arccos(np.clip(np.abs((before * after).sum(-1)), 0, 1)).sum())


def _slide(scene: PhysicsScene, motion: Motion) -> bool:
    """It travels flat on the floor, slower and slower."""
    way = (motion.positions[:, 0, 0] - motion.positions[0, 0, 0]) * scene.direction
    middle = len(way) // 2
    is_slowing = way[-1] - way[middle] < 0.6 * way[middle]
    return bool(
        way[-1] > 0.9 and lean_deg(motion)[:, 0].max() < 6 and is_slowing and np.ptp(motion.positions[:, 0, 2]) < 0.05
    )


def _topple(scene: PhysicsScene, motion: Motion) -> bool:
    """All of it falls over, the way meant."""
    lean = lean_deg(motion)
    falls = (motion.positions[-1, 0, 0] - motion.positions[0, 0, 0]) * scene.direction > 0
    return bool((lean[-1] > FALLEN_DEG).all() and lean[0].max() < 5 and falls)


def _collide(scene: PhysicsScene, motion: Motion) -> bool:
    """They meet in the middle part of the clip, both are the faster or slower for it, and they part."""
    meetings = impacts(motion, "subject", "partner")
    if not meetings or not 0.2 <= meetings[0].time_s / motion.times_s[-1] <= 0.65:
        return False
    step = int(meetings[0].time_s / motion.step_s)
    later = min(step + round(0.06 / motion.step_s), len(motion.times_s) - 1)
    change = np.linalg.norm(motion.velocities[later] - motion.velocities[max(step - 5, 0)], axis=-1)
    apart = np.linalg.norm(motion.positions[:, 0] - motion.positions[:, 1], axis=-1)
    return bool(change.min() > 0.35 and apart[-1] - apart[step] > 0.3)


def _swing(scene: PhysicsScene, motion: Motion) -> bool:
    """It sweeps 40 degrees or more and passes below its pivot."""
    assert scene.subject.hinge is not None
    hangs = motion.positions[:, 0] - np.array(scene.subject.hinge.pivot)
    angle = np.degrees(np.arctan2(hangs[:, 0], -hangs[:, 2]))
    return bool(np.ptp(angle) > 40 and angle.min() < 0 < angle.max())


def _orbit(scene: PhysicsScene, motion: Motion) -> bool:
    """It goes half around or further."""
    assert scene.subject.hinge is not None
    return abs(scene.subject.hinge.rate) * float(motion.times_s[-1]) > math.pi


_TESTS: MappingProxyType[str, Callable[[PhysicsScene, Motion], bool]] = MappingProxyType({
    "static": _static, "drop": _drop, "bounce": _bounce, "roll": _roll, "slide": _slide, "topple": _topple,
    "collide": _collide, "swing": _swing, "orbit": _orbit,
})  # fmt: skip
