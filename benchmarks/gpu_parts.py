"""The parts of benchmarks/gpu.py: what each measures, and how long it may take. Each prints its lines as it goes."""

import gc
import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import HunyuanVideoTransformer3DModel
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from muybridge.acceleration.compile import compile_blocks  # noqa: E402
from muybridge.acceleration.modulation import evicted_modulation, moved_without_modulation  # noqa: E402
from muybridge.acceleration.quantise import quantise  # noqa: E402
from muybridge.acceleration.stream import host_sources, stream_blocks  # noqa: E402
from muybridge.core.errors import MuybridgeError  # noqa: E402
from muybridge.core.shapes import token_grid  # noqa: E402
from muybridge.ops.attention import attention_named  # noqa: E402
from muybridge.ops.attention.choose import KERNELS  # noqa: E402
from muybridge.ops.attention.patterns import parse_pattern  # noqa: E402
from muybridge.transformer import Conditions, Transformer, TransformerConfig  # noqa: E402
from muybridge.transformer.cost import forward_flops  # noqa: E402
from muybridge.vae import VAEConfig, VideoVAE  # noqa: E402
from muybridge.vae.modes import decode  # noqa: E402
from muybridge.weights.config_json import diffusers_config  # noqa: E402
from muybridge.weights.layouts import from_official  # noqa: E402
from muybridge.weights.layouts.transformer import DIFFUSERS  # noqa: E402
from muybridge.weights.stored import from_tensor  # noqa: E402
from tests.parity.peer_transformer import peer_velocity  # noqa: E402

