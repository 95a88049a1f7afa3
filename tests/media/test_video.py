"""Laws of film files."""

import contextlib
import json
import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.formats import CONTAINERS, VIDEO_SUFFIXES
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import read_metadata, read_video
from muybridge.media.writer import check_output, open_writer, write_video

CODED = list(CONTAINERS)
COLOUR_LEVELS = 3  # measured: 2, from rounding to 8-bit limited-range YUV and back
SETTINGS = {"prompt": 'ein "Ball" — 球 🐎', "seed": 7, "size": [64, 48], "cfg": 1.5}
every_format = pytest.mark.parametrize("suffix", VIDEO_SUFFIXES)


def clip(num_frames: int = 9, *, height: int = 48, width: int = 64) -> np.ndarray:
    """A soft blob that moves round: smooth, as films are, and no two frames equal."""
    y, x = np.mgrid[:height, :width]
    frames = []
    for index in range(num_frames):
        centre = 32 + 16 * np.cos(index / 6), 24 + 10 * np.sin(index / 6)
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 150)
        frames.append(np.stack([blob, 1 - blob, y / height], axis=-1))
    return (np.stack(frames) * 255).astype(np.uint8)


def flat(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.stack([np.full((64, 64, 3), colour, np.uint8) for colour in colours])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


@every_format
@pytest.mark.parametrize("num_frames", [1, 5, 33])
def test_a_film_keeps_its_frames_and_its_look(tmp_path: Path, suffix: str, num_frames: int):
    frames = clip(num_frames)
    write_video(tmp_path / f"film{suffix}", frames, fps=25)
    read, fps = read_video(tmp_path / f"film{suffix}")
    assert read.shape == frames.shape and read.dtype == np.uint8
    assert fps == 25 or num_frames == 1  # a still in a picture format has no rate
    assert psnr(read, frames) > 33  # measured: 35 to 36 with 4:2:0 and crf 17, 38 to 40 for GIF and WebP


@pytest.mark.parametrize("suffix", CODED)
def test_pure_colours_survive(tmp_path: Path, suffix: str):
    frames = flat(
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 30, 90)
    )
    write_video(tmp_path / f"film{suffix}", frames, fps=24)
    read, _ = read_video(tmp_path / f"film{suffix}")
    assert np.abs(read.astype(int) - frames).max() <= COLOUR_LEVELS


@pytest.mark.parametrize("suffix", CODED)
def test_a_film_says_that_it_is_bt709(tmp_path: Path, suffix: str):
    write_video(tmp_path / f"film{suffix}", clip(3), fps=24)
    with av.open(str(tmp_path / f"film{suffix}")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)
    assert frame.format.name == "yuv420p"


@every_format
def test_equal_frames_give_equal_bytes(tmp_path: Path, suffix: str):
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}{suffix}", clip(), fps=24, metadata=SETTINGS)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


@every_format
def test_settings_travel_inside(tmp_path: Path, suffix: str):
    write_video(tmp_path / f"film{suffix}", clip(), fps=24, metadata=SETTINGS)
    assert read_metadata(tmp_path / f"film{suffix}") == SETTINGS


@every_format
def test_a_film_without_settings_has_none(tmp_path: Path, suffix: str):
    write_video(tmp_path / f"film{suffix}", clip(3), fps=24)
    assert read_metadata(tmp_path / f"film{suffix}") is None


def test_somebody_elses_comment_is_not_settings(tmp_path: Path):
    with av.open(str(tmp_path / "film.mp4"), "w") as output:
        output.metadata["comment"] = json.dumps({"tool": "another"})
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(flat((9, 9, 9))[0], format="rgb24")))
        output.mux(stream.encode(None))
    assert read_metadata(tmp_path / "film.mp4") is None


def test_an_mp4_starts_with_its_index(tmp_path: Path):
    write_video(tmp_path / "film.mp4", clip(), fps=24, metadata=SETTINGS)
    data = (tmp_path / "film.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


@pytest.mark.parametrize("fps", [1, 12.5, 24, 23.976, 29.97, 60, 240])
def test_the_rate_is_kept(tmp_path: Path, fps: float):
    write_video(tmp_path / "film.mp4", clip(3), fps=fps)
    assert abs(read_video(tmp_path / "film.mp4")[1] - fps) < 1e-3


def test_a_lower_crf_is_closer(tmp_path: Path):
    noise = (
        np.random.default_rng(0).integers(0, 255, (3, 64, 64, 1), dtype=np.uint8).repeat(3, axis=-1)
    )  # grey: no 4:2:0 loss
    quality = []
    for crf in (40, 20, 1):
        write_video(tmp_path / "film.mp4", noise, fps=24, options=SaveOptions(crf=crf))
        quality.append(psnr(read_video(tmp_path / "film.mp4")[0], noise))
    assert quality == sorted(quality) and quality[2] > quality[0] + 3


def test_reading_stops_at_max_frames(tmp_path: Path):
    write_video(tmp_path / "film.mp4", clip(33), fps=24)
    whole, _ = read_video(tmp_path / "film.mp4")
    some, _ = read_video(tmp_path / "film.mp4", max_frames=5)
    assert np.array_equal(some, whole[:5])
    assert len(read_video(tmp_path / "film.mp4", max_frames=100)[0]) == 33


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.3, 0.6, 0.9])
def test_a_cut_film_is_refused(tmp_path: Path, suffix: str, kept: float):
    path = tmp_path / f"film{suffix}"
    write_video(path, clip(33), fps=24)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(MediaError, match=r"film\.\w+: .*fetch (it|the file) again"):
        read_video(path)


