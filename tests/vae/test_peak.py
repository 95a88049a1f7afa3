"""What the closed forms say of memory and work, mode by mode."""

from dataclasses import replace

import pytest

from muybridge.vae import VAEConfig
from muybridge.vae.cost import decode_bytes, decode_flops, encode_bytes
from muybridge.vae.peak import CHUNK_BYTES

RELEASED = VAEConfig()
CAUSAL = replace(RELEASED, norm="frame", has_mid_attention=False)
HD = {"height_px": 720, "width_px": 1280, "value_bytes": 2}


def test_exact_decoding_needs_its_largest_map_and_a_tenth() -> None:
    largest = 256 * 129 * 720 * 1280 * 2
    assert largest < decode_bytes(RELEASED, num_frames=129, mode="exact", **HD) < 1.1 * largest


@pytest.mark.parametrize("count", [decode_bytes, encode_bytes])
def test_each_mode_needs_less_than_the_one_before(count) -> None:
    needs = [count(RELEASED, num_frames=129, mode=mode, **HD) for mode in ("whole", "exact", "spill")]
    assert needs[0] > 2 * needs[1] > 4 * needs[2]


@pytest.mark.parametrize("mode", ["spill", "stream"])
def test_hardly_more_than_pixels_grows_with_the_length_of_a_causal_stream(mode) -> None:
    short, long = (decode_bytes(CAUSAL, num_frames=frames, mode=mode, **HD) for frames in (129, 257))
    grown_pixels = 2 * 3 * 128 * 720 * 1280 * 2
    assert grown_pixels <= long - short <= grown_pixels + CHUNK_BYTES


def test_smaller_chunks_need_less_but_never_less_than_the_maps() -> None:
    needs = [
        decode_bytes(RELEASED, num_frames=129, mode="exact", chunk_bytes=size * 2**20, **HD) for size in (1024, 64, 1)
    ]
    assert needs[0] > needs[1] > needs[2] > 256 * 129 * 720 * 1280 * 2


def test_folded_enlargements_save_a_quarter_of_decoding() -> None:
    size = {"num_frames": 17, "height_px": 256, "width_px": 384}
    whole, folded = (decode_flops(RELEASED, mode=mode, **size) for mode in ("whole", "exact"))
    assert folded / whole == pytest.approx(0.78, abs=0.01)
