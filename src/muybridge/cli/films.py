"""Requests become files: where each goes, what is there already, what is shown meanwhile."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import muybridge
from muybridge.cli.outputs import check_writable, output_paths
from muybridge.cli.preview import FilePreview, ScreenPreview, check_preview_file
from muybridge.cli.progress import StageBars
from muybridge.media.probe import probe
from muybridge.media.sidecar import sidecar_path
from muybridge.media.writer import depth
from muybridge.pipelines.resume.finished import recorded_film
from muybridge.pipelines.saving import identified

if TYPE_CHECKING:
    from muybridge import GenerationRequest, Pipeline, Progress, Reel, SaveOptions, Video


@dataclass(frozen=True, kw_only=True, slots=True)
class Showing:
    """How films are made that are the same either way: what is kept of them and what is shown meanwhile."""

    resume_dir: Path | None = None
    has_preview: bool = False
    preview_file: Path | None = None
    together: bool | None = None

    def check(self) -> None:
        """Raises InvalidInput where something could not be written."""
        if self.preview_file is not None:
            check_preview_file(self.preview_file)
            check_writable(self.preview_file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A request, the file that it becomes, and what is recorded there if it is that film already."""

    request: "GenerationRequest"
    path: Path
    saving: "SaveOptions"
    record: dict[str, Any] | None = None


def jobs_of(
    pipe: "Pipeline",
    requests: Sequence["GenerationRequest"],
    *,
    output: str | None,
    saving: "SaveOptions",
    is_resumed: bool,
) -> list[Job]:
    """A job for each request. is_resumed: a film that is in its file already is left there. Raises InvalidInput."""
    saving = identified(saving)
    first = requests[0]
    prompts, seeds = [request.prompt for request in requests], [request.seed for request in requests]
    suffix = ".png" if first.is_picture else saving.usual_suffix

    def record(index: int, path: Path) -> dict[str, Any] | None:
        return recorded_film(path, pipe.settings_of(requests[index])) if is_resumed else None

    paths = output_paths(output, prompts, seeds, suffix=suffix, is_own=lambda *film: record(*film) is not None)
    for path in paths:
        muybridge.check_destination(path, num_frames=first.num_frames, fps=first.fps, options=saving)
        check_writable(path)
    is_whole = [sidecar_path(path).is_file() for path in paths]  # it is written last
    return [
        Job(request=request, path=path, saving=saving, record=record(index, path) if is_whole[index] else None)
        for index, (request, path) in enumerate(zip(requests, paths, strict=True))
    ]


def make(
    pipe: "Pipeline", jobs: Sequence[Job], *, memory: str | None, showing: Showing, console: Console
) -> list[dict[str, Any]]:
    """Films saved as they come; what `--json` prints of each, in order."""
    missing = [job for job in jobs if job.record is None]
    if len(missing) < len(jobs):
        _say(console, f"{len(jobs) - len(missing)} of {len(jobs)} are in their files already")
    reports = {job.path: _of_record(job) for job in jobs if job.record is not None}
    _forget(pipe, [job for job in jobs if job.record is not None], showing.resume_dir)
    try:
        if missing:
            reports |= _made(pipe, missing, memory=memory, showing=showing, console=console)
    except KeyboardInterrupt:
        if showing.resume_dir is not None:
            _say(console, "stopped; the same command goes on from here")
        raise
    return [reports[job.path] for job in jobs]


def _forget(pipe: "Pipeline", jobs: Sequence[Job], resume_dir: Path | None) -> None:
    """States of films that were stopped between being saved and being forgotten."""
    keeper = pipe.keeper(resume_dir)
    for job in jobs:
        if forget := keeper.on_saved(job.request):
            forget()


def _made(
    pipe: "Pipeline", jobs: Sequence[Job], *, memory: str | None, showing: Showing, console: Console
) -> dict[Path, dict[str, Any]]:
    reports: dict[Path, dict[str, Any]] = {}
    screen = _screen(showing, console)
    file = None if showing.preview_file is None else FilePreview(showing.preview_file, fps=jobs[0].request.fps)
    with ExitStack() as stack:
        above = None if screen is None else stack.enter_context(screen).over
        bars = stack.enter_context(StageBars(console, num_films=len(jobs), above=above))

        def show(progress: "Progress") -> None:
            for each in (bars, screen, file):
                if each is not None:
                    each.show(progress)

        started = time.perf_counter()
        requests = [job.request for job in jobs]
        films = pipe.reels(
            requests,
            memory=memory,
            resume_dir=showing.resume_dir,
            together=showing.together,
            bits=depth(jobs[0].path, jobs[0].saving),
            on_progress=show,
        )
        for film, job in zip(films, jobs, strict=True):
            film.save(job.path, options=job.saving)
            reports[job.path] = _report(film, job.path, seconds=time.perf_counter() - started)
            started = time.perf_counter()
    return reports


def _screen(showing: Showing, console: Console) -> ScreenPreview | None:
    if showing.has_preview and not console.is_terminal:
        _say(console, "--preview draws nothing: this is no terminal; --preview-file FILE.webp writes one")
    return ScreenPreview(console) if showing.has_preview and console.is_terminal else None


def _report(film: "Video | Reel", path: Path, *, seconds: float) -> dict[str, Any]:
    shape = {"width": film.width, "height": film.height, "frames": film.num_frames, "fps": film.fps}
    return {"path": str(path), **shape, "seconds": round(seconds, 3), "settings": dict(film.settings)}


def _of_record(job: Job) -> dict[str, Any]:
    facts = probe(job.path)
    shape = {"width": facts.width_px, "height": facts.height_px, "frames": facts.num_frames, "fps": job.request.fps}
    return {"path": str(job.path), **shape, "seconds": 0.0, "settings": job.record}


def _say(console: Console, line: str) -> None:
    console.print(line, style="dim", soft_wrap=True, highlight=False)
