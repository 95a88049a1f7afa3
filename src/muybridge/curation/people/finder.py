"""The faces of a clip, looked for once for all stages that ask."""

import weakref
from typing import Any

from muybridge.curation.clip import Clip
from muybridge.curation.people.faces import FaceDetector
from muybridge.curation.people.tracks import Track, face_tracks
from muybridge.media.frames import Frames


class FaceFinder:
    """Tracks of a clip's faces. What was found in the frames last asked about is kept as long as they are."""

    def __init__(self, detector: FaceDetector) -> None:
        self.detector = detector
        self._frames: weakref.ReferenceType[Frames] | None = None
        self._tracks: tuple[Track, ...] = ()

    @property
    def name(self) -> str:
        """The detector and its version."""
        return f"{self.detector.name} {self.detector.version}"

    def prepare(self) -> None:
        """Fetch the detector. Raises AssetError, MissingExtra."""
        self.detector.prepare()

    def setup(self) -> None:
        """Load the detector."""
        self.detector.setup()

    def tracks(self, clip: Clip) -> tuple[Track, ...]:
        """The faces of its frames."""
        if self._frames is None or self._frames() is not clip.frames:
            self._tracks = face_tracks(self.detector, clip.frames, clip.fps)
            self._frames = weakref.ref(clip.frames)
        return self._tracks

    def __getstate__(self) -> dict[str, Any]:
        return {"detector": self.detector, "_frames": None, "_tracks": ()}
