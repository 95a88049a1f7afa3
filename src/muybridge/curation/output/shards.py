"""Clips of a tier as WebDataset tars, grouped so that one tar holds clips of about one shape.

    OUT/shards/256p/16x9-33f-00000.tar     clips that are about 16:9 and have 33 to 64 frames; 1f are pictures
    OUT/shards/256p.json                   what each tar holds, by a digest: those that stay the same are left alone
    OUT/tiers/256p.parquet                 the same clips as a table of paths, captions and repeats

A tar has ID.mp4 (or ID.png), ID.txt with the caption and ID.json with all that is known. Equal clips give equal bytes.
"""

import hashlib
import io
import json
import math
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import RunFailed, invalid
from muybridge.core.files import atomic_path
from muybridge.curation.output.manifest import VECTORS
from muybridge.curation.output.table import Table

Row = Mapping[str, Any]
OnShard = Callable[[int, int], None]  # samples done, of how many

LENGTHS = (1, 5, 9, 17, 33, 65, 129)  # 4n+1, by which clips are told apart: training takes the longest that fits
ASPECTS = {"9x21": 9 / 21, "9x16": 9 / 16, "3x4": 3 / 4, "1x1": 1.0, "4x3": 4 / 3, "16x9": 16 / 9, "21x9": 21 / 9}
MAX_REPEATS = 8  # judged: a clip that is seen more often in one round is learned by heart
_SAID = ("id", "uri", "start_s", "end_s", "fps", "num_frames", "licence", "has_consent", "sha256", "stage_version")
_CAPTIONS = ("caption", "captions", "caption_by")
_TABLE = (*_SAID, "width", "height", "is_picture", *_CAPTIONS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardsConfig:
    """When a tar is full."""

    max_bytes: int = 256 * 2**20
    max_samples: int = 4096

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or self.max_samples < 1:
            raise invalid("max_bytes or max_samples below 1", "a tar holds a clip at least", "use 256 MiB and 4096")


def write_tier(folder: Path, tier: str, table: Table, *, config: ShardsConfig, on_shard: OnShard | None = None) -> Path:
    """Write a tier's tars and table from its rows, sorted by id; the tars' folder. Tars of other clips are removed.

    Raises RunFailed where a clip's file is gone.
    """
    rows = table.without(VECTORS).rows()
    repeats = repeats_of([row.get("sampling_weight") for row in rows])
    place, index_path = folder / "shards" / tier, folder / "shards" / f"{tier}.json"
    place.mkdir(parents=True, exist_ok=True)
    before = json.loads(index_path.read_text()) if index_path.exists() else {}
    index: dict[str, str] = {}
    done = 0
    for name, some in _planned(folder, list(zip(rows, repeats, strict=True)), config):
        index[name] = _digest(some)
        if before.get(name) != index[name] or not (place / name).exists():
            _write_tar(folder, place / name, some)
        done += len(some)
        if on_shard:
            on_shard(done, len(rows))
    for path in set(place.glob("*.tar")) - {place / name for name in index}:
        path.unlink()
    with atomic_path(index_path) as temporary:
        temporary.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
    _write_table(folder, tier, table, repeats=repeats)
    return place


def remove_tier(folder: Path, tier: str) -> None:
    """Remove what `write_tier` once wrote, if anything."""
    for path in (folder / "shards" / tier).glob("*.tar"):
        path.unlink()
    for path in (folder / "shards" / f"{tier}.json", folder / "tiers" / f"{tier}.parquet"):
        path.unlink(missing_ok=True)
    if (folder / "shards" / tier).is_dir():
        (folder / "shards" / tier).rmdir()


def repeats_of(weights: Sequence[float | None]) -> list[int]:
    """How often a round shows each clip: 1 for the smallest weight, others in proportion, at most MAX_REPEATS."""
    known = [weight for weight in weights if weight is not None and weight > 0]
    least = min(known, default=1.0)
    return [min(MAX_REPEATS, max(1, round(weight / least))) if weight else 1 for weight in weights]


def group_of(row: Row) -> str:
    """About which shape a clip has: `16x9-33f`."""
    aspect = math.log(row["width"] / row["height"])
    nearest = min(ASPECTS, key=lambda name: abs(math.log(ASPECTS[name]) - aspect))
    length = max((length for length in LENGTHS if length <= row["num_frames"]), default=1)
    return f"{nearest}-{length}f"


def _planned(
    folder: Path, samples: Sequence[tuple[Row, int]], config: ShardsConfig
) -> Iterator[tuple[str, list[tuple[Row, int]]]]:
    """Each tar's name and samples: group by group, in the order of ids."""
    groups: dict[str, list[tuple[Row, int]]] = {}
    for sample in samples:
        groups.setdefault(group_of(sample[0]), []).append(sample)
    for group in sorted(groups):
        for number, some in enumerate(_filled(folder, groups[group], config)):
            yield f"{group}-{number:05d}.tar", some


def _filled(folder: Path, samples: Sequence[tuple[Row, int]], config: ShardsConfig) -> Iterator[list[tuple[Row, int]]]:
    some: list[tuple[Row, int]] = []
    total = 0
    for sample in samples:
        size = _size(folder / sample[0]["clip"])
        if some and (total + size > config.max_bytes or len(some) >= config.max_samples):
            yield some
            some, total = [], 0
        some.append(sample)
        total += size
    yield some


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise RunFailed(f"{path}: the clip is gone; run the same curation again to make it anew.") from None


def _digest(samples: Sequence[tuple[Row, int]]) -> str:
    digest = hashlib.sha256()
    for row, num_repeats in samples:
        digest.update(_note(row, num_repeats))
    return digest.hexdigest()


def _note(row: Row, num_repeats: int) -> bytes:
    """The JSON beside a clip. What was measured stands apart, so that no reader takes found text for a caption."""
    said = {name: row[name] for name in (*_SAID, *_CAPTIONS) if row.get(name) is not None}
    rest = {name: value for name, value in row.items() if name not in (*_SAID, *_CAPTIONS, "clip")}
    whole = {**said, "repeats": num_repeats, "columns": rest}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def _write_tar(folder: Path, path: Path, samples: Sequence[tuple[Row, int]]) -> None:
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row, num_repeats in samples:
            parts = {Path(row["clip"]).suffix: (folder / row["clip"]).read_bytes()}
            if row.get("caption"):
                parts[".txt"] = row["caption"].encode()
            parts[".json"] = _note(row, num_repeats)
            for suffix, content in parts.items():
                member = tarfile.TarInfo(f"{row['id']}{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def _write_table(folder: Path, tier: str, table: Table, *, repeats: Sequence[int]) -> None:
    """What `muybridge encode OUT/tiers/TIER.parquet` reads; paths are relative to it."""
    paths = [f"../{place}" for place in table.values("clip")]
    small = table.without([name for name in table.names if name not in _TABLE])
    whole = small.with_columns({"path": paths, "repeats": repeats}, {"path": "text", "repeats": "int"})
    whole.write(folder / "tiers" / f"{tier}.parquet", about={"tier": tier})
