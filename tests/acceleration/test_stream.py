"""Streamed blocks give the bits that resident ones give, whatever is in them and whatever went wrong before."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from muybridge.acceleration.modulation import evicted_modulation
from muybridge.acceleration.quantise import quantise
from muybridge.acceleration.stream import BlockStream, host_sources, stream_blocks, streamed
from muybridge.core.errors import RunFailed, WeightsError
from muybridge.ops.lora import Delta, LowRank
from muybridge.transformer import Transformer
from muybridge.weights.files import open_checkpoint
from muybridge.weights.lora import ActiveLora, Lora, LoraStack
from muybridge.weights.save import save_model
from muybridge.weights.stored import StoredTensor
from tests.transformer.networks import TINY, conditions, latents, network

CPU = torch.device("cpu")
PLACES = ("disk", "host")


@dataclass
class Watched:
    """A stored tensor that tells when it is read, and fails once when told to."""

    stored: StoredTensor
    name: str
    log: list[str]
    faults: dict[str, Exception] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.stored.dtype

    def read_into(self, out: Tensor) -> None:
        self.log.append(self.name)
        if self.name in self.faults:
            raise self.faults.pop(self.name)
        self.stored.read_into(out)


def tiny() -> Transformer:
    """Aligned as a lane is, so that kernels round alike."""
    return network(replace(TINY, hidden_size=64, rope_axes_dim=(8, 12, 12))).requires_grad_(False)


def forward(net: Transformer) -> Tensor:
    with torch.inference_mode():
        return net(latents(), torch.tensor([[0.0, 0.5, 0.5], [0.7, 0.7, 0.7]]), conditions())


def on_disk(net: Transformer, folder: Path) -> tuple[dict[str, Watched], list[str]]:
    """The blocks' matrices in a file, and the log of what is read."""
    save_model(net, folder / "model.safetensors")
    log: list[str] = []
    entries = open_checkpoint(folder / "model.safetensors").entries
    return {name: Watched(entry, name, log) for name, entry in streamed(net, dict(entries)).items()}, log


def stream(net: Transformer, place: str, folder: Path) -> BlockStream:
    sources: Iterator = iter(on_disk(net, folder)[0].items()) if place == "disk" else host_sources(net, device=CPU)
    return stream_blocks(net, sources, device=CPU)


def away(net: nn.Module) -> int:
    return sum(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))


@pytest.mark.parametrize("place", PLACES)
def test_streamed_is_resident_bit_for_bit_step_after_step(place, tmp_path):
    net = tiny()
    expected = forward(net)
    held = stream(net, place, tmp_path)
    for _ in range(3):
        assert torch.equal(forward(net), expected)
    held.release()
    assert away(net) == len(streamed(net, net.state_dict()))
    assert torch.equal(forward(net), expected)


def test_a_step_reads_every_matrix_once_and_vectors_stay(tmp_path):
    net = tiny()
    sources, log = on_disk(net, tmp_path)
    stream_blocks(net, sources.items(), device=CPU)
    first = len(sources) // 4
    for step in range(1, 4):
        forward(net)
        counts = {name: log.count(name) for name in sources}
        assert set(list(counts.values())[first * 2 :]) <= {step, step + 1} and min(counts.values()) == step
    assert all(tensor.ndim > 1 for tensor in net.parameters() if tensor.is_meta)


@pytest.mark.parametrize("scheme", ["int8", "fp8", "nf4"])
def test_quantised_blocks_stream_their_parts(scheme, tmp_path):
    net = tiny()
    quantise(net, scheme)
    expected = forward(net)
    stream(net, "host", tmp_path)
    assert torch.equal(forward(net), expected) and torch.equal(forward(net), expected)
    assert any(tensor.is_meta for tensor in net.buffers())


