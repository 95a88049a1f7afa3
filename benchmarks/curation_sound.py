"""What the stage of sound is worth on real sounds that nothing was trained on, and how often it knows sync.

    python benchmarks/curation_sound.py --packages FOLDER --wheels FOLDER

FOLDER holds unpacked Debian packages (`SOURCES` names their files) and wheels of PyPI (gradio, arcade), as far as they
are there. Each sound is one clip of at most ten seconds; its class is that of the folder it lies in: readings and
prompts are speech, pieces and loops music, animals, machines and games effects. A class counts as said when it has the
largest share of the time.
While the made sounds were designed, every second sound of the older sources was looked at: those are "looked at", all
others "held out", whole sources among them. Sync is asked of drawn bounces with clicks, in sync against the same moved
by 0.4 s and against clicks of another clip. Writes benchmarks/reports/curation_sound_HARDWARE_DATE.md.
"""

import argparse
import datetime
import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import av  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from av.error import FFmpegError  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.clip import Clip, Origin  # noqa: E402
from muybridge.curation.sound.network import CLASSES  # noqa: E402
from muybridge.curation.sound.spectrum import power  # noqa: E402
from muybridge.curation.sound.stage import SOUND_FILE, Sounds  # noqa: E402
from muybridge.curation.sound.sync import sync  # noqa: E402
from muybridge.curation.sound.voice import SileroVoice  # noqa: E402
from muybridge.media.sound import Sound  # noqa: E402
from muybridge.weights.small import accuracy_of  # noqa: E402

MAX_S, MIN_S = 10.0, 0.4
MAX_OF_EACH = 80
RATE_HZ = 22_050
# Class, source, what the path holds, what its name ends with or holds, what it must not hold, whether it was looked at.
SOURCES = (
    ("speech", "tuxpaint, read in English", "stamps/", "_desc.ogg", ("_desc_",), True),
    ("speech", "tuxpaint, read in other tongues", "stamps/", "_desc_", (), True),
    ("effects", "tuxpaint, animals", "stamps/animals", ".ogg", ("_desc",), True),
    ("effects", "tuxpaint, vehicles and home", "stamps/vehicles", ".ogg", ("_desc",), True),
    ("effects", "tuxpaint, vehicles and home", "stamps/household", ".ogg", ("_desc",), True),
    ("effects", "tuxpaint, vehicles and home", "stamps/naturalforces", ".ogg", ("_desc",), True),
    ("music", "tuxpaint, instruments", "stamps/hobbies/music", ".ogg", ("_desc",), True),
    ("speech", "fillets, dialogues", "elk/en/", ".ogg", (), True),
    ("speech", "fillets, dialogues", "warcraft/en/", ".ogg", (), True),
    ("effects", "fillets, keys and machines", "linux/en/", ".ogg", (), True),
    ("effects", "fillets, keys and machines", "keys/en/", ".ogg", (), True),
    ("effects", "fillets, keys and machines", "engine/en/", ".ogg", (), True),
    ("music", "fillets, pieces", "fillets-ng/music", ".ogg", (), True),
    ("music", "sonic-pi, loops", "samples/loop_", ".flac", (), True),
    ("music", "sonic-pi, guitars and basses", "samples/guit_", ".flac", (), True),
    ("music", "sonic-pi, guitars and basses", "samples/bass_", ".flac", (), True),
    ("music", "arcade, pieces", "assets/music/", ".mp3", (), True),
    ("effects", "arcade, games", "assets/sounds/", ".wav", (), True),
    ("music", "gradio", "audio/sax", ".wav", (), True),
    ("music", "gradio", "audio/cantina", ".wav", (), True),
    ("speech", "gradio", "audio/cate_blanch", ".mp3", (), True),
    ("speech", "gradio", "audio/heath_ledger", ".mp3", (), True),
    ("speech", "asterisk, prompts", "en_US_f_Allison/", ".wav", ("silence", "digits", "letters", "phonetic"), False),
    ("music", "extremetuxracer, pieces", "etr/music", ".ogg", (), False),
    ("effects", "extremetuxracer, game", "etr/sounds", ".wav", (), False),
    ("music", "frozen-bubble, pieces", "frozen-bubble/snd/", "zik", (), False),
    ("effects", "frozen-bubble, game", "frozen-bubble/snd/", ".ogg", ("zik",), False),
    ("effects", "pingus, game", "pingus/data/sounds", ".wav", ("yipee", "letsgo", "ohno", "goodidea"), False),
)
PARTS = ("held out", "looked at")


