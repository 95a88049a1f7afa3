"""Folders and indexes that lead elsewhere, and files that are no weights at all."""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

from tests.weights.grammar import values
from tests.weights.grammar.safetensors import models

PLACES = ("transformer", "transformers", "vae", "text_encoder", "text_encoder_2", "hunyuan-video-t2v-720p/transformers")
STARTS = (
    b"", b"\0", b"{", b"[]", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10JFIF", b"GIF89a", b"RIFF\x10\0\0\0WEBPVP8 ",
    b"\0\0\0\x20ftypisom", b"%PDF-1.7\n", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x1f\x8b\x08", b"7z\xbc\xaf'\x1c",
    b"GGUF", b"GGML", b"\x93NUMPY", b"\x80\x02", b"\x80", b"version https://git-lfs.github.com/spec/v1\n",
    b"<!DOCTYPE html>", b"<html>", b"{\"error\": \"x\"}", b"ustar", b"import os\n", "\ufeff{}".encode(),
    b"\x89HDF\r\n\x1a\n", b"\x08" + bytes(7) + b"{",
)  # fmt: skip


def lying_index(rng: Random, folder: Path) -> Path:
    """A shard index over files that are missing, elsewhere, no files, or hold other keys."""
    outside = folder / "outside.safetensors"
    name, whole = rng.choice(models()[:6])
    outside.write_bytes(whole)
    model = folder / "model"
    model.mkdir()
    length = int.from_bytes(whole[:8], "little")
    keys = [key for key in json.loads(whole[8 : 8 + length]) if key != "__metadata__"]
    shards = ["a.safetensors", "b.safetensors", "../outside.safetensors", str(outside), "link.safetensors", "device",
              "pipe", "folder", "loop", "model.safetensors.index.json", "/dev/zero", "/dev/stdin", "", ".", "..",
              "a\0b", "x" * 5000, "\ud800", "A.SAFETENSORS", "a.safetensors/", "~/a.safetensors"]  # fmt: skip
    (model / "a.safetensors").write_bytes(whole)
    (model / "b.safetensors").write_bytes(whole if rng.random() < 0.5 else bytes(rng.randint(0, 20)))
    _odd_places(model, outside)
    weight_map: dict[str, Any] = dict.fromkeys(keys, "a.safetensors")
    for _ in range(rng.randint(0, 4)):
        weight_map[rng.choice((*keys, values.name(rng)))] = rng.choice((*shards, values.number(rng)))
    fields: dict[str, Any] = {"metadata": {"total_size": values.number(rng)}, "weight_map": weight_map}
    if rng.random() < 0.2:
        fields = values.lied(rng, fields)
    text = values.nested(rng) if rng.random() < 0.1 else json.dumps(fields)
    if rng.random() < 0.1:
        text = text[:-1] + ", " + text[1:]
    index = model / "model.safetensors.index.json"
    index.write_text(text, errors="surrogatepass")
    return index if rng.random() < 0.5 else model


def lying_folder(rng: Random, folder: Path) -> Path:
    """A pipeline folder with files where folders belong, links in circles, configs that lie."""
    root = folder / "pipeline"
    root.mkdir()
    if rng.random() < 0.7:
        (root / "model_index.json").write_text(values.nested(rng), errors="surrogatepass")
    for place in rng.sample(PLACES, rng.randint(1, 4)):
        part = root / place
        part.parent.mkdir(parents=True, exist_ok=True)
        draw = rng.random()
        if draw < 0.1:
            part.write_bytes(rng.choice(STARTS))
        elif draw < 0.2:
            part.symlink_to(rng.choice((part.name, "/dev", "..", "nowhere")))
        else:
            part.mkdir(parents=True, exist_ok=True)
            _odd_places(part, root) if rng.random() < 0.2 else None
            for number in range(rng.choice((1, 1, 1, 2))):
                (part / f"model{number or ''}.safetensors").write_bytes(rng.choice(models())[1])
            config = values.nested(rng) if rng.random() < 0.3 else json.dumps(values.lied(rng, _config()))
            (part / "config.json").write_text(config, errors="surrogatepass") if rng.random() < 0.9 else (
                part / "config.json"
            ).mkdir()
    return root


def not_weights(rng: Random, folder: Path) -> Path:
    """A picture, a page, a pipe, a device, a link in a circle: under any name."""
    path = folder / rng.choice(
        ("model.safetensors", "model.pt", "model.gguf", "model", "model.json", "a.safetensors.index.json")
    )
    draw = rng.random()
    if draw < 0.1:
        os.mkfifo(path)
    elif draw < 0.2:
        path.symlink_to(rng.choice((path.name, "/dev/zero", "/dev/null", "/dev/full", "nowhere", ".")))
    else:
        path.write_bytes(rng.choice(STARTS) + bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 20, 500)))))
    return path


def _odd_places(folder: Path, outside: Path) -> None:
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")


def _config() -> dict[str, Any]:
    return {
        "_class_name": "HunyuanVideoTransformer3DModel", "num_attention_heads": 2, "attention_head_dim": 16,
        "rope_axes_dim": [4, 6, 6], "in_channels": 16, "num_layers": 2, "mlp_ratio": 4.0, "guidance_embeds": True,
        "block_out_channels": [4, 4, 8, 8], "norm_num_groups": 2, "scaling_factor": 0.5, "hidden_act": "quick_gelu",
    }  # fmt: skip
