"""Faces followed over a clip: looked for in some frames, known in all.

For blurring, a face missed is worse than a patch blurred in vain: doubtful faces are followed where they are seen again
and again, gaps are filled, and tracks reach beyond their ends. What is counted has to be surer (`Track.is_sure`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from muybridge.curation.people.faces import Face, FaceDetector, grown
from muybridge.media.frames import Frames
from muybridge.media.geometry import overlap

LOOKS_PER_S = 4.0
SURE = (0.5, 0.3)  # scores of one look, or of two, that make a face to count
DOUBTFUL = (0.4, 0.25, 0.2)  # and of one, two or three that make one to blur: on films the benchmark does not report
# (test.mp4 from its 67th second on) 43 of 44 small heads instead of 32, and nothing more on ten films without a face
MAX_GAP_S = 1.0  # of a face that turns away or is covered: then it is another track
REACH_S = 0.5  # beyond the first and the last look
LINK_GROWTH, MIN_LINK = 3.0, 0.2  # how much boxes are grown, and overlap then, from look to look

Seen = tuple[int, Face]  # frame, what was found there


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One face from the frame `first` on: its boxes, frame by frame, and what the looks found."""

    first: int
    boxes: Float[np.ndarray, "t 4"]  # left, top, right, bottom in pixels
    looks: tuple[Seen, ...]

    @property
    def frames(self) -> range:
        """Where it is."""
        return range(self.first, self.first + len(self.boxes))

    @property
    def is_sure(self) -> bool:
        """Whether it is a face beyond doubt."""
        return _reach(self.looks, SURE)


def look_frames(num_frames: int, fps: float) -> list[int]:
    """Frames that are looked at: evenly, the first and the last among them. A picture's fps is 0."""
    count = max(2, round(num_frames / fps * LOOKS_PER_S) + 1) if fps else 1
    return np.unique(np.linspace(0, num_frames - 1, count).round().astype(int)).tolist()


def face_tracks(detector: FaceDetector, frames: Frames, fps: float) -> tuple[Track, ...]:
    """The faces of a clip, doubtful ones too, in the order in which they begin."""
    looks = {index: detector.detect(frames[index]) for index in look_frames(len(frames), fps)}
    chains = linked(looks, max_gap_frames=max(1, round(MAX_GAP_S * fps)))
    reach = round(REACH_S * fps)
    return tuple(_filled(chain, num_frames=len(frames), reach=reach) for chain in chains if _reach(chain, DOUBTFUL))


def linked(looks: Mapping[int, Sequence[Face]], *, max_gap_frames: int) -> list[list[Seen]]:
    """What was found, look by look, as chains of the same face; the closest are linked first."""
    chains: list[list[Seen]] = []
    for index in sorted(looks):
        alive = [chain for chain in chains if index - chain[-1][0] <= max_gap_frames]
        pairs = [
            (_closeness(chain[-1][1], face), row, column)
            for row, chain in enumerate(alive)
            for column, face in enumerate(looks[index])
        ]
        taken_chains: set[int] = set()
        taken_faces: set[int] = set()
        for closeness, row, column in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
            if closeness >= MIN_LINK and row not in taken_chains and column not in taken_faces:
                taken_chains.add(row)
                taken_faces.add(column)
                alive[row].append((index, looks[index][column]))
        chains += [[(index, face)] for column, face in enumerate(looks[index]) if column not in taken_faces]
    return chains


def where_present(tracks: Sequence[Track], num_frames: int) -> Bool[np.ndarray, "n t"]:
    """Which track is in which frame."""
    present = np.zeros((len(tracks), num_frames), bool)
    for row, track in zip(present, tracks, strict=True):
        row[track.first : track.first + len(track.boxes)] = True
    return present


def _closeness(one: Face, other: Face) -> float:
    return overlap(grown(one.box, LINK_GROWTH), grown(other.box, LINK_GROWTH))


def _reach(looks: Sequence[Seen], least: Sequence[float]) -> bool:
    """Whether the best score is the first of `least` or more, or the second best the second, and so on."""
    scores = sorted((face.score for _, face in looks), reverse=True)
    return any(score >= enough for score, enough in zip(scores, least, strict=False))


def _filled(chain: Sequence[Seen], *, num_frames: int, reach: int) -> Track:
    """Boxes of all frames from before the first look to after the last: between looks on a line, beyond them held."""
    indices = [index for index, _ in chain]
    first, last = max(0, indices[0] - reach), min(num_frames - 1, indices[-1] + reach)
    boxes = np.array([face.box for _, face in chain])
    inside = np.arange(first, last + 1)
    filled = np.stack([np.interp(inside, indices, boxes[:, side]) for side in range(4)], 1)
    return Track(first=first, boxes=filled, looks=tuple(chain))