Size = tuple[int, int, int]  # width, height, frames
SIZE_480, SIZE_720 = (832, 480, 81), (1280, 720, 129)
TINY_SIZE = (64, 64, 5)
TINY = TransformerConfig(
    hidden_size=64, num_heads=2, num_double_blocks=2, num_single_blocks=2, rope_axes_dim=(4, 14, 14),
    text_dim=32, pooled_dim=16,
)  # fmt: skip
TINY_VAE = VAEConfig(block_channels=(32, 32, 32, 32), layers_per_block=1, norm_groups=8)
PROMPT_TOKENS, PADDED_TOKENS = 60, 256  # diffusers pads every prompt to 256
PATTERNS = ("sliding-tile:3x3x3,tile=6x8x8", "radial:1,tile=8x8")
CAPPED_TOKENS = 4096  # rows of a layer at a time where memory is short


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a part runs. scratch: a folder in which one part leaves numbers for the next ones."""

    device: str
    is_tiny: bool
    scratch: Path

    @property
    def dtype(self) -> torch.dtype:
        """bfloat16, but for the test on a CPU."""
        return torch.float32 if self.is_tiny else torch.bfloat16

    @property
    def config(self) -> TransformerConfig:
        """The released network's, or a tiny one."""
        return TINY if self.is_tiny else TransformerConfig()

    def size(self, size: Size) -> Size:
        """That size, or a tiny one."""
        return TINY_SIZE if self.is_tiny else size

    def finish(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What is measured, and the seconds after which it is stopped."""

    title: str
    limit_s: float
    run: Callable[[Place], None]


def matmul(place: Place) -> None:
    """The ceiling that later parts are held against."""
    n = 256 if place.is_tiny else 8192
    shapes = [(n, n, n), (n * 4, 3072 if n > 256 else n, 12288 if n > 256 else n)]
    table("product", "dtype", "TFLOP/s")
    best: dict[str, float] = {}
    for rows, inner, columns in shapes:
        a = torch.randn(rows, inner, device=place.device).to(place.dtype)
        b = torch.randn(columns, inner, device=place.device).to(place.dtype)
        runs: dict[str, Callable[[], Tensor]] = {word(place.dtype): lambda a=a, b=b: a @ b.T}
        if place.device == "cuda" and torch.cuda.get_device_capability() >= (8, 9):
            one = torch.ones((), device=place.device)
            a8, b8 = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn)
            runs["float8_e4m3fn"] = lambda a8=a8, b8=b8, one=one: torch._scaled_mm(
                a8, b8.T, one, one, out_dtype=torch.bfloat16, use_fast_accum=True
            )
        for name, run in runs.items():
            rate = 2 * rows * inner * columns / seconds(run, place, turns=2 if place.is_tiny else 20) / 1e12
            best[name] = max(best.get(name, 0.0), rate)
            say(f"| {rows} x {inner} x {columns} | {name} | {rate:.1f} |")
    (place.scratch / "ceiling.json").write_text(json.dumps(best))


def step_480(place: Place) -> None:
    """Taking turns, the least of two after the first."""
    steps(place, place.size(SIZE_480), turns=3)


def step_720(place: Place) -> None:
    """One turn each, after one at 480 to warm up."""
    steps(place, place.size(SIZE_720), turns=1, warm_up=place.size(SIZE_480))


def attention(place: Place) -> None:
    """One layer of the film at 720x1280x129."""
    grid = grid_of(place.config, place.size(SIZE_720))
    heads, d = place.config.num_heads, place.config.head_dim
    tokens = math.prod(grid) + PROMPT_TOKENS
    given = [torch.randn(1, heads, tokens, d, device=place.device).to(place.dtype) for _ in range(3)]
    flops, outputs = 4 * heads * d * tokens**2, {}
    table("attention", "pairs", "ms", "TFLOP/s", "mean difference from torch's, over its deviation")
    for name in ("torch", "auto", *(name for name in KERNELS if name not in ("torch", "reference", "math")), *PATTERNS):
        pattern = parse_pattern(name)
        density = 1.0 if pattern is None else pattern.cells(grid).density(PROMPT_TOKENS)
        try:
            own = attention_named(name)
            took = seconds(lambda own=own: outputs.update(now=own(*given, grid=grid)), place, turns=2)
        except (MuybridgeError, RuntimeError) as error:
            say(f"| {name} | | | | {str(error).splitlines()[0][:120]} |")
            continue
        outputs.setdefault("torch", outputs["now"])
        difference = (outputs["now"].float() - outputs["torch"].float()).abs().mean() / outputs["torch"].float().std()
        rate = density * flops / took / 1e12
        say(f"| {name} | {density:.1%} | {took * 1e3:.1f} | {rate:.0f} | {float(difference):.1e} |")


def vae(place: Place) -> None:
    """Decoding at 720x1280x129 in every mode."""
    config = TINY_VAE if place.is_tiny else VAEConfig()
    model = random_weights(VideoVAE, config, place, dtype=place.dtype if place.is_tiny else torch.float16)
    width, height, frames = place.size(SIZE_720)
    film = latents_of(config.latent_channels, (width, height, frames), place)
    small = film[:, :, :2, :8, :8]
    table("mode", "seconds", "peak GiB", "largest difference from exact, over its deviation")
    exact: Tensor | None = None
    for mode in ("exact", "stream", "tiled", "spill"):
        decode(model, small, mode=mode)
        forget(place)
        took, out = timed(lambda mode=mode: decode(model, film, mode=mode).cpu(), place)
        exact = out if exact is None else exact
        difference = max(float((a - b).abs().max()) for a, b in zip(out.float(), exact.float(), strict=True))
        say(f"| {mode} | {took:.2f} | {peak(place)} | {difference / float(exact[:, :, :1].float().std()):.1e} |")


def fp8(place: Place) -> None:
    """A step with the blocks' linear layers in fp8 against bfloat16."""
    size = place.size(SIZE_480)
    model, given = released(place), inputs(place.config, size, place)
    took, plain = timed_step(model, given, place, turns=2)
    table("weights", "seconds", "GiB", "PSNR of the velocity, dB")
    say(f"| {word(place.dtype)} | {took:.3f} | {weight_gib(model):.2f} | |")
    for scheme in ("fp8", "int8"):
        model = released(place)
        quantise(model, scheme)
        took, out = timed_step(model, given, place, turns=2)
        error = float((out.float() - plain.float()).square().mean() / plain.float().square().mean())
        say(f"| {scheme} | {took:.3f} | {weight_gib(model):.2f} | {-10 * math.log10(max(error, 1e-30)):.1f} |")


def compiled(place: Place) -> None:
    """A step with compiled blocks, at two sizes by one compilation."""
    model = released(place)
    sizes = [place.size(SIZE_480), (64, 96, 5) if place.is_tiny else (512, 320, 61)]
    plain = [timed_step(model, inputs(place.config, size, place), place, turns=2)[0] for size in sizes]
    compile_blocks(model)
    table("size", "eager s", "first compiled s", "compiled s", "ratio")
    for size, before in zip(sizes, plain, strict=True):
        given = inputs(place.config, size, place)
        first, _ = timed_step(model, given, place, turns=1)
        after, _ = timed_step(model, given, place, turns=2)
        say(f"| {'x'.join(map(str, size))} | {before:.3f} | {first:.1f} | {after:.3f} | {before / after:.2f} |")


def capped(gigabytes: float, *, is_streamed: bool) -> Callable[[Place], None]:
    """A step at 720x1280x129 in so much memory: modulation put away, layers in pieces, blocks resident or streamed."""

    def run(place: Place) -> None:
        if place.device == "cuda":
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 1e9 / total))
        config, device = place.config, torch.device(place.device)
        model = random_weights(Transformer, config, place, waits_on_host=True)
        model.chunk_tokens = CAPPED_TOKENS
        table("tokens", "seconds", "peak GiB", "TFLOP/s", "of the ceiling")
        given = inputs(config, place.size(SIZE_720), place)
        latents, sigma, conditions = given
        with ExitStack() as stack, torch.inference_mode():
            if is_streamed:
                stream_blocks(model, host_sources(model, device=device), device=device)
                bring(model, device)
            else:
                moved_without_modulation(model, device)
            (velocity,), _ = stack.enter_context(evicted_modulation(model, [conditions], [(1, sigma)]))
            forget(place)
            took, _ = timed(lambda: velocity(latents, sigma), place)
        tokens, flops = work(config, latents)
        say(f"| {tokens} | {took:.2f} | {peak(place)} | {flops / took / 1e12:.0f} | {share(flops / took, place)} |")

    return run


