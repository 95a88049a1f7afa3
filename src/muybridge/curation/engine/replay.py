"""One stage alone, on what it got in an earlier run, and whether it still makes the same of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muybridge.core.errors import invalid
from muybridge.curation.clip import Value
from muybridge.curation.engine.journal import SAMPLES
from muybridge.curation.engine.samples import made_by, read_sample
from muybridge.curation.stage import Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A column of one clip that is not what it was; `frames` stands for the pixels, by their digest."""

    clip: str
    column: str
    before: Value
    now: Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """What a stage made of its samples."""

    stage: str
    num_samples: int
    differences: tuple[Difference, ...]

    @property
    def columns(self) -> Mapping[str, int]:
        """How many clips differ, by column."""
        names = [each.column for each in self.differences]
        return {name: names.count(name) for name in dict.fromkeys(names)}


def replay(folder: Path, stage: Stage) -> Replay:
    """Run a stage on the samples that a run with `num_samples` left in its folder, and compare.

    Raises InvalidInput where the folder holds none of this stage, RunFailed where one is damaged, AssetError.
    """
    paths = sorted((Path(folder) / SAMPLES / stage.name).glob("*.safetensors"))
    if not paths:
        raise invalid(f"{folder}", f"holds no samples of the stage {stage.name}", "run it with --sample 8")
    stage.prepare()
    stage.setup()
    found: list[Difference] = []
    for path in paths:
        sample = read_sample(path)
        now = made_by(stage, stage.process(sample.clip))
        for name in sorted(sample.made.keys() | now.keys()):
            before, after = sample.made.get(name), now.get(name)
            if before != after:
                found.append(Difference(clip=sample.clip.id, column=name, before=before, now=after))
    return Replay(stage=stage.name, num_samples=len(paths), differences=tuple(found))
