"""What a person may choose of how a result is written; what it shows is not among it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from muybridge.core import config
from muybridge.core.errors import invalid
from muybridge.media.formats import CODECS, MAX_FPS, bits_per_second, suffix_for
from muybridge.media.retime import Between

Still = Literal["first", "last", "sheet"]
STILLS = ("first", "last", "sheet")
_SIZE = {"crf", "bitrate"}  # one of them decides the size of the file
_SOUND = {"audio", "audio_sha256"}  # one speaks of the other
MAX_FACTOR = 8  # convention: beyond it motion is mostly invented


@dataclass(frozen=True, kw_only=True, slots=True)
class SaveOptions:
    """How a result is written; None leaves a choice to the extension.

    codec: a name of `formats.CODECS`. crf: 0 is best, the scale is the codec's own; WebP takes 100 - crf as quality.
    bitrate: such as "8M" or "800k" bits a second, instead of crf. bits: 8 or 10 a channel. output_fps: at another rate
    with the same length, by frames that repeat or blend (`between`). interpolate: so many times more frames, those in
    between made by motion. audio: a file whose sound goes with the film. stills: pictures beside it.
    Raises InvalidInput on a value that breaks a rule.
    """

    codec: str | None = None
    crf: int | None = None
    bitrate: str | None = None
    bits: Literal[8, 10] | None = None
    output_fps: float | None = None
    between: Between | None = None
    interpolate: int | None = None
    audio: str | None = None
    audio_sha256: str | None = None
    stills: tuple[Still, ...] | None = None

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in CODECS:
            raise invalid(f"codec={self.codec!r}", "is none that films are written in", f"use {', '.join(CODECS)}")
        if self.crf is not None and (not _is_whole(self.crf) or self.crf < 0):
            raise invalid(f"crf={self.crf!r}", "is a whole number from 0 (best) on", "use 17")
        if self.bits not in (None, 8, 10):
            raise invalid(f"bits={self.bits!r}", "films have 8 or 10 bits a channel", "use 8 or 10")
        if self.crf is not None and self.bitrate is not None:
            raise invalid("crf and bitrate", "each decides the size of the file", "leave one out")
        if self.bitrate is not None:
            bits_per_second(self.bitrate)
        self._check_time()
        if unknown := set(self.stills or ()) - set(STILLS):
            raise invalid(f"stills={', '.join(sorted(unknown))}", f"are {', '.join(STILLS)}", "use first,last")

    @classmethod
    def of(cls, chosen: dict[str, Any]) -> Self:
        """The options among the arguments of a call, which may hold others; stills may be one text, first,last."""
        given = {each.name: chosen[each.name] for each in fields(cls) if chosen.get(each.name) is not None}
        if isinstance(stills := given.get("stills"), str):
            given["stills"] = tuple(word.strip() for word in stills.split(","))
        if "audio" in given:
            given["audio"] = str(Path(given["audio"]).absolute())  # it is recorded, and repeated from elsewhere
        return cls(**given)

    @classmethod
    def recorded(cls, settings: dict[str, Any]) -> Self:
        """Those recorded with a result. Raises InvalidInput where they make no sense."""
        return config.from_dict(cls, settings.get("output", {}))

    def over(self, other: Self) -> Self:
        """These options, and `other`'s where nothing was chosen here."""
        now, before = self.record(), other.record()
        for names in (_SIZE, _SOUND):
            if now.keys() & names:
                before = {name: value for name, value in before.items() if name not in names}
        return config.from_dict(type(self), {**before, **now})

    def record(self) -> dict[str, Any]:
        """What was chosen, for JSON."""
        return {name: value for name, value in config.to_dict(self).items() if value is not None}

    @property
    def usual_suffix(self) -> str:
        """The extension of a film whose name was not chosen."""
        return ".mp4" if self.codec is None else suffix_for(self.codec)

    def fps_of(self, fps: float) -> float:
        """The rate of the file of a film of `fps`."""
        return self.output_fps or fps * (self.interpolate or 1)

    def _check_time(self) -> None:
        rate = self.output_fps
        if rate is not None and (isinstance(rate, bool) or not 0 < rate <= MAX_FPS):
            raise invalid(f"output_fps={rate!r}", f"lies above 0 and up to {MAX_FPS}", "use 24")
        if self.between not in (None, "repeat", "blend"):
            raise invalid(f"between={self.between!r}", "frames repeat or blend", "use repeat or blend")
        if self.between is not None and rate is None:
            raise invalid(f"between={self.between} without output_fps", "no other rate is asked for", "add output_fps")
        factor = self.interpolate
        if factor is not None and (not _is_whole(factor) or not 2 <= factor <= MAX_FACTOR):
            raise invalid(f"interpolate={factor!r}", f"is a whole number from 2 to {MAX_FACTOR}", "use 2")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