def adapters(*, magnitude: bool) -> Lora:
    generator = torch.Generator().manual_seed(3)

    def delta(rows: int, columns: int) -> Delta:
        factors = LowRank(*(torch.randn(shape, generator=generator) * 0.2 for shape in ((2, columns), (rows, 2))))
        return Delta(factors, magnitude=torch.rand(rows, 1, generator=generator) + 0.5 if magnitude else None)

    names = {"double_blocks.0.img_attn_qkv": (192, 64), "single_blocks.1.linear2": (64, 320)}
    values = {"single_blocks.0.linear2.weight": torch.randn(64, 320, generator=generator)} if magnitude else {}
    return Lora(
        path=Path("a"), format="x", deltas={name: (delta(*shape),) for name, shape in names.items()}, values=values
    )


@pytest.mark.parametrize("magnitude", [False, True], ids=["LoRA", "DoRA and a replaced weight"])
@pytest.mark.parametrize("place", PLACES)
def test_a_lora_stays_and_may_come_before_or_after(place, magnitude, tmp_path):
    resident, before, after = tiny(), tiny(), tiny()
    use = ActiveLora(lora=adapters(magnitude=magnitude))
    LoraStack(resident).set([use])
    LoraStack(before).set([use])
    stream(before, place, tmp_path)
    stream(after, place, tmp_path)
    LoraStack(after).set([use])
    expected = forward(resident)
    assert not torch.equal(expected, forward(tiny()))
    for net in (before, after, before, after):
        assert torch.equal(forward(net), expected)


def test_what_is_put_away_from_a_block_is_not_read(tmp_path):
    class Table(nn.Module):
        def __init__(self, rows: tuple[Tensor, ...]) -> None:
            super().__init__()
            self.rows = rows

        def forward(self, _: Tensor) -> tuple[Tensor, ...]:
            return self.rows

    net = tiny()
    expected = forward(net)
    sources, log = on_disk(net, tmp_path)
    stream_blocks(net, sources.items(), device=CPU)
    seen: dict[nn.Module, tuple[Tensor, ...]] = {}
    places = [(block, name) for block in net.blocks() for name in ("img_mod", "txt_mod", "modulation")]
    places = [(block, name) for block, name in places if hasattr(block, name)]
    for block, name in places:
        getattr(block, name).register_forward_hook(lambda module, _, out: seen.update({module: out}))
    forward(net)
    for block, name in places:
        modulation = getattr(block, name)
        setattr(block, name, Table(tuple(row.clone() for row in seen[modulation])))
    forward(net)  # its first block was read ahead with all that was in it
    log.clear()
    assert torch.equal(forward(net), expected)
    assert log and not [name for name in log if "mod" in name]


@torch.inference_mode()
def test_modulation_put_away_for_a_run_is_read_once_for_it(tmp_path):
    net, sigmas = tiny(), [torch.tensor([0.9, 0.9]), torch.tensor([[0.0, 0.5, 0.5], [0.7, 0.7, 0.7]])]
    given, x = [conditions(), conditions((5, 7))], latents()
    expected = [net(x, sigma, each) for sigma in sigmas for each in given]
    sources, log = on_disk(net, tmp_path)
    stream_blocks(net, sources.items(), device=CPU)
    for _ in range(2):
        log.clear()
        asked = [(step, sigma) for step, sigma in enumerate(sigmas, start=1)]
        with evicted_modulation(net, given, asked) as (velocities, to_step):
            found = []
            for step, sigma in asked:
                to_step(step)
                found += [velocity(x, sigma) for velocity in velocities]
        assert all(map(torch.equal, found, expected))
        assert {log.count(name) for name in sources if "mod" in name} == {1}
    assert torch.equal(net(x, sigmas[0], given[0]), expected[0])


@torch.inference_mode()
def test_a_layer_called_by_itself_brings_its_own(tmp_path):
    net, same = tiny(), tiny()
    sources, log = on_disk(net, tmp_path)
    stream_blocks(net, sources.items(), device=CPU)
    vectors = torch.randn(1, 1, 64)
    assert torch.equal(net.single_blocks[1].modulation(vectors)[0], same.single_blocks[1].modulation(vectors)[0])
    net.single_blocks[1].modulation(vectors)
    assert log == ["single_blocks.1.modulation.linear.weight"] and away(net) == len(sources) - 1
    assert torch.equal(net.double_blocks[0].img_mod(vectors)[5], same.double_blocks[0].img_mod(vectors)[5])
    assert log[1:] == ["double_blocks.0.img_mod.linear.weight"] and away(net) == len(sources) - 1
    assert torch.equal(forward(net), forward(same))


