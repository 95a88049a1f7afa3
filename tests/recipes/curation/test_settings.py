"""What a curation is told, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.recipes.curation.settings import CurationSettings


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"stages": ("borderz",)}, "stage 'borderz': there is no such stage"),
        ({"stages": ("dover",)}, "stage 'dover': needs the network that judges"),
        ({"extras": ("gold",)}, "--with gold"),
        ({"tiers": ("4k",)}, "tier '4k'"),
        ({"captioner": "poet"}, "captioner='poet'"),
        ({"max_clip_s": 0}, "max_clip_s=0"),
        ({"num_samples": -1}, "num_samples=-1"),
        ({"thresholds": parse_thresholds("[blurr.sharpness]\nat_least = 1")}, "blurr.sharpness: there is no such"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_any_work(tmp_path: Path, changes: dict[str, object], match: str):
    with pytest.raises(InvalidInput, match=match):
        assert CurationSettings(out=tmp_path, **changes).plan  # type: ignore[arg-type]


def test_a_folder_belongs_to_settings_not_to_loaded_networks_or_where_they_lie(tmp_path: Path):
    plan = CurationSettings(out=tmp_path).plan
    before = plan.stage_version
    plan.setup()
    assert replace(plan).stage_version == before
    assert "/" not in json.dumps(plan.settings)
