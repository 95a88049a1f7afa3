"""What the controls of the text do on `gallop`, beside other ways of doing the same.

    python benchmarks/text_control.py --out runs/text              # all parts, and the report
    python benchmarks/text_control.py --out runs/text --part camera
    python benchmarks/text_control.py --out runs/text --report-only

burning: what strong guidance does to pixels, and what mends it. camera: whether `--camera` is followed, as the probe of
gallop sees it. weights: "(words:1.5)", about three centres. travel: prompts at times, mixed in three ways. No film is
picked. Rows are kept in OUT/rows.jsonl: the same command goes on where it was left. Writes
benchmarks/reports/text-control_HARDWARE_DATE.md; one thread, some 9 minutes on a free core.
"""

import argparse
import datetime
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

import muybridge  # noqa: E402
from benchmarks.machine import commit, hardware, processor  # noqa: E402
from benchmarks.made_films import decoded  # noqa: E402
from muybridge.core.seeding import noise  # noqa: E402
from muybridge.core.shapes import latent_shape  # noqa: E402
from muybridge.evaluation.probes import judge, load_probe  # noqa: E402
from muybridge.flow.guidance import classifier_free  # noqa: E402
from muybridge.flow.samplers import Velocity, sampler  # noqa: E402
from muybridge.pipelines.denoise import network_velocity  # noqa: E402
from muybridge.pipelines.prompting.travel import prompts_at, travel_weights  # noqa: E402
from muybridge.pipelines.prompting.weighting import WeightedPrompt  # noqa: E402
from muybridge.pipelines.request import GenerationRequest  # noqa: E402
from muybridge.text.encoder import TextStates, pad_states  # noqa: E402

PROBE = ROOT / "src" / "muybridge" / "evaluation" / "embedded" / "gallop-probe.safetensors"
FRAMES, STEPS = 17, 12
SHORT = {"frames": FRAMES, "steps": STEPS}
STRONG, SHARE = 9.0, 0.7  # the scale that burns, and the rescaling that is to mend it
END_FRAMES = 9  # of a film whose prompt changes: what its beginning and its end show

BURNING = (
    "A red car drives to the left through a green meadow. The camera follows it.",
    "An orange butterfly flies from right to left in the night sky. The camera is still.",
    "A green turtle stands on a snowy field. The camera pans left.",
    "a grey elephant walking left on a blue background.",
)
GUIDANCE: dict[str, dict[str, Any]] = {
    "1": {"cfg": 1},
    "3": {"cfg": 3},
    "6": {"cfg": 6},
    "9": {"cfg": 9},
    "9 --rescale 0.7": {"cfg": 9, "rescale": 0.7},
    "9@0.2-0.8": {"cfg": "9@0.2-0.8"},
    "9@0.2-0.8 --rescale 0.7": {"cfg": "9@0.2-0.8", "rescale": 0.7},
    "9 --cfg-zero-star": {"cfg": 9, "cfg_zero_star": True},
    "9 --cfg-zero-star --zero-steps 1": {"cfg": 9, "cfg_zero_star": True, "zero_steps": 1},
}
STANDING = (
    "A penguin stands still in a green meadow",
    "A red car is parked in a sandy desert",
    "A brown horse stands on a snowy field",
    "A turtle stands still at night under the stars",
)
MOVING = (  # a camera that follows needs something to follow
    "A penguin waddles to the left in a green meadow",
    "A red car drives to the right in a sandy desert",
    "A brown horse gallops to the left on a snowy field",
    "A turtle walks to the right at night under the stars",
)
WEIGHED = (  # a scene, the words that are weighed, and the camera that they ask for
    (STANDING[0], "The camera pans left", "pan left"),
    (STANDING[1], "The camera zooms in", "zoom in"),
)
WEIGHTS = (0.0, 0.5, 2.0, 3.0)
TRAVEL = (  # what it begins with and what it becomes, and how the probe calls these
    ("A red car drives to the right through {}.", "a green meadow", "the snow", "background", "meadow", "snow"),
    ("An elephant stands in {}.", "a sandy desert", "a green meadow", "background", "desert", "meadow"),
    ("{} stands still on a snowy field.", "A penguin", "A green turtle", "subject", "penguin", "turtle"),
    ("{} stands in a green meadow.", "A brown horse", "A grey elephant", "subject", "horse", "elephant"),
)
TRAVEL_AT = 24  # of 33 frames: the second prompt's time

