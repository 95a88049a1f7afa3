"""A world's clips written to disk: MP4 files, a Parquet manifest and WebDataset tars; interrupted runs continue.

    OUT/world.json             what is written here; other settings are refused
    OUT/clips/NNNNNN.mp4       a clip, and beside it NNNNNN.json with its captions and facts
    OUT/shards/NNNNN.tar       the same clips as WebDataset samples: KEY.mp4, KEY.txt, KEY.json
    OUT/manifest.parquet       a row for each clip; written last

Every file is written under another name first, so one that is there is whole, and a killed run continues where it was.
A folder belongs to one run at a time, which may draw in several processes.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import MissingExtra, RunFailed, invalid
from muybridge.core.files import atomic_path, sha256
from muybridge.core.processes import alone_in, in_processes
from muybridge.core.room import check_room
from muybridge.media.writer import write_video
from muybridge.worlds.world import DescribedWorld, Split

try:
    import pyarrow
    import pyarrow.parquet as parquet
except ImportError:
    pyarrow = parquet = None

OnClip = Callable[[int, int], None]  # clips done, of how many
ROWS_AT_ONCE = 1024
BYTES_PER_PIXEL, BYTES_PER_NOTE = 0.16, 2600  # of a clip: means of 80 sprites at 64 px, measured; larger ones take less


@dataclass(frozen=True, kw_only=True, slots=True)
class MaterialiseConfig:
    """Which clips are written, and how. `clips_per_shard` 0 writes no tars.

    More clips of the same world may be asked for later; every other change is refused where clips lie already.
    """

    num_clips: int
    start: int = 0
    split: Split = "train"
    size_px: int = 128
    num_frames: int = 17
    num_captions: int = 4
    clips_per_shard: int = 256

    def __post_init__(self) -> None:
        if self.num_clips < 1:
            raise invalid(f"num_clips={self.num_clips}", "at least one clip is written", "use 1000")
        if self.start < 0:
            raise invalid(f"start={self.start}", "clips are numbered from 0", "use 0")
        if self.split not in ("train", "held_out"):
            raise invalid(f"split={self.split}", "there are train and held_out", "use train")
        if self.size_px < 2 or self.size_px % 2:
            raise invalid(f"size_px={self.size_px}", "film needs even sides", f"use {max(2, self.size_px + 1)}")
        if self.num_captions < 1:
            raise invalid(f"num_captions={self.num_captions}", "a clip has at least one", "use 4")
        if self.clips_per_shard < 0:
            raise invalid(f"clips_per_shard={self.clips_per_shard}", "cannot be negative", "use 256, or 0 for no tars")

    @property
    def indices(self) -> range:
        """The clips' numbers in the split."""
        return range(self.start, self.start + self.num_clips)

    @property
    def clip_bytes(self) -> int:
        """About what a clip takes on disk, its copy in a tar included."""
        film = self.num_frames * self.size_px**2 * BYTES_PER_PIXEL
        return round((film + BYTES_PER_NOTE) * (2 if self.clips_per_shard else 1))


def materialise(
    world: DescribedWorld,
    folder: Path,
    config: MaterialiseConfig,
    *,
    num_workers: int = 1,
    on_clip: OnClip | None = None,
) -> Path:
    """Write the clips into `folder`, or what is missing of them; the manifest's path.

    num_workers: processes that draw; the files are the same whatever their number. Raises RunFailed if the folder holds
    other clips or another run is writing there, InvalidInput if the disk is too full, MissingExtra without pyarrow.
    """
    if pyarrow is None:  # before the work, not after it
        raise MissingExtra("manifests: need pyarrow; run pip install 'muybridge[worlds]'.")
    if num_workers < 1:
        raise invalid(f"workers={num_workers}", "someone has to draw", "use 1")
    there = set(_finished(folder))
    num_missing = config.num_clips - sum(index in config.indices for index in there)
    what, remedy = f"{num_missing:,} clips", "free some, ask for fewer clips, or choose a folder on another disk"
    check_room(folder, num_missing * config.clip_bytes, what=what, remedy=remedy)
    missing = [index for index in config.indices if index not in there]
    with alone_in(folder):
        _claim(folder, world, config)
        _sweep(folder)
        written = in_processes(
            lambda index: _write_clip(world, folder, index, config=config), missing, num_workers=num_workers
        )
        for done, _ in enumerate(written, start=config.num_clips - num_missing + 1):
            if on_clip:
                on_clip(done, config.num_clips)
        present = sorted(_finished(folder))
        if config.clips_per_shard:
            _write_shards(folder, present, config.clips_per_shard)
        return _write_manifest(folder, present)


