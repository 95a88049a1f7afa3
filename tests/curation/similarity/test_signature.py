"""Laws of signatures."""

import numpy as np

from muybridge.curation.similarity.signature import LENGTH, NUM_FRAMES, SIDE, signature_of, unpacked

from .films import film


def test_a_signature_survives_six_digits_and_gives_back_its_cells():
    frames = film(0, num_frames=NUM_FRAMES, height=SIDE, width=SIDE)
    signature = signature_of(frames)
    assert len(signature) == LENGTH
    assert [float(f"{value:.6g}") for value in signature] == signature.tolist()
    grey = frames @ np.array([0.299, 0.587, 0.114])
    assert np.abs(unpacked(signature[None])[0].numpy() - grey).max() <= 0.5 * 255 / 99 + 1e-3


def test_a_picture_repeats_its_frame():
    frames = unpacked(signature_of(film(0, num_frames=1))[None])[0]
    assert all(bool((frame == frames[0]).all()) for frame in frames)
