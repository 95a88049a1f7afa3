"""Laws of writing films bit by bit, in every format."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from muybridge.core.errors import MediaError
from muybridge.media.formats import CODECS, CONTAINERS, codecs_available
from muybridge.media.frames import to_uint8, to_uint16
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import read_metadata, read_video
from muybridge.media.writer import open_writer, write_video
from tests.media.test_video import SETTINGS, clip, psnr

CHART_LEVELS = 3  # measured: 2, from rounding to limited-range YUV and the codec
CHART_DB = 48.5  # measured: 52.1 with 8 bits, 48.8 with AV1
CHART_SHIFT = 0.25  # of a level, in the mean
EVERY = [(suffix, codec) for suffix, container in CONTAINERS.items() for codec in container.codecs]
every_coding = pytest.mark.parametrize(("suffix", "codec"), EVERY)


def chart() -> np.ndarray:
    """Three frames of 24 patches of flat colour, 32 px each, the size of chroma blocks and more."""
    levels = np.array([(r, g, b) for r in (16, 128, 240) for g in (16, 240) for b in (16, 90, 165, 240)], np.uint8)
    picture = levels.reshape(4, 6, 3).repeat(32, axis=0).repeat(32, axis=1)
    return np.stack([picture] * 3)


@every_coding
def test_colours_survive_every_codec(tmp_path: Path, suffix: str, codec: str):
    path = tmp_path / f"film{suffix}"
    write_video(path, chart(), fps=24, options=SaveOptions(codec=codec))
    read, _ = read_video(path)
    inner = np.zeros(chart().shape[1:3], bool)  # patches without their edges, where chroma of half size blurs
    for row in range(4):
        for column in range(6):
            inner[row * 32 + 6 : row * 32 + 26, column * 32 + 6 : column * 32 + 26] = True
    error = np.abs(read[:, inner].astype(int) - chart()[:, inner])
    assert error.max() <= CHART_LEVELS and psnr(read[:, inner], chart()[:, inner]) > CHART_DB
    assert np.abs((read[:, inner].astype(int) - chart()[:, inner]).mean(axis=(0, 1))).max() < CHART_SHIFT


@every_coding
def test_equal_films_are_equal_files_with_their_settings(tmp_path: Path, suffix: str, codec: str):
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}{suffix}", clip(), fps=24, metadata=SETTINGS, options=SaveOptions(codec=codec))
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    assert read_metadata(tmp_path / f"one{suffix}") == SETTINGS


@every_coding
def test_a_film_in_parts_is_the_film_at_once(tmp_path: Path, suffix: str, codec: str):
    whole, options = clip(), SaveOptions(codec=codec)
    write_video(tmp_path / f"once{suffix}", whole, fps=24, options=options)
    write_video(tmp_path / f"parts{suffix}", (whole[i : i + 4] for i in (0, 4, 8)), fps=24, options=options)
    assert (tmp_path / f"once{suffix}").read_bytes() == (tmp_path / f"parts{suffix}").read_bytes()


@every_coding
def test_an_interrupted_write_leaves_nothing(tmp_path: Path, suffix: str, codec: str):
    options = SaveOptions(codec=codec)
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / f"film{suffix}", fps=24, options=options) as writer:
        writer.write(clip(5))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_lossless_film_is_exact(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 31, 33, 3), dtype=np.uint8)
    write_video(tmp_path / "film.mkv", noise, fps=24, options=SaveOptions(codec="ffv1"))
    assert np.array_equal(read_video(tmp_path / "film.mkv")[0], noise)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_the_shortest_films_of_h265_are_written_alike_each_time(tmp_path: Path, num_frames: int, bits: int):
    frames = to_uint8(torch.linspace(-1, 1, 64).expand(3, num_frames, 64, 64))
    made = set()
    for number in range(12):
        path = tmp_path / f"{number}.mp4"
        write_video(path, frames, fps=24, options=SaveOptions(codec="h265", bits=bits))
        made.add(path.read_bytes())
    assert len(made) == 1


@pytest.mark.parametrize(
    ("suffix", "codec"), [each for each in EVERY if 10 in CODECS[each[1]].formats and each[0] != ".mkv"]
)
def test_ten_bits_tell_more_levels_than_eight(tmp_path: Path, suffix: str, codec: str):
    ramp = torch.linspace(-0.1, 0.1, 256).expand(3, 1, 64, 256)  # a tenth of the range: 26 levels of 8 bits
    options = SaveOptions(codec=codec, bits=10, **({"crf": 1} if CODECS[codec].crf else {}))
    write_video(tmp_path / f"film{suffix}", to_uint16(ramp), fps=24, options=options)
    with av.open(str(tmp_path / f"film{suffix}")) as container:
        levels = next(container.decode(video=0)).reformat(format="gray16le").to_ndarray()[32]
    assert len(np.unique(levels)) > 60  # of 8-bit film: 22
    assert np.all(np.diff(levels[::16].astype(int)) > 0)


def test_sixteen_bits_round_to_eight():
    pixels = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    assert np.abs(to_uint16(pixels) / 257 - to_uint8(pixels)).max() <= 0.5 + 1e-3


def test_a_bit_rate_decides_the_size(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    for rate in ("200k", "2M"):
        write_video(tmp_path / f"{rate}.mp4", noise, fps=24, options=SaveOptions(bitrate=rate))
    assert (tmp_path / "200k.mp4").stat().st_size * 2 < (tmp_path / "2M.mp4").stat().st_size


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("film.mp4", {"codec": "prores"}, "does not hold prores, but h264.* use film.mov"),
        ("film.webm", {"codec": "h264"}, "does not hold h264"),
        ("film.webm", {"bits": 10}, "vp9 is not written so; use h264"),
        ("film.mov", {"codec": "prores", "bits": 8}, "bits=8: prores is not written so"),
        ("film.mov", {"codec": "prores", "crf": 3}, "quality is fixed"),
        ("film.mp4", {"crf": 60}, "between 0 .best. and 51 for h264"),
        ("film.gif", {"codec": "h264"}, "takes no codec"),
        ("film.gif", {"bits": 10}, "has 8 bits a channel, not 10"),
        ("film.webp", {"bitrate": "1M"}, "takes no bitrate"),
    ],
)
def test_options_that_a_format_cannot_keep_are_refused(tmp_path: Path, name: str, options: dict, match: str):
    with pytest.raises(MediaError, match=match):
        write_video(tmp_path / name, clip(3), fps=24, options=SaveOptions(**options))
    assert list(tmp_path.iterdir()) == []


def test_a_film_has_one_size_and_some_frames(tmp_path: Path):
    with pytest.raises(MediaError, match="one size"), open_writer(tmp_path / "film.mp4", fps=24) as writer:
        writer.write(clip(2))
        writer.write(clip(2, width=32))
    with pytest.raises(MediaError, match="got no frame"), open_writer(tmp_path / "film.mp4", fps=24):
        pass
    assert list(tmp_path.iterdir()) == []


def test_every_codec_of_the_table_is_there():
    assert codecs_available() == tuple(CODECS)