def _write_clip(world: DescribedWorld, folder: Path, index: int, *, config: MaterialiseConfig) -> None:
    """One MP4, then the note that says it is whole."""
    scene = world.scene(index, split=config.split)
    film = folder / "clips" / f"{index:06d}.mp4"
    pixels = world.render(scene, size_px=config.size_px, num_frames=config.num_frames)
    write_video(film, pixels, fps=world.fps)
    captions = list(world.captions(scene, config.num_captions))
    fields = asdict(world.structured(scene))
    row = {
        "id": f"{world.settings['world']}-{config.split}-{index:06d}",
        "path": f"clips/{film.name}",
        "caption": captions[0],
        "captions": captions,
        **{name: fields[name] for name in fields if name != "short"},
        "world": world.settings["world"],
        "split": config.split,
        "index": index,
        "width": pixels.shape[2],
        "height": pixels.shape[1],
        "num_frames": pixels.shape[0],
        "fps": float(world.fps),
        "num_bytes": film.stat().st_size,
        "sha256": sha256(film),
        "scene": json.dumps(asdict(scene)),
    }
    with atomic_path(_note(folder, index)) as temporary:
        temporary.write_text(json.dumps(row, ensure_ascii=False))


def _write_shards(folder: Path, present: list[int], clips_per_shard: int) -> None:
    """The tars that are not there yet, or that have gained clips."""
    shards: dict[int, list[int]] = {}
    for index in present:
        shards.setdefault(index // clips_per_shard, []).append(index)
    for number, indices in shards.items():
        path = folder / "shards" / f"{number:05d}.tar"
        if not path.exists() or _num_samples(path) != len(indices):
            _write_tar(path, [_note(folder, index) for index in indices])


def _write_tar(path: Path, notes: list[Path]) -> None:
    """A tar of samples; equal clips give equal bytes."""
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for note in notes:
            row = json.loads(note.read_text())
            parts = {
                "mp4": note.with_suffix(".mp4").read_bytes(),
                "txt": row["caption"].encode(),
                "json": note.read_bytes(),
            }
            for suffix, content in parts.items():
                member = tarfile.TarInfo(f"{row['id']}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def _num_samples(path: Path) -> int:
    with tarfile.open(path) as tar:
        return sum(name.endswith(".json") for name in tar.getnames())


def _write_manifest(folder: Path, present: list[int]) -> Path:
    path = folder / "manifest.parquet"
    assert pyarrow is not None and parquet is not None and present
    schema = pyarrow.Table.from_pylist(next(_row_groups(folder, present[:1]))).schema
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for rows in _row_groups(folder, present):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
    return path


def _row_groups(folder: Path, present: list[int]) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(present), ROWS_AT_ONCE):
        yield [json.loads(_note(folder, index).read_text()) for index in present[first : first + ROWS_AT_ONCE]]


def _note(folder: Path, index: int) -> Path:
    return folder / "clips" / f"{index:06d}.json"


def _finished(folder: Path) -> Iterator[int]:
    """The numbers of the clips whose notes are there."""
    return (int(path.stem) for path in (folder / "clips").glob("*.json") if path.stem.isdecimal())


def _claim(folder: Path, world: DescribedWorld, config: MaterialiseConfig) -> None:
    """Write down what the folder holds, or refuse one that holds something else."""
    chosen = asdict(config)
    claim = {
        "world": dict(world.settings),
        **{name: chosen[name] for name in chosen if name not in ("num_clips", "start")},
    }
    note, text = folder / "world.json", json.dumps(claim, indent=1)
    if not note.exists():
        if (folder / "clips").exists():
            raise RunFailed(f"{folder}: holds clips that no world.json accounts for; choose another folder.")
        with atomic_path(note) as temporary:
            temporary.write_text(text)
    elif json.loads(note.read_text()) != json.loads(text):
        raise RunFailed(f"{folder}: holds clips of other settings ({note.name} lists them); choose another folder.")


def _sweep(folder: Path) -> None:
    """Remove what a killed run had begun to write."""
    for place in (folder, folder / "clips", folder / "shards"):
        for suffix in ("mp4", "json", "tar", "parquet"):
            for path in place.glob(f".*-*.{suffix}"):
                path.unlink()
