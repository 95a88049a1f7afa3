"""Which modules of a LoRA act: a list of blocks as people write it."""

import fnmatch
import re
from collections.abc import Iterable

from muybridge.core.errors import invalid
from muybridge.weights.accounting import nearest

_SHORT = {"double": "double_blocks", "single": "single_blocks", "refiner": "txt_in.individual_token_refiner"}
_RANGE = re.compile(r"(?P<list>[\w.]+)\.(?P<first>\d{1,4})-(?P<last>\d{1,4})(?P<rest>\..+)?")
_EXAMPLE = "write it like double_blocks.0-9,single or *img_attn*"


def selected(blocks: str | None, modules: Iterable[str], *, of: str) -> list[str]:
    """The modules that a list of patterns means; all where it is None. `of` names the file in messages.

    Patterns are separated by commas: a module or the beginning of its name (`double_blocks.3`, `txt_in`), a range of
    blocks (`double_blocks.0-9`), `double`, `single` or `refiner` for all of them, or with * and ? anywhere.
    Raises InvalidInput on a pattern that means none.
    """
    names = list(modules)
    if blocks is None:
        return names
    chosen: set[str] = set()
    for pattern in blocks.split(","):
        found = {name for name in names if any(_means(one, name) for one in _spread(pattern.strip()))}
        if not found:
            near = nearest(pattern.strip(), names, what="module")
            raise invalid(f"blocks {pattern.strip()!r}", f"is no module that {of} changes", f"{near}{_EXAMPLE}")
        chosen |= found
    return [name for name in names if name in chosen]


def check_blocks(blocks: str) -> None:
    """Raises InvalidInput where a list of blocks could mean nothing in any LoRA."""
    for pattern in blocks.split(","):
        match = _RANGE.fullmatch(pattern.strip())
        is_empty = match is not None and int(match["first"]) > int(match["last"])
        if not re.fullmatch(r"[\w.*?\-\[\]]+", pattern.strip()) or is_empty:
            raise invalid(f"blocks {pattern.strip()!r}", "means no block", _EXAMPLE)


def _spread(pattern: str) -> list[str]:
    """A pattern with the short words written out and a range as its blocks."""
    head, dot, tail = pattern.partition(".")
    pattern = _SHORT.get(head, head) + dot + tail
    match = _RANGE.fullmatch(pattern)
    if match is None:
        return [pattern]
    indices = range(int(match["first"]), int(match["last"]) + 1)
    return [f"{match['list']}.{index}{match['rest'] or ''}" for index in indices]


def _means(pattern: str, name: str) -> bool:
    return name == pattern or name.startswith(pattern + ".") or fnmatch.fnmatchcase(name, pattern)
