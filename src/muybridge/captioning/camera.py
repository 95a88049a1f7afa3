"""The stage that names how the camera moves: one of the paper's fourteen movements, with a confidence.   Paper 3.2."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.captioning.camera_flow import flow_film
from muybridge.captioning.camera_network import CameraNet, load_camera, probabilities
from muybridge.curation.clip import Clip, Value
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column
from muybridge.media.frames import Frames
from muybridge.worlds.movements import MOVEMENTS


class Camera(Measurement):
    """`camera`, one of `MOVEMENTS`, and how likely it is, 0 to 1; None for pictures."""

    name = "camera"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({"camera": "text", "camera_confidence": "float"})

    def __init__(self) -> None:
        self._network: CameraNet | None = None

    def setup(self) -> None:
        """Load the network. Raises WeightsError."""
        self._network = load_camera()

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`."""
        assert self._network is not None, "setup() comes first"
        if clip.is_picture:
            return dict.fromkeys(self.outputs)
        movement, confidence = camera_movement(self._network, clip.frames, fps=clip.fps)
        return {"camera": movement, "camera_confidence": confidence}


def camera_movement(network: CameraNet, frames: Frames, *, fps: float) -> tuple[str, float]:
    """The likeliest movement of at least two frames, and its probability. Raises InvalidInput, MissingExtra."""
    chances = probabilities(network, flow_film(frames, fps))[0]
    best = int(chances.argmax())
    return MOVEMENTS[best], float(chances[best])
