"""What is in a checkpoint or a LoRA file, for people and for `--json`."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from muybridge.core.config import to_dict
from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes, sha256
from muybridge.weights import lora
from muybridge.weights.catalog import catalogue
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.files import open_checkpoint
from muybridge.weights.folders import models
from muybridge.weights.header import DATA_DIGEST, HEADER_DIGEST
from muybridge.weights.layouts import Kind, kinds, part, stripped
from muybridge.weights.recognise import identify, recognise
from muybridge.weights.storage import plain

OnFile = Callable[[Path], OnBytes]  # told of a file before it is read, gives who is told of its bytes
_CUT_SHORT = 0.2  # of the parameters must be there for a file to count as a part of a known model (convention)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointReport:
    """kind, what, network, layout and config are None where they cannot be told; `problem` says why it will not load.

    what: in words. num_parameters, num_tensors: of the model, quantised ones once. dtypes: parameters by stored dtype,
    or by scheme where quantised. quantisation: tensors by scheme. lora: as `lora.LoraReport`. sha256: of the data
    section, in single files that carry it. hashes: of whole files, where asked for.
    """

    path: str
    kind: str | None = None
    what: str | None = None
    network: str | None = None
    layout: str | None = None
    num_parameters: int
    num_tensors: int
    num_bytes: int
    dtypes: Mapping[str, int]
    quantisation: Mapping[str, int]
    lora: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    metadata: Mapping[str, str]
    files: tuple[str, ...]
    sha256: str | None
    hashes: Mapping[str, str]
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def describe(
    path: str | Path,
    *,
    kind: Kind | None = None,
    key: str = "module",
    verify: bool = True,
    on_hash: OnFile | None = None,
) -> CheckpointReport:
    """The report on one model or LoRA; arguments as `open_checkpoint`. on_hash: hash every file, and tell of it.

    kind: which model, where `path` holds a whole system.
    Raises WeightsError where the file is damaged or unsafe; a sound file of no known model is described, with why.
    """
    checkpoint = open_checkpoint(path, component=kind, key=key, verify=verify)
    return _described(checkpoint, kind, hashes=_hashes(checkpoint, on_hash))


def describe_all(
    path: str | Path,
    *,
    kind: Kind | None = None,
    key: str = "module",
    verify: bool = True,
    on_hash: OnFile | None = None,
) -> tuple[CheckpointReport, ...]:
    """The reports on every model of a pipeline folder or of a file with a whole system, or on the one at `path`.

    kind: only on this one. Other arguments as `describe`.
    """
    if kind is not None:
        return (describe(path, kind=kind, key=key, verify=verify, on_hash=on_hash),)
    reports: list[CheckpointReport] = []
    for model in models(Path(path).expanduser()):
        checkpoint = open_checkpoint(model, key=key, verify=verify)
        hashes = _hashes(checkpoint, on_hash)
        reports += [_described(checkpoint, kind, hashes=hashes) for kind in kinds(checkpoint.entries) or (None,)]
    return tuple(reports)


def _hashes(checkpoint: Checkpoint, on_hash: OnFile | None) -> dict[str, str]:
    return {} if on_hash is None else {str(file): sha256(file, on_bytes=on_hash(file)) for file in checkpoint.files}


def _described(checkpoint: Checkpoint, kind: Kind | None, *, hashes: Mapping[str, str]) -> CheckpointReport:
    if lora.is_lora(checkpoint.entries):
        return _of_lora(replace(_plain_report(checkpoint), hashes=hashes))
    try:
        checkpoint, _ = plain(checkpoint)
        entries = part(checkpoint.entries, kind, file=checkpoint.path)
    except WeightsError as error:
        return replace(_plain_report(checkpoint), hashes=hashes, problem=str(error))
    checkpoint, quantisation = plain(replace(checkpoint, entries=entries))  # of this part
    counts = {} if quantisation is None else quantisation.counts()
    report = replace(_plain_report(checkpoint), hashes=hashes, quantisation=counts)
    try:
        network, table = identify(checkpoint, stripped(entries))
        report = replace(report, kind=network.kind, network=network.name, layout=table.layout)
        found = recognise(checkpoint, kind=kind)
    except WeightsError as error:
        return replace(report, problem=f"{error}{_cut_short(report)}")
    return replace(report, what=found.variant, config=to_dict(found.config))


def _of_lora(report: CheckpointReport) -> CheckpointReport:
    report = replace(report, kind="lora")
    try:
        found = lora.describe(report.path)
    except WeightsError as error:
        return replace(report, problem=str(error))
    families = " and ".join(found.families)
    return replace(report, what=f"{families} for HunyuanVideo", layout=found.format, lora=found.to_dict())


def _cut_short(report: CheckpointReport) -> str:
    """What the whole model would be, where this is the beginning of one."""
    for entry in catalogue().values():
        is_part = _CUT_SHORT * entry.num_parameters < report.num_parameters < entry.num_parameters
        if is_part and report.network is not None and entry.name.startswith(report.network):
            return (
                f" The whole {entry.name} has {entry.num_parameters:,} parameters, this has {report.num_parameters:,}: "
                "perhaps the download was cut short."
            )
    return ""


def _plain_report(checkpoint: Checkpoint) -> CheckpointReport:
    dtypes: Counter[str] = Counter()
    for entry in checkpoint.entries.values():
        stored = str(entry.dtype).removeprefix("torch.") if entry.packed is None else entry.packed.scheme
        dtypes[stored] += entry.num_elements
    packed = [entry.packed for entry in checkpoint.entries.values() if entry.packed is not None]
    plain_bytes = sum(entry.num_bytes for entry in checkpoint.entries.values() if entry.packed is None)
    return CheckpointReport(
        path=str(checkpoint.path),
        num_parameters=sum(dtypes.values()),
        num_tensors=len(checkpoint.entries),
        num_bytes=plain_bytes + sum(each.num_bytes for each in packed),
        dtypes=dict(dtypes.most_common()),
        quantisation={},
        metadata={key: value for key, value in checkpoint.metadata.items() if key not in (DATA_DIGEST, HEADER_DIGEST)},
        files=tuple(map(str, checkpoint.files)),
        sha256=checkpoint.metadata.get(DATA_DIGEST),
        hashes={},
    )
