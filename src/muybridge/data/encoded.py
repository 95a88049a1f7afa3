"""What `muybridge encode` wrote, as batches."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from muybridge.core.errors import InvalidInput, invalid
from muybridge.core.seeding import mix
from muybridge.data.buckets import Bucket, batch_sizes
from muybridge.data.cache import LatentBatch
from muybridge.data.encode import INDEX_VERSION, LATENTS, SETS, TEXT, set_path
from muybridge.data.order import Draw, Order
from muybridge.data.report import BucketLine
from muybridge.data.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One sample: where its latents and its captions' states lie."""

    id: str
    bucket: Bucket
    latents: str
    texts: tuple[str, ...]


class EncodedLatents:
    """A `LatentSource` of one encoded set. Every read is checked against the entry's checksum."""

    def __init__(self, folder: Path, *, name: str | None = None, multiple: int = 1) -> None:
        """name: of the set; may be left out where the folder holds one. multiple: of which batches' rows are: ranks
        times micro-batches. Raises InvalidInput where there is no such set or it is empty.
        """
        self.folder = Path(folder)
        self._latents, self._texts = Store(self.folder / LATENTS), Store(self.folder / TEXT)
        self._multiple = multiple
        entries = _entries(_found(self.folder, name))
        groups: dict[Bucket, list[Entry]] = {}
        for entry in entries:
            groups.setdefault(entry.bucket, []).append(entry)
        self.buckets = sorted(groups, key=lambda bucket: (-len(groups[bucket]), bucket))
        self._groups = [groups[bucket] for bucket in self.buckets]
        self._order: tuple[tuple[int, int], Order] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def vae_identity(self) -> str:
        """What tells the VAE that made the latents from others (data.encoders). Raises DamagedEntry."""
        return self._latents.made_from(self._groups[0][0].latents)["vae"]

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """The samples of `step`: `batch_size` of the bucket with the most tokens, of others as many as hold no more
        tokens than those; never more than the bucket has. Raises DamagedEntry.
        """
        return self.read(self.draw(step, batch_size=batch_size, seed=seed), seed=seed)

    def draw(self, step: int, *, batch_size: int, seed: int) -> Draw:
        """Which samples `step` has; `share` of it gives a rank's."""
        key = batch_size, seed
        if self._order is None or self._order[0] != key:
            lines = self.lines(batch_size)
            counts, rows = [line.num_samples for line in lines], [line.batch_size for line in lines]
            self._order = key, Order(counts, rows, seed=seed)
        return self._order[1].at(step)

    def lines(self, batch_size: int) -> tuple[BucketLine, ...]:
        """Every bucket with its samples, repeats counted, and its batches' rows where the largest has `batch_size`."""
        counts = [len(group) for group in self._groups]
        budget = batch_size * max(bucket.num_tokens for bucket in self.buckets)
        rows = batch_sizes(self.buckets, counts, budget_tokens=budget, multiple=self._multiple)
        return tuple(
            BucketLine(name=bucket.name, num_tokens=bucket.num_tokens, num_samples=count, batch_size=size)
            for bucket, count, size in zip(self.buckets, counts, rows, strict=True)
        )

    def ids(self, draw: Draw) -> list[str]:
        """The records that a draw's samples come from."""
        return [self._groups[draw.bucket][sample].id for sample in draw.samples]

    def read(self, draw: Draw, *, seed: int = 0) -> LatentBatch:
        """The tensors of a draw; a sample with several captions gives each round one of them. Raises DamagedEntry."""
        entries = [self._groups[draw.bucket][sample] for sample in draw.samples]
        turns = [
            mix(seed, entry.id, turn, "caption") % max(1, len(entry.texts))
            for entry, turn in zip(entries, draw.rounds, strict=True)
        ]
        return self._read(entries, turns)

    def leading(self, num_samples: int) -> tuple[LatentBatch, ...]:
        """The first samples of the set's order, as batches of one shape each: for validation. Raises DamagedEntry."""
        batches, left = [], num_samples
        for group in self._groups:
            if chosen := group[:left]:
                batches.append(self._read(chosen, [0] * len(chosen)))
            left -= len(chosen)
        return tuple(batches)

    def _read(self, entries: Sequence[Entry], turns: Sequence[int]) -> LatentBatch:
        latents = torch.stack([self._latents.read(entry.latents)["latents"].float() for entry in entries])
        texts = [self._texts.read(entry.texts[turn]) for entry, turn in zip(entries, turns, strict=True)]
        states = [text["states"].float() for text in texts]
        lengths = torch.tensor([len(item) for item in states])
        padded: Tensor = pad_sequence(states, batch_first=True)
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        pooled = torch.stack([text["pooled"].float() for text in texts])
        return LatentBatch(latents=latents, text=padded, text_mask=mask, pooled=pooled)


def _found(folder: Path, name: str | None) -> Path:
    """The set's list."""
    if name is not None:
        path = set_path(folder, name)
        if not path.is_file():
            raise invalid(str(path), "no such encoded set", "run muybridge encode first")
        return path
    paths = sorted(path for path in (folder / SETS).glob("*.json") if not path.name.endswith(".report.json"))
    if not paths:
        first = f"muybridge encode {shlex.quote(str(folder))} --out encoded"
        raise invalid(str(folder), "holds no encoded set", f"run {first}, and name that folder")
    if len(paths) > 1:
        names = ", ".join(path.stem for path in paths)
        raise invalid(str(folder), f"holds these encoded sets: {names}", "name one")
    return paths[0]


def _entries(path: Path) -> list[Entry]:
    """Every sample as often as it is repeated. Raises InvalidInput where there is none, or no captions."""
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if index["version"] != INDEX_VERSION:
            raise invalid(str(path), f"was written in form {index['version']}", "run muybridge encode again")
        entries = [entry for sample in index["samples"] for entry in [_entry(sample)] * int(sample["repeats"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path}: is not a list of samples ({error}); run muybridge encode again.") from None
    if not entries:
        raise invalid(str(path), "has no samples", f"see {path.with_suffix('.report.json').name} for the reasons")
    if any(not entry.texts for entry in entries):
        raise invalid(str(path), "has samples without captions", "encode with captions to train on text")
    return entries


def _entry(sample: dict[str, Any]) -> Entry:
    frames, width, height = map(int, sample["bucket"].split("x"))
    bucket = Bucket(num_frames=frames, width_px=width, height_px=height)
    return Entry(id=sample["id"], bucket=bucket, latents=sample["latents"], texts=tuple(sample["texts"]))
