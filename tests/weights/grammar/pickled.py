"""PyTorch files assembled by hand: pickle programs that call and nest, archives that lie about their members."""

import io
import pickle
import struct
import zipfile
from functools import cache
from pathlib import Path
from random import Random

import torch

from tests.weights.grammar import values
from tests.weights.hostile import Bomb
from tests.weights.small import small_transformer

GLOBALS = (
    "os system", "builtins eval", "builtins getattr", "posix system", "subprocess Popen", "pathlib Path.touch",
    "torch load", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_meta_tensor_no_storage",
    "torch._utils _rebuild_wrapper_subclass", "torch._utils _rebuild_qtensor", "torch FloatStorage",
    "torch BFloat16Storage", "torch.storage UntypedStorage", "torch.storage _load_from_bytes", "torch Size",
    "torch device", "torch float32", "torch.serialization _get_layout", "collections OrderedDict",
    "collections Counter", "builtins set", "builtins bytearray", "_codecs encode",
    "torch._tensor _rebuild_from_type_v2",
    "numpy.core.multiarray _reconstruct", "torch.nn.parameter Parameter", "torch Tensor", "torch.jit load",
)  # fmt: skip


@cache
def sound() -> tuple[bytes, ...]:
    """A small transformer as torch.save writes it, in both formats, some with code among the tensors."""
    state = {"module": dict(small_transformer().state_dict())}
    found = []
    for content in (state, {**state, "bomb": Bomb(Path("ran"))}):
        for is_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
            found.append(buffer.getvalue())
    return tuple(found)


def program(rng: Random) -> bytes:
    """A pickle: a map of names to values, with calls, loops and counts that cannot be."""
    entries = b"".join(_text(rng, rng.choice(("w", "module", values.name(rng)))) + _value(rng, 0)
                       for _ in range(rng.randint(0, 4)))  # fmt: skip
    body = b"}q\x00(" + entries + b"u"
    ending = rng.choice((b".", b".", b".", b"", b"0.", b"h\x07.", b"R.", b"b."))
    return b"\x80" + bytes([rng.choice((2, 2, 2, 4, 5, 0, 200))]) + body + ending


def _text(rng: Random, text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    length = rng.choice((2**31, 2**32 - 1)) if rng.random() < 0.02 else len(data)
    return b"X" + struct.pack("<I", length) + data


def _value(rng: Random, depth: int) -> bytes:
    """Opcodes that leave one object, mostly."""
    draw = rng.randrange(12) if depth < 4 else rng.randrange(4)
    if draw == 0:
        return b"J" + struct.pack("<i", rng.choice((0, -1, 7, 2**31 - 1)))
    if draw == 1:
        return rng.choice((b"N", b"K\x05", b"\x88", b"h\x00", b"h\xff", b"j\xff\xff\xff\x7f", b"}", b"]", b")"))
    if draw == 2:
        size = rng.choice((1, 4, 2**31 - 1))
        return b"\x8b" + struct.pack("<i", size) + bytes(min(size, 8))
    if draw == 3:
        return _text(rng, values.name(rng))
    if draw == 4:
        deep = rng.choice((100, 5_000, 200_000))
        return b"(" * deep + b"t" * deep if rng.random() < 0.5 else b"]" + b"]a" * deep
    if draw in (5, 6):
        arguments = b"(" + b"".join(_value(rng, depth + 1) for _ in range(rng.randint(0, 6))) + b"t"
        return b"c" + rng.choice(GLOBALS).replace(" ", "\n").encode() + b"\n" + arguments + b"R"
    if draw == 7:
        return b"(" + b"".join(_value(rng, depth + 1) for _ in range(rng.randint(0, 3))) + b"l"
    return _tensor(rng)


def _tensor(rng: Random) -> bytes:
    """`_rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())` with numbers that may not fit."""

    def number(sound_value: int) -> bytes:
        odd = (-1, 0, 2**31 - 1, 2**40, 2**62, -(2**62))
        value = rng.choice(odd) if rng.random() < 0.2 else sound_value
        return b"\x8a\x08" + struct.pack("<q", value)

    kind, key = rng.choice((b"FloatStorage", b"HalfStorage", b"BoolStorage")), rng.choice((b"0", b"0", b"1", b"9"))
    place = _text(rng, rng.choice(("cpu", "cpu", "meta", "cuda:0", "")))
    storage = (b"(X\x07\x00\x00\x00storage" + b"ctorch\n" + kind + b"\nX\x01\x00\x00\x00" + key + place
               + number(16) + b"tQ")  # fmt: skip
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(0) + b"(" + number(4) + number(4) + b"t("
            + number(4) + number(1) + b"t" + b"\x89" + b"ccollections\nOrderedDict\n)R" + b"tR")  # fmt: skip


