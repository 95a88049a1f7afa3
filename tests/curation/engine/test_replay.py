"""Laws of replay: a stage that is as it was gives what it gave; one that changed says in which columns."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.clip import Clip, Value
from muybridge.curation.engine.replay import replay
from muybridge.curation.engine.samples import FRAMES, read_sample
from muybridge.curation.even import Brightness
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column
from tests.curation.engine.poison import Poisoned, footage, plan, run


class Darker(Measurement):
    """Changes frames, and reads a column."""

    name = "darker"
    inputs = ("brightness",)
    outputs: Mapping[str, Column] = {"was": "float"}
    factor = 2

    def process(self, clip: Clip) -> Clip:
        return replace(clip, frames=clip.frames // self.factor).noted({"was": clip.values["brightness"]})


class Louder(Brightness):
    """Brightness as another version of the code would measure it."""

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        return {"brightness": float(clip.frames.max() / 255)}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    run(footage(folder / "films", "a.mp4", "b.png", "c.png"), plan(folder / "out", Darker(), num_samples=2))
    return folder / "out"


def test_an_unchanged_stage_repeats_itself(done: Path):
    for stage in (Brightness(), Darker()):
        found = replay(done, stage)
        assert (found.num_samples, found.differences) == (2, ())


def test_a_changed_stage_is_found_by_column(done: Path):
    assert replay(done, Louder()).columns == {"brightness": 2}
    changed = Darker()
    changed.factor = 3
    assert replay(done, changed).columns == {FRAMES: 2}


def test_a_stage_without_samples_is_refused(done: Path):
    with pytest.raises(InvalidInput, match="no samples of the stage poisoned"):
        replay(done, Poisoned())


def test_samples_hold_the_clip_as_it_was(done: Path):
    (first, *_) = sorted((done / "samples" / "darker").iterdir())
    sample = read_sample(first)
    assert sample.clip.values.keys() == {"shot", "brightness"}
    assert sample.clip.frames.dtype == np.uint8 and first.stem == sample.clip.id
