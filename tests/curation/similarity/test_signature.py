"""Laws of signatures, and of the means that crop and cut them."""

import json

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.curation.similarity.parts import means_over
from muybridge.curation.similarity.signature import (
    LENGTH,
    LEVELS,
    NUM_FRAMES,
    SIDE,
    check_signatures,
    films_of,
    signature_of,
)

from .films import film


def test_a_signature_is_text_that_gives_back_its_cells():
    frames = film(0, num_frames=NUM_FRAMES, height=SIDE, width=SIDE)
    frames[0], frames[-1] = 0, 255
    signature = signature_of(frames)
    assert len(signature) == LENGTH == len(json.dumps(signature)) - 2
    grey = frames @ np.array([0.299, 0.587, 0.114])
    levels = films_of([signature, signature])[1].numpy()
    assert levels.min() == 0 and levels.max() == LEVELS - 1
    assert np.abs(levels * (255 / (LEVELS - 1)) - grey).max() <= 0.5 * 255 / (LEVELS - 1) + 1  # OpenCV rounds its grey


def test_a_picture_repeats_its_frame():
    (frames,) = films_of([signature_of(film(0, num_frames=1))])
    assert all(bool((frame == frames[0]).all()) for frame in frames)


def test_what_is_no_signature_is_refused():
    with pytest.raises(InvalidInput, match="each has 4608"):
        check_signatures([signature_of(film(0, num_frames=1)), "short"])


def test_means_of_parts_are_means_of_what_lies_in_them():
    axis = torch.arange(12.0).repeat_interleave(10)
    means = means_over(torch.tensor([[0.25, 0.75], [0.1, 0.9]]), count=4, of=12)
    expected = [axis[30:90].view(4, 15).mean(1), axis[12:108].view(4, 24).mean(1)]
    assert torch.allclose(means @ torch.arange(12.0), torch.stack(expected), atol=1e-4)