PARTS: dict[str, Part] = {
    "matmul": Part(title="the ceiling of matrix products", limit_s=40, run=matmul),
    "step-480": Part(title="a step at 480x832x81, diffusers beside us", limit_s=90, run=step_480),
    "step-720": Part(title="a step at 720x1280x129, diffusers beside us", limit_s=150, run=step_720),
    "memory-24": Part(title="720x1280x129 in 24 GB, resident", limit_s=80, run=capped(24, is_streamed=False)),
    "vae": Part(title="decoding 720x1280x129", limit_s=120, run=vae),
    "attention": Part(title="attention at 720x1280x129, one layer", limit_s=60, run=attention),
    "memory-4.5": Part(title="720x1280x129 in 4.5 GB, streamed", limit_s=90, run=capped(4.5, is_streamed=True)),
    "fp8": Part(title="a step at 480x832x81 in fp8 and int8", limit_s=60, run=fp8),
    "compile": Part(title="compiled blocks", limit_s=90, run=compiled),
    "memory-12": Part(title="720x1280x129 in 12 GB, streamed", limit_s=80, run=capped(12, is_streamed=True)),
}


def steps(place: Place, size: Size, *, turns: int, warm_up: Size | None = None) -> None:
    """Ours and diffusers on the same weights, in memory once, taking turns."""
    model = released(place)
    peer = shared_peer(model)
    latents, sigma, conditions = inputs(place.config, size, place)
    runs: dict[str, Callable[..., Tensor]] = {
        "ours": lambda x: model(x, sigma, conditions),
        "diffusers": lambda x: peer_velocity(peer, x, sigma=sigma, conditions=conditions),
    }
    best, outputs, peaks = dict.fromkeys(runs, math.inf), {}, {}
    small = None if warm_up is None else inputs(place.config, warm_up, place)[0]
    tokens, flops = work(place.config, latents)
    table("who", "seconds", "TFLOP/s", "of the ceiling", "peak GiB beside the weights")
    for _ in range(turns):
        for name, run in runs.items():
            if small is not None:
                timed(lambda run=run: run(small), place)
            forget(place)
            held = torch.cuda.memory_allocated() if place.device == "cuda" else 0
            took, outputs[name] = timed(lambda run=run: run(latents), place)
            best[name], peaks[name] = min(best[name], took), peak(place, less=held)
            if turns == 1:
                say(step_row(name, took, flops, peaks[name], place))
    if turns > 1:
        for name, took in best.items():
            say(step_row(name, took, flops, peaks[name], place))
    theirs = outputs["diffusers"].float()
    error = float((outputs["ours"].float() - theirs).abs().mean() / theirs.std())
    say(f"\n{tokens} tokens, {flops / 1e15:.3f} PFLOP; ours is {best['diffusers'] / best['ours']:.2f} times as fast; "
        f"mean difference {error:.1e} of the velocity's deviation.")  # fmt: skip


def bring(model: torch.nn.Module, device: torch.device) -> None:
    """What is not streamed, to the device."""
    for tensor in (*model.parameters(), *model.buffers()):
        if not tensor.is_meta:
            tensor.data = tensor.data.to(device)


def step_row(name: str, took: float, flops: int, memory: str, place: Place) -> str:
    return f"| {name} | {took:.3f} | {flops / took / 1e12:.0f} | {share(flops / took, place)} | {memory} |"


def released(place: Place) -> Transformer:
    return random_weights(Transformer, place.config, place)


