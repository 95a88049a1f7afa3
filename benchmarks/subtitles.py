"""Captions planted over films: how many of their pixels the crop removes, what it costs, and what it cuts by mistake.

    python benchmarks/subtitles.py --films FOLDER [FOLDER ...]     # the claims, with the report
    python benchmarks/subtitles.py --films FOLDER --seed 1 --no-report --sheet subtitles.png

Films are natural and animated footage without text in it that nothing here was trained on, in stretches of 3 s at
8 frames a second; every second film is for tuning (odd seeds), the others for the test (even seeds). Truth is the mask
of the pixels that planting changed. A caption can be cropped where a cut of at most 15 % of the area removes all of
it. Scene text is painted on the film before a camera pans over it. Renders of both worlds are more films without text.
With `--cjk FONT` Chinese, Japanese and Korean captions are planted, too. Every frame goes through JPEG at quality 75.
Writes benchmarks/reports/subtitles_HARDWARE_DATE.md, with a font subtitles-cjk_...; exit code 1 where an aim is missed.
"""

import argparse
import datetime
import functools
import io
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import av  # noqa: E402
import numpy as np  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from PIL import Image, ImageDraw, ImageFont  # noqa: E402

from muybridge.core.errors import RunFailed  # noqa: E402
from muybridge.curation.clip import Clip, Origin  # noqa: E402
from muybridge.curation.text.ocr import OcrReader  # noqa: E402
from muybridge.curation.text.reader import TextReader  # noqa: E402
from muybridge.curation.text.strokes import StrokeReader  # noqa: E402
from muybridge.curation.text.subtitles import Subtitles  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.physics.config import PhysicsConfig  # noqa: E402
from muybridge.worlds.physics.world import PhysicsWorld  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld, complete_sprites  # noqa: E402

FILMS = (  # by name, without text: natural, animated, drawn by a computer
    "intro.mpg", "VID_20191220_170832.mp4", "Megamind.avi", "tree.avi", "vtest.avi", "diver.mov", "history2.mkv",
    "play101.mkv", "play103.mkv", "play105.mkv", "play107.mkv", "play108.mkv", "play110.mkv", "play113.mkv",
    "play116.mkv", "play118.mkv", "play119.mkv", "play124.mkv", "win005.mkv", "win129.mkv", "cockatoo.mp4",
    "realshort.mp4", "balle-jbart.mp4", "carphone_pristine.mp4", "cityCC0.mpg", "bikes.mp4",
    "lebiniou-2021-06-10_12-17-47.mp4", "lebiniou-2021-06-10_12-19-53.mp4", "lebiniou-2021-06-10_12-28-28.mp4",
    "lebiniou-2021-06-10_12-34-46.mp4", "lebiniou-2021-06-10_12-32-58.mp4", "lebiniou-2021-06-10_12-23-40.mp4",
)  # fmt: skip
FPS, NUM_FRAMES, START_S, STRIDE_S, MAX_STRETCHES = 8.0, 24, 0.3, 2.0, 3
CUT_LEVELS = 35.0  # mean change between frames: a cut, which a clip never has
JPEG_QUALITY = 75
CHANGED_LEVELS = 6  # a planted pixel differs by more from the film without it
MAX_LOSS, MIN_REMOVED, MAX_FALSE = 0.15, 0.99, 0.02
FONTS = (
    "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSansMono.ttf",
    "dejavu/DejaVuSansCondensed-Oblique.ttf", "liberation/LiberationSans-Regular.ttf",
    "liberation/LiberationSans-Bold.ttf", "liberation/LiberationSerif-Regular.ttf",
    "liberation/LiberationSansNarrow-Regular.ttf",
)  # fmt: skip
FONT_FOLDER = Path("/usr/share/fonts/truetype")
PHRASES = (
    "I never said that to anyone.", "Where are you going so late?", "We have to leave, now!", "- Who is it? - It's me.",
    "The river is higher than last year.", "You were right about him", "Listen.", "[door creaks]", "Nobody came back.",
    "Chapter two: the long winter", "And then, of course, it began to rain again", "Three days later", "Yes, captain!",
    "Das habe ich nie gesagt.", "Où allez-vous si tard ?", "¿Quién te lo ha dicho?", "Não há mais tempo",
)  # fmt: skip
OTHER_SCRIPTS = (
    "Я никогда этого не говорил.", "Куда вы идёте так поздно?", "Πού πηγαίνετε τόσο αργά;", "Δεν γύρισε κανείς.",
    "Ես դա չեմ ասել", "მე ეს არ მითქვამს", "Він повернувся додому",
)  # fmt: skip
CJK = (
    "我从来没有说过这句话。",
    "这么晚了你要去哪里？",
    "三天以后",
    "誰も戻って来なかった。",
    "もう時間がない！",
    "그는 돌아오지 않았다",
)
SIGNS = ("BAKERY", "HOTEL CENTRAL", "Open 24 hours", "PHARMACY", "EXIT", "No parking", "CAFE MILANO", "Books & Maps")
STYLES = ("outline", "shadow", "yellow", "boxed", "two lines", "title", "changing", "karaoke", "lower third", "script")
WITH_FONT = "cjk"  # of the kinds: planted where a font is given
NUM_RENDERS = 6  # of each world


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A clip with text in it, and the pixels that the text changed."""

    kind: str
    film: str
    frames: np.ndarray  # uint8 (t, h, w, 3)
    mask: np.ndarray  # bool (t, h, w)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the stage made of one clip."""

    kind: str
    film: str
    removed: float  # of the planted pixels
    lost: float  # of the area
    needed: float  # of the area, by the best cut
    text_share: float
    seconds: float
    before: np.ndarray
    after: np.ndarray


