"""Eight small films of different sizes, lengths, steps and guidance: by passes that they share, and one by one.

    python benchmarks/packing.py                         # gallop: the claim
    python benchmarks/packing.py --released 1024 2+4     # random weights of the released shape at another width
    python benchmarks/packing.py --sizes                 # where sharing gains: films alike, of more and more tokens

Ours packed, ours one by one and diffusers' transformer one by one take turns, on the same weights, texts and noise. The
peer is given texts without padding, which is its best; its own pipeline pads them to 256 tokens, a row of its own. What
is timed is the sampling, from noise to latents. Equality is checked in the same run: packed against one by one, and
against the peer. Writes benchmarks/reports/packing_HARDWARE_DATE.md; exit code 1 below the target.
"""

import argparse
import datetime
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from torch import Tensor  # noqa: E402

import muybridge  # noqa: E402
from muybridge.core.seeding import noise  # noqa: E402
from muybridge.core.shapes import latent_shape, token_grid  # noqa: E402
from muybridge.flow.guidance import classifier_free  # noqa: E402
from muybridge.flow.samplers import Velocity, euler  # noqa: E402
from muybridge.flow.timesteps import inference_sigmas  # noqa: E402
from muybridge.pipelines.batches import MOST_PACKED_TOKENS, MOST_TOKENS  # noqa: E402
from muybridge.pipelines.denoise import Means, Plan, Prompts, conditions_of, denoise  # noqa: E402
from muybridge.pipelines.loras import LoraShelf  # noqa: E402
from muybridge.pipelines.together import Seat, Together  # noqa: E402
from muybridge.text.encoder import HashEncoder, TextStates  # noqa: E402
from muybridge.transformer import Conditions, Transformer, TransformerConfig  # noqa: E402
from tests.parity.peer_transformer import peer_of, peer_velocity  # noqa: E402

TARGET = 1.3  # times the throughput of diffusers one by one
LARGEST_ERROR = 1e-5  # packed against one by one
PEER_ERROR = 1e-3  # of a whole run, over the standard deviation
PADDED_TOKENS = 256  # of diffusers' pipeline
NEGATIVE = "blurred"
ALIKE = 4  # films of one size, in --sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """One of the mixed requests."""

    prompt: str
    width: int
    height: int
    num_frames: int
    num_steps: int
    seed: int
    cfg: float = 1.0

    @property
    def grid(self) -> tuple[int, int, int, int]:
        """(c, t, h, w) of the latents."""
        return latent_shape(self.num_frames, self.height, self.width, channels=16)

    @property
    def num_tokens(self) -> int:
        """Visual ones."""
        t, h, w = token_grid(self.grid[1:], (1, 2, 2))
        return t * h * w

    @property
    def pass_tokens(self) -> int:
        """Both halves of guidance."""
        return self.num_tokens * (1 if self.cfg == 1 else 2)