def main() -> int:
    options = parse()
    torch.set_num_threads(1)
    stages = {"our own network": Sounds(), "with --with voice (Silero)": Sounds(voice=SileroVoice())}
    for stage in stages.values():
        stage.prepare()
        stage.setup()
    lines = [
        "# Sound of clips", "", f"`python benchmarks/curation_sound.py` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, one used; torch {torch.__version__}.", "",
        f"F1 on held-out made sounds, as the file says: {accuracy_of(SOUND_FILE)}.", "",
    ]  # fmt: skip
    lines += [*real_sounds(stages, options), *sync_of_bounces(options.clips), *timing(stages)]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"curation_sound_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0


def real_sounds(stages: dict[str, Sounds], options: argparse.Namespace) -> list[str]:
    """Confusion and F1 of the largest share, and each source's own, by both parts."""
    found = [(*each[:3], {name: said(stage, each[3]) for name, stage in stages.items()}) for each in sounds(options)]
    heard = [each for each in found if None not in each[3].values()]
    lines = [
        "## Real sounds, by the class with the largest share",
        "",
        f"Silent and left out: {len(found) - len(heard)}.",
    ]
    for part in PARTS:
        for name in stages:
            lines += [
                "",
                f"### {part}, {name}",
                "",
                *confusion([(row[0], row[3][name]) for row in heard if row[2] == part]),
            ]
    lines += ["", "### By source, share right", "", f"| source | truth | part | sounds | {' | '.join(stages)} |"]
    lines.append("|---|---|---|--:|" + "--:|" * len(stages))
    for source, truth, part in dict.fromkeys((row[1], row[0], row[2]) for row in heard):
        rows = [row[3] for row in heard if (row[1], row[0], row[2]) == (source, truth, part)]
        right = [f"{np.mean([row[name] == truth for row in rows]):.2f}" for name in stages]
        lines.append(f"| {source} | {truth} | {part} | {len(rows)} | {' | '.join(right)} |")
    return [*lines, ""]


def said(stage: Sounds, sound: Sound) -> str | None:
    """The class with the largest share; None for silence."""
    values = stage.measure(clip_of(sound))
    if values["sound_kind"] == "silent":
        return None
    return CLASSES[int(np.argmax([float(str(values[name])) for name in CLASSES]))]


def confusion(pairs: list[tuple[str, str | None]]) -> list[str]:
    """A table of truth and what was said, and F1."""
    counts = np.array([[sum(pair == (true, name) for pair in pairs) for name in CLASSES] for true in CLASSES])
    hits = np.diag(counts)
    f1 = 2 * hits / np.maximum(counts.sum(0) + counts.sum(1), 1)
    rows = [f"| {name} | {' | '.join(map(str, row))} |" for name, row in zip(CLASSES, counts.tolist(), strict=True)]
    listed = ", ".join(f"{name} {value:.2f}" for name, value in zip(CLASSES, f1, strict=True))
    return [f"| truth | {' | '.join(CLASSES)} |", "|---|--:|--:|--:|", *rows, "", f"F1: {listed}; mean {f1.mean():.2f}"]


