"""The contact sheet."""

import pytest
from PIL import Image

from muybridge.core.errors import InvalidInput
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.preview import write_sheet
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld, complete_sprites


@pytest.mark.parametrize("config", [SpritesConfig(), complete_sprites()])
def test_a_sheet_has_a_row_for_each_clip(tmp_path, config):
    world = SpritesWorld(config, drawn_library())
    write_sheet(world, num_clips=3, path=tmp_path / "sheet.png", size_px=32, num_frames=5, num_columns=4)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 3 * 32 and sheet.width >= 4 * 32


def test_no_clips_are_refused(tmp_path):
    world = SpritesWorld(SpritesConfig(), drawn_library())
    with pytest.raises(InvalidInput, match="num_clips=0"):
        write_sheet(world, num_clips=0, path=tmp_path / "sheet.png", size_px=32, num_frames=5)
    assert not list(tmp_path.iterdir())