def test_a_damaged_frame_is_refused(tmp_path: Path):
    path = tmp_path / "film.mkv"
    write_video(path, np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), dtype=np.uint8), fps=24)
    data = bytearray(path.read_bytes())
    for index in range(len(data) // 4, len(data) // 2):  # most damage shows; a little of it may decode
        data[index] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(MediaError, match="is damaged or not a film|ends at"):
        read_video(path)


def test_what_is_no_film_is_refused(tmp_path: Path):
    (tmp_path / "text.mp4").write_text("hello\n" * 100)  # FFmpeg reads some text as a film of letters
    (tmp_path / "notes.txt").write_text("hello\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    for name in ("text.mp4", "notes.txt", "list.m3u8"):
        with pytest.raises(MediaError, match="not a film"):
            read_video(tmp_path / name)
    with pytest.raises(MediaError, match="no such file"):
        read_video(tmp_path / "none.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        read_video(tmp_path)


def test_sound_alone_is_no_film(tmp_path: Path):
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(MediaError, match="holds no video stream"):
        read_video(path)


@pytest.mark.parametrize(("lines", "matrix"), [(64, "ITU601"), (720, "ITU709")])
def test_untagged_film_is_taken_for_bt601_below_720_lines(tmp_path: Path, lines: int, matrix: str):
    path = tmp_path / "old.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(24), options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, lines, "yuv420p"
        rgb = av.VideoFrame.from_ndarray(
            np.broadcast_to(np.uint8((200, 30, 90)), (lines, 64, 3)).copy(), format="rgb24"
        )
        output.mux(stream.encode(rgb.reformat(format="yuv420p", dst_colorspace=matrix)))
        output.mux(stream.encode(None))
    read, _ = read_video(path)
    assert np.abs(read.astype(int) - (200, 30, 90)).max() <= COLOUR_LEVELS


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("film.avi", {}, "films are written as"),
        ("film", {}, "films are written as"),
        ("film.png", {}, "films are written as"),
        ("film.mp4", {"fps": 0}, "fps=0"),
        ("film.mp4", {"fps": float("nan")}, "fps=nan"),
        ("film.mp4", {"fps": 1000}, "fps=1000"),
        ("film.mp4", {"options": SaveOptions(crf=52)}, "crf=52"),
        ("film.mp4", {"metadata": {"x": float("nan")}}, "settings: "),
        ("film.mp4", {"metadata": {"x": object()}}, "settings: "),
    ],
)
def test_bad_requests_are_refused_and_write_nothing(tmp_path: Path, name: str, options: dict, match: str):
    with pytest.raises(MediaError, match=match):
        write_video(tmp_path / name, clip(3), **{"fps": 24, **options})
    assert list(tmp_path.iterdir()) == []


def test_odd_sides_are_refused(tmp_path: Path):
    for side in ({"height": 47}, {"width": 63}):
        with pytest.raises(MediaError, match="needs even sides"):
            write_video(tmp_path / "film.mp4", clip(1, **side), fps=24)


@pytest.mark.parametrize("name", ["film.gif", "film.webp"])
def test_films_made_of_pictures_may_have_odd_sides(tmp_path: Path, name: str):
    write_video(tmp_path / name, clip(2, height=47, width=63), fps=10)
    frames, _ = read_video(tmp_path / name)
    assert frames.shape == (2, 47, 63, 3)


def test_a_place_that_cannot_be_written_is_known_beforehand(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    check_output(tmp_path / "new" / "deep" / "film.mp4")
    assert not (tmp_path / "new").exists()
    for bad in (tmp_path / "file" / "film.mp4", tmp_path / "folder.mp4", tmp_path / "film.xyz"):
        with pytest.raises(MediaError):
            check_output(bad)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_known_beforehand(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(MediaError, match="choose a folder you may write to"):
        check_output(tmp_path / "film.mp4")


def test_an_interrupted_write_leaves_the_old_film(tmp_path: Path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), open_writer(path, fps=24) as writer:
        writer.write(clip(9))
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_vanishes_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput) as caught:
        write_video(tmp_path / "file" / "film.mp4", clip(1), fps=24)
    assert "\n" not in str(caught.value)


def test_a_film_held_sideways_is_turned_upright(tmp_path: Path):
    path = tmp_path / "film.mp4"
    write_video(path, clip(2), fps=24)
    flat_film, _ = read_video(path)
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40  # ISO 14496-12 8.3.2: behind version, times, id, duration, layer, volume
    quarter_clockwise = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = struct.pack(">9i", *quarter_clockwise)
    path.write_bytes(data)
    assert np.array_equal(read_video(path)[0], np.rot90(flat_film, k=-1, axes=(1, 2)))


def test_any_damage_is_a_media_error_or_harmless(tmp_path: Path):
    rng = np.random.default_rng(0)
    for suffix in VIDEO_SUFFIXES:
        path = tmp_path / f"film{suffix}"
        write_video(path, clip(3, height=16, width=16), fps=24, metadata=SETTINGS)
        whole = path.read_bytes()
        for _ in range(12):
            data = bytearray(whole[: rng.integers(1, len(whole)) if rng.random() < 0.5 else None])
            for index in rng.integers(0, len(data), 4):
                data[index] = rng.integers(256)
            path.write_bytes(data)
            with contextlib.suppress(MediaError):
                read_video(path)
            with contextlib.suppress(MediaError):
                read_metadata(path)


def test_tags_in_another_alphabet_do_not_stop_a_film(tmp_path: Path):
    path = tmp_path / "film.mkv"
    write_video(path, clip(2), fps=24, metadata={"prompt": "caf\u00e9"})
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9!"))
    assert len(read_video(path)[0]) == 2
