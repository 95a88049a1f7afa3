"""The first stage of curation: a source into clips, each of one shot, read once."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from muybridge.core.errors import MediaError
from muybridge.curation.clip import Clip, Origin, SourceFile, Value
from muybridge.curation.shots.clear import clear_start
from muybridge.curation.shots.config import ShotsConfig
from muybridge.curation.shots.cutting import Cutting, Lengths, Stretch
from muybridge.curation.shots.detectors import ASSET, detector, needs_network
from muybridge.curation.shots.footage import Footage, footage
from muybridge.curation.shots.joins import Detect, JoinSearch
from muybridge.curation.shots.pieces import clip_of, origin_of
from muybridge.curation.stage import Column, Resources
from muybridge.media.frames import Frames, Picture
from muybridge.weights.assets import ensure

OUTPUTS: Mapping[str, Column] = MappingProxyType(
    {"shot": "int", "shot_join": "text", "start_sharpness": "float", "trimmed_s": "float"}
)


class ShotSplitter:
    """A film, animation or picture as clips of one shot each.

    Columns: `shot`, its number in the source; `shot_join`, how it begins (start, cut, fade, dissolve, wipe);
    `start_sharpness` of the frame that the clip begins with, of the clip's median; `trimmed_s`, what was left out of
    the shot before and behind the clip. Paper 3.1 has the cuts and the clear start frame.
    """

    name = "shots"
    version = 3
    outputs = OUTPUTS
    resources = Resources(cpus=1.0, memory_bytes=2**30)

    def __init__(self, config: ShotsConfig | None = None) -> None:
        self.config = config or ShotsConfig()
        self._detect: Detect | None = None

    def prepare(self) -> None:
        """Fetch the network that the config asks for, if any. Raises AssetError."""
        if needs_network(self.config.detector):
            ensure(ASSET)

    def setup(self) -> None:
        """Load it."""
        self._detect = detector(self.config.detector)

    def clips(self, source: SourceFile) -> Iterator[Clip]:
        """See `Splitter`. A stretch below the least length is left out. Raises MediaError, after the clips before."""
        with footage(source.path, side_px=self.config.side_px, max_fps=self.config.max_fps) as film:
            origin = origin_of(source, film)
            if film.is_picture:
                yield self._picture(origin, film)
                return
            damage: list[MediaError] = []
            for stretch in self._stretches(_until_damage(film.frames, damage), film.fps):
                yield self._clip(origin, film, stretch)
            if damage:
                raise damage[0]

    def _stretches(self, frames: Iterator[Picture], fps: float) -> Iterator[Stretch]:
        search, cutting = JoinSearch(self._detect or detector(self.config.detector)), Cutting(self._lengths(fps))
        for picture in frames:
            cutting.add(picture)
            joins = search.add(picture)
            yield from cutting.settle(search.settled, joins)
        joins = search.finish()
        yield from cutting.settle(0, joins)
        yield from cutting.finish()

    def _lengths(self, fps: float) -> Lengths:
        config = self.config
        least = max(config.min_frames, round(config.min_s * fps))
        most = max(least, round(config.max_s * fps))
        stride = max(most, round(config.stride_s * fps))
        return Lengths(min=least, max=most, stride=stride, trim=round(config.trim_s * fps))

    def _clip(self, origin: Origin, film: Footage, stretch: Stretch) -> Clip:
        most = min(round(self.config.start_s * film.fps), len(stretch.frames) - self._lengths(film.fps).min)
        skipped, sharpness = clear_start(stretch.frames, within=most, clear=self.config.clear)
        frames, first = stretch.frames[skipped:], stretch.first + skipped
        values = {
            "shot": stretch.shot,
            "shot_join": stretch.begins or "start",
            "start_sharpness": sharpness,
            "trimmed_s": (stretch.num_trimmed + skipped) / film.fps,
        }
        return self._made(frames, film, origin, first=first, values=values)

    def _picture(self, origin: Origin, film: Footage) -> Clip:
        values = {"shot": 0, "shot_join": "start", "start_sharpness": 1.0, "trimmed_s": 0.0}
        return self._made(next(film.frames)[None], film, origin, first=0, values=values)

    def _made(self, frames: Frames, film: Footage, origin: Origin, *, first: int, values: Mapping[str, Value]) -> Clip:
        return clip_of(frames, film, origin, first=first, version=f"{self.name} {self.version}", values=values)


def _until_damage(frames: Iterator[Picture], damage: list[MediaError]) -> Iterator[Picture]:
    """The frames before the damage, which is noted."""
    try:
        yield from frames
    except MediaError as error:
        damage.append(error)
