"""The stage that counts faces, says whether a clip is a portrait, and how likely it shows nudity."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float

from muybridge.curation.clip import Clip, Value
from muybridge.curation.measures.looks import spread
from muybridge.curation.people.counting import at_a_time, num_people
from muybridge.curation.people.faces import Body, BodyDetector, area_of, cut_to, size_of
from muybridge.curation.people.finder import FaceFinder
from muybridge.curation.people.nudity import OpenNsfw
from muybridge.curation.people.tracks import Track, where_present
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column, Resources

# A portrait shows one person whose face and body take their share, as the paper picks its avatar data. Values judged.
MIN_PRESENT = 0.8  # of the frames
MIN_FACE = 0.15  # height of the face, in short sides of the picture
MIN_FRONTAL = 0.35  # of the looks' median: beyond, one eye is nearly hidden
MAX_OTHERS = 0.5  # side of any other face, in the main face's: people in the background are smaller
NUM_NSFW_LOOKS = 4
BODY_LOOKS_PER_S, MIN_BODY_LOOKS = 1.0, 3  # bodies are counted, not followed


class People(Measurement):
    """Faces by `finder`, bodies by `bodies`, nudity by `nsfw`; what is not given leaves its columns None.

    num_faces: most at a time. num_people: most at a time that two looks agree on, of bodies and of faces that belong to
    none (`counting`); by faces alone the number of tracks, so a face that was gone for a second counts twice.
    face_share: of the area, by the largest face, mean over the frames. face_size_px: its median height; None without
    a face. body_share: of the area, by the largest body, mean over the looks; where no body was looked for or found,
    by the person of the largest face, estimated from the face (`body_share_of`). is_portrait: one main face, large and
    frontal enough, most of the time, and nobody else nearly as tall. nsfw: 0 to 1, the most of four frames.
    """

    name = "people"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({
        "num_faces": "float", "num_people": "float", "face_share": "float", "face_size_px": "float",
        "body_share": "float", "is_portrait": "bool", "nsfw": "float",
    })  # fmt: skip
    resources = Resources(cpus=1.0, memory_bytes=400 * 2**20)

    def __init__(
        self,
        *,
        finder: FaceFinder | None = None,
        bodies: BodyDetector | None = None,
        nsfw: OpenNsfw | None = None,
    ) -> None:
        self.faces_by = None if finder is None else finder.name
        self.bodies_by = None if bodies is None else f"{bodies.name} {bodies.version}"
        self.nsfw_by = None if nsfw is None else f"{nsfw.name} {nsfw.version}"
        self._finder = finder
        self._bodies = bodies
        self._nsfw = nsfw

    def prepare(self) -> None:
        """Fetch what is given. Raises AssetError, MissingExtra."""
        for each in (self._finder, self._bodies, self._nsfw):
            if each is not None:
                each.prepare()

    def setup(self) -> None:
        """Load what is given."""
        for each in (self._finder, self._bodies, self._nsfw):
            if each is not None:
                each.setup()

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`."""
        values: dict[str, Value] = dict.fromkeys(self.outputs)
        tracks = () if self._finder is None else tuple(each for each in self._finder.tracks(clip) if each.is_sure)
        if self._finder is not None:
            values |= _about_faces(tracks, clip)
        if self._bodies is not None:
            looks = {index: self._bodies.bodies(clip.frames[index]) for index in body_looks(clip)}
            values |= _about_bodies(looks, tracks, clip)
            if values["is_portrait"] and at_a_time([_num_tall(found) for found in looks.values()]) > 1:
                values["is_portrait"] = False
        return {**values, "nsfw": None if self._nsfw is None else _nsfw(self._nsfw, clip)}


def body_looks(clip: Clip) -> list[int]:
    """Frames in which bodies are looked for, evenly, away from the ends."""
    count = max(MIN_BODY_LOOKS, round(clip.length_s * BODY_LOOKS_PER_S))
    return spread(len(clip.frames), count)


def _about_bodies(looks: Mapping[int, Sequence[Body]], tracks: Sequence[Track], clip: Clip) -> dict[str, Value]:
    """`num_people`, and `body_share` where there is a body."""
    height, width = clip.frames.shape[1:3]
    counts = [
        num_people(bodies, [tuple(track.boxes[index - track.first]) for track in tracks if index in track.frames])
        for index, bodies in looks.items()
    ]
    values: dict[str, Value] = {"num_people": float(at_a_time(counts))}
    if any(looks.values()):
        areas = [
            max((area_of(cut_to(body.box, width=width, height=height)) for body in bodies), default=0.0)
            for bodies in looks.values()
        ]
        values["body_share"] = float(np.mean(areas) / (height * width))
    elif not tracks:
        values["body_share"] = 0.0
    return values


def _num_tall(bodies: Sequence[Body]) -> int:
    """Bodies more than `MAX_OTHERS` as high as the highest."""
    heights = [size_of(body.box)[1] for body in bodies]
    return sum(each > MAX_OTHERS * max(heights) for each in heights)


def _about_faces(tracks: Sequence[Track], clip: Clip) -> dict[str, Value]:
    num_frames, height, width = clip.frames.shape[:3]
    if not tracks:
        none: dict[str, Value] = dict.fromkeys(("num_faces", "num_people", "face_share", "body_share"), 0.0)
        return {**none, "face_size_px": None, "is_portrait": False}
    present = where_present(tracks, num_frames)
    areas = np.zeros(present.shape)
    for row, track in enumerate(tracks):
        areas[row, present[row]] = [area_of(cut_to(tuple(box), width=width, height=height)) for box in track.boxes]
    main = int(areas.sum(1).argmax())
    bodies = [body_share_of(tuple(box), width=width, height=height) for box in tracks[main].boxes]
    return {
        "num_faces": float(present.sum(0).max()),
        "num_people": float(len(tracks)),
        "face_share": float(areas.max(0).mean() / (height * width)),
        "face_size_px": float(np.median(_heights(tracks[main]))),
        "body_share": float(np.sum(bodies) / num_frames),
        "is_portrait": _is_portrait(tracks, present, main=main, short_px=min(height, width)),
    }


def body_share_of(face: tuple[float, float, float, float], *, width: int, height: int) -> float:
    """The share of the picture that a person with this face would fill: three faces wide, seven and a half high.

    The proportions of a standing figure, which the picture's edges cut. What hides the body is not known.
    """
    wide, high = size_of(face)
    middle = (face[0] + face[2]) / 2
    body = (middle - 1.5 * wide, face[1] - 0.25 * high, middle + 1.5 * wide, face[1] + 7.25 * high)
    return area_of(cut_to(body, width=width, height=height)) / (width * height)


def _is_portrait(tracks: Sequence[Track], present: Bool[np.ndarray, "n t"], *, main: int, short_px: int) -> bool:
    size = float(np.median(_heights(tracks[main])))
    others = [float(np.median(_heights(track))) for row, track in enumerate(tracks) if row != main]
    frontal = float(np.median([face.frontal for _, face in tracks[main].looks]))
    return bool(
        present[main].mean() >= MIN_PRESENT
        and size >= MIN_FACE * short_px
        and frontal >= MIN_FRONTAL
        and max(others, default=0.0) <= MAX_OTHERS * size
    )


def _heights(track: Track) -> Float[np.ndarray, " t"]:
    return track.boxes[:, 3] - track.boxes[:, 1]


def _nsfw(network: OpenNsfw, clip: Clip) -> float:
    chosen = np.linspace(0, len(clip.frames) - 1, NUM_NSFW_LOOKS).round().astype(int)
    return max(network.score(clip.frames[index]) for index in np.unique(chosen))
