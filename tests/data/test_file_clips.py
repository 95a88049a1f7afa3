"""Pixel batches from files: pure functions of (seed, step), nothing lost, bad files replaced and named."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.data.clips import ClipsConfig
from muybridge.data.file_clips import Clip, FileClips, FileFootage, open_footage
from muybridge.data.probes import ProbeCache
from muybridge.data.sources import open_source
from tests.data.films import levels, write_film, write_film_damaged_inside, write_picture

CONFIG = ClipsConfig(size_px=16, num_frames=5, images_every=5, images_per_clip=2)
CODING = 5  # grey levels


def clips(folder: Path, *, seed: int = 0, config: ClipsConfig = CONFIG, max_interval: int = 8) -> FileClips:
    source = FileFootage(clips=every(folder, config.num_frames), held_out_films=(), max_interval=max_interval)
    return source.stream(config, seed=seed)


def every(folder: Path, num_frames: int) -> tuple[Clip, ...]:
    """All films and pictures, held out or not."""
    found = footage(folder, num_frames)
    return tuple(sorted((*found.clips, *found.held_out_films), key=lambda clip: clip.record.id))


def footage(folder: Path, num_frames: int = 5) -> FileFootage:
    return open_footage(open_source(folder), size_px=16, num_frames=num_frames, probes=ProbeCache(None))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        write_film(tmp_path / f"{number}.mp4", 24)
    write_picture(tmp_path / "p.png", level=7)
    write_picture(tmp_path / "q.png", level=250)
    return tmp_path


def frame_numbers(clip: torch.Tensor) -> list[int]:
    """Which frames of a film of 24 a clip shows, by their grey."""
    greys = ((clip[0, :, 8, -1] + 1) * 127.5).round()
    return [int((torch.from_numpy(levels(24)) - grey).abs().argmin()) for grey in greys]


def test_a_batch_depends_on_seed_and_step_alone(folder: Path) -> None:
    first, later = clips(folder), clips(folder)
    later.batch(0, batch_size=2)
    assert torch.equal(first.batch(3, batch_size=2), later.batch(3, batch_size=2))
    assert not torch.equal(first.batch(3, batch_size=2), clips(folder, seed=1).batch(3, batch_size=2))


def test_every_fifth_batch_holds_pictures(folder: Path) -> None:
    source = clips(folder)
    assert [tuple(source.batch(step, batch_size=2).shape) for step in (0, 3, 4)] == [
        (2, 3, 5, 16, 16), (2, 3, 5, 16, 16), (4, 3, 1, 16, 16),
    ]  # fmt: skip
    values = {round(float((picture.mean() + 1) * 127.5)) for picture in source.batch(4, batch_size=2)}
    assert values == {7, 250}


def test_intervals_reach_from_1_to_what_fits(folder: Path) -> None:
    source = clips(folder, config=ClipsConfig(size_px=16, num_frames=5, images_every=0))
    seen: Counter[int] = Counter()
    for step in range(8):
        for clip in source.batch(step, batch_size=3):
            numbers = frame_numbers(clip)
            gaps = {after - before for before, after in zip(numbers, numbers[1:], strict=False)}
            assert len(gaps) == 1
            seen.update(gaps)
    assert set(seen) == {1, 2, 3, 4, 5}  # (24 - 1) // 4
    narrow = clips(folder, max_interval=1, config=ClipsConfig(size_px=16, num_frames=5, images_every=0))
    numbers = frame_numbers(narrow.batch(0, batch_size=1)[0])
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_the_ranks_batches_are_the_batch(folder: Path) -> None:
    source = clips(folder)
    for step in (0, 4):
        whole = source.batch(step, batch_size=3)
        parts = [source.rows(step, batch_size=3, rank=rank, world_size=3) for rank in range(3)]
        assert torch.equal(torch.cat(parts), whole)


def test_films_stand_in_for_pictures_where_there_are_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_film(tmp_path / f"{name}.mp4", 24)
    assert clips(tmp_path).batch(4, batch_size=1).shape == (2, 3, 1, 16, 16)


def test_a_file_that_turns_out_bad_is_replaced_and_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_film_damaged_inside(folder / "1.mp4")
    source = clips(folder, config=ClipsConfig(size_px=16, num_frames=17, images_every=0))
    for step in range(4):
        assert source.batch(step, batch_size=2).isfinite().all()
    assert list(source.failures) == ["1.mp4"] and caplog.text.count("unreadable id=1.mp4") == 1


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    paths = [write_film(tmp_path / f"{name}.mp4") for name in ("a", "b")]
    source = clips(tmp_path)
    for path in paths:
        path.unlink()
    with pytest.raises(RunFailed, match="cannot be read"):
        source.batch(0, batch_size=1)


def test_held_out_films_are_never_trained_on_and_always_the_same(folder: Path) -> None:
    found = footage(folder)
    trained, apart = ({clip.record.id for clip in part} for part in (found.clips, found.held_out_films))
    assert len(apart) == 1 and not apart & trained and trained | apart == {path.name for path in folder.iterdir()}
    held_out = found.held_out(4, size_px=16, num_frames=17)
    assert held_out.shape == (1, 3, 17, 16, 16)
    numbers = frame_numbers(held_out[0])
    assert numbers == list(range(numbers[0], numbers[0] + 17))
    assert torch.equal(footage(folder).held_out(4, size_px=16, num_frames=17), held_out)


def test_a_data_set_without_films_to_spare_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png")
    write_film(tmp_path / "a.mp4", 24)
    with pytest.raises(InvalidInput, match="1 of 2 inputs: are films of use; two are needed"):
        clips(tmp_path)
