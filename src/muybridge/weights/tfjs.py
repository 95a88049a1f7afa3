"""Weights out of graphs that were saved for TensorFlow.js: a JSON file that lists them, and their bytes in one file."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

STORED = {"float32": "<f4", "float16": "<f2", "int32": "<i4"}


def convolutions(graph: bytes, data: bytes) -> dict[str, Tensor]:
    """The kernels and biases of a graph's convolutions in its order: 0.weight (out, in, y, x), 0.bias, 1.weight...

    Each convolution is followed by the addition of its bias. Raises KeyError, ValueError for other files.
    """
    listed = json.loads(graph)
    arrays = dict(_arrays(listed["weightsManifest"], data))
    nodes: list[dict[str, Any]] = listed["modelTopology"]["node"]
    biases = {each["input"][0]: arrays.get(each["input"][1]) for each in nodes if each["op"] in ("Add", "AddV2")}
    found: dict[str, Tensor] = {}
    for number, node in enumerate(node for node in nodes if node["op"] == "Conv2D"):
        kernel, bias = arrays[node["input"][1]], biases[node["name"]]
        if bias is None or base64.b64decode(node["attr"]["data_format"]["s"]) != b"NHWC":
            raise ValueError(f"{node['name']}: no convolution that is known")
        found[f"{number}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        found[f"{number}.bias"] = torch.from_numpy(bias.copy())
    return found


def _arrays(manifest: list[dict[str, Any]], data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """As they are stored, one behind the other: half precision stays so."""
    start = 0
    for each in (weight for group in manifest for weight in group["weights"]):
        kind = STORED[each.get("quantization", each)["dtype"]]
        count = int(np.prod(each["shape"], dtype=np.int64))
        array = np.frombuffer(data, kind, count, start)
        start += array.nbytes
        yield each["name"], array.reshape(each["shape"])
    if start != len(data):
        raise ValueError(f"{len(data)} bytes of weights, and {start} are listed")