def sounds(options: argparse.Namespace) -> Iterator[tuple[str, str, str, Sound]]:
    """Class, source, part and sound, at most `MAX_OF_EACH` of a place, evenly over its files."""
    names = sorted(
        str(path)
        for path in (
            Path(place) / name for place, _, files in os.walk(options.packages, followlinks=True) for name in files
        )
        if path.suffix in (".ogg", ".flac", ".wav")
    )
    wheels = {}
    for path in sorted(options.wheels.glob("*.whl")) if options.wheels else ():
        if path.name.startswith(("gradio-", "arcade-")):
            archive = zipfile.ZipFile(path)
            wheels |= {name: archive for name in archive.namelist()}
    for truth, source, place, end, but, was_seen in SOURCES:
        found = [
            name for name in (*names, *wheels) if place in name and end in name and not any(no in name for no in but)
        ]
        for number, name in enumerate(found[:: max(1, -(-len(found) // MAX_OF_EACH))]):
            data = wheels[name].read(name) if name in wheels else Path(name).read_bytes()
            if (sound := read(data)) is not None:
                yield truth, source, PARTS[was_seen and number % 2 == 0], sound


def read(data: bytes) -> Sound | None:
    """The start of a sound file; None where it is too short or no sound."""
    try:
        with av.open(io.BytesIO(data), "r") as source:
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE_HZ)
            chunks, total = [], 0
            for frame in source.decode(audio=0):
                chunks += [part.to_ndarray() for part in resampler.resample(frame)]
                total = sum(chunk.shape[1] for chunk in chunks)
                if total > MAX_S * RATE_HZ:
                    break
    except (FFmpegError, IndexError):
        return None
    if total < MIN_S * RATE_HZ:
        return None
    return Sound(samples=np.clip(np.concatenate(chunks, 1), -1, 1)[:, : int(MAX_S * RATE_HZ)], rate_hz=RATE_HZ)


def clip_of(sound: Sound, frames: np.ndarray | None = None, fps: float = 25.0) -> Clip:
    shown = np.zeros((2, 16, 16, 3), np.uint8) if frames is None else frames
    origin = Origin(id="a", uri="a", width_px=16, height_px=16, fps=fps)
    return Clip(
        id="a",
        origin=origin,
        start_s=0,
        end_s=len(shown) / fps,
        frames=shown,
        fps=fps,
        crop=(0, 0, 16, 16),
        sound=sound,
    )


def bounces(seed: int, *, seconds: float = 5.0, fps: float = 24.0) -> tuple[np.ndarray, np.ndarray]:
    """A ball over a moving ground that bounces now and then, and the times at which it does."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.3, 1.1, 20))
    times = times[times < seconds - 0.1]
    ground = rng.integers(60, 140, (96, 400)).astype(np.uint8)
    ground = np.kron(ground[::8, ::8], np.ones((8, 8), np.uint8))
    frames = np.zeros((round(seconds * fps), 96, 96, 3), np.uint8)
    knots = np.concatenate([[0.0], times, [seconds + 0.5]])
    pan = rng.uniform(0, 30)
    for number, frame in enumerate(frames):
        now = number / fps
        k = int(np.searchsorted(knots, now, "right")) - 1
        part = (now - knots[k]) / (knots[k + 1] - knots[k])
        shift = int(pan * now)
        frame[:] = ground[:, shift : shift + 96, None]
        top = int(72 - 260 * (knots[k + 1] - knots[k]) ** 2 * part * (1 - part))
        left = int(10 + 60 * abs((now * 0.3) % 2 - 1))
        frame[max(top, 0) : max(top, 0) + 16, left : left + 16] = (230, 200, 40)
    return frames, times


def clicks(times: np.ndarray, seed: int, *, seconds: float = 5.0) -> Sound:
    """A blow at each time over faint noise."""
    rng = np.random.default_rng(seed)
    wave = 0.01 * rng.standard_normal(int(seconds * RATE_HZ))
    for time_s in times[(times >= 0) & (times < seconds - 0.05)]:
        size, start = int(0.12 * RATE_HZ), int(time_s * RATE_HZ)
        at = np.arange(size) / RATE_HZ
        blow = (np.sin(2 * np.pi * 300 * at) + rng.standard_normal(size)) * np.exp(-at / 0.02) * rng.uniform(0.2, 0.5)
        wave[start : start + size] += blow[: len(wave) - start]
    return Sound(samples=np.clip(wave, -1, 1)[None].astype(np.float32), rate_hz=RATE_HZ)


def sync_of_bounces(num_clips: int) -> list[str]:
    """AUC of in sync against shifted and against another's clicks."""
    together, late, other = [], [], []
    for seed in range(num_clips):
        frames, times = bounces(seed)
        for values, heard in ((together, times), (late, times + 0.4), (other, bounces(seed + 1000)[1])):
            value = sync(frames, 24.0, power(clicks(heard, seed)))
            values.append(0.5 if value is None else value)
    lines = ["## Sync of bounces and clicks", "", f"{num_clips} clips of 5 s at 24 fps over a moving ground.", ""]
    for name, values in (("0.4 s late", late), ("another clip's clicks", other)):
        auc = np.mean([(a > b) + 0.5 * (a == b) for a in together for b in values])
        lines.append(
            f"- in sync (median {np.median(together):.2f}) against {name} ({np.median(values):.2f}): AUC {auc:.3f}"
        )
    return [*lines, ""]


def timing(stages: dict[str, Sounds]) -> list[str]:
    """Of a clip of 5 s, 256 px, stereo at 48 kHz."""
    rng = np.random.default_rng(0)
    sound = Sound(samples=rng.uniform(-0.2, 0.2, (2, 5 * 48_000)).astype(np.float32), rate_hz=48_000)
    clip = clip_of(sound, rng.integers(0, 255, (120, 256, 448, 3), np.uint8), 24.0)
    lines = ["## Time", "", "Of a clip of 5 s (stereo, 48 kHz; 120 frames of 448x256), one core, median of 9:", ""]
    for name, stage in stages.items():
        spent = []
        for _ in range(9):
            start = time.process_time()
            stage.measure(clip)
            spent.append(1000 * (time.process_time() - start))
        lines.append(f"- {name}: {np.median(spent):.1f} ms")
    return [*lines, ""]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="unpacked Debian packages")
    parser.add_argument("--wheels", type=Path, help="wheels of gradio and arcade")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--no-report", dest="report", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
