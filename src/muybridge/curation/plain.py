"""The parts of a stage that most stages share."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.curation.clip import Clip, Value
from muybridge.curation.stage import Column, Resources


class Measurement:
    """A stage that only measures: a subclass names its columns and gives their values in `measure`.

    Nothing is fetched or loaded unless a subclass says so.
    """

    name: str = ""
    version: int = 1
    inputs: tuple[str, ...] = ()
    outputs: Mapping[str, Column] = MappingProxyType({})
    resources: Resources = Resources()

    def prepare(self) -> None:
        """Fetch nothing."""

    def setup(self) -> None:
        """Load nothing."""

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`; none, for a stage that only changes clips."""
        return {}

    def process(self, clip: Clip) -> Clip:
        """The clip with what was measured."""
        values = self.measure(clip)
        assert values.keys() == self.outputs.keys(), f"{self.name} wrote {sorted(values)}"
        return clip.noted(values)
