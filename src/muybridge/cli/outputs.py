"""Where results go: named, and known to be writable, before any work starts."""

import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from muybridge.core.errors import InvalidInput, invalid

DEFAULT_FOLDER = Path("films")
MAX_SLUG_CHARACTERS = 48  # convention: long enough to tell films apart, short enough to read in a listing


def output_paths(
    output: str | None,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    suffix: str,
    is_own: Callable[[int, Path], bool] = lambda index, path: False,
) -> list[Path]:
    """One path for each film: `output` where it names a file, else named by prompt and seed in the folder.

    In a folder no existing file is taken: a number is added. is_own: unless it is the file of the film of that index.
    Raises InvalidInput on one file for several films.
    """
    if output is not None and not _is_folder(output):
        if len(prompts) > 1:
            rule = f"{len(prompts)} prompts make {len(prompts)} files"
            raise invalid(f"output {output}", rule, f"name a folder, such as {Path(output).with_suffix('')}/")
        return [Path(output)]
    folder = DEFAULT_FOLDER if output is None else Path(output)
    paths: list[Path] = []
    for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        names = _names(f"{_slug(prompt)}-{seed}", suffix)
        free = (path for name in names if (path := folder / name) not in paths)
        paths.append(next(path for path in free if not path.exists() or is_own(index, path)))
    return paths


def check_writable(path: Path) -> None:
    """Raises InvalidInput unless a file could be written at `path`; what is there stays as it is."""
    if path.is_dir():
        raise invalid(str(path), "is a folder", "name a file in it")
    folder = next(parent for parent in path.absolute().parents if parent.exists() or parent.is_symlink())
    try:
        with tempfile.TemporaryFile(dir=folder):  # permissions, read-only and odd file systems: only trying tells
            pass
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to.") from None


def _is_folder(output: str) -> bool:
    return output.endswith(("/", "\\")) or Path(output).is_dir() or not Path(output).suffix


def _names(stem: str, suffix: str) -> Iterator[str]:
    yield f"{stem}{suffix}"
    yield from (f"{stem}-{number}{suffix}" for number in itertools.count(2))


def _slug(prompt: str) -> str:
    slug = "-".join(re.findall(r"\w+", prompt.lower()))
    if len(slug) > MAX_SLUG_CHARACTERS:
        slug = slug[:MAX_SLUG_CHARACTERS].rpartition("-")[0] or slug[:MAX_SLUG_CHARACTERS]
    return slug or "film"
