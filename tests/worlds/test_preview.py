"""The contact sheet."""

import pytest
from PIL import Image

from muybridge.core.errors import InvalidInput
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.preview import write_sheet
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld


def _world() -> SpritesWorld:
    return SpritesWorld(SpritesConfig(width_px=32, height_px=32, num_frames=5), drawn_library())


def test_a_sheet_has_a_row_for_each_clip(tmp_path):
    write_sheet(_world(), num_clips=3, path=tmp_path / "sheet.png", num_columns=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 3 * (32 + 15) and sheet.width >= 4 * 32


def test_no_clips_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="num_clips=0"):
        write_sheet(_world(), num_clips=0, path=tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
