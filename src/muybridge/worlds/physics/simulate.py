"""What the things of a scene do: MuJoCo steps from its first moment, with every contact on the way."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muybridge.worlds.physics.engine import mujoco_module
from muybridge.worlds.physics.model import MAX_STEP_S, bare_model
from muybridge.worlds.physics.scene import PhysicsScene

_APART_S = 0.015  # two touches of the same bodies closer than this are one contact
_IMPACT_S = 0.05  # over which a contact's impulse is summed: a bounce lasts 22 ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """Two bodies touch, from `time_s` for `duration_s`. Rolling and sliding are one long contact.

    `impulse_ns` is the normal impulse in N s of its first 50 ms, which is what one hears; `position` where it began.
    """

    time_s: float
    duration_s: float
    bodies: tuple[str, str]
    impulse_ns: float
    position: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Motion:
    """A simulated clip, n steps of `step_s` and every `steps_per_frame`-th of them a frame; k things.

    times_s (n,), positions (n, k, 3) of the things' middles, turns (n, k, 4) as quaternions w x y z, energy_j (n,)
    potential and kinetic, qpos (t, q) MuJoCo's coordinates in each frame.
    """

    step_s: float
    steps_per_frame: int
    times_s: np.ndarray
    positions: np.ndarray
    turns: np.ndarray
    energy_j: np.ndarray
    qpos: np.ndarray
    contacts: tuple[Contact, ...]

    @property
    def velocities(self) -> np.ndarray:
        """Of the middles, m/s (n, k, 3)."""
        if len(self.positions) < 2:
            return np.zeros_like(self.positions)
        return np.gradient(self.positions, self.step_s, axis=0)

    def at_frames(self, values: np.ndarray) -> np.ndarray:
        """The entries of a series over steps that fall on frames."""
        return values[:: self.steps_per_frame]

    def cut(self, first: int, last: int) -> "Motion":
        """The frames from `first` to before `last`; contacts outside are left out, times stay those of the whole."""
        start, stop = first * self.steps_per_frame, (last - 1) * self.steps_per_frame + 1
        steps = slice(start, stop)
        low, high = start * self.step_s, stop * self.step_s
        return replace(
            self, times_s=self.times_s[steps], positions=self.positions[steps], turns=self.turns[steps],
            energy_j=self.energy_j[steps], qpos=self.qpos[first:last],
            contacts=tuple(contact for contact in self.contacts if low <= contact.time_s < high),
        )  # fmt: skip


def simulate(scene: PhysicsScene, *, num_frames: int, fps: float) -> Motion:
    """The scene's first `num_frames` frames at `fps`. A pure function: equal scenes move equally."""
    mujoco = mujoco_module()
    steps_per_frame = math.ceil(1 / (fps * MAX_STEP_S))
    step_s = 1 / (fps * steps_per_frame)
    model = bare_model(scene, step_s=step_s)
    data = mujoco.MjData(model)
    _set_off(model, data, scene)
    count, num_things = (num_frames - 1) * steps_per_frame + 1, len(scene.things)
    positions, turns = np.empty((count, num_things, 3)), np.empty((count, num_things, 4))
    energy, qpos, touches = np.empty(count), [], _Touches(model)
    for step in range(count):
        if step % steps_per_frame == 0:
            qpos.append(data.qpos.copy())
        mujoco.mj_step(model, data)  # leaves the poses and contacts of the moment before it
        positions[step], turns[step], energy[step] = data.xpos[1:], data.xquat[1:], data.energy[0] + data.energy[1]
        if data.ncon:
            touches.note(data, step)
    return Motion(
        step_s=step_s, steps_per_frame=steps_per_frame, times_s=np.arange(count) * step_s, positions=positions,
        turns=turns, energy_j=energy, qpos=np.stack(qpos), contacts=touches.contacts(step_s),
    )  # fmt: skip


def _set_off(model: Any, data: Any, scene: PhysicsScene) -> None:
    """Give the things their first speeds. MuJoCo wants a free body's spin about the body's own axes."""
    mujoco = mujoco_module()
    mujoco.mj_kinematics(model, data)
    for number, thing in enumerate(scene.things, start=1):
        first = model.body_dofadr[number]
        if thing.hinge is not None:
            data.qvel[first] = thing.hinge.rate
        elif not thing.is_fixed:
            data.qvel[first : first + 3] = thing.velocity
            data.qvel[first + 3 : first + 6] = data.xmat[number].reshape(3, 3).T @ np.array(thing.spin)


class _Touches:
    """Normal forces between geoms, step by step, and the contacts between bodies that they make up."""

    def __init__(self, model: Any) -> None:
        self._names = [model.geom(number).name for number in range(model.ngeom)]
        self._steps: list[int] = []
        self._geoms: list[np.ndarray] = []
        self._forces: list[np.ndarray] = []
        self._places: list[np.ndarray] = []

    def note(self, data: Any, step: int) -> None:
        """Keep this step's forces. With elliptic friction cones a contact's first force is the normal one."""
        contact = data.contact
        self._steps += [step] * data.ncon
        self._geoms.append(np.sort(contact.geom, axis=1))
        self._forces.append(np.append(data.efc_force, 0.0)[contact.efc_address])  # address -1: no force
        self._places.append(contact.pos.copy())

    def contacts(self, step_s: float) -> tuple[Contact, ...]:
        """The contacts in the order of their beginnings."""
        if not self._steps:
            return ()
        steps, geoms = np.array(self._steps), np.concatenate(self._geoms)
        forces, places = np.concatenate(self._forces), np.concatenate(self._places)
        found = []
        for first, second in np.unique(geoms, axis=0):
            chosen = (geoms == (first, second)).all(axis=1) & (forces > 0)
            bodies = (self._names[first], self._names[second])
            found += _episodes(bodies, steps[chosen], forces[chosen], places=places[chosen], step_s=step_s)
        return tuple(sorted(found, key=lambda contact: (contact.time_s, contact.bodies)))


def _episodes(
    bodies: tuple[str, str], steps: np.ndarray, forces: np.ndarray, *, places: np.ndarray, step_s: float
) -> list[Contact]:
    """The contacts of two bodies from the steps (n,) at which they touch, forces (n,) and places (n, 3)."""
    if not len(steps):
        return []
    cuts = np.flatnonzero(np.diff(steps) * step_s > _APART_S) + 1
    found = []
    for part in np.split(np.arange(len(steps)), cuts):
        first, last = int(steps[part[0]]), int(steps[part[-1]])
        heard = forces[part][(steps[part] - first) * step_s < _IMPACT_S]
        x, y, z = places[part[0]].tolist()
        found.append(Contact(
            time_s=first * step_s, duration_s=(last - first + 1) * step_s, bodies=bodies,
            impulse_ns=float(heard.sum()) * step_s, position=(x, y, z),
        ))  # fmt: skip
    return found