def stretches(folders: Sequence[Path], *, short_px: int, half: int) -> Iterator[tuple[str, np.ndarray]]:
    """Film names with 3 s of frames each, of every second film."""
    found = {path.name: path for folder in folders for path in sorted(folder.rglob("*")) if path.name in FILMS}
    for name in [name for name in FILMS if name in found][half::2]:
        for frames in itertools.islice(_stretches(found[name], short_px=short_px), MAX_STRETCHES):
            yield name, frames


def _stretches(path: Path, *, short_px: int) -> Iterator[np.ndarray]:
    kept: list[np.ndarray] = []
    next_s = START_S
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is None or frame.time < next_s:
                continue
            scale = short_px / min(frame.width, frame.height)
            width, height = (round(side * scale / 2) * 2 for side in (frame.width, frame.height))
            pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
            is_cut = kept and np.abs(pixels[::4, ::4].astype(np.int16) - kept[-1][::4, ::4]).mean() > CUT_LEVELS
            kept = [pixels] if is_cut else [*kept, pixels]
            next_s = frame.time + 0.9 / FPS
            if len(kept) == NUM_FRAMES:
                yield np.stack(kept)
                next_s, kept = frame.time + STRIDE_S, []


@functools.cache
def font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_FOLDER / name), size_px)


def renders(short_px: int) -> Iterator[tuple[str, np.ndarray]]:
    """Films of both worlds, of scenes that no network was trained on. Raises AssetError, RunFailed without EGL."""
    sprites = SpritesWorld(complete_sprites(size_px=short_px, num_frames=NUM_FRAMES + 1), ensure("fluent-emoji-anim"))
    physics = PhysicsWorld(
        PhysicsConfig(width_px=round(short_px * 4 / 3), height_px=short_px, num_frames=NUM_FRAMES + 1)
    )
    for world, size_px in ((sprites, short_px), (physics, None)):
        made = 0
        for number in itertools.count():
            try:
                frames = world.render(world.scene(number, split="held_out"), size_px=size_px)
            except RunFailed:
                continue  # a few numbers have no scene that passes the world's own test
            yield type(world).__name__, frames[:NUM_FRAMES]
            made += 1
            if made == NUM_RENDERS:
                break


