"""Captions cropped away, the text that is left measured and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from muybridge.core.errors import invalid
from muybridge.curation.clip import Box, Clip
from muybridge.curation.stage import Column, Resources
from muybridge.curation.text.cuts import best_cut
from muybridge.curation.text.overlay import Film, is_overlaid
from muybridge.curation.text.reader import TextBox, TextReader
from muybridge.curation.text.redaction import redact
from muybridge.curation.text.rows import Line, Row, area, inside, lines_of, rows_of

MARGINS = (0.12, 0.0, -0.12)  # of a line's height, cut away with it for outlines and shadows: the first that takes most
MAX_READ = 8  # lines of a clip, the largest ones
MIN_LOOKS = 3  # frames of a clip in which text is looked for, however short it is
MIN_LETTERS = 2  # that are read: texture is taken for one letter more often than letters stand alone

Looks = Mapping[int, tuple[TextBox, ...]]  # what was found, by frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Subtitles:
    """Finds text in some frames, crops captions away, and writes how much text is left.

    Text laid over the film is cut off with the side of the picture that it lies on, as long as no more than `max_loss`
    of the area goes; text of the scene is counted, never cropped for. Where something was cut, the other frames are
    looked at once more: captions that came between, and second lines. `text` is what stands in the clip as it is kept,
    private data redacted; large lines in which nothing can be read are texture, and not counted. A ticker and rolling
    credits move, so they count as text of the scene.

    looks_per_s, max_looks: in how many frames text is looked for, at least 3. is_read: whether it is read as well.
    """

    reader: TextReader
    max_loss: float = 0.15
    looks_per_s: float = 1.0
    max_looks: int = 8
    is_read: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss < 1:
            raise invalid(f"max_loss={self.max_loss:g}", "a share of the area is from 0 to below 1", "use 0.15")
        if self.looks_per_s <= 0 or self.max_looks < MIN_LOOKS:
            given = f"looks_per_s={self.looks_per_s:g}, max_looks={self.max_looks}"
            raise invalid(given, f"text is looked for in {MIN_LOOKS} frames or more", "use 1 and 8")

    @property
    def name(self) -> str:
        """As the funnel calls it."""
        return "subtitles"

    @property
    def version(self) -> int:
        """Of the stage and its reader."""
        return 2000 + self.reader.version

    @property
    def inputs(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def outputs(self) -> Mapping[str, Column]:
        """Shares of the area, the mean number of boxes in a frame, and what is read."""
        return MappingProxyType(
            {"subtitle_share": "float", "text_share": "float", "num_text_boxes": "float", "text": "texts"}
        )

    @property
    def resources(self) -> Resources:
        """One thread of networks."""
        return Resources(cpus=1.0, memory_bytes=400 * 2**20)

    def prepare(self) -> None:
        """Raises AssetError, MissingExtra."""
        self.reader.prepare()

    def setup(self) -> None:
        """Load the reader."""
        self.reader.setup()

    def process(self, clip: Clip) -> Clip:
        """The clip without its captions, with the columns."""
        height, width = clip.frames.shape[1:3]
        frame = (0, 0, width, height)
        budget = int(self.max_loss * height * width)
        first, between = self._moments(clip)
        looks = self._look(clip, first)
        kept = _without_captions(clip, looks, frame=frame, budget=budget)
        if kept != frame:
            looks = {**looks, **self._look(clip, between)}
            budget -= area(frame) - area(kept)
            kept = _without_captions(clip, looks, frame=kept, budget=budget)
        left = {index: _inside(boxes, kept) for index, boxes in looks.items()}
        cropped = clip if kept == frame else clip.cropped(kept)
        text: tuple[str, ...] = ()
        if self.is_read:
            text, left = self._read(cropped, left)
        shares = [_share(boxes, cropped.frames.shape[1:3]) for boxes in left.values()]
        return cropped.noted(
            {
                "subtitle_share": 1 - area(kept) / area(frame),
                "text_share": float(np.mean(shares)),
                "num_text_boxes": float(np.mean([len(boxes) for boxes in left.values()])),
                "text": text,
            }
        )

    def _moments(self, clip: Clip) -> tuple[list[int], list[int]]:
        """Frames to look at: the middles of equal parts of the clip, and those half-way between them."""
        num_frames = len(clip.frames)
        wanted = round(self.looks_per_s * clip.length_s)
        count = min(num_frames, max(MIN_LOOKS, min(self.max_looks, wanted)))
        middles = [int((part + 0.5) * num_frames / count) for part in range(count)]
        between = [int(part * num_frames / count) for part in range(count)] + [num_frames - 1]
        return middles, sorted(set(between) - set(middles))

    def _look(self, clip: Clip, moments: Sequence[int]) -> Looks:
        return {index: self.reader.detect(clip.frames[index]) for index in moments}

    def _read(self, clip: Clip, left: Looks) -> tuple[tuple[str, ...], Looks]:
        """What the largest lines say, in the order of their first frames; the looks without those that say nothing."""
        lines = _lines(left)
        largest = sorted(lines, key=lambda line: area(line.rows[0].box), reverse=True)[:MAX_READ]
        said = {line: self._words(clip, line) for line in lines if line in largest}
        texture = [row for line, words in said.items() if not words for row in line.rows]
        return tuple(dict.fromkeys(redact(words)[0] for words in said.values() if words)), _beside(left, texture)

    def _words(self, clip: Clip, line: Line) -> str:
        """A line as the middle one of its frames has it, else the first or last; empty where none says anything."""
        for row in dict.fromkeys((line.rows[len(line.rows) // 2], line.rows[0], line.rows[-1])):
            (words,) = self.reader.read(clip.frames[row.frame], [row.box])
            if len(words) >= MIN_LETTERS:
                return words
        return ""


def _without_captions(clip: Clip, looks: Looks, *, frame: Box, budget: int) -> Box:
    """What is kept of `frame`, itself a part of the clip's frames, when the captions that were seen are cut off."""
    film = Film(frames=clip.frames, fps=clip.fps)
    lines = [line for line in _lines(looks) if area(inside(line.box, frame))]
    captions = [line for line in lines if is_overlaid(line, film, looked_at=tuple(looks))]
    if not captions:
        return frame
    cuts = [_cut(captions, margin, frame=frame, budget=budget) for margin in MARGINS]
    return max(cuts, key=lambda cut: cut[0])[1]