Found = dict[str, Any]
Trial = tuple[str, int, Callable[[], Found]]  # the way, the case, and what makes it


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was found of one film."""

    part: str
    way: str
    case: int
    found: Found


class Studio:
    """The shipped model and its probe; films in the shipped ways, and under velocities of one's own."""

    def __init__(self) -> None:
        self.pipe, self.probe = muybridge.load("gallop"), load_probe(PROBE)

    def request(self, prompt: str, **chosen: Any) -> GenerationRequest:
        """That of a film, for `sampled`."""
        return self.pipe.requests([prompt], muybridge.Settings.of(chosen))[0]

    def text(self, prompt: str) -> TextStates:
        """As the pipeline encodes it."""
        return self.pipe.components.text.encode([prompt], num_frames=2)

    def velocity(self, text: TextStates) -> Velocity:
        """Of the network under a text."""
        return network_velocity(self.pipe.components.transformer, text, guidance=None)

    def sampled(self, request: GenerationRequest, conditional: Velocity, guide: Callable = classifier_free) -> Tensor:
        """Latents (c, t, h, w): the request's noise, sampler, steps and scale, another conditional velocity."""
        unconditional = self.velocity(self.text(request.negative_prompt))
        shape = latent_shape(request.num_frames, request.height, request.width)
        velocity = guide(conditional, unconditional, float(request.cfg))
        return sampler(request.sampler)(velocity, noise([request.seed], shape), request.sigmas)[0]

    def seen(self, latents: Tensor, frames: slice = slice(None)) -> Found:
        """What the probe sees in the film, finished as the pipeline finishes it."""
        [film] = decoded(self.pipe, [latents], steady=self.pipe.components.defaults.steady)
        return judge(self.probe, [film[frames]])[0]

    def spread(self, latents: Tensor) -> Found:
        """Of the decoded pixels, which are in [-1, 1] but where guidance burns them."""
        pixels = self.pipe.decode(latents[None])
        fine = (pixels[..., 1:] - pixels[..., :-1]).abs().mean()
        return {"spread": float(pixels.std()), "beyond": float((pixels.abs() > 1).float().mean()), "fine": float(fine)}


def burning(studio: Studio) -> Iterator[Trial]:
    """Pixels under every guidance, and with the velocity rescaled instead of the film that it points at."""

    def shipped(prompt: str, case: int, chosen: Found) -> Found:
        return studio.spread(studio.pipe(prompt, seed=case, **SHORT, **chosen).latents)

    def of_velocity(prompt: str, case: int) -> Found:
        request = studio.request(prompt, seed=case, **SHORT, cfg=STRONG)
        return studio.spread(studio.sampled(request, studio.velocity(studio.text(prompt)), velocity_rescaled))

    for case, prompt in enumerate(BURNING):
        for way, chosen in GUIDANCE.items():
            yield f"`{way}`", case, partial(shipped, prompt, case, chosen)
        yield "9, the velocity rescaled", case, partial(of_velocity, prompt, case)


def velocity_rescaled(conditional: Velocity, unconditional: Velocity, scale: float) -> Velocity:
    """As the paper has it (arXiv 2305.08891, 3.4): the output brought back to the spread of the conditional one."""
    plain = classifier_free(conditional, unconditional, scale)

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        v = plain(x, sigma)
        return (SHARE * conditional(x, sigma).std() / v.std() + 1 - SHARE) * v

    return guided


def camera(studio: Studio) -> Iterator[Trial]:
    """Every movement that gallop knows, over four places."""

    def followed(prompt: str, movement: str, seed: int) -> Found:
        return studio.seen(studio.pipe(prompt, camera=movement, seed=seed, **SHORT).latents)

    cameras = studio.pipe.components.defaults.cameras
    for case, places in enumerate(zip(STANDING, MOVING, strict=True)):
        for index, movement in enumerate(cameras):
            prompt = places[movement == "follow"]
            yield movement, case, partial(followed, prompt, movement, 100 + len(cameras) * case + index)