@pytest.mark.parametrize("name", ["double_blocks.0.img_attn_qkv.weight", "single_blocks.1.linear2.weight"])
def test_an_error_of_the_reader_comes_out_and_the_next_forward_is_right(name, tmp_path):
    net = tiny()
    expected = forward(net)
    sources, _ = on_disk(net, tmp_path)
    sources[name].faults[name] = WeightsError("model.safetensors: the disk is gone; check it.")
    stream_blocks(net, sources.items(), device=CPU)
    with pytest.raises(WeightsError, match="the disk is gone"):
        forward(net)
    assert torch.equal(forward(net), expected)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("index", [0, 2, 3])
def test_an_interrupted_forward_leaves_the_next_one_right(index, error, tmp_path):
    net = tiny()
    expected = forward(net)
    stream(net, "disk", tmp_path)
    block = list(net.blocks())[index]

    def stop(*_: object) -> None:
        raise error

    hook = block.get_submodule("txt_mlp.fc1" if index < 2 else "linear2").register_forward_pre_hook(stop)
    with pytest.raises(error):
        forward(net)
    hook.remove()
    assert torch.equal(forward(net), expected)


def test_a_truncated_file_is_an_error_and_a_deleted_one_goes_on(tmp_path):
    net = tiny()
    expected = forward(net)
    stream(net, "disk", tmp_path)
    file = tmp_path / "model.safetensors"
    assert torch.equal(forward(net), expected)
    data = file.read_bytes()
    os.truncate(file, len(data) // 2)
    with pytest.raises(WeightsError, match=r"model.safetensors: ends at byte .* cut short while in use"):
        for _ in range(2):
            forward(net)
    file.write_bytes(data)
    file.unlink()
    assert torch.equal(forward(net), expected)


def test_a_file_deleted_before_the_first_read_is_named(tmp_path):
    net = tiny()
    stream(net, "disk", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model.safetensors: cannot be read \(No such file"):
        forward(net)


@pytest.mark.parametrize("part", ["", "double_blocks.0.img_attn_proj"], ids=["all", "one layer"])
def test_gradients_are_refused_because_weights_are_gone_when_they_are_computed(part, tmp_path):
    net = tiny()
    stream(net, "host", tmp_path)
    with pytest.raises(RunFailed, match="no weights for gradients"):
        if part:
            net.get_submodule(part)(torch.ones(1, 64))
        else:
            net(latents(), torch.tensor([0.5, 0.7]), conditions())
    forward(net)


def test_two_threads_never_compute_at_once(tmp_path):
    net = tiny()
    expected = forward(net)
    stream(net, "disk", tmp_path)
    inside, goes_on = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        inside.set()
        assert goes_on.wait(10)

    hook = net.double_blocks[1].img_mlp.register_forward_pre_hook(wait)
    results: list[Tensor] = []
    thread = threading.Thread(target=lambda: results.append(forward(net)))
    thread.start()
    assert inside.wait(10)
    hook.remove()
    for _ in range(3):
        with pytest.raises(RunFailed, match="another thread computes with it"):
            forward(net)
    goes_on.set()
    thread.join(10)
    assert torch.equal(results[0], expected) and torch.equal(forward(net), expected)


def test_memory_is_two_blocks_at_most(tmp_path, monkeypatch):
    net = tiny()
    sizes: list[int] = []
    empty = torch.empty

    def counted(*shape, **options) -> Tensor:
        if options.get("dtype") == torch.uint8:
            sizes.append(shape[0])
        return empty(*shape, **options)

    largest = max(sum(p.numel() * 4 for p in block.parameters() if p.ndim > 1) for block in net.blocks())
    sources, _ = on_disk(net, tmp_path)
    monkeypatch.setattr("muybridge.acceleration.lanes.torch.empty", counted)
    held = stream_blocks(net, sources.items(), device=CPU)
    for _ in range(2):
        forward(net)
    assert [size for size in sizes if size] == [largest, largest] and held.num_bytes == 2 * largest
