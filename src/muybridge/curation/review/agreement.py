"""How far reviewers agree beyond chance, with intervals, and on which clips they do not."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from muybridge.curation.review.votes import Votes

NUM_RESAMPLES = 1000
Judged = Mapping[tuple[str, ...], int]  # the labels that a clip got, and how many clips got just these
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Of the clips that two reviewers or more judged. `kappa` is for two reviewers; intervals hold 95 % of resamples.

    percent: share of pairs of verdicts on the same clip that are equal. All are NaN where there is no such clip.
    """

    reviewers: tuple[str, ...]
    num_clips: int
    percent: float
    percent_interval: Interval
    kappa: float | None
    kappa_interval: Interval | None
    alpha: float
    alpha_interval: Interval
    disputed: tuple[str, ...]

    def as_mapping(self) -> Mapping[str, object]:
        """JSON-ready, None for what cannot be told."""
        numbers = {"percent": self.percent, "kappa": self.kappa, "alpha": self.alpha}
        intervals = {
            "percent": self.percent_interval, "kappa": self.kappa_interval, "alpha": self.alpha_interval,
        }  # fmt: skip
        told = {name: value for name, value in numbers.items() if value is not None and np.isfinite(value)}
        return {
            "reviewers": list(self.reviewers),
            "clips": self.num_clips,
            "disputed": list(self.disputed),
            **{name: round(told[name], 4) if name in told else None for name in numbers},
            "intervals": {name: [round(end, 4) for end in intervals[name] or ()] for name in told},
        }


def agreement(votes: Votes, *, seed: int = 0) -> Agreement:
    """Compare approvals and rejections; votes that settle a dispute are no second opinion, and are left out."""
    labels = labels_of(votes)
    shared = {clip: said for clip, said in sorted(labels.items()) if len(said) > 1}
    judged = counted(said.values() for said in shared.values())
    reviewers = tuple(sorted({name for said in shared.values() for name in said}))
    rng = np.random.default_rng(seed)
    pairs = counted([said[name] for name in reviewers] for said in shared.values()) if len(reviewers) == 2 else {}
    return Agreement(
        reviewers=reviewers,
        num_clips=len(shared),
        percent=percent_equal(judged),
        percent_interval=interval(percent_equal, judged, rng),
        kappa=cohen_kappa(pairs) if pairs else None,
        kappa_interval=interval(cohen_kappa, pairs, rng) if pairs else None,
        alpha=krippendorff_alpha(judged),
        alpha_interval=interval(krippendorff_alpha, judged, rng),
        disputed=tuple(clip for clip, said in shared.items() if len(set(said.values())) > 1),
    )


def labels_of(votes: Votes) -> dict[str, dict[str, str]]:
    """Clip to reviewer to label, of votes that say yes or no and settle nothing."""
    labels: dict[str, dict[str, str]] = {}
    for reviewer, given in votes.items():
        for clip, vote in given.items():
            if vote.is_judged and not vote.is_settling:
                labels.setdefault(clip, {})[reviewer] = vote.verdict
    return labels


def counted(said: Iterable[Iterable[str]]) -> Judged:
    """From the labels of each clip."""
    return Counter(map(tuple, said))


def percent_equal(judged: Judged) -> float:
    """Share of equal pairs among all pairs of labels on the same clip, in [0, 1]."""
    equal = sum(num * (_squares(said) - len(said)) for said, num in judged.items())
    pairs = sum(num * len(said) * (len(said) - 1) for said, num in judged.items())
    return equal / pairs if pairs else float("nan")


def cohen_kappa(judged: Judged) -> float:
    """Agreement of two reviewers beyond what their own habits give by chance, at most 1.   Cohen 1960.

    1 where both always say the same one thing: nothing is left to chance then.
    """
    total = sum(judged.values())
    if not total:
        return float("nan")
    habits: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for said, num in judged.items():
        for habit, label in zip(habits, said, strict=True):
            habit[label] += num
    observed = sum(num for said, num in judged.items() if len(set(said)) == 1) / total
    expected = sum(habits[0][label] * habits[1][label] for label in habits[0]) / total**2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(judged: Judged) -> float:
    """1 - observed over expected disagreement, nominal, for any number of reviewers and gaps.   Krippendorff 2011.

    Clips with one label do not count. 1 where only one label was ever given.
    """
    several = {said: num for said, num in judged.items() if len(said) > 1}
    totals: Counter[str] = Counter()
    for said, num in several.items():
        for label in said:
            totals[label] += num
    total = totals.total()
    if not total:
        return float("nan")
    unequal = total**2 - sum(count**2 for count in totals.values())
    if not unequal:
        return 1.0
    observed = sum(num * (len(said) ** 2 - _squares(said)) / (len(said) - 1) for said, num in several.items())
    return 1 - (total - 1) * observed / unequal


def interval(of: Callable[[Judged], float], judged: Judged, rng: np.random.Generator) -> Interval:
    """Where `of` lies in 95 of 100 draws of as many clips, with replacement."""
    total = sum(judged.values())
    if not total:
        return float("nan"), float("nan")
    shares = np.array(list(judged.values())) / total
    draws: list[list[int]] = rng.multinomial(total, shares, NUM_RESAMPLES).tolist()
    values = [of({said: num for said, num in zip(judged, draw, strict=True) if num}) for draw in draws]
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return low, high


def _squares(said: Sequence[str]) -> int:
    return sum(count**2 for count in Counter(said).values())