def weights(studio: Studio) -> Iterator[Trial]:
    """Words of a camera movement, weaker and stronger: states away from three centres."""

    def shipped(scene: str, words: str, weight: float, case: int) -> Found:
        return studio.seen(studio.pipe(f"{scene}. ({words}:{weight}).", seed=case, **SHORT).latents)

    def about(centre: Tensor, scene: str, words: str, weight: float, case: int) -> Found:
        said = WeightedPrompt.parse(f"{scene}. ({words}:{weight}).")
        text = studio.text(said.text)
        scales = torch.tensor(said.token_weights(studio.pipe.components.text.places(said.text, num_frames=2)))[:, None]
        moved = replace(text, states=centre + scales * (text.states - centre))
        return studio.seen(studio.sampled(studio.request(said.text, seed=case, **SHORT), studio.velocity(moved)))

    empty = studio.text("").states.mean(1)
    for case, (scene, words, _) in enumerate(WEIGHED):
        yield "1", case, partial(shipped, scene, words, 1.0, case)
        for weight in WEIGHTS:
            yield f"{weight:g}, its mean", case, partial(shipped, scene, words, weight, case)
            yield f"{weight:g}, zero", case, partial(about, torch.zeros_like(empty), scene, words, weight, case)
            yield f"{weight:g}, an empty prompt's mean", case, partial(about, empty, scene, words, weight, case)


def travel(studio: Studio) -> Iterator[Trial]:
    """A prompt that gives way to another: by windows, as shipped, by whole films, and by texts in between."""
    film = {"frames": 33, "steps": STEPS}

    def ends(latents: Tensor) -> Found:
        begins, becomes = studio.seen(latents, slice(END_FRAMES)), studio.seen(latents, slice(-END_FRAMES, None))
        return {"begins": begins, "becomes": becomes}

    def shipped(prompts: Sequence[str], case: int) -> Found:
        return ends(studio.pipe({0: prompts[0], TRAVEL_AT: prompts[1]}, seed=case, **film).latents)

    def whole(prompts: Sequence[str], case: int, num_between: int) -> Found:
        request = studio.request(prompts[0], seed=case, **film)
        later = travel_weights(prompts_at({TRAVEL_AT: prompts[1]}), num_frames=request.num_frames, fps=request.fps)[1]
        shares = torch.linspace(0, 1, num_between + 2)
        hats = (1 - (later - shares[:, None]).abs() * (num_between + 1)).clamp_min(0)
        texts = between(studio.text(prompts[0]), studio.text(prompts[1]), shares.tolist())
        return ends(studio.sampled(request, mixed([studio.velocity(text) for text in texts], hats)))

    for case, (sentence, first, then, *_) in enumerate(TRAVEL):
        prompts = [sentence.format(words).strip() for words in (first, then)]
        yield "windows, as shipped", case, partial(shipped, prompts, case)
        yield "whole films, frame by frame", case, partial(whole, prompts, case, 0)
        yield "texts interpolated, one between", case, partial(whole, prompts, case, 1)


def between(first: TextStates, then: TextStates, shares: Sequence[float]) -> list[TextStates]:
    """Texts on the line from one to the other, the shorter padded with zeros; the ends themselves are as they are."""
    both = pad_states([first.states[0], then.states[0]], [first.pooled[0], then.pooled[0]])
    states, pooled = both.states, both.pooled
    return [
        first if share == 0 else then if share == 1 else TextStates(
            states=torch.lerp(states[:1], states[1:], share),
            mask=both.mask.any(0, keepdim=True),
            pooled=torch.lerp(pooled[:1], pooled[1:], share),
        )
        for share in shares
    ]  # fmt: skip


def mixed(velocities: Sequence[Velocity], hats: Tensor) -> Velocity:
    """The mean of velocities of the whole film, by their weights (k, t) in every latent frame."""

    def mean(x: Tensor, sigma: Tensor) -> Tensor:
        played = zip(velocities, hats, strict=True)
        return sum((hat[:, None, None] * velocity(x, sigma) for velocity, hat in played), torch.zeros_like(x))

    return mean


PARTS: dict[str, Callable[[Studio], Iterator[Trial]]] = {
    "burning": burning, "camera": camera, "weights": weights, "travel": travel,
}  # fmt: skip


def burning_table(rows: Sequence[Row]) -> list[str]:
    """Means over the prompts."""
    lines = [
        "| `--cfg` | standard deviation | pixels beyond white or black | between neighbouring pixels |",
        "|---|---|---|---|",
    ]
    for way, made in by_way(rows).items():
        spread, beyond, fine = (
            statistics.mean(row.found[name] for row in made) for name in ("spread", "beyond", "fine")
        )
        lines.append(f"| {way} | {spread:.3f} | {100 * beyond:.1f} % | {fine:.4f} |")
    return [f"{len(BURNING)} prompts, {FRAMES} frames, {STEPS} steps; pixels in [-1, 1].", "", *lines]


