"""Laws of films as numbered pictures, and of pictures beside films."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media.image import read_image, read_metadata
from muybridge.media.save_options import SaveOptions
from muybridge.media.sequence import is_sequence
from muybridge.media.sidecar import sidecar_path
from muybridge.media.stills import Stills, still_path
from muybridge.media.writer import open_writer, write_video
from tests.media.test_video import SETTINGS, clip


def test_a_sequence_is_exact_and_carries_its_settings(tmp_path: Path):
    write_video(tmp_path / "new" / "f-%03d.png", clip(12), fps=24, metadata=SETTINGS)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == [f"f-{index:03d}.png" for index in range(12)]
    read = np.stack([read_image(tmp_path / "new" / name) for name in names])
    assert np.array_equal(read, clip(12)) and read_metadata(tmp_path / "new" / names[7]) == SETTINGS


def test_an_interrupted_sequence_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "%05d.png", fps=24) as writer:
        writer.write(clip(3))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_films_are_not_mixed(tmp_path: Path):
    write_video(tmp_path / "a-%02d.png", clip(3), fps=24)
    write_video(tmp_path / "b-%02d.png", clip(3), fps=24)
    with pytest.raises(MediaError, match="a-00.png: is there already"):
        write_video(tmp_path / "a-%02d.png", clip(2), fps=24)
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("options", [{"bits": 10}, {"codec": "h264"}, {"crf": 3}, {"bitrate": "1M"}])
def test_options_of_coded_film_are_refused(tmp_path: Path, options: dict):
    with pytest.raises(MediaError, match="pictures"):
        write_video(tmp_path / "%02d.png", clip(2), fps=24, options=SaveOptions(**options))


def test_names_of_sequences_and_what_lies_beside_them():
    assert is_sequence(Path("f-%05d.png")) and is_sequence(Path("%02d.PNG"))
    assert not any(map(is_sequence, (Path("f.png"), Path("%d.png"), Path("f-%05d.mp4"), Path("%02d-%02d.png"))))
    assert sidecar_path(Path("a/f-%05d.png")) == Path("a/f.json")
    assert sidecar_path(Path("a/%05d.png")) == Path("a/film.json")
    assert still_path(Path("a/f-%05d.png"), "first") == Path("a/f.first.png")


@pytest.mark.parametrize("num_frames", [1, 2, 9])
def test_stills_are_frames_of_the_film(tmp_path: Path, num_frames: int):
    film = clip(num_frames)
    stills = Stills(("first", "last", "sheet"), num_frames=num_frames)
    passed = list(stills.passing(film[start : start + 4] for start in range(0, num_frames, 4)))
    assert np.array_equal(np.concatenate(passed), film)
    stills.write(tmp_path / "film.mp4", caption="a ball")
    assert np.array_equal(read_image(tmp_path / "film.first.png"), film[0])
    assert np.array_equal(read_image(tmp_path / "film.last.png"), film[-1])
    assert read_image(tmp_path / "film.sheet.png").shape[1] > 5 * 64