def planted(film: np.ndarray, kind: str, *, name: str, generator: np.random.Generator, cjk: str | None) -> Planted:
    """One film with captions of one kind. cjk: a font of its own."""
    pick = generator.integers
    clean = film
    frames = film.copy()
    size = max(10, round(min(film.shape[1:3]) * float(generator.uniform(0.042, 0.062))))
    face = FONTS[int(pick(5 if kind == "script" else len(FONTS)))]
    words = {"script": OTHER_SCRIPTS, WITH_FONT: CJK}.get(kind, PHRASES)
    if kind == "script":
        face = FONTS[int(pick(2))]
    if kind == WITH_FONT and cjk is not None:
        face = cjk
    first = int(pick(len(words)))
    lines = [words[(first + step) % len(words)] for step in range(4)]
    low = float(generator.uniform(0.02, 0.05))
    for index in range(len(frames)):
        part = index / len(frames)
        picture = Image.fromarray(frames[index])
        if kind in ("changing", "script", WITH_FONT):
            shown = lines[int(part * 4)] if int(part * 8) % 4 != 3 else ""
        elif kind == "lower third":
            shown = lines[0] if 0.15 < part < 0.85 else ""
        else:
            shown = lines[0]
        if shown:
            caption(picture, shown, second=lines[1], kind=kind, face=font(face, size), low=low, part=part)
        frames[index] = np.asarray(picture)
    mask = np.abs(frames.astype(np.int16) - clean).max(-1) > CHANGED_LEVELS
    return Planted(kind=kind, film=name, frames=_compressed(frames), mask=mask)


def caption(
    picture: Image.Image, words: str, *, second: str, kind: str, face: ImageFont.FreeTypeFont, low: float, part: float
) -> None:
    """Draw one caption as `kind` has it; `low` is its distance from the edge in heights."""
    width, height = picture.size
    draw = ImageDraw.Draw(picture, "RGBA")
    high = sum(face.getmetrics())
    words = _fitting(words, face, width * 0.9)
    wide = face.getlength(words)
    left, top = (width - wide) / 2, height * (1 - low) - high
    stroke = max(1, round(face.size / 14))
    white, black = (255, 255, 255, 255), (0, 0, 0, 255)
    if kind == "title":
        draw.text((left, height * low), words, font=face, fill=white, stroke_width=stroke, stroke_fill=black)
    elif kind == "shadow":
        draw.text((left + stroke, top + stroke), words, font=face, fill=(0, 0, 0, 200))
        draw.text((left, top), words, font=face, fill=white)
    elif kind == "yellow":
        draw.text((left, top), words, font=face, fill=(250, 225, 40, 255), stroke_width=stroke, stroke_fill=black)
    elif kind == "boxed":
        draw.rectangle((left - 6, top - 2, left + wide + 6, top + high + 2), fill=(0, 0, 0, 190))
        draw.text((left, top), words, font=face, fill=(240, 240, 240, 255))
    elif kind == "two lines":
        for step, line in enumerate((second, words)):
            line = _fitting(line, face, width * 0.9)
            place = (width - face.getlength(line)) / 2, top - (1 - step) * high
            draw.text(place, line, font=face, fill=white, stroke_width=stroke, stroke_fill=black)
    elif kind == "karaoke":
        draw.text((left, top), words, font=face, fill=white, stroke_width=stroke, stroke_fill=black)
        sung = words[: round(part * len(words))]
        draw.text((left, top), sung, font=face, fill=(255, 90, 90, 255), stroke_width=stroke, stroke_fill=black)
    elif kind == "lower third":
        left = width * 0.06
        draw.rectangle((left - 8, top - 3, left + wide + 10, top + high + 2), fill=(20, 60, 150, 225))
        draw.text((left, top), words, font=face, fill=white)
    else:
        draw.text((left, top), words, font=face, fill=white, stroke_width=stroke, stroke_fill=black)


