"""What the fetched networks say of a face and of noise, and what is said where they are missing or damaged."""

import numpy as np
import pytest
import torch
from PIL import Image

from muybridge.core.env import cache_folder
from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.curation.people.centerface import FILE, CenterFace, decoded
from muybridge.curation.people.nanodet import NanoDetBodies
from muybridge.curation.people.nanodet import decoded as decoded_bodies
from muybridge.curation.people.nanodet_network import FILE as NANODET_FILE
from muybridge.curation.people.nanodet_network import NanoDet
from muybridge.curation.people.nudity import OpenNsfw
from muybridge.media.geometry import overlap

SEEN_PX = 3.0  # boxes of the same face at two sizes differ by so much; measured


def fetched(name):
    folder = cache_folder() / name
    if not folder.exists():
        pytest.skip(f"python -c \"from muybridge.weights.assets import ensure; ensure('{name}')\"")
    return folder


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_a_side_below_the_networks_step_is_refused():
    with pytest.raises(InvalidInput, match="32 px"):
        CenterFace(sides_px=(16,))


def test_a_damaged_network_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"no network")
    with pytest.raises(WeightsError, match="remove its folder"):
        CenterFace(folder=tmp_path).setup()


def test_a_cell_of_the_maps_is_a_box_in_the_picture():
    scores, sizes, offsets = np.zeros((1, 1, 8, 8)), np.zeros((1, 2, 8, 8)), np.zeros((1, 2, 8, 8))
    points = np.zeros((1, 10, 8, 8))
    scores[0, 0, 3, 5] = 0.9
    sizes[0, :, 3, 5] = np.log([4, 2])  # 16 px high, 8 px wide
    offsets[0, :, 3, 5] = (0.25, -0.25)
    points[0, 1::2, 3, 5] = (0.3, 0.7, 0.5, 0.35, 0.65)
    (face,) = decoded((scores, sizes, offsets, points), across=2.0, down=0.5)
    x, y = 4 * (5 - 0.25 + 0.5), 4 * (3 + 0.25 + 0.5)
    assert face.box == pytest.approx((2 * (x - 4), (y - 8) / 2, 2 * (x + 4), (y + 8) / 2))
    assert (face.score, face.frontal) == (pytest.approx(0.9), pytest.approx(1))


def test_a_damaged_detector_of_bodies_is_named(tmp_path):
    (tmp_path / NANODET_FILE).write_bytes(b"no network")
    with pytest.raises(WeightsError, match="remove its folder"):
        NanoDetBodies(folder=tmp_path).setup()


def test_every_convolution_is_filled_once_and_grids_have_their_strides():
    network = NanoDet()
    layers = network.convolutions()
    assert len(layers) == len(set(layers)) == len(list(network.parameters())) / 2 == 34
    with torch.inference_mode():
        shapes = [(chances.shape, sides.shape) for chances, sides in network(torch.zeros(1, 3, 64, 96))]
    assert shapes == [((1, 80, y, x), (1, 4, y, x)) for y, x in ((8, 12), (4, 6), (2, 3))]


def test_a_cell_that_sees_a_person_is_a_box_by_its_four_distances():
    maps = [(torch.zeros(1, 80, 8 // n, 8 // n), torch.zeros(1, 4, 8 // n, 8 // n)) for n in (1, 2, 4)]
    maps[1][0][0, 0, 1, 2] = 0.9
    maps[1][0][0, 16, 3, 3] = 0.9  # a dog
    maps[1][1][0, :, 1, 2] = torch.tensor([1.0, 0.5, 2.0, 3.0])
    (body,) = decoded_bodies(maps, across=2.0, down=0.5)
    x, y = 2.5 * 16, 1.5 * 16
    assert body.box == pytest.approx((2 * (x - 16), (y - 8) / 2, 2 * (x + 32), (y + 48) / 2))
    assert body.score == pytest.approx(0.9)


@pytest.mark.slow
def test_an_astronaut_has_one_body_and_noise_has_none():
    detector = NanoDetBodies(folder=fetched("nanodet"))
    picture = np.asarray(Image.open(fetched("public-photographs") / "astronaut.png").convert("RGB"))
    detector.setup()
    (body,) = detector.bodies(picture)
    assert overlap(body.box, (10, 10, 470, 512)) > 0.6
    assert detector.bodies(noise(96, 128)) == ()


@pytest.mark.slow
def test_an_astronaut_has_one_face_wherever_she_is_and_noise_has_none():
    detector = CenterFace(folder=fetched("centerface"))
    picture = np.asarray(Image.open(fetched("public-photographs") / "astronaut.png").convert("RGB"))
    detector.setup()
    (face,) = (each for each in detector.detect(picture) if each.score >= 0.5)
    assert overlap(face.box, (180, 60, 270, 180)) > 0.7
    (moved,) = (each for each in detector.detect(np.ascontiguousarray(picture[:, ::-1])) if each.score >= 0.5)
    assert moved.box[0] == pytest.approx(512 - face.box[2], abs=4 * SEEN_PX)
    assert all(each.score < 0.5 for each in detector.detect(noise(96, 128)))


@pytest.mark.slow
def test_the_score_of_nudity_is_a_probability_and_repeats():
    network = OpenNsfw(folder=fetched("nsfw"))
    network.setup()
    scores = [network.score(noise(90, 160)) for _ in range(2)]
    assert scores[0] == scores[1]
    assert 0 <= scores[0] <= 1
