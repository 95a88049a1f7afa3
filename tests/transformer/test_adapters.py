"""The siblings' parts compute as the released formulas say, and a sibling as a whole is refused."""

from dataclasses import replace

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.transformer import Transformer
from muybridge.transformer.adapters import (
    AudioAttention,
    AudioProjection,
    CameraNet,
    by_latent_frame,
    halved,
    motion_vector,
    sibling_parts,
)
from muybridge.transformer.cost import num_parameters
from muybridge.transformer.embed import ScalarEmbed
from tests.transformer.networks import TINY, conditions, latents

ROUNDING = 1e-5  # float32
SIBLINGS = ["avatar", "custom-audio", "custom-editing", "gamecraft"]


@pytest.mark.parametrize("sibling", SIBLINGS)
def test_a_siblings_parts_are_counted(sibling):
    config = replace(TINY, sibling=sibling)
    with torch.device("meta"):
        built = Transformer(config)
    assert sum(parameter.numel() for parameter in built.parameters()) == num_parameters(config) > num_parameters(TINY)
    assert {name for name, _ in built.named_children()} >= sibling_parts(config).keys()


@pytest.mark.parametrize("sibling", SIBLINGS)
def test_a_sibling_as_a_whole_is_refused(sibling):
    with torch.device("meta"):
        built = Transformer(replace(TINY, sibling=sibling))
    with pytest.raises(InvalidInput, match=f"{sibling} network"):
        built(latents(), torch.ones(2), conditions())


def test_an_unknown_sibling_is_refused():
    with pytest.raises(InvalidInput, match="custom-audio"):
        replace(TINY, sibling="customs")


@torch.no_grad()
def test_every_frame_has_its_own_four_audio_tokens():
    project, states = AudioProjection(16), torch.randn(1, 3, 10, 5, 384)
    tokens = project(states)
    assert tokens.shape == (1, 3, 4, 16)
    assert (tokens[:, 1:2] - project(states[:, 1:2])).abs().max() < ROUNDING
    assert tokens.mean(-1).abs().max() < ROUNDING


def test_the_first_frame_fills_a_latent_frame():
    audio = torch.arange(5.0).view(1, 5, 1, 1)
    assert by_latent_frame(audio)[0, :, :, 0].tolist() == [[0, 0, 0, 0], [1, 2, 3, 4]]
    assert halved(torch.tensor([7.0, 1, 3, 5, 9]).view(1, 5, 1, 1, 1)).flatten().tolist() == [7, 2, 7]


@torch.no_grad()
def test_tokens_attend_to_their_own_frames_audio_alone():
    attention, img, audio = AudioAttention(16), torch.randn(1, 3, 5, 16), torch.randn(1, 3, 8, 16)
    change = attention(img, audio)
    other = attention(img, torch.cat([audio[:, :2], -audio[:, 2:]], 1))
    assert torch.equal(change[:, :2], other[:, :2]) and not torch.allclose(change[:, 2], other[:, 2])
    key, value = attention.to_kv(attention.norm1(audio)).chunk(2, -1)
    weights = (attention.to_q(attention.norm2(img)) @ key.transpose(-1, -2) / 1024**0.5).softmax(-1)
    assert (change - attention.to_out(weights @ value)).abs().max() < ROUNDING


@torch.no_grad()
def test_rays_become_the_films_tokens():
    camera = CameraNet(replace(TINY, in_channels=9))
    still = torch.randn(1, 1, 6, 32, 48)
    tokens = camera(still.repeat(1, 9, 1, 1, 1))
    assert tokens.shape == (1, 3 * 2 * 3, TINY.hidden_size)
    first, *later = tokens.chunk(3, 1)
    assert all((frame - first).abs().max() < ROUNDING for frame in later)  # nothing moves
    assert (camera(still) - first).abs().max() < ROUNDING


@torch.no_grad()
def test_four_motions_are_one_vector():
    embed = ScalarEmbed(8)
    vector = motion_vector(embed, torch.tensor([[30.0, 30, 25, 25]]))
    assert vector.shape == (1, 32)
    assert torch.equal(vector[:, :8], vector[:, 8:16]) and not torch.equal(vector[:, 8:16], vector[:, 16:24])
