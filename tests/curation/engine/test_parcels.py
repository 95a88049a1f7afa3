"""The law of sources as parcels, in this process alone."""

import random
from pathlib import Path

from muybridge.curation.engine.executor import Outcome
from muybridge.curation.engine.journal import Journal
from muybridge.curation.engine.one_source import Watch
from muybridge.curation.engine.parcels import CHUNK_CLIPS, Collector, Parcel, parcels_of, through_stage, through_writer
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.worker import Task
from muybridge.curation.sources.find import find_sources
from tests.curation.engine.poison import Poisoned, digest, footage, plan, run

MANY = 25  # clips of 0.1 s in a film: two parcels
assert MANY > CHUNK_CLIPS


def watch() -> Watch:
    return Watch(lambda step, limit_s: None)


def arrived(task: Task, chosen: Plan) -> list[Parcel]:
    """The parcels of a source behind all stages and the writer, not in their order."""
    Journal(chosen.folder).work_folder(task.item.id)
    parcels = list(parcels_of(task, chosen, watch=watch()))
    for stage in chosen.stages:
        parcels = [through_stage(parcel, stage, chosen, watch=watch()) for parcel in parcels]
    parcels = [through_writer(parcel, chosen, watch=watch()) for parcel in parcels]
    random.Random(0).shuffle(parcels)
    return parcels


def test_put_together_again_sources_are_as_local_workers_make_them_and_a_lost_clip_costs_only_itself(tmp_path: Path):
    films = footage(tmp_path / "films", "lose.mp4", "d.png")
    (films / "empty.mp4").write_bytes(b"")
    local, chosen = (plan(tmp_path / name, Poisoned(), seconds=0.1, num_samples=3) for name in ("local", "parcels"))
    run(films, local)
    chosen.folder.mkdir()
    Journal(chosen.folder).claim(chosen)
    tasks = [Task(item=item, is_sampled=True) for item in find_sources([str(films)])]
    collector = Collector(chosen, tasks)
    events = [event for task in tasks for event in collector.events(arrived(task, chosen))]
    outcomes = {event.item.uri: event.num_clips for event in events if isinstance(event, Outcome)}
    assert outcomes == {"lose.mp4": MANY - 1, "d.png": 1, "empty.mp4": 0}
    assert not collector.missing and not collector.failed
    assert digest(chosen.folder) == digest(local.folder)
