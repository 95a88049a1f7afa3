"""Weights of TensorFlow.js are read by their list: kernels turned, biases found, files of another length refused."""

import json

import numpy as np
import pytest
import torch

from muybridge.weights.tfjs import convolutions

KERNEL, BIAS = np.arange(24, dtype=np.float16).reshape(1, 2, 3, 4), np.array([1, 2, 3, 4], np.float32)
GRAPH = {
    "modelTopology": {
        "node": [
            {"op": "Conv2D", "name": "c", "input": ["x", "k"], "attr": {"data_format": {"s": "TkhXQw=="}}},
            {"op": "Add", "name": "a", "input": ["c", "b"]},
        ]
    },
    "weightsManifest": [
        {
            "weights": [
                {"name": "k", "shape": [1, 2, 3, 4], "dtype": "float32", "quantization": {"dtype": "float16"}},
                {"name": "b", "shape": [4], "dtype": "float32"},
            ]
        }
    ],
}


def test_a_kernel_is_turned_to_output_input_rows_columns():
    found = convolutions(json.dumps(GRAPH).encode(), KERNEL.tobytes() + BIAS.tobytes())
    assert sorted(found) == ["0.bias", "0.weight"] and found["0.weight"].dtype == torch.float16
    assert np.array_equal(found["0.weight"].numpy(), KERNEL.transpose(3, 2, 0, 1))
    assert np.array_equal(found["0.bias"].numpy(), BIAS)


def test_bytes_that_are_not_listed_are_refused():
    with pytest.raises(ValueError, match="are listed"):
        convolutions(json.dumps(GRAPH).encode(), KERNEL.tobytes() + BIAS.tobytes() + b"more")