def random_weights(
    kind: Callable[..., Any],
    config: Any,
    place: Place,
    *,
    dtype: torch.dtype | None = None,
    waits_on_host: bool = False,
) -> Any:
    """A network whose weights are drawn on the device, tensor by tensor, at a scale that keeps variances."""
    with torch.device("meta"):
        model = kind(config).to(dtype or place.dtype)
    generator = torch.Generator(place.device).manual_seed(0)
    for path, module in model.named_modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            drawn = torch.empty(parameter.shape, dtype=parameter.dtype, device=place.device)
            if parameter.ndim > 1:
                scale = 0.02 if "mod" in path else parameter[0].numel() ** -0.5
                drawn.normal_(0, scale, generator=generator)
            else:
                drawn.fill_(1.0 if name == "weight" else 0.0)
            drawn = drawn.cpu() if waits_on_host else drawn
            setattr(module, name, torch.nn.Parameter(drawn, requires_grad=False))
    return model.eval()


def shared_peer(model: Transformer) -> Any:
    """diffusers' network over the very tensors of ours."""
    words = {key: value for key, value in diffusers_config(model.config).items() if not key.startswith("_")}
    with torch.device("meta"):
        peer = HunyuanVideoTransformer3DModel(**words)
    entries = {key: from_tensor(tensor, Path("memory")) for key, tensor in model.state_dict().items()}
    parts = from_official(entries, DIFFUSERS, hidden_size=model.config.hidden_size)
    state = {key: stored.read().to(model.device) for key, stored in parts.items()}
    peer.load_state_dict(state, strict=True, assign=True)
    return peer.eval().requires_grad_(False)


def inputs(config: TransformerConfig, size: Size, place: Place) -> tuple[Tensor, Tensor, Conditions]:
    """Latents, sigma and a prompt of 60 tokens padded to 256."""
    generator = torch.Generator().manual_seed(1)
    text = torch.randn(1, PADDED_TOKENS, config.text_dim, generator=generator)
    conditions = Conditions(
        text=text.to(place.device, place.dtype),
        text_mask=(torch.arange(PADDED_TOKENS) < PROMPT_TOKENS)[None].to(place.device),
        pooled=torch.randn(1, config.pooled_dim, generator=generator).to(place.device, place.dtype),
        guidance=torch.ones(1, device=place.device),  # x 1000 is exact in every dtype
    )
    return latents_of(config.in_channels, size, place), torch.tensor([0.9], device=place.device), conditions


def latents_of(channels: int, size: Size, place: Place) -> Tensor:
    width, height, frames = size
    shape = (1, channels, (frames - 1) // 4 + 1, height // 8, width // 8)
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(place.device, place.dtype)


def grid_of(config: TransformerConfig, size: Size) -> tuple[int, int, int]:
    width, height, frames = size
    return token_grid(((frames - 1) // 4 + 1, height // 8, width // 8), config.patch_size)


def work(config: TransformerConfig, latents: Tensor) -> tuple[int, int]:
    """Visual tokens and operations of one forward pass."""
    tokens = math.prod(token_grid(latents.shape[2:], config.patch_size))
    return tokens, forward_flops(config, num_visual_tokens=tokens, num_text_tokens=PROMPT_TOKENS)


def timed_step(
    model: Transformer, given: tuple[Tensor, Tensor, Conditions], place: Place, *, turns: int
) -> tuple[float, Tensor]:
    """The least time of these turns (where there are several, after one more), and the velocity."""
    results = [timed(lambda: model(*given), place) for _ in range(turns + (turns > 1))]
    return min(took for took, _ in results), results[-1][1]


def seconds(run: Callable[[], Any], place: Place, *, turns: int) -> float:
    """The mean over turns of which only the last is waited for, after one that is not counted."""
    timed(run, place)
    return timed(lambda: [run() for _ in range(turns)][-1], place)[0] / turns


def timed(run: Callable[[], Any], place: Place) -> tuple[float, Any]:
    place.finish()
    start = time.perf_counter()
    with torch.inference_mode():
        out = run()
    place.finish()
    return time.perf_counter() - start, out


def forget(place: Place) -> None:
    """Give unused memory back and begin to count anew."""
    gc.collect()
    if place.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(place: Place, *, less: int = 0) -> str:
    return f"{(torch.cuda.max_memory_allocated() - less) / 2**30:.2f}" if place.device == "cuda" else "?"


def share(flops_per_s: float, place: Place) -> str:
    """Of the rate that the part `matmul` measured."""
    file = place.scratch / "ceiling.json"
    ceiling = json.loads(file.read_text()).get(word(place.dtype)) if file.is_file() else None
    return f"{flops_per_s / ceiling / 1e12:.0%}" if ceiling else "?"


def weight_gib(model: torch.nn.Module) -> float:
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers())) / 2**30


def word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def table(*columns: str) -> None:
    say(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def say(line: str) -> None:
    print(line, flush=True)
