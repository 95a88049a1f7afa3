"""Run the how-to pages marked <!-- executed -->, and renew their pictures from the files that they make.

Every ```sh and ```python block runs as written, in order, in one empty folder for each page. The words after the
language say otherwise: `fails` for commands that end in their one-line error, `elsewhere` for what needs weights, a
machine or footage that is not there. Files that commands name exist afterwards.

    python docs/pages.py [PAGE...]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "how-to"
PICTURES = Path(__file__).parent / "pictures" / "how-to"
MARK, MARK_LINES = "<!-- executed -->", 5
MAX_PICTURE_BYTES = 150_000  # the tree has to stay small
BLOCK_S = 240

_BLOCK = re.compile(r"^```(sh|python)([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"[^\s'\"=<>|]+\.(?:mp4|mov|mkv|webm|gif|webp|png|jpg|wav|json|safetensors|parquet)(?![\w.])")
_PICTURE = re.compile(r"!\[[^\]]*\]\(\.\./pictures/how-to/([^)\s]+)\)")


class PageFailed(Exception):
    """A page does not do what it shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One fenced block: its language, code, line in the page, and what the fence says of it."""

    language: str
    code: str
    line: int
    fails: bool
    is_elsewhere: bool

    def named_files(self) -> Iterator[str]:
        """Files that its commands name."""
        if self.language == "sh" and not self.fails:
            yield from (found[0] for found in _FILE.finditer(re.sub(r"(?m)#.*$", "", self.code)))


def executed_pages() -> list[Path]:
    """The pages that are marked, by name."""
    return [page for page in sorted(FOLDER.glob("*.md")) if MARK in page.read_text().splitlines()[:MARK_LINES]]


def blocks(page: Path) -> list[Block]:
    """The blocks that the page shows, but those that run elsewhere only. Raises PageFailed on unknown fence words."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        words = match[2].split()
        line = text[: match.start()].count("\n") + 1
        if unknown := set(words) - {"fails", "elsewhere"}:
            raise PageFailed(f"{page.name}:{line}: the fence says {unknown}; use `fails` or `elsewhere`")
        found.append(
            Block(
                language=match[1],
                code=match[3],
                line=line,
                fails="fails" in words,
                is_elsewhere="elsewhere" in words,
            )
        )
    return [block for block in found if not block.is_elsewhere]


def pictures(page: Path) -> list[str]:
    """The pictures of docs/pictures/how-to that the page shows."""
    return _PICTURE.findall(page.read_text(encoding="utf-8"))


def run(page: Path, folder: Path) -> None:
    """Run the blocks of a page in `folder`. Raises PageFailed, with the line, where one does not do what it shows."""
    shown = blocks(page)
    for block in shown:
        _run_block(block, folder, at=f"{page.name}:{block.line}")
    for block in shown:
        for name in block.named_files():
            if not list(folder.glob(re.sub(r"%0?\d*d", "*", name))):
                raise PageFailed(f"{page.name}:{block.line}: names {name}, which is not there afterwards")
    for name in pictures(page):
        if not (folder / name).is_file():
            raise PageFailed(f"{page.name}: shows {name}, which its commands do not make")
        if (folder / name).stat().st_size > MAX_PICTURE_BYTES:
            raise PageFailed(f"{page.name}: {name} is larger than {MAX_PICTURE_BYTES} bytes")


def _run_block(block: Block, folder: Path, *, at: str) -> None:
    shell = ["bash", "-e", "-u", "-o", "pipefail", "-c", block.code]
    command = shell if block.language == "sh" else [sys.executable, "-c", block.code]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=BLOCK_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PageFailed(f"{at}: takes over {BLOCK_S} s") from None
    if block.fails:
        if done.returncode == 0 or "Traceback" in done.stderr:
            raise PageFailed(f"{at}: does not end in a one-line error: {done.stderr or done.stdout}")
    elif done.returncode != 0:
        raise PageFailed(f"{at}: exits with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")


def main(names: Sequence[str]) -> None:
    """Run pages, all that are marked or those named, and copy what they show to docs/pictures/how-to."""
    for page in [FOLDER / f"{Path(name).stem}.md" for name in names] or executed_pages():
        with tempfile.TemporaryDirectory() as folder:
            run(page, Path(folder))
            for name in pictures(page):
                PICTURES.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(folder) / name, PICTURES / name)
        print(f"{page.name}: {len(blocks(page))} blocks, {len(pictures(page))} pictures")


if __name__ == "__main__":
    main(sys.argv[1:])
