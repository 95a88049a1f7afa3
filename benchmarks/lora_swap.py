"""How long a LoRA takes on the released network's widths: read, put on, swap, take off, fuse, unfuse.

    python benchmarks/lora_swap.py                 # 3 GB of memory, a minute
    python benchmarks/lora_swap.py --rank 128

Two networks of width 3072 in bfloat16, with one double block and with one single block, whose times are multiplied by
the 20 and 40 blocks of the whole one: every step goes block by block, so the sum is exact but for what is done once.
The LoRAs change every linear layer of the blocks, modulation left out, as musubi-tuner trains. A dated report goes to
benchmarks/reports.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from muybridge.transformer import Transformer, TransformerConfig  # noqa: E402
from muybridge.weights.lora import ActiveLora, Lora, LoraStack, read_lora  # noqa: E402

BLOCKS = {"num_double_blocks": 20, "num_single_blocks": 40}
STEPS = ("read", "put on", "swap for another", "change its weight", "take off", "fuse", "unfuse")
TRIES = 3  # the least counts: a busy machine only adds


def main() -> None:
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rank", type=int, default=32)
    options = parser.parse_args()
    times = {kind: measured(kind, rank=options.rank) for kind in BLOCKS}
    text = report(times, rank=options.rank)
    path = ROOT / "benchmarks" / "reports" / f"lora-swap_{hardware()}_{date.today()}.md"
    path.write_text(text)
    print(text)
    print(path)


def measured(kind: str, *, rank: int) -> dict[str, float]:
    """Seconds of each step for one block of a kind."""
    config = replace(TransformerConfig(), **(dict.fromkeys(BLOCKS, 0) | {kind: 1}))
    network = drawn(config)
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = [written(network, Path(name) / f"{seed}.safetensors", rank=rank, seed=seed) for seed in (1, 2)]
        for _ in range(TRIES):
            for step, seconds in one_round(network, paths):
                best[step] = min(seconds, best.get(step, seconds))
    return best


def one_round(network: Transformer, paths: list[Path]) -> Iterator[tuple[str, float]]:
    """Every step once, with its seconds."""
    stack, loras = LoraStack(network), list[Lora]()
    first, second = (lambda: ActiveLora(lora=loras[0])), (lambda: ActiveLora(lora=loras[1]))
    actions: dict[str, Callable[[], object]] = {
        "read": lambda: loras.append(read_lora(paths[0])),
        "": lambda: loras.append(read_lora(paths[1])),
        "put on": lambda: stack.set([first()]),
        "swap for another": lambda: stack.set([second()]),
        "change its weight": lambda: stack.set([replace(second(), weight=0.5)]),
        "fuse": stack.fuse,
        "unfuse": stack.unfuse,
        "take off": stack.clear,
    }
    for step, action in actions.items():
        with timed() as seconds:
            action()
        if step:
            yield step, seconds[0]


@contextmanager
def timed() -> Iterator[list[float]]:
    """The seconds of a block, once it is over."""
    seconds: list[float] = []
    started = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - started)


def drawn(config: TransformerConfig) -> Transformer:
    """A network with random weights in bfloat16, made so."""
    with torch.device("meta"):
        network = Transformer(config).to(torch.bfloat16)
    network = network.to_empty(device="cpu").requires_grad_(False).eval()
    for parameter in network.parameters():
        parameter.uniform_(-0.02, 0.02)
    return network


def written(network: nn.Module, path: Path, *, rank: int, seed: int) -> Path:
    """A LoRA of every linear layer of the blocks, as musubi-tuner saves it."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and "_blocks." in name and "mod" not in name:
            key = f"lora_unet_{name.replace('.', '_')}"
            rows, columns = layer.weight.shape
            tensors[f"{key}.lora_down.weight"] = torch.randn(rank, columns, generator=generator).bfloat16()
            tensors[f"{key}.lora_up.weight"] = torch.randn(rows, rank, generator=generator).bfloat16()
            tensors[f"{key}.alpha"] = torch.tensor(float(rank))
    save_file(tensors, path)
    return path


def report(times: dict[str, dict[str, float]], *, rank: int) -> str:
    """Markdown."""
    rows = []
    for step in STEPS:
        double, single = (times[kind][step] for kind in BLOCKS)
        whole = double * BLOCKS["num_double_blocks"] + single * BLOCKS["num_single_blocks"]
        rows.append(f"| {step} | {1e3 * double:.1f} | {1e3 * single:.1f} | {whole:.2f} |")
    return (
        f"# LoRA swap, rank {rank}\n\n"
        f"{date.today()}, {processor()}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, commit "
        f"{commit()}, torch {torch.__version__}. Width 3072, bfloat16, the linear layers of the blocks; least of "
        f"{TRIES} tries. The last column is 20 times the double block's and 40 times the single's, not measured.\n\n"
        "| | one double block, ms | one single block, ms | 20 + 40 blocks, s |\n|--|--|--|--|\n"
        + "\n".join(rows)
        + "\n"
    )


if __name__ == "__main__":
    main()
