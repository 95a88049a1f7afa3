"""Latents and text states of a planned data set, each computed once and stored by what it was made from."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import MediaError, invalid
from muybridge.core.files import atomic_path
from muybridge.core.room import check_room
from muybridge.data.encoders import Encoders
from muybridge.data.planning import Plan, lines
from muybridge.data.probes import ProbeCache, detail_of, reason_of
from muybridge.data.report import Reason, Report, Row
from muybridge.data.samples import Sample
from muybridge.data.store import Store
from muybridge.data.stored import StoredLatents, StoredTexts

LATENTS, TEXT, SETS = "latents", "text", "sets"  # folders of an encoded data set
INDEX_VERSION = 1
LATENTS_CHUNK = 32  # samples among which those of one bucket are encoded together
TOKENS_PER_WORD = 1.5  # convention for English
FILE_BYTES = 2600  # an entry's note, and half of the disk's last block

OnProgress = Callable[[str, int, int], None]  # what, done, total
Entry = dict[str, Any]  # one sample's line in the index


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeConfig:
    """What the set is called, and the tokens of a batch in the report's table."""

    name: str = "clips"
    budget_tokens: int = 4096

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise invalid(f"name={self.name!r}", "is a file name without a folder", "use letters, digits and dashes")


def encode(
    plan: Plan,
    folder: Path,
    *,
    config: EncodeConfig,
    encoders: Encoders,
    probes: ProbeCache,
    on_progress: OnProgress | None = None,
) -> Report:
    """Encode what is not yet in `folder` and write `folder`/sets/NAME.json, which lists the samples.

    What another run has encoded is read, checked and used; a damaged entry is encoded anew and has a remark. A file
    that cannot be decoded to its end is left out. The same call after an interruption goes on. The final report.

    Raises InvalidInput before anything is encoded where the disk has no room for it, RunFailed where it fills up later.
    """
    say = on_progress or _silent
    needed_bytes = entry_bytes(plan, encoders) - _held_bytes(folder)
    remedy = "free some, or choose an --out on another disk"
    check_room(folder, needed_bytes, what=f"latents and text states of {len(plan.samples):,} samples", remedy=remedy)
    texts = StoredTexts(Store(folder / TEXT), encoders)
    captions = _captions(plan)
    for done in texts.encode(captions):
        say("captions", done, len(captions))
    latents = StoredLatents(Store(folder / LATENTS), encoders, probes)
    found: dict[str, list[Entry]] = {}
    rows = {row.item: row for row in plan.report.rows}
    for number, sample in enumerate(plan.samples, start=1):
        if number % LATENTS_CHUNK == 1:
            chunk = plan.samples[number - 1 : number - 1 + LATENTS_CHUNK]
            latents.encode([each for each in chunk if not texts.is_refused(each)])
        row = rows[sample.record.id]
        if row.reason is None:
            rows[row.item] = _encoded(sample, row, texts, latents, into=found.setdefault(row.item, []))
        say("latents", number, len(plan.samples))
    kept = [sample for sample in plan.samples if rows[sample.record.id].reason is None]
    report = replace(
        plan.report,
        rows=tuple(rows[row.item] for row in plan.report.rows),
        buckets=lines(kept, config.budget_tokens),
        remarks=(*plan.report.remarks, *texts.remarks, *latents.remarks),
    )
    entries = [entry for item, entries in found.items() if rows[item].reason is None for entry in entries]
    _write_set(folder, config.name, entries, report)
    return report


def entry_bytes(plan: Plan, encoders: Encoders) -> int:
    """About what the plan's latents and text states take on disk: float16, each in a file of its own."""
    channels = encoders.vae.config.latent_channels
    latents = sum(channels * math.prod(sample.bucket.latent_thw) for sample in plan.samples)
    captions = _captions(plan)
    text = sum(
        TOKENS_PER_WORD * len(caption.split()) * encoders.text(is_picture=is_picture).encoder.text_dim
        for caption, is_picture in captions
    )
    return round(torch.half.itemsize * (latents + text) + FILE_BYTES * (len(plan.samples) + len(captions)))


def _captions(plan: Plan) -> list[tuple[str, bool]]:
    """All captions, each with whether it describes a picture, once."""
    return sorted({(text, sample.is_picture) for sample in plan.samples for text in sample.record.captions})


def _held_bytes(folder: Path) -> int:
    """What entries of earlier runs take."""
    return sum(path.stat().st_size for kind in (LATENTS, TEXT) for path in (folder / kind).glob("*/*.safetensors"))


def set_path(folder: Path, name: str) -> Path:
    """Where the list of a set's samples lies."""
    return Path(folder) / SETS / f"{name}.json"


def report_path(folder: Path, name: str) -> Path:
    """Where the report of a set lies."""
    return Path(folder) / SETS / f"{name}.report.json"


def _encoded(sample: Sample, row: Row, texts: StoredTexts, latents: StoredLatents, *, into: list[Entry]) -> Row:
    """The row as it is after encoding the sample, whose line goes `into` the record's list."""
    record, bucket = sample.record, sample.bucket
    if texts.is_refused(sample):
        return Row(item=row.item, reason=Reason.UNREADABLE_CAPTION, detail=record.captions[0][:60])
    try:
        key = latents.key(sample)
        notes = dict.fromkeys([*row.notes, *texts.notes(sample), *latents.notes(sample)])
    except MediaError as error:
        return Row(item=row.item, reason=reason_of(error), detail=detail_of(error, record.media))
    except OSError as error:
        return Row(item=row.item, reason=Reason.MISSING_FILE, detail=error.strerror or "")
    shape = {"bucket": bucket.name, "tokens": bucket.num_tokens, "repeats": record.num_repeats}
    into.append({"id": row.item, "start_s": sample.start_s, **shape, "latents": key, "texts": texts.keys(sample)})
    return replace(row, notes=tuple(notes))


def _write_set(folder: Path, name: str, entries: Sequence[Mapping[str, Any]], report: Report) -> None:
    index = {"version": INDEX_VERSION, "name": name, "samples": list(entries)}
    for path, value in ((set_path(folder, name), index), (report_path(folder, name), report.to_dict())):
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
