"""Networks of others in ONNX files, run by onnxruntime with one thread."""

from pathlib import Path
from typing import Any

from muybridge.core.errors import MissingExtra, WeightsError

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


def need_onnxruntime(what: str) -> None:
    """Raises MissingExtra where it is not installed."""
    if onnxruntime is None:
        raise MissingExtra(f"{what}: needs onnxruntime; pip install 'muybridge[curate]'.")


def opened(path: Path) -> Any:
    """The network of a file: `run(None, {input: array})` gives its outputs. Raises MissingExtra, WeightsError."""
    need_onnxruntime(path.name)
    assert onnxruntime is not None  # or that had raised
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no class of its own that all of its errors share
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: cannot be loaded ({reason}); remove its folder to fetch it again.") from None
