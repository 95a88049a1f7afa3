"""What a physics clip shows, complete enough to be simulated, drawn and described.

Axes: x to the right, y away from the camera's first place, z up; metres, seconds, kilograms.
"""

from dataclasses import dataclass

from muybridge.core.seeding import mix
from muybridge.worlds.physics.shapes import SHAPES

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]  # w, x, y, z
UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
_HELD_OUT_SALT = "held out physics combinations, first edition"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hinge:
    """What ties a thing to a point: it turns about `axis` (unit) through `pivot` at `rate` rad/s at first."""

    pivot: Vector
    axis: Vector
    rate: float
    is_weightless: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """A body and how it starts. `scale` is about its size in metres; `spin` is in rad/s about the world's axes.

    `bounce` is the coefficient of restitution against floor and equals; `is_fixed` things never move.
    """

    name: str
    shape: str
    colour: str
    material: str
    scale: float
    position: Vector
    turn: Quaternion = UPRIGHT
    velocity: Vector = (0.0, 0.0, 0.0)
    spin: Vector = (0.0, 0.0, 0.0)
    bounce: float = 0.1
    friction: float = 0.8
    is_fixed: bool = False
    hinge: Hinge | None = None

    @property
    def reach_m(self) -> float:
        """Half its longest side: the radius of what the camera keeps in the frame; corners may stick out."""
        return self.scale * max(SHAPES[self.shape].extent)

    def combination(self, event: str) -> tuple[str, str, str]:
        """What decides whether it is held out."""
        return self.colour, self.shape, event


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewpoint:
    """Where the camera starts from, seen from what it looks at; `fov_deg` is vertical."""

    camera: str
    azimuth_deg: float
    elevation_deg: float
    fov_deg: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PhysicsScene:
    """The facts of one clip. The first thing is its subject; `direction` is the way it goes, 1 right and -1 left.

    `shot_type` says how large the subject is seen; `detail_seed` settles what stands around, a handheld camera's shake
    and the wording of captions.
    """

    event: str
    things: tuple[Thing, ...]
    direction: int
    place: str
    light: str
    sun_deg: float
    viewpoint: Viewpoint
    shot_type: str
    detail_seed: int

    @property
    def subject(self) -> Thing:
        """The thing that does what the event says."""
        return self.things[0]

    @property
    def camera(self) -> str:
        """The camera's movement."""
        return self.viewpoint.camera


def is_held_out(combination: tuple[str, str, str], fraction: float) -> bool:
    """True for a fixed `fraction` of the combinations (colour, shape, event)."""
    return mix(0, _HELD_OUT_SALT, *combination) % 1_000_000 < fraction * 1_000_000
