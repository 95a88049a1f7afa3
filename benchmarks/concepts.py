"""Concepts: how fast clips are grouped, whether the groups mean something, and how even sampling becomes.

    python benchmarks/concepts.py                       # 200,000 vectors; --rows 1000000 for the claim, 3 GiB
    python benchmarks/concepts.py --rows 20000 --clips 100 --no-report

Speed is measured on vectors drawn around centres whose sizes fall as in Zipf's law. Meaning is measured on clips of six
subjects: whether clips of a concept show the same subject, and what the concepts are called by the text tower. The
subjects are drawn as unevenly as footage is, and balanced.
Writes benchmarks/reports/concepts_HARDWARE_DATE.md; exit code 1 above or below a target.
"""

import argparse
import datetime
import os
import platform
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from planted import CAST  # noqa: E402

from muybridge.curation.similarity.balance import balance  # noqa: E402
from muybridge.curation.similarity.captions import CaptionEmbedder  # noqa: E402
from muybridge.curation.similarity.concepts import Concepts, cluster, num_concepts  # noqa: E402
from muybridge.curation.similarity.embedding import WEIGHTS  # noqa: E402
from muybridge.curation.similarity.names import name_concepts  # noqa: E402
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig, prepared  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.weights.small import accuracy_of, load_small  # noqa: E402
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld  # noqa: E402

DIM, MILLION_S, EVEN = 256, 300.0, 0.95
SHARES = (0.45, 0.25, 0.14, 0.08, 0.05, 0.03)


def main() -> int:
    options = parse()
    torch.set_num_threads(1)
    seconds, found, evenness = speed(options.rows)
    drawn = balance(found.concept)
    lines = [
        "# Concepts: speed, meaning, balance",
        "",
        f"`python {' '.join(['benchmarks/concepts.py', *sys.argv[1:]])}` at commit {commit()}, "
        f"{datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, one thread; torch {torch.__version__}, "
        f"Python {platform.python_version()}.",
        "",
        f"**{options.rows:,} vectors of {DIM} numbers into {len(found.centres):,} concepts in {seconds:.0f} s**; a "
        f"million is to take at most {MILLION_S:.0f} s. Mean cosine to the centre {evenness[0]:.3f}, to the nearest "
        f"centre of all {evenness[1]:.3f} (of 2,000 rows). Their largest concept has {found.counts.max():,} of them, "
        f"the smallest {found.counts.min()}; entropy {drawn.entropy_before:.3f} of the largest that there could be, "
        f"{drawn.entropy_after:.3f} after balancing (power {drawn.power:.2f}).",
        "",
        *meaning(options.clips),
    ]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"concepts_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if seconds <= MILLION_S * options.rows / 1e6 else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--clips", type=int, default=400, help="clips of six subjects")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def speed(num_rows: int) -> tuple[float, Concepts, tuple[float, float]]:
    """Seconds, the concepts, and the mean cosines to a row's own centre and to the nearest of all."""
    draw = torch.Generator().manual_seed(0)
    count = num_concepts(num_rows)
    centres = torch.nn.functional.normalize(torch.randn(count, DIM, generator=draw), dim=1)
    sizes = 1 / torch.arange(1, count + 1)
    which = torch.multinomial(sizes, num_rows, replacement=True, generator=draw)
    rows = (centres[which] + 0.06 * torch.randn(num_rows, DIM, generator=draw)).numpy()
    ids = [f"{number:08d}" for number in range(num_rows)]
    started = time.perf_counter()
    found = cluster(ids, rows)
    seconds = time.perf_counter() - started
    some = rows[:2000] / np.linalg.norm(rows[:2000], axis=1, keepdims=True)
    own = float((some * found.centres[found.concept[:2000]]).sum(1).mean())
    return seconds, found, (own, float((some @ found.centres.T).max(1).mean()))


def meaning(num_clips: int) -> list[str]:
    """What concepts of clips of six subjects say of these."""
    if not WEIGHTS.exists():
        return []
    subjects, vectors = clips(num_clips)
    found = cluster([f"{number:05d}" for number in range(len(subjects))], vectors)
    named = CaptionEmbedder(WEIGHTS, ensure("smollm2-135m-instruct"))
    names = name_concepts(found.centres, CAST, named.embed_names(CAST))
    inside = [Counter(subjects[found.concept == number]) for number in range(len(found.centres))]
    pure = sum(max(each.values()) for each in inside) / len(subjects)
    called = sum(each[name] for each, (name,) in zip(inside, names, strict=True)) / len(subjects)
    balanced = balance(found.concept)
    before = Counter(subjects.tolist())
    return [
        f"Retrieval among {250} held-out clips, as the file says: "
        + ", ".join(f"{name} {value:.2f}" for name, value in accuracy_of(WEIGHTS).items()) + ".",
        f"{len(subjects)} clips of six subjects (places, styles and movements of all kinds) in {len(found.centres)} "
        f"concepts: {pure:.0%} of the clips show their concept's commonest subject, {called:.0%} the one that the "
        f"concept is named after ({max(before.values()) / len(subjects):.0%} by always naming the commonest).",
        f"Balancing: entropy of concepts {balanced.entropy_before:.3f} of the largest before, "
        f"**{balanced.entropy_after:.3f} after** (power {balanced.power:.2f}); it is to be at least {EVEN}.",
    ]  # fmt: skip


def clips(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(subjects, vectors) of clips of combinations that were never trained on."""
    network, drawings = load_small(WEIGHTS, VideoClipConfig, VideoClip), ensure("fluent-emoji-anim")
    subjects, vectors = [], []
    for name, share in zip(CAST, SHARES, strict=True):
        world = SpritesWorld(SpritesConfig(edition="staged", subjects=(name,), max_subjects=1, seed=2), drawings)
        for index in range(round(share * count)):
            frames = world.render(world.scene(index, split="held_out"), size_px=64, num_frames=17)
            with torch.inference_mode():
                vectors.append(network.visual(prepared(frames, network.config)[None])[0].numpy())
            subjects.append(name)
    return np.array(subjects), np.stack(vectors)


if __name__ == "__main__":
    sys.exit(main())
