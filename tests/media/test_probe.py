"""What is known of a film before it is decoded."""

import io
from pathlib import Path

import pytest

from muybridge.core.errors import MediaError
from muybridge.media.probe import EmptyFile, probe
from muybridge.media.video import CutShort, NoVideo
from tests.data.films import HEIGHT, WIDTH, write_cut_film, write_film, write_gif, write_picture, write_sound


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.mov", "a.avi"])
def test_a_film_has_its_size_length_and_rate(tmp_path: Path, name: str) -> None:
    facts = probe(write_film(tmp_path / name))
    assert (facts.width_px, facts.height_px, facts.num_frames) == (WIDTH, HEIGHT, 9)
    assert facts.fps == pytest.approx(24, abs=0.1) and facts.duration_s == pytest.approx(8 / 24, abs=0.002)
    assert not (facts.is_variable or facts.is_hdr or facts.is_anamorphic or facts.is_picture)


def test_bytes_in_memory_are_probed_as_the_file_is(tmp_path: Path) -> None:
    for path in (write_film(tmp_path / "a.mp4"), write_picture(tmp_path / "a.png")):
        assert probe(Path("shard.tar") / path.name, data=io.BytesIO(path.read_bytes())) == probe(path)


def test_oddities_are_told(tmp_path: Path) -> None:
    turned = probe(write_film(tmp_path / "turned.mp4", rotation_deg=90))
    assert (turned.width_px, turned.height_px, turned.rotation_deg) == (HEIGHT, WIDTH, 90)
    assert probe(write_film(tmp_path / "uneven.mp4", gaps=(100, 300))).is_variable
    deep = probe(write_film(tmp_path / "deep.mp4", pix_fmt="yuv420p10le"))
    assert deep.bit_depth == 10 and not deep.is_hdr
    assert probe(write_film(tmp_path / "hdr.mp4", pix_fmt="yuv420p10le", is_hdr=True)).is_hdr


def test_matroska_s_rounded_clock_is_no_variable_rate(tmp_path: Path) -> None:
    assert not probe(write_film(tmp_path / "a.mkv", 24)).is_variable


def test_pictures_and_animations_are_told_apart(tmp_path: Path) -> None:
    assert probe(write_picture(tmp_path / "a.webp")).is_picture
    moving = probe(write_gif(tmp_path / "a.gif"))
    assert (moving.num_frames, moving.fps) == (9, 20.0) and moving.duration_s == pytest.approx(0.4)


def test_each_kind_of_bad_file_has_its_error(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "half.png").write_bytes(write_picture(tmp_path / "whole.png").read_bytes()[:60])
    expected = {
        tmp_path / "empty.mp4": EmptyFile,
        tmp_path / "text.mp4": MediaError,
        tmp_path / "half.png": MediaError,
        tmp_path / "absent.mp4": MediaError,
        write_sound(tmp_path / "sound.mp4"): NoVideo,
        write_cut_film(tmp_path / "cut.mp4"): CutShort,
    }
    for path, error in expected.items():
        with pytest.raises(error, match=path.stem):
            probe(path)
