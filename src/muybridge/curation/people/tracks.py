"""Faces followed over a clip: looked for in some frames, known in all.

For blurring, a face missed is worse than a patch blurred in vain: doubtful faces count where a sure one is linked to
them, gaps are filled, and tracks reach beyond their ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from muybridge.curation.people.faces import Face, FaceDetector, grown
from muybridge.media.frames import Frames
from muybridge.media.geometry import overlap

LOOKS_PER_S = 4.0
SURE, SEEN_TWICE = 0.5, 0.3  # a track counts with one look of the first score, or two of the second
MAX_GAP_S = 1.0  # of a face that turns away or is covered: then it is another track
REACH_S = 0.5  # beyond the first and the last look
LINK_GROWTH, MIN_LINK = 2.0, 0.2  # how much boxes are grown, and overlap then, from look to look

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


def look_frames(num_frames: int, fps: float) -> list[int]:
    """Frames that are looked at: evenly, the first and the last among them. A picture's fps is 0."""
    count = max(2, round(num_frames / fps * LOOKS_PER_S) + 1) if fps else 1
    return np.unique(np.linspace(0, num_frames - 1, count).round().astype(int)).tolist()


def face_tracks(detector: FaceDetector, frames: Frames, fps: float) -> tuple[Track, ...]:
    """The faces of a clip, in the order in which they begin."""
    looks = {index: detector.detect(frames[index]) for index in look_frames(len(frames), fps)}
    chains = linked(looks, max_gap_frames=max(1, round(MAX_GAP_S * fps)))
    reach = round(REACH_S * fps)
    return tuple(_filled(chain, num_frames=len(frames), reach=reach) for chain in chains if _counts(chain))


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


def _counts(chain: Sequence[Seen]) -> bool:
    scores = sorted((face.score for _, face in chain), reverse=True)
    return scores[0] >= SURE or (len(scores) > 1 and scores[1] >= SEEN_TWICE)


def _filled(chain: Sequence[Seen], *, num_frames: int, reach: int) -> Track:
    """Boxes of all frames from before the first look to after the last: between looks on a line, beyond them held."""
    indices = [index for index, _ in chain]
    first, last = max(0, indices[0] - reach), min(num_frames - 1, indices[-1] + reach)
    boxes = np.array([face.box for _, face in chain])
    inside = np.arange(first, last + 1)
    filled = np.stack([np.interp(inside, indices, boxes[:, side]) for side in range(4)], 1)
    return Track(first=first, boxes=filled, looks=tuple(chain))
