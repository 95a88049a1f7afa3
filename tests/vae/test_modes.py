"""Every way to run a VAE against the network as it is."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.vae import VideoVAE
from muybridge.vae.modes import decode, drift_of, encode, statistics, stream
from tests.vae.small import SMALL, STEMMED, clip, noise_latents, small_vae

ROUNDING = 1e-11  # in float64: what is left is the order of sums (measured 5e-14)
FLOAT32 = 1e-5  # of values around one, where activations stay there too
SMALL_CHUNK = 2**12  # bytes: every film is cut into single frames and bands of a few rows
CONFIGS = {
    "released": SMALL,
    "frame norm": replace(SMALL, norm="frame"),
    "stem and linear path": replace(STEMMED, norm="clip"),
    "cell norm in a decoder of its own": replace(
        STEMMED, decoder_channels=(16,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell"
    ),
    "no attention": replace(SMALL, has_mid_attention=False),
}
SIZES = [(1, 2, 3), (2, 3, 2), (4, 5, 3)]  # of latents


@pytest.fixture(params=list(CONFIGS.values()), ids=list(CONFIGS), scope="module")
def vae(request: pytest.FixtureRequest) -> VideoVAE:
    return small_vae(request.param).double()


@pytest.mark.parametrize("chunk_bytes", [SMALL_CHUNK, 2**26])
@pytest.mark.parametrize("mode", ["exact", "spill"])
@pytest.mark.parametrize("size", SIZES)
def test_chunks_decode_as_the_whole(vae: VideoVAE, mode, size: tuple[int, int, int], chunk_bytes: int) -> None:
    latents = noise_latents(*size, batch=2).double()
    given = decode(vae, latents, mode=mode, chunk_bytes=chunk_bytes)
    torch.testing.assert_close(given, decode(vae, latents), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("chunk_bytes", [SMALL_CHUNK, 2**26])
@pytest.mark.parametrize("mode", ["exact", "spill"])
@pytest.mark.parametrize("size", SIZES)
def test_chunks_encode_as_the_whole(vae: VideoVAE, mode, size: tuple[int, int, int], chunk_bytes: int) -> None:
    pixels = clip(1 + 4 * (size[0] - 1), 8 * size[1], 8 * size[2], batch=2).double()
    given, wanted = encode(vae, pixels, mode=mode, chunk_bytes=chunk_bytes), encode(vae, pixels)
    torch.testing.assert_close(given.mean, wanted.mean, rtol=0, atol=ROUNDING)
    torch.testing.assert_close(given.logvar, wanted.logvar, rtol=0, atol=ROUNDING)


def test_chunks_round_no_worse_than_the_whole() -> None:
    vae, latents = small_vae(), noise_latents(3, 4, 5)
    true = decode(copy.deepcopy(vae).double(), latents.double())
    by_chunks = (decode(vae, latents, mode="exact", chunk_bytes=SMALL_CHUNK) - true).abs().max()
    assert by_chunks <= FLOAT32 and by_chunks <= 2 * (decode(vae, latents) - true).abs().max()


def test_bfloat16_stays_as_near_as_the_whole() -> None:
    vae, latents = small_vae(), noise_latents(3, 4, 5)
    true, coarse = decode(vae, latents), copy.deepcopy(vae).bfloat16()
    given = decode(coarse, latents, mode="exact")
    assert given.dtype == torch.bfloat16
    assert (given - true).square().mean() <= 1.5 * (decode(coarse, latents) - true).square().mean()


@pytest.mark.parametrize("norm", ["frame", "cell"])
def test_later_frames_never_change_streamed_pixels(norm) -> None:
    """To the bit: a film is the beginning of each longer one."""
    vae, latents = small_vae(replace(SMALL, norm=norm)), noise_latents(5, 3, 2)
    films = [decode(vae, latents[:, :, :length], mode="stream") for length in (1, 3, 5)]
    for film in films:
        assert torch.equal(film, films[-1][:, :, : film.shape[2]])
    torch.testing.assert_close(films[-1], decode(vae, latents), rtol=0, atol=2 * FLOAT32)


@pytest.mark.parametrize("lengths", [(5,), (1, 4), (2, 1, 2)])
def test_pieces_of_any_length_stream_to_the_same_film(lengths: tuple[int, ...]) -> None:
    vae, latents = small_vae(STEMMED), noise_latents(5, 3, 2)
    pieces = list(stream(vae, latents.split(lengths, dim=2)))
    assert torch.equal(torch.cat(pieces, dim=2), decode(vae, latents, mode="stream"))


def test_a_stream_asks_for_no_latents_before_it_needs_them() -> None:
    latents, asked = noise_latents(4, 2, 2), []

    def pieces():
        for index, piece in enumerate(latents.split(1, dim=2)):
            asked.append(index)
            yield piece

    film = stream(small_vae(norm="frame"), pieces())
    assert asked == [] and next(film).shape[2] == 1 and asked == [0]


def test_statistics_of_all_frames_stream_the_released_norm_exactly() -> None:
    vae, latents = small_vae(), noise_latents(4, 3, 2)
    frozen, found = statistics(vae, latents, num_frames=4), {}
    film = torch.cat(list(stream(vae, [latents], frozen=frozen, found=found)), dim=2)
    torch.testing.assert_close(film, decode(vae, latents), rtol=0, atol=2 * FLOAT32)
    assert drift_of(frozen, found) < FLOAT32


def test_drift_grows_with_the_error_of_a_stream() -> None:
    vae, latents = small_vae(), noise_latents(6, 3, 2) * torch.linspace(1, 3, 6).view(1, 1, 6, 1, 1)
    wanted, drifts, errors = decode(vae, latents), [], []
    for num_frames in (1, 6):
        frozen, found = statistics(vae, latents, num_frames=num_frames), {}
        film = torch.cat(list(stream(vae, [latents], frozen=frozen, found=found)), dim=2)
        drifts.append(drift_of(frozen, found))
        errors.append(float((film - wanted).abs().mean()))
    assert drifts[0] > 0.1 > drifts[1] and errors[0] > 0.1 > errors[1]


def test_norms_over_clips_do_not_stream_without_statistics() -> None:
    with pytest.raises(InvalidInput, match=r"frozen=None: .*; pass statistics"):
        next(stream(small_vae(), [noise_latents()]))


@pytest.mark.parametrize("mode", ["whole", "exact", "spill", "tiled"])
def test_a_film_does_not_depend_on_its_neighbours(mode) -> None:
    vae, latents = small_vae(), noise_latents(2, 2, 3, batch=3)
    alone = torch.cat([decode(vae, film, mode=mode) for film in latents.split(1)])
    assert torch.equal(decode(vae, latents, mode=mode), alone)


@pytest.mark.parametrize("mode", ["whole", "exact", "spill", "tiled"])
@pytest.mark.parametrize(("code", "made"), [(decode, noise_latents(3, 2, 3, batch=2)), (encode, clip(9, batch=2))])
def test_progress_ends_at_one(code: Callable, made: Tensor, mode, vae: VideoVAE) -> None:
    """So every layer of the closed form is run, and no other."""
    shares: list[float] = []
    code(vae, made, mode=mode, on_progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0, abs=1e-12)
    assert len(shares) == 2 if mode in ("whole", "tiled") else len(shares) > 20


def test_progress_may_stop_the_work() -> None:
    class Cancelled(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        decode(small_vae(), noise_latents(), mode="exact", on_progress=stop)


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="mode='fast': one of whole, exact, spill, stream, tiled"):
        decode(small_vae(), noise_latents(), mode="fast")  # type: ignore[arg-type]
