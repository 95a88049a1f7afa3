"""The stages by name, their order, and the columns that thresholds may ask for."""

from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS
from muybridge.recipes.curation.names import STAGE_SUMMARIES
from muybridge.recipes.curation.stages import STAGES, Parts, known_columns


def test_the_default_table_asks_only_what_stages_write():
    DEFAULT_THRESHOLDS.check_against(known_columns())


def test_stages_stand_under_their_names_in_the_order_of_the_help():
    assert [choice.make(Parts()).name for choice in STAGES.values()] == list(STAGES)
    assert list(STAGES) == [name for name in STAGE_SUMMARIES if name in STAGES]
