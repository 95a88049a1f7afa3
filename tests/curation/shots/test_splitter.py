"""A source becomes clips of one shot each, read once, the same each time."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.curation.clip import Clip, SourceFile
from muybridge.curation.shots import footage as reading
from muybridge.curation.shots.config import ShotsConfig
from muybridge.curation.shots.cutting import Cutting, Lengths
from muybridge.curation.shots.joins import Join
from muybridge.curation.shots.reel import Reel
from muybridge.curation.shots.splitter import OUTPUTS, ShotSplitter
from tests.curation.shots.small_films import FPS, HEIGHT_PX, WIDTH_PX, scene, written
from tests.data.films import levels, write_film

CONFIG = ShotsConfig(min_s=0.5, min_frames=9, max_s=1.5, stride_s=1.5)
RATE_HZ = 16_000


def clips_of(path: Path, config: ShotsConfig = CONFIG) -> list[Clip]:
    return list(ShotSplitter(config).clips(SourceFile(path=path, uri=path.name)))


@pytest.fixture(scope="module")
def three_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shots = [scene(seed, length) for seed, length in ((1, 40), (2, 60), (3, 8))]
    return written(tmp_path_factory.mktemp("films"), np.concatenate(shots))


def with_sound(folder: Path, frames: np.ndarray) -> Path:
    """A film whose sound is a ramp, so that every sample says when it is heard."""
    path = folder / "heard.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("ffv1", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        sound = output.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            output.mux(video.encode(frame))
            count = RATE_HZ // FPS
            samples = (np.arange(index * count, (index + 1) * count) // 4).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, index * RATE_HZ // FPS, Fraction(1, RATE_HZ)
            output.mux(sound.encode(heard))
        output.mux([*video.encode(None), *sound.encode(None)])
    return path


def test_every_shot_that_is_long_enough_becomes_clips_within_it(three_shots: Path) -> None:
    clips = clips_of(three_shots)
    assert [clip.values["shot"] for clip in clips] == [0, 1, 1]
    assert [clip.values["shot_join"] for clip in clips] == ["start", "cut", "cut"]
    assert clips[0].end_s <= 40 / FPS < clips[1].start_s < clips[2].end_s <= 100 / FPS
    for clip in clips:
        assert clip.values.keys() == OUTPUTS.keys()
        assert len(clip.frames) == round((clip.end_s - clip.start_s) * FPS) <= CONFIG.max_s * FPS
        assert clip.frames.shape[1:] == (HEIGHT_PX, WIDTH_PX, 3)


def test_equal_footage_gives_equal_clips_and_is_opened_once(three_shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens: list[Path] = []
    true_opened = reading.opened
    monkeypatch.setattr(reading, "opened", lambda path: (opens.append(path), true_opened(path))[1])
    first, second = clips_of(three_shots), clips_of(three_shots)
    assert opens == [three_shots, three_shots]
    for one, other in zip(first, second, strict=True):
        assert (one.id, one.start_s, one.values) == (other.id, other.start_s, other.values)
        assert np.array_equal(one.frames, other.frames)


def test_the_sound_is_that_of_the_stretch(tmp_path: Path) -> None:
    clips = clips_of(with_sound(tmp_path, np.concatenate([scene(1, 30), scene(2, 30)])))
    assert len(clips) == 2
    for clip in clips:
        assert clip.sound is not None and clip.sound.rate_hz == RATE_HZ
        first = clip.sound.samples[0, 0] * 32768 * 4
        assert abs(first / (RATE_HZ // FPS * FPS) - clip.start_s) < 0.02
        assert clip.sound.samples.shape == (1, round((clip.end_s - clip.start_s) * RATE_HZ))


def test_the_short_side_is_scaled_and_never_enlarged(tmp_path: Path) -> None:
    path = written(tmp_path, scene(1, 30))
    assert {clip.frames.shape[1:3] for clip in clips_of(path, replace(CONFIG, side_px=32))} == {(32, 56)}
    assert {clip.frames.shape[1:3] for clip in clips_of(path)} == {(HEIGHT_PX, WIDTH_PX)}
    assert clips_of(path)[0].origin.width_px == WIDTH_PX


def test_unequal_frame_times_become_a_steady_rate(tmp_path: Path) -> None:
    """An animation whose second half is half as fast: all of it lasts as long as it says."""
    frames = [Image.fromarray(frame) for frame in scene(1, 40, speed=0)]
    lengths = [40] * 20 + [80] * 20
    for index, frame in enumerate(frames):
        frame.putpixel((0, 0), (index, 0, 0))
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=lengths, lossless=True)
    clips = clips_of(tmp_path / "a.webp", replace(CONFIG, max_s=5.0, stride_s=5.0))
    assert [clip.fps for clip in clips] == [25.0]
    assert abs(clips[0].end_s - sum(lengths) / 1000) < 0.08


def test_turned_film_is_upright(tmp_path: Path) -> None:
    (clip,) = clips_of(write_film(tmp_path / "turned.mp4", 24, rotation_deg=90))
    assert (clip.origin.width_px, clip.origin.height_px) == (48, 64)
    assert clip.frames.shape[1:3] == (64, 48)
    is_brighter_below = clip.frames[0, 40:].mean() > clip.frames[0, :24].mean() + 5
    assert is_brighter_below  # what was on the left: a quarter turn counterclockwise brings it down


def test_film_of_wide_pixels_is_shown_in_square_ones(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 48, 54, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for picture in scene(1, 24)[:, :, ::2]:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        output.mux(stream.encode(None))
    (clip,) = clips_of(path)
    assert (clip.origin.width_px, clip.origin.height_px) == (96, 54)
    assert clip.frames.shape[1:3] == (54, 96)


def test_film_of_changing_rate_lasts_as_long_as_it_says(tmp_path: Path) -> None:
    """Frames that are shown for 1/24 and 1/12 s in turn, as frames of equal length."""
    (clip,) = clips_of(write_film(tmp_path / "a.mkv", 20, gaps=(100, 200)))
    assert abs(len(clip.frames) / clip.fps - 20 * 1.5 / 24) < 0.1
    shown = clip.frames.mean(axis=(1, 2, 3))
    seconds = np.arange(len(shown)) / clip.fps
    expected = np.interp(seconds, np.cumsum([0, *([100, 200] * 10)])[:-1] / 2400, levels(20) + 7.5)
    assert np.abs(shown - expected).max() < 15  # levels: what one frame and a half bring


def test_one_frame_is_a_picture_whatever_it_is_kept_in(tmp_path: Path) -> None:
    one = scene(1, 1)
    Image.fromarray(one[0]).save(tmp_path / "a.png")
    Image.fromarray(one[0]).save(tmp_path / "a.gif")
    for path in (tmp_path / "a.png", tmp_path / "a.gif", written(tmp_path, one)):
        (clip,) = clips_of(path)
        assert clip.is_picture and clip.sound is None
        assert clip.frames.shape == (1, HEIGHT_PX, WIDTH_PX, 3)


def test_damage_costs_only_what_lies_behind_it(tmp_path: Path) -> None:
    path = written(tmp_path, np.concatenate([scene(1, 40), scene(2, 40)]), "whole.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)])
    clips: list[Clip] = []
    with pytest.raises(MediaError, match="fetch it again"):
        for clip in ShotSplitter(CONFIG).clips(SourceFile(path=path, uri="x")):
            clips.append(clip)
    assert clips and clips[0].values["shot"] == 0


def test_a_clip_begins_with_a_clear_frame(tmp_path: Path) -> None:
    frames = scene(1, 30, speed=0)
    small = [Image.fromarray(frame).resize((40, 22)).resize((WIDTH_PX, HEIGHT_PX)) for frame in frames[:6]]
    frames = np.concatenate([np.stack([np.asarray(each) for each in small]), frames[6:]])
    (clip,) = clips_of(written(tmp_path, frames))
    assert 6 <= round(clip.start_s * FPS) <= 9  # the encoder sharpens within some frames
    assert clip.values["trimmed_s"] == pytest.approx(clip.start_s)
    sharpness = clip.values["start_sharpness"]
    assert isinstance(sharpness, float) and sharpness >= CONFIG.clear


def test_stretches_never_overlap_and_keep_away_from_joins() -> None:
    cutting = Cutting(Lengths(min=5, max=20, stride=25, trim=2))
    joins = {30: Join(first=30, end=34, kind="dissolve"), 90: Join(first=90, end=90, kind="cut")}
    given = []
    for number in range(120):
        cutting.add(np.full((2, 2, 3), number, np.uint8))
        given += cutting.settle(number - 10, [joins[number - 10]] if number - 10 in joins else [])
    given += [*cutting.settle(0, []), *cutting.finish()]
    spans = [(each.first, each.first + len(each.frames)) for each in given]
    assert spans == [(0, 20), (36, 56), (61, 81), (92, 112)]
    assert all(each.frames[0, 0, 0, 0] == each.first for each in given)


@pytest.mark.parametrize("wrong", [{"side_px": 33}, {"max_s": 0.5}, {"stride_s": 1.0}, {"trim_s": -1}, {"max_fps": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ShotsConfig(**wrong)


@pytest.mark.parametrize("shot_frames", [3, 10_000])
def test_memory_does_not_grow_with_the_film(shot_frames: int) -> None:
    """No more frames are held than a clip and the frames looked ahead, be it one shot or many too short to be kept."""
    cutting = Cutting(Lengths(min=5, max=36, stride=36, trim=2))
    most = 0
    for number in range(1000):
        cutting.add(np.zeros((2, 2, 3), np.uint8))
        until = max(0, number - 190)
        is_cut = until > 0 and until % shot_frames == 0
        list(cutting.settle(until, [Join(first=until, end=until, kind="cut")] if is_cut else []))
        most = max(most, cutting.num_held)
    assert most <= 36 + 190 + 2


def test_a_clip_keeps_its_frames_while_later_ones_come() -> None:
    reel = Reel(room=8)
    held: list[tuple[int, np.ndarray]] = []
    for number in range(60):
        reel.add(np.full((1, 1, 3), number, np.uint8))
        if len(reel) == 7:
            held.append((reel.first, reel.between(reel.first, reel.first + 5)))
            reel.forget(reel.first + 5)
    assert len(held) > 8
    assert all(frames[:, 0, 0, 0].tolist() == list(range(first, first + 5)) for first, frames in held)