def _fitting(words: str, face: ImageFont.FreeTypeFont, width_px: float) -> str:
    while face.getlength(words) > width_px and " " in words:
        words = words.rsplit(" ", 1)[0]
    return words


def _compressed(frames: np.ndarray) -> np.ndarray:
    made = np.empty_like(frames)
    for index, frame in enumerate(frames):
        store = io.BytesIO()
        Image.fromarray(frame).save(store, "JPEG", quality=JPEG_QUALITY)
        made[index] = np.asarray(Image.open(store))
    return made


def with_sign(film: np.ndarray, *, name: str, generator: np.random.Generator, is_panned: bool) -> Planted:
    """A sign painted on the first frame's picture, over which a window of 80 % of the sides goes, or rests."""
    pick = generator.integers
    height, width = film.shape[1:3]
    high, wide = round(height * 0.4) * 2, round(width * 0.4) * 2
    size = max(9, round(high * float(generator.uniform(0.05, 0.09))))
    words, face = SIGNS[int(pick(len(SIGNS)))], font(FONTS[int(pick(len(FONTS)))], size)
    length = face.getlength(words)
    x = float(generator.uniform((width - wide) / 2, max((width - wide) / 2 + 1, (width + wide) / 2 - length)))
    y = (height - high) / 2 + high * float(generator.choice([0.03, 0.84]))
    colours = (((235, 230, 215), (120, 20, 25)), ((30, 30, 35), (190, 185, 170)), ((240, 220, 90), (30, 70, 40)))
    ink, ground = colours[int(pick(len(colours)))]
    speed = float(generator.uniform(0.15, 0.5)) * (width - wide) / 2 / len(film) if is_panned else 0.0
    angle = float(generator.uniform(0, 2 * np.pi))
    frames, masks = [], []
    for index, frame in enumerate(film):
        picture = Image.fromarray(frame)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((x - 4, y - 3, x + length + 4, y + sum(face.getmetrics()) + 1), fill=ground)
        draw.text((x, y), words, font=face, fill=ink)
        step = speed * 3 * (index - len(film) / 2)
        left = int(np.clip((width - wide) / 2 + step * np.cos(angle), 0, width - wide))
        top = int(np.clip((height - high) / 2 + step * np.sin(angle), 0, height - high))
        made = np.asarray(picture)
        window = slice(top, top + high), slice(left, left + wide)
        frames.append(made[window])
        masks.append((np.abs(made.astype(np.int16) - frame).max(-1) > CHANGED_LEVELS)[window])
    kind = "sign, camera pans" if is_panned else "sign, camera rests"
    return Planted(kind=kind, film=name, frames=_compressed(np.stack(frames)), mask=np.stack(masks))


def needed(mask: np.ndarray) -> float:
    """The share of the area that one cut at the best side takes to remove every planted pixel."""
    flat = mask.any(0)
    if not flat.any():
        return 0.0
    rows, columns = np.nonzero(flat.any(1))[0], np.nonzero(flat.any(0))[0]
    height, width = flat.shape
    return min((rows[-1] + 1) / height, 1 - rows[0] / height, (columns[-1] + 1) / width, 1 - columns[0] / width)