def camera_table(rows: Sequence[Row]) -> list[str]:
    """Films in which the probe sees what was asked for, and what it sees in the others."""
    lines = ["| asked | seen | otherwise seen |", "|---|---|---|"]
    for way, made in by_way(rows).items():
        others = [f"{row.found['camera']} ({row.found['background']})" for row in made if row.found["camera"] != way]
        lines.append(f"| {way} | {len(made) - len(others)} of {len(made)} | {', '.join(others)} |")
    right = sum(row.found["camera"] == row.way for row in rows)
    return [f"{right} of {len(rows)} films: {len(STANDING)} places, {FRAMES} frames, {STEPS} steps.", "", *lines]


def weights_table(rows: Sequence[Row]) -> list[str]:
    """Films that show the movement, and those that are else what they were at weight 1."""
    plain = {row.case: row.found for row in rows if row.way == "1"}
    kept = ("subject", "background", "motion")
    lines = [
        "| weight, and what states are scaled about | movement seen | subject, place and motion kept |",
        "|---|---|---|",
    ]
    for way, made in by_way(rows).items():
        seen = sum(row.found["camera"] == WEIGHED[row.case][2] for row in made)
        same = sum(all(row.found[name] == plain[row.case][name] for name in kept) for row in made)
        lines.append(f"| {way} | {seen} of {len(made)} | {same} of {len(made)} |")
    return [f"{len(WEIGHED)} prompts, {FRAMES} frames, {STEPS} steps.", "", *lines]


def travel_table(rows: Sequence[Row]) -> list[str]:
    """Films whose first and whose last frames show what was said of them."""
    lines = [f"| way | first {END_FRAMES} frames as said | last {END_FRAMES} frames as said |", "|---|---|---|"]
    for way, made in by_way(rows).items():
        asked = [(row.found, *TRAVEL[row.case][3:]) for row in made]
        begins = sum(found["begins"][what] == first for found, what, first, _ in asked)
        becomes = sum(found["becomes"][what] == then for found, what, _, then in asked)
        lines.append(f"| {way} | {begins} of {len(made)} | {becomes} of {len(made)} |")
    return [f"{len(TRAVEL)} pairs of prompts, 33 frames, {STEPS} steps, the second at frame {TRAVEL_AT}.", "", *lines]


TABLES: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "burning": burning_table, "camera": camera_table, "weights": weights_table, "travel": travel_table,
}  # fmt: skip


def by_way(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """In the order of the rows."""
    return {way: [row for row in rows if row.way == way] for way in dict.fromkeys(row.way for row in rows)}


@torch.inference_mode()
def make(parts: Sequence[str], path: Path) -> None:
    """The rows that are missing, each kept as soon as it is there."""
    there = {(row.part, row.way, row.case) for row in read_rows(path)}
    studio = Studio()
    for part in parts:
        for way, case, find in PARTS[part](studio):
            if (part, way, case) in there:
                continue
            row = Row(part=part, way=way, case=case, found=find())
            with path.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            print(part, way, case, row.found, file=sys.stderr, flush=True)


def read_rows(path: Path) -> list[Row]:
    """Those that there are."""
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Make what is missing, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the rows")
    parser.add_argument("--part", choices=PARTS, default=None, help="this part only; no report")
    parser.add_argument("--report-only", action="store_true", help="from the rows that there are")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "rows.jsonl"
    if not options.report_only:
        make([options.part] if options.part else list(PARTS), path)
    if options.part:
        return
    rows = read_rows(path)
    lines = [
        "# Text control on gallop",
        "",
        f"`python benchmarks/text_control.py --out {options.out}` at commit {commit()}, {datetime.date.today()}, "
        f"{processor()}.",
        "128 px, no picking; what films show is told by the probe (`benchmarks/gallop_scores.py` says how well).",
    ]
    for part, table in TABLES.items():
        lines += ["", f"## {part.capitalize()}", "", *table([row for row in rows if row.part == part])]
    report = ROOT / "benchmarks" / "reports" / f"text-control_{hardware()}_{datetime.date.today()}.md"
    report.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
