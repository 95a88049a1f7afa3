"""What a curation is asked for, and the plan that follows."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from muybridge.captioning.opened import open_captioner
from muybridge.core.errors import invalid
from muybridge.curation import engine
from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS
from muybridge.curation.engine.executor import Executor
from muybridge.curation.engine.plan import Limits, Plan
from muybridge.curation.even import EvenSplitter
from muybridge.curation.output.shards import ShardsConfig
from muybridge.curation.shots.config import ShotsConfig
from muybridge.curation.shots.splitter import ShotSplitter
from muybridge.curation.stage import Splitter
from muybridge.curation.thresholds import TIERS, Thresholds, check_tiers
from muybridge.recipes.curation.stages import check_names, chosen_stages, known_columns


@dataclass(frozen=True, kw_only=True, slots=True)
class CurationSettings:
    """One curation.

    size_px: short side of the clips, never enlarged; max_clip_s: their length, or even_s: cut every so many seconds
    instead of at shots. stages: None for the default ones; extras: what is taken beyond. captioner: None for the one
    that the folder has, else tags; "none" for no captions. tiers: those that shards are written of. dover: an ONNX
    file that judges films.
    """

    out: Path
    size_px: int = 256
    max_clip_s: float = 10.0
    even_s: float | None = None
    stages: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    dover: Path | None = None
    captioner: str | None = None
    caption_model: str | None = None  # of a captioner that is a server
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    tiers: tuple[str, ...] = TIERS
    num_workers: int = 1
    executor: Literal["local", "ray"] = "local"
    retries_quarantine: bool = False  # what could not be read or fetched before is tried again
    num_samples: int = 0  # sources of which each stage's input is kept, for replay
    limits: Limits = field(default_factory=Limits)
    shards: ShardsConfig = field(default_factory=ShardsConfig)

    def __post_init__(self) -> None:
        check_names([*(self.stages or ()), *self.without], self.extras)
        check_tiers(self.tiers)
        self.thresholds.check_against(known_columns())
        if self.captioner not in (None, "none"):
            open_captioner(self.captioner, model=self.caption_model)
        if self.executor not in ("local", "ray"):
            raise invalid(f"executor {self.executor!r}", "is none that is known", "use local or ray")
        if self.num_samples < 0:
            raise invalid(f"num_samples={self.num_samples}", "sources are counted from 0", "use 8")
        if not self.max_clip_s > 0:
            raise invalid(f"max_clip_s={self.max_clip_s}", "clips last longer than nothing", "use 10")

    @property
    def plan(self) -> Plan:
        """What is run on each source."""
        return Plan(
            splitter=self._splitter(),
            stages=chosen_stages(self.stages, without=self.without, extras=self.extras, dover=self.dover),
            folder=self.out,
            limits=self.limits,
            num_samples=self.num_samples,
        )

    def opened_executor(self) -> Executor:
        """What runs the plan."""
        if self.executor == "ray":
            return engine.RayDataExecutor(num_workers=self.num_workers)
        return engine.LocalExecutor(num_workers=self.num_workers)

    def _splitter(self) -> Splitter:
        if self.even_s is not None:
            return EvenSplitter(seconds=self.even_s, side_px=self.size_px)
        return ShotSplitter(
            ShotsConfig(
                detector="both" if "transnet" in self.extras else "ours",
                side_px=self.size_px,
                max_s=self.max_clip_s,
                stride_s=self.max_clip_s,
                min_s=min(ShotsConfig().min_s, self.max_clip_s / 2),
            )
        )