def _cut(captions: Sequence[Line], margin: float, *, frame: Box, budget: int) -> tuple[int, Box]:
    """How much text goes, in pixels, and what is kept."""
    boxes = [_with_margin(line, margin) for line in captions]
    kept = best_cut(boxes, frame=frame, budget=budget)
    return sum(area(line.box) for line, box in zip(captions, boxes, strict=True) if not area(inside(box, kept))), kept


def _lines(looks: Looks) -> list[Line]:
    return lines_of(row for index, boxes in looks.items() for row in rows_of(boxes, frame=index))


def _with_margin(line: Line, share: float) -> Box:
    left, top, right, bottom = line.box
    margin = round(share * float(np.median([row.height_px for row in line.rows])))
    return left - margin, top - margin, right + margin, bottom + margin


def _inside(boxes: Sequence[TextBox], frame: Box) -> tuple[TextBox, ...]:
    cut = [(each, inside(each.box, frame)) for each in boxes]
    return tuple(
        TextBox(box=box, score=each.score, slant_degrees=each.slant_degrees)
        for each, box in cut
        if 2 * area(box) > area(each.box)
    )


def _beside(looks: Looks, rows: Sequence[Row]) -> Looks:
    """The boxes that are part of none of the rows."""
    return {
        index: tuple(
            each for each in boxes if not any(row.frame == index and _holds(row.box, each.box) for row in rows)
        )
        for index, boxes in looks.items()
    }


def _holds(outer: Box, box: Box) -> bool:
    return area(inside(box, outer)) == area(box)


def _share(boxes: Sequence[TextBox], size: tuple[int, int]) -> float:
    mask = np.zeros(size, bool)
    for left, top, right, bottom in (each.box for each in boxes):
        mask[top:bottom, left:right] = True
    return float(mask.mean())
