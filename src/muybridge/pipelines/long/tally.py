"""What the step caches of a film's windows report, as one report that grows while they are made."""

from collections.abc import Mapping
from typing import Any


class Tally:
    """Sums of the reports of windows."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The film is made from its beginning: nothing was reported yet."""
        self._budget: str | None = None
        self._counts = {"windows": 0, "computed": 0, "evaluations": 0}
        self._psnr_db: float | None = None

    def add(self, report: Mapping[str, Any] | None) -> None:
        """Of one window, as `CacheReport.to_dict`; None where it has no step cache."""
        if report is None:
            return
        self._budget = report["budget"]
        one = {"windows": 1, **report}
        self._counts = {name: count + one[name] for name, count in self._counts.items()}
        known = [each for each in (self._psnr_db, report["estimated_psnr_db"]) if each is not None]
        self._psnr_db = min(known, default=None)

    def said(self) -> dict[str, Any]:
        """For the settings of the film: counts of all windows, the estimate of the worst; nothing without a cache."""
        if self._budget is None:
            return {}
        speed = round(self._counts["evaluations"] / self._counts["computed"], 2)
        sums = {**self._counts, "speed": speed, "estimated_psnr_db": self._psnr_db}
        return {"cache": {"budget": self._budget, **sums}}
