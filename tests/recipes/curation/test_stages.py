"""The stages by name, their order, and the columns that thresholds may ask for."""

from pathlib import Path

import numpy as np

from muybridge.curation.clip import Clip, Origin
from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.recipes.curation.names import STAGE_SUMMARIES
from muybridge.recipes.curation.stages import STAGES, Parts, chosen_stages, known_columns


def test_the_default_table_asks_only_what_stages_write():
    DEFAULT_THRESHOLDS.check_against(known_columns())


def test_stages_stand_under_their_names_in_the_order_of_the_help():
    assert [choice.make(Parts()).name for choice in STAGES.values()] == list(STAGES)
    assert list(STAGES) == [name for name in STAGE_SUMMARIES if name in STAGES]


def test_dover_is_run_where_its_file_is_given_and_may_decide():
    names = [stage.name for stage in chosen_stages(dover=Path("judge.onnx"))]
    assert names == [name for name in STAGES] and "dover" not in [stage.name for stage in chosen_stages()]
    parse_thresholds("[dover.dover]\nat_least = 0.5").check_against(known_columns())


def test_a_picture_which_has_no_rate_passes_every_stage():
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    origin = Origin(id="o", uri="still.png", width_px=96, height_px=64, fps=0.0)
    clip = Clip(id="c", origin=origin, start_s=0.0, end_s=0.0, frames=frames, fps=0.0, crop=(0, 0, 96, 64))
    stages = chosen_stages()
    for stage in stages:
        stage.setup()
        clip = stage.process(clip)
    assert {name for stage in stages for name in stage.outputs} == set(clip.values)
