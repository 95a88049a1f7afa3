"""The language model of the text encoder with its layers in memory and on the disk: memory, time, the same states.

    python benchmarks/text.py --folder /data/llama               # 8 of the 32 layers, 4.5 GB of disk, a minute
    python benchmarks/text.py --folder /data/llama32 --layers 32  # all of it, 15 GB

Writes random bfloat16 of Llama-3-8B's widths into the folder once, and keeps it. Each way encodes one prompt in a
process of its own, in turns, the file out of the page cache; the least of the tries counts. A dated report goes to
benchmarks/reports. Exit code 1 where states differ or a peak is over what was predicted.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import torch  # noqa: E402
from children import measured  # noqa: E402
from machine import commit, hardware, processor  # noqa: E402
from random_release import random_file  # noqa: E402

from muybridge.acceleration import footprint  # noqa: E402
from muybridge.acceleration.facts import Model  # noqa: E402
from muybridge.acceleration.settings import RunSettings  # noqa: E402
from muybridge.pipelines.planning import text_facts  # noqa: E402
from muybridge.pipelines.text_sources import released_text  # noqa: E402
from muybridge.text.config import LanguageConfig  # noqa: E402
from muybridge.transformer import TransformerConfig  # noqa: E402
from muybridge.vae import VAEConfig  # noqa: E402
from muybridge.weights.text_encoders import TextPlaces  # noqa: E402
from tests.text import tiny  # noqa: E402

GIB = 2**30
WAYS = ("device", "disk")
PROMPT = "a brown horse gallops over green grass while the camera follows it from the left, "
MAX_OVER_PREDICTED = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What a child says of itself. encode_s: from nothing loaded to the states; again_s: of a second prompt."""

    encode_s: float
    again_s: float
    peak_bytes: int
    states: str


def main() -> int:
    """Make what is missing, measure, report."""
    options = parse()
    places = places_in(options.folder, options.layers)
    if options.child:
        print(json.dumps(asdict(child(places, options.child))))
        return 0
    best: dict[str, Figures] = {}
    for _ in range(options.tries):
        for way in WAYS:
            forget(places)
            command = [sys.executable, __file__, "--folder", str(options.folder), "--layers", str(options.layers)]
            found = Figures(**json.loads(measured([*command, "--child", way]).out.splitlines()[-1]))
            best[way] = min(best.get(way, found), found, key=lambda figures: figures.encode_s)
    text, holds = report(best, places, options)
    print(text)
    if options.report:
        (ROOT / "benchmarks" / "reports" / f"text_{hardware()}_{date.today()}.md").write_text(text)
    return 0 if holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the encoders are, or are written")
    parser.add_argument("--layers", type=int, default=8, help="of the language model; two of them never compute")
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args()


def places_in(folder: Path, num_layers: int) -> TextPlaces:
    """The released language model's widths in one file, beside a tiny pooled encoder and tiny tokenizers."""
    language, pooled = folder / "text_encoder", folder / "text_encoder_2"
    if not pooled.exists():
        tiny.language_tokenizer().save_pretrained(language)
        tiny.clip_tokenizer().save_pretrained(folder / "tokenizer_2")
        tiny.clip_model().save_pretrained(pooled)
    random_file(language / "model.safetensors", LanguageConfig(num_layers=num_layers).shapes())
    return TextPlaces(language=language, pooled=pooled)


def forget(places: TextPlaces) -> None:
    """Let the system drop the files from its page cache."""
    for file in places.files():
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def child(places: TextPlaces, way: str) -> Figures:
    """Two prompts one way."""
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    encoder = released_text(places, dtype=torch.bfloat16, device=torch.device("cpu"), is_streamed=way == "disk")
    first = encoder.encode([PROMPT], num_frames=2).states
    encode_s = time.perf_counter() - started
    started = time.perf_counter()
    encoder.encode([PROMPT + "slowly"], num_frames=2)
    again_s = time.perf_counter() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    digest = hashlib.sha256(first.float().numpy().tobytes()).hexdigest()
    return Figures(encode_s=encode_s, again_s=again_s, peak_bytes=peak, states=digest)


def predicted(places: TextPlaces, way: str) -> int:
    """As the planner counts a processor's memory while a prompt is encoded."""
    facts = text_facts(*places.configs())
    model = Model(name="text", transformer=TransformerConfig(), vae=VAEConfig(), text=facts)
    settings = RunSettings(dtype="bfloat16", text_weights=way)
    stays = footprint.text_resident_bytes(model, settings, kind="cpu")
    return footprint.LIBRARY_BYTES["cpu"] + stays + footprint.text_lane_bytes(model, settings)


def report(best: dict[str, Figures], places: TextPlaces, options: argparse.Namespace) -> tuple[str, bool]:
    """The report, and whether the states are the same and no peak is over what was predicted."""
    is_same = len({figures.states for figures in best.values()}) == 1
    expected = {way: predicted(places, way) for way in best}
    holds = is_same and all(f.peak_bytes <= MAX_OVER_PREDICTED * expected[way] for way, f in best.items())
    rows = [
        f"| {way} | {f.encode_s:.1f} | {f.again_s:.1f} | {f.peak_bytes / GIB:.2f} | {expected[way] / GIB:.2f} |"
        for way, f in best.items()
    ]
    size = sum(file.stat().st_size for file in places.files())
    lines = [
        "# Text encoding with the language model's layers in memory and on the disk",
        "",
        f"{date.today()}, {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, commit {commit()}, "
        f"torch {torch.__version__}. Llama-3-8B's widths, {options.layers} layers of which {options.layers - 2} "
        f"compute, random bfloat16, {size / 1e9:.2f} GB. Least of {options.tries} tries, taking turns.",
        "",
        "| layers wait on | first prompt, with loading, s | second prompt, s | peak GiB | predicted GiB |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"States {'are the same, bit for bit' if is_same else 'DIFFER'}; {'holds' if holds else 'FAILS'}.",
    ]
    return "\n".join(lines) + "\n", holds


if __name__ == "__main__":
    sys.exit(main())