FILMS = tuple(
    Film(prompt=prompt, width=width, height=height, num_frames=frames, num_steps=steps, seed=seed, cfg=cfg)
    for seed, (prompt, width, height, frames, steps, cfg) in enumerate(
        (
            ("a brown horse gallops to the right over green grass", 128, 128, 17, 6, 3.0),
            ("a red car drives to the left", 96, 64, 33, 8, 3.0),
            ("a picture of a penguin", 160, 160, 1, 12, 1.0),
            ("a whale swims", 64, 64, 9, 10, 1.0),
            ("a ball bounces on a wooden floor", 64, 96, 5, 8, 3.0),
            ("a rocket", 160, 96, 1, 10, 2.0),
            ("a cat walks to the left over sand", 96, 96, 13, 6, 1.0),
            ("a turtle", 80, 112, 9, 8, 1.0),
        )
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """One network, ours and the peer's, and the texts."""

    model: Transformer
    texts: dict[str, TextStates]
    guidance: float | None

    def plan(self, film: Film) -> Plan:
        """How a film is sampled."""
        return Plan(num_steps=film.num_steps, shift=7.0, sampler="euler", guidance=self.guidance, cfg=film.cfg)

    def alone(self, film: Film, seat: Seat | None = None) -> Tensor:
        """A film by itself, or from its seat among others."""
        negative = None if film.cfg == 1 else self.texts[NEGATIVE]
        prompts = Prompts(positive=self.texts[film.prompt], negative=negative)
        means = Means() if seat is None else Means(prepare=seat.prepared)
        return denoise(self.model, prompts, plan=self.plan(film), seeds=[film.seed], shape=film.grid, means=means)

    def one_by_one(self, films: Sequence[Film]) -> list[Tensor]:
        """Ours, each by itself."""
        return [self.alone(film) for film in films]

    def shared(self, films: Sequence[Film]) -> list[Tensor]:
        """Ours as the pipeline makes them on a CPU: small neighbours by passes that they share, the others alone."""
        made: list[Tensor] = []
        for is_small, neighbours in groupby(films, key=lambda film: film.num_tokens <= MOST_TOKENS["cpu"]):
            own = list(neighbours)
            made += self.packed(own, most_tokens=MOST_PACKED_TOKENS["cpu"]) if is_small else self.one_by_one(own)
        return made

    def packed(self, films: Sequence[Film], *, most_tokens: float = math.inf) -> list[Tensor]:
        """Ours, by passes that they share, of so many visual tokens at most."""

        def has_room(sizes: Sequence[int]) -> bool:
            return sum(sizes) <= most_tokens

        with Together(self.model, loras=LoraShelf(self.model), has_room=has_room) as together:
            made = [together.add(partial(self.alone, film), size=film.pass_tokens) for film in films]
            return [together.wait(film) for film in made]

    def peers(self, peer: torch.nn.Module, films: Sequence[Film], *, padded_to: int | None) -> list[Tensor]:
        """diffusers' transformer under the same sampler, each film by itself."""

        def velocity(text: TextStates) -> Velocity:
            given = _padded(conditions_of(self.model, text, guidance=self.guidance), padded_to)
            return lambda x, sigma: peer_velocity(peer, x, sigma=sigma, conditions=given)

        made = []
        for film in films:
            run = velocity(self.texts[film.prompt])
            if film.cfg != 1:
                run = classifier_free(run, velocity(self.texts[NEGATIVE]), film.cfg)
            made.append(euler(run, noise([film.seed], film.grid), inference_sigmas(film.num_steps, shift=7.0)))
        return made


def main() -> int:
    options = parse()
    torch.set_num_threads(options.threads)
    bench = gallop() if options.released is None else released(*options.released)
    if options.sizes:
        print("\n".join(sizes(bench)))
        return 0
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines, holds = compared(bench, options)
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"packing_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--released", nargs=2, metavar=("WIDTH", "BLOCKS"), help="such as 1024 2+4")
    parser.add_argument("--sizes", action="store_true", help="where sharing gains; no peer, no report")
    parser.add_argument("--repeats", type=int, default=4, help="turns of each; the least time counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def gallop() -> Bench:
    """The shipped weights."""
    components = muybridge.load("gallop", device="cpu").components
    prompts = [NEGATIVE, *(film.prompt for film in FILMS)]
    texts = {prompt: components.text.encode([prompt], num_frames=2) for prompt in prompts}
    return Bench(model=components.transformer, texts=texts, guidance=components.defaults.guidance)


def released(width: str, blocks: str) -> Bench:
    """Random weights, heads of 128 channels."""
    double, single = map(int, blocks.split("+"))
    config = replace(
        TransformerConfig(), hidden_size=int(width), num_heads=int(width) // 128, num_double_blocks=double,
        num_single_blocks=single,
    )  # fmt: skip
    model, generator = Transformer(config).eval().requires_grad_(False), torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.02
        parameter.normal_(0, scale, generator=generator)
    encoder = HashEncoder(text_dim=config.text_dim, pooled_dim=config.pooled_dim)
    prompts = [NEGATIVE, *(film.prompt for film in FILMS)]
    return Bench(model=model, texts={p: encoder.encode([p], num_frames=2) for p in prompts}, guidance=6.0)


def compared(bench: Bench, options: argparse.Namespace) -> tuple[list[str], bool]:
    """The report, and whether all that it promises holds."""
    peer = peer_of(bench.model)
    ways: dict[str, Callable[[], list[Tensor]]] = {
        "ours, packed as the pipeline does": lambda: bench.shared(FILMS),
        "ours, one by one": lambda: bench.one_by_one(FILMS),
        "diffusers, one by one": lambda: bench.peers(peer, FILMS, padded_to=None),
        "diffusers, one by one, texts padded as its pipeline does": lambda: bench.peers(
            peer, FILMS, padded_to=PADDED_TOKENS
        ),
    }
    seconds, outputs = in_turns(ways, repeats=options.repeats)
    packed, alone, peers, _ = outputs.values()
    pairs = list(zip(packed, alone, strict=True))
    error = max(float((a - b).abs().max()) for a, b in pairs)
    num_equal = sum(torch.equal(a, b) for a, b in pairs)
    peer_error = max(float((a - b).abs().max() / b.std()) for a, b in zip(packed, peers, strict=True))
    best = next(iter(seconds.values()))
    ratio = seconds["diffusers, one by one"] / best
    holds = ratio >= TARGET and error <= LARGEST_ERROR and peer_error <= PEER_ERROR
    name = "gallop" if options.released is None else f"released shape, {' '.join(options.released)}"
    lines = [
        "# Eight small films of different sizes at once",
        "",
        f"`python benchmarks/packing.py {' '.join(sys.argv[1:])}`".replace(" `", "`")
        + f" at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        f"{name}, {bench.model.dtype} on the CPU, Euler; the least of {options.repeats} turns. Films: "
        + ", ".join(
            f"{f.width}x{f.height} {f.num_frames} frames {f.num_steps} steps"
            + (f" cfg {f.cfg:g}" if f.cfg != 1 else "")
            for f in FILMS
        )
        + ".",
        "",
        "| | seconds for all | of the first |",
        "|---|---|---|",
        *(f"| {way} | {spent:.2f} | {spent / best:.2f} |" for way, spent in seconds.items()),
        "",
        f"Throughput against diffusers one by one: **{ratio:.2f}** (target {TARGET}). Packed against one by one: "
        f"largest difference {error:.1e} (target {LARGEST_ERROR:.0e}), {num_equal} of {len(pairs)} films equal to the "
        f"bit; against diffusers {peer_error:.1e} of the standard deviation. {'Holds' if holds else 'FAILS'}.",
        "",
        *sizes(bench),
    ]
    return lines, holds


def sizes(bench: Bench) -> list[str]:
    """Films alike, of more and more tokens: what sharing gains."""
    lines = [f"| tokens of a film | {ALIKE} one by one, s | packed, s | gain |", "|---|---|---|---|"]
    for width, height, frames in (
        (64, 64, 5),
        (96, 96, 9),
        (128, 128, 9),
        (128, 128, 17),
        (160, 128, 33),
        (192, 192, 33),
    ):
        films = [
            Film(prompt=FILMS[i].prompt, width=width, height=height, num_frames=frames, num_steps=3, seed=i)
            for i in range(ALIKE)
        ]
        ways = {"alone": lambda films=films: bench.one_by_one(films), "packed": lambda films=films: bench.packed(films)}
        seconds, _ = in_turns(ways, repeats=2)
        gain = seconds["alone"] / seconds["packed"]
        lines.append(f"| {films[0].num_tokens} | {seconds['alone']:.2f} | {seconds['packed']:.2f} | {gain:.2f} |")
    return lines


def in_turns(
    ways: dict[str, Callable[[], list[Tensor]]], *, repeats: int
) -> tuple[dict[str, float], dict[str, list[Tensor]]]:
    """The least time of each way, and what it made last."""
    seconds, outputs = dict.fromkeys(ways, float("inf")), {}
    for _ in range(repeats):
        for name, make in ways.items():
            started = time.perf_counter()
            outputs[name] = make()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds, outputs


def _padded(given: Conditions, length: int | None) -> Conditions:
    num = given.text.shape[1]
    if length is None or num >= length:
        return replace(given, text_mask=torch.ones(1, num))
    text = torch.nn.functional.pad(given.text, (0, 0, 0, length - num))
    return replace(given, text=text, text_mask=(torch.arange(length) < num)[None].float())


if __name__ == "__main__":
    sys.exit(main())
