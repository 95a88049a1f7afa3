"""GGUF: every type the package decodes, names and shapes restored, hostile headers refused at once."""

import random
import struct
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import gguf
import numpy
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_transformer
from muybridge.weights.recognise import recognise
from muybridge.weights.storage.ggml import ggml_types
from muybridge.weights.storage.write_gguf import write_gguf
from muybridge.weights.stored import StoredTensor, cast, from_tensor, rows
from tests.weights.small import TRANSFORMER, same, small_transformer
from tests.weights.storage.samples import linear_keys, state

ERRORS = {"F16": 1e-3, "BF16": 4e-3, "Q8_0": 0.01, "Q5_1": 0.06, "Q5_0": 0.06, "Q4_1": 0.12, "Q4_0": 0.12}
DECODED = [kind.name for kind in ggml_types().values() if kind.can_decode()]


def as_entries(tensors: dict[str, torch.Tensor]) -> dict[str, StoredTensor]:
    return {key: from_tensor(tensor, Path("memory")) for key, tensor in tensors.items()}


def by_peer(path: Path, tensors: dict[str, numpy.ndarray], kind: str, **values: str | int) -> Path:
    """A file written by the package gguf's own writer; tensors are rows of bytes where the type has blocks."""
    writer = gguf.GGUFWriter(path, str(values.pop("architecture", "hyvid")))
    for name, value in values.items():
        writer.add_string(name, value) if isinstance(value, str) else writer.add_uint32(name.replace("__", "."), value)
    for name, array in tensors.items():
        writer.add_tensor(
            name, array, raw_dtype=gguf.GGMLQuantizationType[kind] if array.dtype == numpy.uint8 else None
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def blocks(name: str, num_rows: int = 6, seed: int = 0) -> numpy.ndarray:
    """Random rows of blocks whose halves are small finite numbers, whatever stands where."""
    kind = next(kind for kind in ggml_types().values() if kind.name == name)
    generator = numpy.random.default_rng(seed)
    size = kind.block_bytes * 2
    if kind.block == 1:
        dtype = {"F32": numpy.float32, "F16": numpy.float16, "F64": numpy.float64}.get(name)
        values = generator.normal(size=(num_rows, 64)).astype(dtype or numpy.float32)
        return values if dtype else (values.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)
    return generator.integers(0, 0x40, size=(num_rows, size), dtype=numpy.uint8)


@pytest.mark.parametrize("name", DECODED)
def test_every_type_is_decoded_as_the_package_does(name: str, tmp_path: Path):
    raw = blocks(name)
    path = by_peer(tmp_path / "a.gguf", {"a.weight": raw}, name)
    entry = open_checkpoint(path).entries["a.weight"]
    kind = gguf.GGMLQuantizationType[name]
    expected = raw if raw.dtype == numpy.float64 else gguf.quants.dequantize(raw, kind)
    values = torch.from_numpy(numpy.ascontiguousarray(expected)).reshape(entry.shape)
    assert torch.equal(cast(entry, torch.float32).read(), values.float())
    assert torch.equal(rows(entry, 2, 5).read(), entry.read()[2:5])


def half(data: bytes) -> float:
    return struct.unpack("<e", data)[0]


def slow_q8_0(block: bytes) -> list[float]:
    return [half(block[:2]) * value for value in struct.unpack("<32b", block[2:])]


def slow_q4_0(block: bytes) -> list[float]:
    low, high = [byte & 15 for byte in block[2:]], [byte >> 4 for byte in block[2:]]
    return [half(block[:2]) * (code - 8) for code in low + high]


def slow_q6_k(block: bytes) -> list[float]:
    """ggml: 128 bytes of low nibbles, 64 of high pairs, 16 scales, one half; two halves of 128 values."""
    low, high, scales = block[:128], block[128:192], struct.unpack("<16b", block[192:208])
    values = []
    for index in range(256):
        part, place = divmod(index, 128)
        quarter, column = divmod(place, 32)
        nibble = low[part * 64 + (quarter % 2) * 32 + column] >> (4 * (quarter // 2)) & 15
        pair = high[part * 32 + column] >> (2 * quarter) & 3
        values.append(half(block[208:]) * scales[index // 16] * ((nibble | pair << 4) - 32))
    return values


def slow_q4_k(block: bytes) -> list[float]:
    """ggml: two halves, 12 bytes of 6-bit scales and minima for eight groups, 128 bytes of nibbles."""
    packed, codes = block[4:16], block[16:]
    values = []
    for index in range(256):
        group, column = divmod(index, 32)
        if group < 4:
            scale, minimum = packed[group] & 63, packed[group + 4] & 63
        else:
            scale = packed[group + 4] & 15 | packed[group - 4] >> 6 << 4
            minimum = packed[group + 4] >> 4 | packed[group] >> 6 << 4
        code = codes[group // 2 * 32 + column] >> (4 * (group % 2)) & 15
        values.append(half(block[:2]) * scale * code - half(block[2:4]) * minimum)
    return values


SLOW = {"Q8_0": slow_q8_0, "Q4_0": slow_q4_0, "Q4_K": slow_q4_k, "Q6_K": slow_q6_k}


@pytest.mark.parametrize("name", SLOW)
def test_common_types_are_decoded_as_ggml_describes_them(name: str, tmp_path: Path):
    raw = blocks(name, num_rows=1)
    entry = open_checkpoint(by_peer(tmp_path / "a.gguf", {"a.weight": raw}, name)).entries["a.weight"]
    size = raw.shape[1] // 2
    expected = [value for part in (raw[0, :size], raw[0, size:]) for value in SLOW[name](part.tobytes())]
    torch.testing.assert_close(cast(entry, torch.float32).read()[0], torch.tensor(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ERRORS)
def test_a_written_network_loads_within_the_types_error(name: str, tmp_path: Path):
    original = state()
    write_gguf(tmp_path / "a.gguf", as_entries(original), type_name=name)
    loaded = load_transformer(tmp_path / "a.gguf", config=TRANSFORMER, dtype=torch.float32).state_dict()
    for key, tensor in original.items():
        wanted = tensor.float()
        limit = ERRORS[name] if key in linear_keys(original) else 0.0
        assert (loaded[key] - wanted).norm() <= limit * wanted.norm(), key


def test_the_file_is_the_package_s_own(tmp_path: Path):
    """Names, shapes and bytes as the package's reader sees them; 5-D tensors flattened, their shape kept beside."""
    write_gguf(tmp_path / "a.gguf", as_entries(state()), type_name="Q8_0", metadata={"general.name": "small"})
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    assert reader.get_field("general.architecture").contents() == "hyvid"
    assert reader.get_field("comfy.gguf.orig_shape.img_in.proj.weight").contents() == [32, 16, 1, 2, 2]
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert set(tensors) == set(state())
    key = "double_blocks.0.img_mlp.fc1.weight"
    expected = gguf.quants.quantize(state()[key].float().numpy(), gguf.GGMLQuantizationType.Q8_0)
    assert numpy.array_equal(tensors[key].data, expected)


def test_a_gguf_written_from_a_gguf_keeps_every_bit(tmp_path: Path):
    write_gguf(tmp_path / "a.gguf", as_entries(state()), type_name="Q4_0")
    write_gguf(tmp_path / "b.gguf", open_checkpoint(tmp_path / "a.gguf").entries, type_name="Q4_0")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_the_patch_embedding_gets_its_five_dimensions_back_without_being_told(tmp_path: Path):
    weights = {key: tensor.float().numpy() for key, tensor in state().items()}
    weights["img_in.proj.weight"] = weights["img_in.proj.weight"].reshape(32 * 16, 1, 2, 2)
    path = by_peer(tmp_path / "a.gguf", weights, "F32")
    assert same(load_transformer(path, config=TRANSFORMER), small_transformer().bfloat16().float())


def test_llama_cpp_s_names_and_rows_become_hugging_face_s(tmp_path: Path):
    """Rows of q and k come in pairs of halves there; k has fewer heads."""
    q, k = torch.randn(4 * 8, 64), torch.randn(2 * 8, 64)

    def paired(weight: torch.Tensor, heads: int) -> numpy.ndarray:
        return weight.reshape(heads, 2, 4, 64).transpose(1, 2).reshape(weight.shape).numpy()

    tensors = {"token_embd.weight": numpy.ones((3, 64), numpy.float32), "blk.1.attn_q.weight": paired(q, 4)}
    tensors |= {"blk.1.attn_k.weight": paired(k, 2), "blk.1.ffn_norm.weight": numpy.ones(64, numpy.float32)}
    heads = {"llama__attention__head_count": 4, "llama__attention__head_count_kv": 2}
    entries = open_checkpoint(by_peer(tmp_path / "a.gguf", tensors, "F32", architecture="llama", **heads)).entries
    assert torch.equal(entries["model.layers.1.self_attn.q_proj.weight"].read(), q)
    assert torch.equal(entries["model.layers.1.self_attn.k_proj.weight"].read(), k)
    assert {"model.embed_tokens.weight", "model.layers.1.post_attention_layernorm.weight"} <= set(entries)
    coded = {"blk.0.attn_q.weight": gguf.quants.quantize(paired(q, 4), gguf.GGMLQuantizationType.Q8_0)}
    path = by_peer(tmp_path / "b.gguf", coded, "Q8_0", architecture="llama", **heads)
    entry = open_checkpoint(path).entries["model.layers.0.self_attn.q_proj.weight"]
    assert (entry.read().float() - q).abs().max() < 0.05
    assert torch.equal(rows(entry, 3, 9).read(), entry.read()[3:9])
    with pytest.raises(WeightsError, match="head_count"):
        open_checkpoint(by_peer(tmp_path / "c.gguf", coded, "Q8_0", architecture="llama"))


def test_a_language_model_tells_its_config(tmp_path: Path):
    """Heads, rotary base and norm from the metadata, where others need a config.json."""
    shapes = {"token_embd": (50, 64), "output_norm": (64,)}
    layer = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64), "attn_norm": (64,)}
    layer |= {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96), "ffn_norm": (64,)}
    shapes |= {f"blk.{number}.{name}": shape for number in range(2) for name, shape in layer.items()}
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", numpy.ones(shape, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = recognise(open_checkpoint(tmp_path / "a.gguf"))
    expected = {"num_heads": 4, "num_kv_heads": 2, "rope_theta": 500_000.0, "norm_eps": 1e-5, "num_layers": 2}
    assert expected.items() <= asdict(found.config).items()


def test_only_what_can_be_encoded_is_written(tmp_path: Path):
    with pytest.raises(InvalidInput, match="Q4_K: the package gguf can encode"):
        write_gguf(tmp_path / "a.gguf", as_entries(state()), type_name="Q4_K")
    assert not list(tmp_path.iterdir())


def header(*, tensors: int = 0, keys: int = 0, body: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def info(name: bytes = b"a", dims: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


HOSTILE = {
    "nothing": b"GGUF",
    "version": header(version=1),
    "big-endian": b"GGUF" + struct.pack(">I", 3) + bytes(16),
    "tensors": header(tensors=2**60),
    "keys": header(keys=2**63),
    "array": header(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 4, 2**60)),
    "empty array": header(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(64)),
    "nested arrays": header(keys=1, body=text(b"k") + struct.pack("<IIQ", 9, 9, 3) * 50),
    "text": header(keys=1, body=struct.pack("<Q", 2**50) + b"k"),
    "not text": header(keys=1, body=text(b"\xff\xfe") + struct.pack("<II", 4, 1)),
    "type of value": header(keys=1, body=text(b"k") + struct.pack("<II", 99, 1)),
    "twice": header(keys=2, body=(text(b"k") + struct.pack("<II", 4, 1)) * 2),
    "alignment": header(keys=1, body=text(b"general.alignment") + struct.pack("<II", 4, 0)),
    "dimensions": header(tensors=1, body=text(b"a") + struct.pack("<I", 2**31)),
    "shape": header(tensors=1, body=info(dims=(2**40, 2**40))),
    "type": header(tensors=1, body=info(kind=250)),
    "integers": header(tensors=1, body=info(kind=24) + bytes(64)),
    "blocks": header(tensors=1, body=info(dims=(33,), kind=8) + bytes(4096)),
    "offset": header(tensors=1, body=info(offset=2**62)),
    "truncated": header(tensors=1, body=info(dims=(10**9,))),
    "overlap": header(tensors=2, body=info() + info(b"b", offset=64) + bytes(512)),
    "same name": header(tensors=2, body=info() + info(offset=128) + bytes(512)),
    "split": header(keys=1, body=text(b"split.count") + struct.pack("<II", 4, 3)),
    "zeros": header(keys=2**19, tensors=2**19) + bytes(2**22),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused_at_once(case: str, tmp_path: Path):
    path = tmp_path / "hostile.gguf"
    path.write_bytes(HOSTILE[case])
    started = time.process_time()
    with pytest.raises(WeightsError) as caught:
        open_checkpoint(path)
    assert time.process_time() - started < 1.0
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("shape", ["x", [], [1, 2], [-32, -64]])
def test_a_false_shape_in_the_metadata_is_refused(shape: object, tmp_path: Path):
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "hyvid")
    add: Callable[..., None] = writer.add_string if isinstance(shape, str) else writer.add_array
    if shape != []:
        add("comfy.gguf.orig_shape.a.weight", shape)
    writer.add_tensor("a.weight", numpy.zeros((64, 32), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if shape == []:
        assert open_checkpoint(tmp_path / "a.gguf").entries["a.weight"].shape == (64, 32)
        return
    with pytest.raises(WeightsError, match="orig_shape"):
        open_checkpoint(tmp_path / "a.gguf")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "a.gguf"
    small = {key: tensor for key, tensor in state().items() if key.startswith(("img_in", "double_blocks.0.img_mod"))}
    write_gguf(path, as_entries(small), metadata={"general.name": "small", "answer": 42})
    return path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), num_flips=st.integers(0, 8), cut=st.integers(0, 600))
def test_damage_is_refused_or_harmless(seed: int, num_flips: int, cut: int, sound: bytes, tmp_path: Path):
    """Bits flipped in the header, the end cut off: an error of ours, or a file that reads."""
    damaged, generator = bytearray(sound[: len(sound) - cut]), random.Random(seed)
    for _ in range(num_flips):
        damaged[generator.randrange(4, 700)] ^= 1 << generator.randrange(8)
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    started = time.process_time()
    try:
        for entry in open_checkpoint(path).entries.values():
            assert tuple(entry.read().shape) == entry.shape
    except WeightsError as error:
        assert "\n" not in str(error) and "damaged.gguf" in str(error)
    assert time.process_time() - started < 1.0


def test_a_shape_that_is_text_is_refused(tmp_path: Path):
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "hyvid")
    writer.add_array("comfy.gguf.orig_shape.x", ["a", "b"])
    writer.add_tensor("x", numpy.zeros((2, 2), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(WeightsError, match="does not fit"):
        open_checkpoint(tmp_path / "a.gguf")


def in_parts(folder: Path, most: int = 20) -> list[Path]:
    """A small transformer in the parts that the package gguf writes."""
    writer = gguf.GGUFWriter(folder / "net.gguf", "hyvid", split_max_tensors=most)
    for key, tensor in small_transformer().state_dict().items():
        writer.add_tensor(key, tensor.numpy() if tensor.ndim < 5 else tensor.flatten(1).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("net-*.gguf"))


def test_a_split_file_is_read_from_any_of_its_parts(tmp_path: Path):
    parts = in_parts(tmp_path)
    assert len(parts) > 2
    (tmp_path / "config.json").write_text('{"rope_axes_dim": [4, 6, 6]}')
    for path in (tmp_path, parts[0], parts[-1]):
        assert same(load_transformer(path, dtype=torch.float32), small_transformer())


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path):
    first, second, *others = in_parts(tmp_path)
    for part, data, fault in (
        (second, second.read_bytes(), f"{second.name}: this part of {2 + len(others)} is missing"),
        (second, first.read_bytes(), "says it is part 0, not 1"),
    ):
        part.unlink(missing_ok=True)
        if "missing" not in fault:
            part.write_bytes(data)
        with pytest.raises(WeightsError, match=fault):
            open_checkpoint(first)
    with pytest.raises(WeightsError, match="its name does not"):
        open_checkpoint(first.rename(tmp_path / "other.gguf"))
