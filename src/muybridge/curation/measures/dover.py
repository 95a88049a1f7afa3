"""DOVER (Wu et al. 2023) by a file of the user's own, learned from people's votes: the optional column `dover`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float32

from muybridge.core.errors import MissingExtra, WeightsError
from muybridge.curation.clip import Clip, Value
from muybridge.curation.measures.looks import spread
from muybridge.curation.opencv import opencv
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column, Resources
from muybridge.media.frames import Frames

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

NUM_FRAMES, SIDE_PX = 32, 224  # where the file leaves them free; DOVER's own
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, in levels


class DoverQuality(Measurement):
    """What an ONNX file says of a clip: one input float32 (1, 3, t, h, w), normalised as ImageNet is; the mean of its
    outputs, each first averaged, is the value. None for pictures.
    """

    name = "dover"
    outputs: Mapping[str, Column] = MappingProxyType({"dover": "float"})
    resources = Resources(cpus=1.0, memory_bytes=2 * 2**30)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session: Any = None

    def prepare(self) -> None:
        """Raises MissingExtra, WeightsError where the file is none."""
        self.setup()
        self._session = None

    def setup(self) -> None:
        """Load the file. Raises MissingExtra, WeightsError."""
        if onnxruntime is None:
            raise MissingExtra("stage dover: needs onnxruntime; pip install 'muybridge[curate]'.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no base
            raise WeightsError(f"{self.path}: onnxruntime cannot load it ({error}); export DOVER to ONNX.") from None
        inputs = session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 5:
            given = ", ".join(f"{each.name} {each.shape}" for each in inputs)
            raise WeightsError(f"{self.path}: takes {given}; export it with one input (1, 3, t, h, w).")
        self._session = session

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The value of `dover`."""
        if clip.is_picture:
            return {"dover": None}
        asked = self._session.get_inputs()[0]
        frames, height, width = (
            size if isinstance(size, int) else free
            for size, free in zip(asked.shape[2:], (NUM_FRAMES, SIDE_PX, SIDE_PX), strict=True)
        )
        outputs = self._session.run(None, {asked.name: _as_seen(clip.frames, frames, height, width)})
        return {"dover": float(np.mean([np.mean(output) for output in outputs]))}


def _as_seen(frames: Frames, count: int, height: int, width: int) -> Float32[np.ndarray, "1 3 t h w"]:
    """Evenly chosen frames at the file's size; short clips show the last one again."""
    numbers = spread(len(frames), count)
    numbers += numbers[-1:] * (count - len(numbers))
    cv2 = opencv()
    shown = [cv2.resize(frames[number], (width, height), interpolation=cv2.INTER_AREA) for number in numbers]
    pixels = (np.stack(shown).astype(np.float32) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(pixels.transpose(3, 0, 1, 2)[None])
