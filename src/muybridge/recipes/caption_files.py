"""Captions beside films and pictures: CLIP.json with all fields, and CLIP.txt with the short one."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from muybridge.captioning.captioner import Captioner, ClipView, spread
from muybridge.captioning.run import CaptionJob, caption_clips
from muybridge.captioning.store import CaptionRecord, CaptionStore, caption_columns
from muybridge.core.files import atomic_path
from muybridge.curation.shots.footage import footage
from muybridge.curation.sources.find import find_sources
from muybridge.curation.sources.item import as_uri
from muybridge.recipes.curation.captions import BATCH, OnCaption

SIDE_PX, LOOKS_PER_S, LONGEST_S = 512, 4.0, 60.0  # of what a captioner is shown: the first minute
SIDECARS = (".json", ".txt", ".caption")


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionedFile:
    """A film or picture, its caption, or what kept it from having one. `name`: its path as text that can be printed."""

    path: Path
    name: str
    text: str = ""
    problem: str = ""


def caption_files(place: Path, captioner: Captioner, *, on_caption: OnCaption | None = None) -> list[CaptionedFile]:
    """Caption what lies at `place` and below and has no caption yet; sidecars are written batch by batch.

    Raises InvalidInput where there is no such place, and as `caption_clips` does.
    """
    items = find_sources([str(place)])
    paths = [Path(item.place) for item in items if item.problem is None and not item.is_remote]
    waiting = [path for path in paths if not any(path.with_suffix(suffix).exists() for suffix in SIDECARS)]
    done: list[CaptionedFile] = []
    with TemporaryDirectory() as name:
        store = CaptionStore(Path(name), captioner)
        for start in range(0, len(waiting), BATCH):
            some = waiting[start : start + BATCH]
            jobs = [CaptionJob(id=as_uri(str(path)), view=partial(_view, path)) for path in some]
            caption_clips(jobs, captioner, store, batch_size=BATCH)
            done += [_written(path, store.read(as_uri(str(path)))) for path in some]
            if on_caption is not None:
                on_caption(len(done), len(waiting))
    return done


def _view(path: Path) -> ClipView:
    """Raises MediaError."""
    with footage(path, side_px=SIDE_PX, max_fps=LOOKS_PER_S) as film:
        frames = np.stack(list(islice(film.frames, max(1, round(LONGEST_S * film.fps)))))
        length_s = len(frames) / film.fps if film.fps else 0.0
        return ClipView(id=as_uri(str(path)), frames=spread(frames), fps=film.fps, duration_s=length_s)


def _written(path: Path, record: CaptionRecord | None) -> CaptionedFile:
    name = as_uri(str(path))
    if record is None or record.caption is None:
        return CaptionedFile(path=path, name=name, problem=(record.problem if record else None) or "no caption")
    columns = caption_columns(record)
    note = {**asdict(record.caption), **{name: columns[name] for name in ("caption", "captions", "caption_by")}}
    for suffix, content in ((".json", json.dumps(note, ensure_ascii=False, indent=1)), (".txt", columns["caption"])):
        with atomic_path(path.with_suffix(suffix)) as temporary:
            temporary.write_text(f"{content}\n", encoding="utf-8")
    return CaptionedFile(path=path, name=name, text=columns["caption"])
