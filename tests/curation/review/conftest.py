"""A small curation to review: a film, one that is nearly black, and a picture."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from muybridge.curation.review.desk import DeskConfig
from muybridge.curation.review.queue import QueueConfig
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.media.image import write_image
from muybridge.media.writer import write_video
from muybridge.recipes.curation.run import curate
from muybridge.recipes.curation.settings import CurationSettings

TABLE = parse_thresholds("[clip.short_px]\nat_least = {256p = 32, 360p = 32, 540p = 64, 720p = 64, finetune = 64}\n"
                         "[borders.black_share]\nat_most = 0.5\n")  # fmt: skip


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    scene = np.random.default_rng(0).integers(60, 220, (12, 18, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    moving = np.stack([np.roll(scene, 2 * step, axis=1)[:48, :64] for step in range(6)])
    write_video(folder / "moving.mp4", moving, fps=6)
    write_video(folder / "dark.mp4", np.concatenate([moving[:1], np.zeros_like(moving[:5])]), fps=6)
    write_image(folder / "still.png", moving[0])
    return folder


def settings(out: Path) -> CurationSettings:
    return CurationSettings(out=out, size_px=48, even_s=1.0, stages=("borders",), thresholds=TABLE)


@pytest.fixture(scope="session")
def made(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    curate([str(footage)], settings(out))
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy, to review."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def desk_of(reviewer: str, *, is_settling: bool = False, **clips: object) -> DeskConfig:
    chosen = QueueConfig(**clips)  # type: ignore[arg-type]
    return DeskConfig(reviewer=reviewer, queue=chosen, is_settling=is_settling, num_in_part=2)
