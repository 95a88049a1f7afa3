"""Laws of the stage that embeds, with the network that is shipped."""

import numpy as np
import pytest

from muybridge.core.errors import WeightsError
from muybridge.curation.clip import Clip, Origin
from muybridge.curation.similarity.captions import CaptionEmbedder
from muybridge.curation.similarity.embedding import WEIGHTS, Embedding
from muybridge.curation.similarity.signature import LENGTH
from muybridge.weights.small import accuracy_of

from .films import film

MAX_BYTES = 250 * 1024


def _clip(frames: np.ndarray) -> Clip:
    origin = Origin(id="film", uri="film.mp4", width_px=64, height_px=48, fps=12.0)
    return Clip(
        id="clip", origin=origin, start_s=0.0, end_s=2.0, frames=np.ascontiguousarray(frames), fps=12.0,
        crop=(0, 0, frames.shape[2], frames.shape[1]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def stage() -> Embedding:
    stage = Embedding()
    stage.prepare()
    stage.setup()
    return stage


def _vector(stage: Embedding, frames: np.ndarray) -> np.ndarray:
    return np.array(stage.process(_clip(frames)).values["embedding"])


def test_every_clip_has_a_vector_of_length_1_and_a_signature(stage):
    for frames in (film(0), film(0)[:1], film(1, num_frames=3, height=32, width=48)):
        values = stage.process(_clip(frames)).values
        assert np.isclose(np.linalg.norm(values["embedding"]), 1, atol=1e-5)
        assert len(values["embedding"]) == 256
        assert len(values["signature"]) == LENGTH


def test_a_copy_is_nearer_than_another_film(stage):
    whole, other = film(0), film(1)
    copy = np.clip(whole[::2, 3:45, 4:60][:, :, ::-1] * 0.8 + 20, 0, 255).astype(np.uint8)
    vectors = [_vector(stage, each) for each in (whole, copy, other)]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_the_shipped_file_is_small_and_says_how_good_it_is():
    assert WEIGHTS.stat().st_size <= MAX_BYTES
    assert accuracy_of(WEIGHTS)["text_to_clip_r5"] > 0.8


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match="not a network of this kind"):
        Embedding(path).setup()
    with pytest.raises(WeightsError, match="not a network of this kind"):
        CaptionEmbedder(path, tmp_path)
