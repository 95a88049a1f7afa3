"""What the fetched networks say of a face and of noise, and what is said where they are missing or damaged."""

import numpy as np
import pytest
from PIL import Image

from muybridge.core.env import cache_folder
from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.curation.people.centerface import FILE, CenterFace, decoded
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