def outcome(stage: Subtitles, case: Planted) -> Outcome:
    """Run the stage on one clip."""
    height, width = case.frames.shape[1:3]
    origin = Origin(id="x", uri=case.film, width_px=width, height_px=height, fps=FPS)
    clip = Clip(
        id="x", origin=origin, start_s=0, end_s=len(case.frames) / FPS, frames=case.frames, fps=FPS,
        crop=(0, 0, width, height),
    )  # fmt: skip
    start = time.process_time()
    done = stage.process(clip)
    seconds = time.process_time() - start
    left, top, right, bottom = done.crop
    still = case.mask[:, top:bottom, left:right].sum()
    shown = case.frames[len(case.frames) // 2].copy()
    shown[:top] = shown[bottom:] = shown[:, :left] = shown[:, right:] = (255, 0, 255)
    share, text = done.values["subtitle_share"], done.values["text_share"]
    assert isinstance(share, float) and isinstance(text, float)
    total = int(case.mask.sum())
    return Outcome(
        kind=case.kind, film=case.film, removed=1 - float(still) / total if total else 1.0, lost=share,
        needed=needed(case.mask), text_share=text, seconds=seconds,
        before=case.frames[len(case.frames) // 2], after=shown,
    )  # fmt: skip


def cases(films: Sequence[tuple[str, np.ndarray]], *, seed: int, num_each: int, cjk: str | None) -> Iterator[Planted]:
    """Captions of every kind, signs, and the films as they are."""
    generator = np.random.default_rng([71, seed])
    order = itertools.cycle(generator.permutation(len(films)))
    for kind in STYLES if cjk is None else (*STYLES, WITH_FONT):
        for name, film in (films[next(order)] for _ in range(num_each)):
            yield planted(film, kind, name=name, generator=generator, cjk=cjk)
    for is_panned in (True, False):
        for name, film in (films[next(order)] for _ in range(num_each)):
            yield with_sign(film, name=name, generator=generator, is_panned=is_panned)
    for name, film in films:
        yield Planted(kind="no text", film=name, frames=_compressed(film), mask=np.zeros(film.shape[:3], bool))


def measured(
    reader: TextReader, films: Sequence[tuple[str, np.ndarray]], *, seed: int, num_each: int, cjk: str | None
) -> list[Outcome]:
    """The stage with one reader over all cases."""
    reader.prepare()
    reader.setup()
    stage = Subtitles(reader=reader, max_loss=MAX_LOSS, is_read=False)
    return [outcome(stage, case) for case in cases(films, seed=seed, num_each=num_each, cjk=cjk)]


def rows(found: Sequence[Outcome]) -> list[str]:
    """A row of the table for each kind."""
    lines = []
    for kind in dict.fromkeys(each.kind for each in found):
        of_kind = [each for each in found if each.kind == kind]
        can = [each for each in of_kind if 0 < each.needed <= MAX_LOSS]
        removed = (
            f"{np.mean([each.removed for each in can]):.2%} | {sum(is_clean(each) for each in can)}" if can else "| "
        )
        is_cut = kind in (*STYLES, WITH_FONT)
        lines.append(
            f"| {kind} | {len(of_kind)} | {len(can) if is_cut else ''} | {removed if is_cut else '| '} "
            f"| {np.mean([each.lost for each in of_kind]):.1%} | {sum(each.lost > 0 for each in of_kind)} "
            f"| {np.mean([each.text_share for each in of_kind]):.2%} |"
        )
    return lines


def is_clean(each: Outcome) -> bool:
    """Whether at least 99 % of the planted pixels are gone at a loss of at most 15 %."""
    return each.removed >= MIN_REMOVED and each.lost <= MAX_LOSS


def aims(found: Sequence[Outcome]) -> tuple[float, float, float]:
    """Planted pixels removed where a crop can, clips without text that were cut, clips with scene text that were."""
    can = [each for each in found if each.kind in (*STYLES, WITH_FONT) and each.needed <= MAX_LOSS]
    none = [each.lost > 0 for each in found if each.kind == "no text"]
    signs = [each.lost > 0 for each in found if each.kind == "sign, camera pans"]
    return float(np.mean([each.removed for each in can])), float(np.mean(none)), float(np.mean(signs))


def part(title: str, found: Sequence[Outcome]) -> list[str]:
    """What one reader reached at one size."""
    removed, false, signs = aims(found)
    can = [each for each in found if each.kind in (*STYLES, WITH_FONT) and each.needed <= MAX_LOSS]
    milliseconds = 1000 * np.array([each.seconds for each in found])
    return [
        f"## {title}",
        "",
        f"Of the planted pixels {removed:.2%} are gone where a crop of at most {MAX_LOSS:.0%} can take them; "
        f"{sum(is_clean(each) for each in can)} of {len(can)} clips lose {MIN_REMOVED:.0%} or more of them, at "
        f"{np.mean([each.lost for each in can]):.1%} of the area on average, {max(each.lost for each in can):.1%} at "
        f"most. Cut by mistake: {false:.1%} of the clips without text, {signs:.1%} of those with a sign in the scene. "
        f"{np.median(milliseconds):.0f} ms of one core for a clip (median), {milliseconds.max():.0f} ms at most.",
        "",
        "| planted | clips | can be cropped | pixels removed | clips with >= 99 % | area lost | cut | text left |",
        "|---|---|---|---|---|---|---|---|",
        *rows(found),
        "",
    ]


def draw(found: Sequence[Outcome], path: Path) -> None:
    """The middle frame of one clip of each kind before, and after with what was cut in magenta."""
    tiles = []
    for kind in dict.fromkeys(each.kind for each in found):
        for each in [each for each in found if each.kind == kind][:2]:
            both = Image.fromarray(np.concatenate([each.before, each.after], axis=1))
            tiles.append(np.asarray(both.resize((640, 224))))
    tiles += [np.zeros_like(tiles[0])] * (len(tiles) % 2)
    pairs = [np.concatenate(tiles[index : index + 2], axis=1) for index in range(0, len(tiles), 2)]
    Image.fromarray(np.concatenate(pairs)).save(path)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="folders with the films")
    parser.add_argument("--seed", type=int, default=0, help="odd: the films for tuning")
    parser.add_argument("--each", type=int, default=8, help="clips of every kind")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 540], help="short sides in pixels")
    parser.add_argument("--cjk", default=None, help="a font with Chinese, Japanese and Korean")
    parser.add_argument("--renders", action=argparse.BooleanOptionalAction, default=True, help="the worlds, too")
    parser.add_argument("--sheet", type=Path, default=None, help="also write before and after as a picture")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def main() -> int:
    options = parse()
    today = datetime.date.today()
    lines = [
        "# Captions that are cropped away",
        "",
        f"`python benchmarks/subtitles.py --films FOLDER --seed {options.seed} --each {options.each}` "
        f"at commit {commit()}, {today}.",
        f"{processor()}, one thread. Clips of 3 s, {NUM_FRAMES} frames, JPEG at quality {JPEG_QUALITY}; text is looked "
        "for in 3 frames, and in 4 more where something was cut.",
        "",
    ]
    is_met = True
    for size in options.sizes:
        films = list(stretches(options.films, short_px=size, half=options.seed % 2))
        if options.renders:
            films += renders(size)
        num_each = options.each if size <= 256 else max(2, options.each // 4)
        for title, reader in (("PP-OCR", OcrReader()), ("Strokes, no network", StrokeReader())):
            found = measured(reader, films, seed=options.seed, num_each=num_each, cjk=options.cjk)
            lines += part(f"{title}, {size} px", found)
            removed, false, signs = aims(found)
            is_met &= title != "PP-OCR" or (removed >= MIN_REMOVED and max(false, signs) <= MAX_FALSE)
            if options.sheet is not None:
                draw(found, options.sheet.with_stem(f"{options.sheet.stem}_{title.split(',')[0]}_{size}"))
    print("\n".join(lines))
    if options.report:
        name = "subtitles" if options.cjk is None else "subtitles-cjk"
        path = ROOT / "benchmarks" / "reports" / f"{name}_{hardware()}_{today}.md"
        path.write_text("\n".join(lines))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