def lying_program(rng: Random, folder: Path) -> Path:
    """A program of the grammar as an archive or as an old file, or one written by pickle with nested calls."""
    draw = rng.random()
    if draw < 0.15:
        nested: object = Bomb(folder / "ran")
        for _ in range(rng.choice((1, 10, 200))):
            nested = rng.choice(([nested], {"module": nested}, (nested,)))
        data = pickle.dumps({"module": nested})
    elif draw < 0.3:
        data = program(rng)
    elif draw < 0.45:  # the format before archives: magic, protocol, machine, object, keys, storages
        head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
        head += pickle.dumps({"protocol_version": 1001, "little_endian": rng.random() < 0.9, "type_sizes": {}}, 2)
        keys = pickle.dumps(rng.choice((["0"], ["0", "0"], [], "0", None, ["x"] * 1000)), 2)
        data = head + program(rng) + keys + struct.pack("<q", rng.choice((16, 0, -1, 2**40))) + bytes(64)
    else:
        members = [("model/data.pkl", program(rng)), ("model/version", rng.choice((b"3\n", b"x", b"", b"9" * 30)))]
        members += [(f"model/data/{index}", bytes(rng.choice((64, 64, 0, 3, 2**16)))) for index in range(2)]
        members.append(("model/byteorder", rng.choice((b"little", b"little", b"big", b"?", b""))))
        data = _archive(rng, members)
    return _written(rng, folder, data)


def lying_archive(rng: Random, folder: Path) -> Path:
    """A sound archive with members twice, missing, compressed, elsewhere, or huge; or any sound file damaged."""
    whole = rng.choice(sound())
    if not whole.startswith(b"PK"):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(min(len(data), 20_000))] = rng.randrange(256)
        return _written(rng, folder, bytes(data))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for _ in range(rng.randint(1, 3)):
        index = rng.randrange(len(members))
        name, content = members[index]
        change = rng.randrange(7)
        if change == 0:
            members.append((name, content[::-1]))
        elif change == 1 and len(members) > 1:
            del members[index]
        elif change == 2:
            members[index] = (
                rng.choice(("../../ran", "/tmp/ran", name.upper(), name + "/", values.name(rng)[:1000])),
                content,
            )
        elif change == 3:
            members[index] = (name, content[: rng.randint(0, len(content))])
        elif change == 4:
            members[index] = (name, content + bytes(rng.choice((1, 100, 300_000_000 if rng.random() < 0.1 else 5))))
        elif change == 5:
            members.append((values.name(rng)[:1000] or "x", content))
        else:
            members[index] = (name, bytes(len(content)))
    return _written(rng, folder, _archive(rng, members))


def _archive(rng: Random, members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    methods = (zipfile.ZIP_STORED,) * 6 + (zipfile.ZIP_DEFLATED,) * 2 + (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    method = rng.choice(methods)
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(
                zipfile.ZipInfo(name.replace("\0", "").encode("utf-8", "replace").decode()), content, method
            )
    data = bytearray(buffer.getvalue())
    if rng.random() < 0.3:  # the directory, where sizes, offsets, flags and methods are
        start = max(0, data.rfind(b"PK\x01\x02") - rng.randint(0, 400))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(start, len(data))] = rng.choice((0, 1, 8, 0x7F, 0xFF))
    return bytes(data)


def _written(rng: Random, folder: Path, data: bytes) -> Path:
    if rng.random() < 0.1:
        data = data[: rng.randint(0, len(data))]
    path = folder / rng.choice(("model.pt", "mp_rank_00_model_states.pt", "model_fp8.pt", "model.bin", "model"))
    path.write_bytes(data)
    return path
