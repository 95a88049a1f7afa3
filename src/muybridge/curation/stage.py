"""What a stage is: a class that reads a clip and writes columns, and says beforehand which, and what it takes to run.

Stages never decide. They write what they measure; `thresholds` says later what is kept, so another threshold costs
seconds and not another look at the footage. How stages are run is the business of `engine`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from muybridge.core.errors import invalid
from muybridge.curation.clip import Clip, SourceFile

Column = Literal["float", "int", "bool", "text", "floats", "texts"]  # as Parquet: double, int64, bool, string, lists


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What one running copy of a stage holds. Fractions of a core are shared out, not enforced."""

    cpus: float = 0.25
    gpus: float = 0.0
    memory_bytes: int = 256 * 2**20


class Step(Protocol):
    """What stages and splitters have in common. `version` changes whenever equal frames may give other values.

    A step is made in one process and pickled to others before `setup`. Equal footage gives equal values on every
    machine of a kind: one thread, no global random numbers, no clock.
    """

    @property
    def name(self) -> str:
        """Lower case, one word or two; the funnel and the rejections call it so."""
        ...

    @property
    def version(self) -> int:
        """Counts the changes of what it measures; the ids of clips change with their splitter's."""
        ...

    @property
    def outputs(self) -> Mapping[str, Column]:
        """Columns it writes on every clip, None where there is nothing to say: a picture has no motion."""
        ...

    @property
    def resources(self) -> Resources:
        """What a running copy takes."""
        ...

    def prepare(self) -> None:
        """Once a machine, before any worker: fetch what `setup` loads. Raises AssetError, MissingExtra."""
        ...

    def setup(self) -> None:
        """Once a worker: load networks."""
        ...


class Stage(Step, Protocol):
    """One measurement or correction of a clip."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that earlier stages have written and it reads."""
        ...

    def process(self, clip: Clip) -> Clip:
        """The clip with this stage's columns, perhaps cropped or changed. Raises MediaError where it cannot be read."""
        ...


class Splitter(Step, Protocol):
    """The first stage: a source into clips. Its columns stand on every clip that it gives."""

    def clips(self, source: SourceFile) -> Iterator[Clip]:
        """The clips of a source in the order of their times, each as soon as its shot is known, decoded once.

        Memory: a few clips, however long the source is. Raises MediaError where the source cannot be read, after the
        clips before the damage.
        """
        ...


def check_chain(splitter: Splitter, stages: Sequence[Stage]) -> None:
    """Raises InvalidInput unless every stage's inputs are written before it and no column has two authors."""
    written = dict.fromkeys(splitter.outputs, splitter.name)
    for stage in stages:
        if missing := [name for name in stage.inputs if name not in written]:
            rule = f"it reads {', '.join(missing)}, which no stage before it writes"
            raise invalid(f"stage {stage.name}", rule, "run the stage that writes it first")
        for name in stage.outputs:
            if name in written:
                raise invalid(f"stage {stage.name}", f"{written[name]} writes {name} already", "leave one of them out")
            written[name] = stage.name
