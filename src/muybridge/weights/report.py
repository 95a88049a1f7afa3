"""What is in a checkpoint, for people and for `--json`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from muybridge.core.config import to_dict
from muybridge.core.errors import WeightsError
from muybridge.weights.files import Checkpoint, Component, open_checkpoint
from muybridge.weights.folders import components
from muybridge.weights.header import DATA_DIGEST, HEADER_DIGEST
from muybridge.weights.layouts import stripped
from muybridge.weights.recognise import identify, recognise


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointReport:
    """kind, layout and config are None where they cannot be told; `problem` then says why the file will not load.

    dtypes: parameters by dtype. sha256: of the data section, in single files that carry it.
    """

    path: str
    kind: str | None
    layout: str | None
    num_parameters: int
    num_tensors: int
    num_bytes: int
    dtypes: Mapping[str, int]
    config: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    files: tuple[str, ...]
    sha256: str | None
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def describe(
    path: str | Path, *, component: Component | None = None, key: str = "module", verify: bool = True
) -> CheckpointReport:
    """The report on one model; arguments as `open_checkpoint`.

    Raises WeightsError where the file is damaged or unsafe; a sound file of no known model is described, with why.
    """
    checkpoint = open_checkpoint(path, component=component, key=key, verify=verify)
    report = _plain_report(checkpoint)
    try:
        entries = stripped(checkpoint.entries)
        network, table = identify(checkpoint, entries)
        report = replace(report, kind=network.kind, layout=table.layout)
        found = recognise(checkpoint)
    except WeightsError as error:
        return replace(report, problem=str(error))
    return replace(report, config=to_dict(found.config))


def describe_all(path: str | Path, *, key: str = "module", verify: bool = True) -> tuple[CheckpointReport, ...]:
    """The reports on every model of a pipeline folder, or on the one model at `path`."""
    given = Path(path).expanduser()
    parts = components(given) if given.is_dir() else {}
    if not parts:
        return (describe(given, key=key, verify=verify),)
    return tuple(describe(part, key=key, verify=verify) for part in parts.values())


def _plain_report(checkpoint: Checkpoint) -> CheckpointReport:
    dtypes: Counter[str] = Counter()
    for entry in checkpoint.entries.values():
        dtypes[str(entry.dtype).removeprefix("torch.")] += entry.num_elements
    return CheckpointReport(
        path=str(checkpoint.path),
        kind=None,
        layout=None,
        num_parameters=sum(dtypes.values()),
        num_tensors=len(checkpoint.entries),
        num_bytes=sum(entry.num_bytes for entry in checkpoint.entries.values()),
        dtypes=dict(dtypes),
        config=None,
        metadata={key: value for key, value in checkpoint.metadata.items() if key not in (DATA_DIGEST, HEADER_DIGEST)},
        files=tuple(map(str, checkpoint.files)),
        sha256=checkpoint.metadata.get(DATA_DIGEST),
        problem=None,
    )
