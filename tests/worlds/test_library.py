"""Animated WebP files become premultiplied stacks, whatever their state."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import AssetError, MediaError
from muybridge.worlds.library import LEVELS_PX, WebpLibrary, level_for, read_animation
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld
from muybridge.worlds.subjects import SUBJECTS

HORSE, SNAIL = "1f40e", "1f40c"


def _picture(left: int, *, alpha: int = 255) -> Image.Image:
    """A 32 px square whose 12 x 8 px block has its feet on row 20."""
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[12:20, left : left + 12] = (200, 100, 40, alpha)
    return Image.fromarray(pixels)


def _folder(root: Path, *, num_frames: int = 5) -> Path:
    assets = root / "anim-1" / "assets"
    assets.mkdir(parents=True)
    frames = [_picture(4 + 2 * k) for k in range(num_frames)]
    frames[0].save(assets / f"{HORSE}.webp", save_all=True, append_images=frames[1:], duration=42, quality=95)
    _picture(8, alpha=128).save(assets / f"{SNAIL}.webp", lossless=True)  # a still: one frame, no duration
    return root


def test_drawings_stand_on_their_feet_and_fill_the_square(tmp_path):
    stack = read_animation(_folder(tmp_path) / "anim-1" / "assets" / f"{HORSE}.webp")
    assert stack.shape == (5, 20, 20, 4)  # 12 wide, moved by 8 px
    assert stack[:, -1, :, 3].any() and stack[:, :, 0, 3].any() and stack[:, :, -1, 3].any()


def test_colours_are_premultiplied(tmp_path):
    stack = read_animation(_folder(tmp_path) / "anim-1" / "assets" / f"{SNAIL}.webp")
    assert stack.shape[0] == 1 and (stack[..., :3] <= stack[..., 3:]).all()
    assert abs(int(stack[0, -2, 6, 0]) - 100) <= 2  # 200 at half opacity


def test_arrays_are_channel_first_and_mapped_from_the_cache(tmp_path):
    library = WebpLibrary(_folder(tmp_path), cache=tmp_path / "cache")
    frames = library.frames(HORSE, 16)
    assert frames.shape == (5, 4, 16, 16) and frames.dtype == np.uint8 and isinstance(frames, np.memmap)
    again = WebpLibrary(tmp_path, cache=tmp_path / "cache").frames(HORSE, 16)
    assert np.array_equal(frames, again) and len(list((tmp_path / "cache").iterdir())) == 1


def test_a_changed_drawing_is_decoded_again(tmp_path):
    folder = _folder(tmp_path)
    WebpLibrary(folder, cache=tmp_path / "cache").frames(HORSE, 16)
    path = folder / "anim-1" / "assets" / f"{HORSE}.webp"
    _picture(9).save(path, lossless=True)
    read_animation.cache_clear()
    assert WebpLibrary(folder, cache=tmp_path / "cache").frames(HORSE, 16).shape[0] == 1


def test_a_still_can_be_rendered(tmp_path):
    library = WebpLibrary(_folder(tmp_path), cache=tmp_path / "cache")
    world = SpritesWorld(SpritesConfig(width_px=32, height_px=32, num_frames=5, subjects=("snail",)), library)
    assert world.clip(0).pixels.shape == (5, 32, 32, 3)


def test_only_the_drawings_in_the_folder_are_in_the_cast(tmp_path):
    library = WebpLibrary(_folder(tmp_path), cache=tmp_path / "cache")
    assert {subject.name for subject in library.subjects} == {"horse", "snail"}
    with pytest.raises(AssetError, match="1f697"):
        library.frames("1f697", 16)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "flipped header"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, damage):
    path = _folder(tmp_path) / "anim-1" / "assets" / f"{HORSE}.webp"
    whole = path.read_bytes()
    damaged = {"cut": whole[: len(whole) // 3], "text": b"no picture", "empty": b"", "flipped header": b"X" + whole[1:]}
    path.write_bytes(damaged[damage])
    library = WebpLibrary(tmp_path, cache=tmp_path / "cache")
    with pytest.raises(MediaError, match=f"{HORSE}.webp") as refusal:
        library.frames(HORSE, 16)
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "cache").glob("*"))


def test_a_transparent_file_is_refused(tmp_path):
    path = tmp_path / "blank.webp"
    Image.new("RGBA", (8, 8)).save(path, lossless=True)
    with pytest.raises(MediaError, match="transparent"):
        read_animation(path)


def test_a_folder_without_drawings_is_refused(tmp_path):
    with pytest.raises(AssetError, match="fluent-emoji-anim"):
        WebpLibrary(tmp_path)


def test_levels_are_never_much_smaller_than_what_is_shown():
    assert [level_for(px) for px in (1, 30, 60, 120, 5000)] == [LEVELS_PX[0], 24, 48, 96, LEVELS_PX[-1]]


def test_names_and_drawings_of_the_cast_are_unique():
    assert (
        len({subject.name for subject in SUBJECTS})
        == len({subject.codepoints for subject in SUBJECTS})
        == len(SUBJECTS)
    )
    assert all(subject.moves and subject.rests for subject in SUBJECTS)
