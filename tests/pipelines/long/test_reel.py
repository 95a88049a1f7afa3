"""Laws of films that are made window by window."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

import muybridge
from muybridge.core.errors import InvalidInput
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import read_video
from muybridge.pipelines.long.film import FADED, HELD
from muybridge.pipelines.long.pixels import decoded
from muybridge.pipelines.long.reel import Reel
from muybridge.pipelines.long.windows import num_windows, pieces, window_of
from muybridge.vae import modes, to_vae
from tests.pipelines import tiny

PROMPT = "a horse"
SHORT = muybridge.Settings(size="32x32", steps=2, seed=7, frames=33, window=17)
TOLERANCE = 1e-5  # float32 sums in another order


def streaming() -> muybridge.Pipeline:
    """With a VAE that streams exactly."""
    pipe = tiny.pipeline()
    vae = tiny.vae(replace(tiny.VAE, norm="frame", has_mid_attention=False))
    return muybridge.Pipeline(replace(pipe.components, vae=vae))


def request(pipe: muybridge.Pipeline, **changes: object):
    [made] = pipe.requests([PROMPT], replace(SHORT, **changes))
    return made


def latents_of(pipe, made):
    """Window by window, as the pipeline makes them."""
    windows = []

    def sample(window, start):
        windows.append((window, start))
        noise = torch.Generator().manual_seed(window.seed % 2**31)
        x = torch.randn(4, 5, 4, 4, generator=noise)
        return x if start is None else torch.where(start.held[:, None, None], start.given, x)

    return list(islice(pieces(made, sample), num_windows(made))), windows


@pytest.mark.parametrize("steady", [0.0, 0.2])
def test_a_longer_film_begins_with_the_shorter_one_bitwise(steady):
    pipe = streaming()
    short = pipe(PROMPT, size="32x32", steps=2, seed=7, frames=21, window=17, steady=steady)
    long = pipe(PROMPT, size="32x32", steps=2, seed=7, frames=29, window=17, steady=steady)
    assert np.array_equal(long.pixels[:21], short.pixels)
    assert torch.equal(long.latents[:, :6], short.latents) and long.latents.shape[1] == 8


def test_a_window_holds_the_last_frames_of_the_one_before():
    made = request(streaming())
    parts, windows = latents_of(None, made)
    assert windows[0][1] is None and windows[0][0].seed == made.seed
    film = torch.cat([part.latents for part in parts], dim=1)
    at = parts[0].latents.shape[1]
    for part, (window, start) in zip(parts[1:], windows[1:], strict=True):
        assert start.held.tolist() == [True] * HELD + [False] * (5 - HELD)
        assert torch.equal(start.given[:, :HELD], film[:, at - HELD : at]) and window.num_frames == 17
        at += part.latents.shape[1]
    assert len({window.seed for window, _ in windows}) == len(windows)


def test_the_windows_of_a_film_are_counted_before_it_is_made():
    made = request(streaming(), frames=65, steady=0.2)
    parts, _ = latents_of(None, made)
    num_frames = 1 + 4 * (sum(part.latents.shape[1] for part in parts) - 1)
    without_last = num_frames - 4 * parts[-1].latents.shape[1]
    assert without_last < made.num_frames + 1 <= num_frames
    assert num_windows(request(streaming(), frames=17, window=17)) == 1


def test_pieces_are_decoded_as_the_film_whole_where_nothing_leaves():
    pipe = streaming()
    parts, _ = latents_of(None, request(pipe))
    plain = [replace(part, leaving=None) for part in parts]
    pixels = torch.cat(list(decoded(pipe.components, plain)), dim=2)
    film = torch.cat([part.latents for part in parts], dim=1)[None]
    whole = modes.decode(pipe.components.vae, to_vae(film, pipe.components.vae.config))
    torch.testing.assert_close(pixels, whole, rtol=0, atol=TOLERANCE)


def test_the_picture_passes_from_what_leaves_and_only_there():
    pipe = streaming()
    parts, _ = latents_of(None, request(pipe))
    plain = torch.cat(list(decoded(pipe.components, [replace(part, leaving=None) for part in parts])), dim=2)
    faded = torch.cat(list(decoded(pipe.components, parts)), dim=2)
    change = (faded - plain).abs().amax((0, 1, 3, 4))
    first = 1 + 4 * (parts[0].latents.shape[1] - 1)
    assert change.nonzero().flatten().tolist()[: 4 * FADED] == list(range(first, first + 4 * FADED))
    assert change[:first].max() == 0 and change[first] > change[first + 4 * FADED - 1]


def test_nothing_is_made_before_it_is_read():
    pipe, steps = streaming(), []
    endless = pipe.frames(PROMPT, replace(SHORT, frames=1_000_001), on_progress=steps.append)
    assert not any(step.stage == "denoise" and step.done for step in steps)
    first = next(endless)
    assert first.dtype == np.uint8 and first.shape[1:] == (32, 32, 3)
    assert max(step.done for step in steps if step.stage == "denoise") == 2  # steps of the first window


def test_a_reel_is_saved_as_its_video(tmp_path):
    pipe = streaming()
    [reel] = pipe.reels([request(pipe, frames=21)])
    assert isinstance(reel, Reel)
    path = reel.save(tmp_path / "film.mp4")
    again = pipe(PROMPT, size="32x32", steps=2, seed=7, frames=21, window=17)
    again.save(tmp_path / "again.mp4")
    assert path.read_bytes() == (tmp_path / "again.mp4").read_bytes()
    frames, _ = read_video(path)
    assert len(frames) == 21
    recorded = muybridge.Settings.recorded(muybridge.read_settings(path))
    assert pipe.requests([PROMPT], recorded) == [request(pipe, frames=21)]


@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_film_stopped_in_a_later_window_goes_on_to_the_same_file(tmp_path, step):
    def stop(progress):
        if progress.stage == "denoise" and progress.done == step:
            raise KeyboardInterrupt

    def save(folder, **how):
        [reel] = streaming().reels([request(streaming())], **how)
        return reel.save(tmp_path / folder / "film.mp4")

    whole, state = save("whole"), tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        save("stopped", resume_dir=state, on_progress=stop)
    assert list(state.iterdir()) and not (tmp_path / "stopped" / "film.mp4").exists()
    found = []
    resumed = save("resumed", resume_dir=state, on_progress=lambda each: found.append(each.is_found))
    assert any(found) and not list(state.iterdir())
    for path, other in ((whole, resumed), (whole.with_suffix(".json"), resumed.with_suffix(".json"))):
        assert path.read_bytes() == other.read_bytes()


def test_states_of_a_film_that_is_in_its_file_are_forgotten_window_by_window(tmp_path):
    """As after a stop between saving and forgetting."""
    pipe = streaming()
    made = request(pipe)
    list(pipe.stream([made], resume_dir=tmp_path))
    assert len(list(tmp_path.iterdir())) == num_windows(made) > 1
    forget = pipe.keeper(tmp_path).on_saved(made)
    assert forget is not None
    forget()
    assert not list(tmp_path.iterdir())


def test_ten_bits_are_written_from_ten_bits(tmp_path):
    pipe = streaming()
    made = request(pipe, frames=21)
    [film] = pipe.stream([made], bits=10)
    assert film.fine is not None and np.array_equal(film.pixels, next(pipe.stream([made])).pixels)
    [reel] = pipe.reels([made], bits=10)
    path = reel.save(tmp_path / "film.mp4", options=SaveOptions(codec="h265", bits=10))
    film.save(tmp_path / "again.mp4", options=SaveOptions(codec="h265", bits=10))
    assert path.read_bytes() == (tmp_path / "again.mp4").read_bytes()


def test_what_the_step_caches_of_all_windows_report_is_recorded(tmp_path):
    pipe = streaming()
    made = request(pipe, frames=33, steps=12, speed="2x")
    [reel] = pipe.reels([made])
    assert "cache" not in reel.settings
    path = reel.save(tmp_path / "film.mp4")
    report = reel.settings["cache"]
    assert report["windows"] == num_windows(made) and report["evaluations"] == 12 * num_windows(made)
    assert report["speed"] == 2 and report["budget"] == "speed=2x"
    assert muybridge.read_settings(path.with_suffix(".json"))["cache"] == report
    [film] = pipe.stream([made])
    assert film.settings["cache"] == report


def test_norms_of_clips_stream_with_the_statistics_of_the_first_window():
    film = tiny.pipeline()(PROMPT, size="32x32", steps=1, seed=7, frames=21, window=17)
    assert film.num_frames == 21


def test_an_image_begins_the_first_window_only():
    pipe = streaming()
    picture = np.full((32, 32, 3), 200, np.uint8)
    made = request(pipe, **{"image": muybridge.Settings.of({"image": picture}).image})
    assert window_of(made, 0).conditions.image is not None and window_of(made, 1).conditions.image is None


def test_a_film_within_one_window_is_the_plain_film():
    assert request(streaming(), frames=17) == request(streaming(), frames=17, window=None)
    assert not request(streaming(), frames=17).is_streamed


PICTURE = np.full((32, 32, 3), 99, np.uint8)
CLIP = np.full((17, 32, 32, 3), 99, np.uint8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loop": True}, "loop with frames=33"),
        ({"prompt_at": {0.5: "a beach"}}, "prompt_at with a film in windows"),
        ({"last_image": PICTURE}, "last_image with frames=33"),
        ({"keyframes": {20: PICTURE}}, "keyframe with frames=33"),
        ({"video": CLIP, "strength": 0.5}, "video with frames=33"),
        ({"extend": CLIP}, "extend with frames=33"),
        ({"window": 5}, "window=5: needs at least 13 frames"),
        ({"context": 17}, "window with context"),
        ({"window": 0, "frames": 4097}, "window makes films"),
    ],
)
def test_what_a_film_in_windows_cannot_be_is_refused_in_one_line(given, message):
    pipe, settings = streaming(), {"size": "32x32", "steps": 2, "seed": 7, "frames": 33, "window": 17}
    with pytest.raises(InvalidInput, match=message) as caught:
        pipe.requests([PROMPT], muybridge.Settings.of(settings | given))
    assert "\n" not in str(caught.value)


def test_frames_that_show_two_windows_are_known_by_their_number():
    made = request(streaming(), frames=65)
    parts, _ = latents_of(None, made)
    passing, at = [], 0
    for part in parts:
        if part.leaving is not None:
            passing += range(4 * at - 3, 4 * (at + FADED) - 3)
        at += part.latents.shape[1]
    assert [frame for frame in range(4 * at - 3) if made.long.is_passing(frame)] == passing


def test_joins_are_steadied_more_than_the_rest(monkeypatch):
    pipe = streaming()
    [film] = pipe.stream([request(pipe, frames=21, steady=0.2)])
    monkeypatch.setattr("muybridge.pipelines.long.pixels.STEADIER", 1)
    [plain] = pipe.stream([request(pipe, frames=21, steady=0.2)])
    differs = (film.pixels != plain.pixels).any(axis=(1, 2, 3))
    assert differs[13:17].any() and not differs[:13].any() and not differs[17:].any()
