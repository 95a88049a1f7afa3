"""A source, its buckets and its report: everything that is decided before anything is decoded."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from muybridge.core.errors import invalid
from muybridge.data.buckets import Bucket, BucketsConfig, batch_sizes
from muybridge.data.captions import problem, shortened
from muybridge.data.probes import ProbeCache, Refused
from muybridge.data.record import Record, Source
from muybridge.data.report import BucketLine, Note, Reason, Report, Row
from muybridge.data.samples import Sample, assign
from muybridge.media.probe import Facts

PROBE_THREADS = 4  # reading files mostly waits for the disk

OnProgress = Callable[[int, int], None]  # done, total


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What is taken from a source. budget_tokens: visual tokens of one batch, from which each bucket's size follows."""

    buckets: BucketsConfig = field(default_factory=BucketsConfig)
    needs_captions: bool = True
    max_caption_words: int = 256
    budget_tokens: int = 4096

    def __post_init__(self) -> None:
        if self.max_caption_words < 1 or self.budget_tokens < 1:
            raise invalid("max_caption_words or budget_tokens below 1", "both are counts", "use 256 and 4096")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The samples in the order of the source, and the report that accounts for every input."""

    samples: tuple[Sample, ...]
    report: Report


def plan(source: Source, config: DataConfig, *, probes: ProbeCache, on_progress: OnProgress | None = None) -> Plan:
    """Probe every record and assign it. Nothing that a file holds raises; it becomes a row."""
    pairs = _named(source, config.buckets)
    rows = [row for part in source.parts for row in part.rows]
    seen: dict[str, int] = {}
    samples: list[Sample] = []
    taken: list[Row] = []
    with ThreadPoolExecutor(PROBE_THREADS) as pool:
        all_facts = pool.map(lambda pair: probes.facts(pair[0].media), pairs)
        for number, ((record, buckets), facts) in enumerate(zip(pairs, all_facts, strict=True), start=1):
            seen[record.id] = seen.get(record.id, 0) + 1
            decided = _decide(record, facts, buckets, config=config, occurrence=seen[record.id])
            taken.append(decided[1])
            samples += decided[0]
            if on_progress:
                on_progress(number, len(pairs))
    report = Report(rows=(*taken, *rows), buckets=lines(samples, config.budget_tokens), remarks=source.remarks)
    return Plan(samples=tuple(samples), report=report)


def lines(samples: Iterable[Sample], budget_tokens: int) -> tuple[BucketLine, ...]:
    """The table's lines: every bucket with its samples, repeats counted, and the batch that the budget allows."""
    counts: Counter[Bucket] = Counter()
    for sample in samples:
        counts[sample.bucket] += sample.record.num_repeats
    buckets = sorted(counts)
    numbers = batch_sizes(buckets, [counts[bucket] for bucket in buckets], budget_tokens=budget_tokens)
    return tuple(
        BucketLine(
            name=bucket.name,
            num_tokens=bucket.num_tokens,
            num_samples=counts[bucket],
            batch_size=number,
        )
        for bucket, number in zip(buckets, numbers, strict=True)
    )


def _named(source: Source, default: BucketsConfig) -> list[tuple[Record, BucketsConfig]]:
    """Every record with its part's buckets; one of a folder that is named again, for other buckets, has another id."""
    pairs: list[tuple[Record, BucketsConfig]] = []
    earlier: set[str] = set()
    for number, part in enumerate(source.parts, start=1):
        for record in part.records:
            named = replace(record, id=f"{record.id} (entry {number})") if record.id in earlier else record
            pairs.append((named, part.buckets or default))
        earlier |= {record.id for record in part.records}
    return pairs


def _decide(
    record: Record, facts: Facts | Refused, buckets: BucketsConfig, *, config: DataConfig, occurrence: int
) -> tuple[list[Sample], Row]:
    """The samples of a record and its row."""
    if occurrence > 1:
        row = Row(item=f"{record.id} (occurrence {occurrence})", reason=Reason.DUPLICATE_ID, detail="the first is used")
        return [], row
    found = facts if isinstance(facts, Refused) else assign(facts, buckets)
    if isinstance(found, Refused):
        return [], Row(item=record.id, reason=found.reason, detail=found.detail)
    wrong = problem(record.captions)
    if config.needs_captions and wrong is not None:
        return [], Row(item=record.id, reason=wrong)
    notes = [*found.notes]
    captions = record.captions if wrong is None else ()
    longest = max((len(caption.split()) for caption in captions), default=0)
    if longest > config.max_caption_words:
        notes.append(f"{Note.LONG_CAPTION}: the first {config.max_caption_words:,} of {longest:,} words")
    if record.num_repeats > 1:
        notes.append(f"{Note.REPEATED}: {record.num_repeats} times an epoch")
    short = replace(record, captions=tuple(shortened(text, config.max_caption_words) for text in captions))
    samples = [
        Sample(record=short, bucket=found.bucket, start_s=start, rate=found.rate, crop=buckets.crop)
        for start in found.starts_s
    ]
    return samples, Row(item=record.id, bucket=found.bucket.name, num_samples=len(samples), notes=tuple(notes))
