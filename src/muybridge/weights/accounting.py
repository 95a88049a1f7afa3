"""Every key accounted for: what a model needs against what a checkpoint holds."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from muybridge.core.errors import WeightsError
from muybridge.weights.stored import StoredTensor

_REMEDY = "use a complete checkpoint of this model"


def check_entries(
    entries: Mapping[str, StoredTensor],
    expected: Mapping[str, tuple[int, ...]],
    *,
    path: Path,
    called: Callable[[str], str],
) -> None:
    """Raises WeightsError, with file, key and nearest match, unless keys, shapes and kinds of number agree exactly.

    expected: the shape of every key that the model needs. called: what the file itself calls a key.
    """
    missing = [key for key in expected if key not in entries]
    unexpected = [key for key in entries if key not in expected]
    if missing:
        near = nearest(called(missing[0]), map(called, unexpected or entries))
        raise WeightsError(f"{path}: lacks {called(missing[0])!r}{_more(missing)}; {near}{_REMEDY}.")
    if unexpected:
        name, near = called(unexpected[0]), nearest(called(unexpected[0]), map(called, expected))
        file = entries[unexpected[0]].file
        raise WeightsError(f"{file}: {name!r}{_more(unexpected)} is no key of this model; {near}{_REMEDY}.")
    for official, entry in entries.items():
        key = called(official)
        if entry.shape != expected[official]:
            wanted = expected[official]
            raise WeightsError(f"{entry.file}: {key!r} has shape {entry.shape}, the model needs {wanted}; {_REMEDY}.")
        if not entry.dtype.is_floating_point or entry.dtype.itemsize < 2:
            name = str(entry.dtype).removeprefix("torch.")
            raise WeightsError(f"{entry.file}: {key!r} is quantised ({name}); use the bfloat16 file of this model.")


def nearest(key: str, choices: Iterable[str], *, what: str = "key") -> str:
    """`the nearest key is ...; ` or nothing where none is close. what: the word for one of the choices."""
    close = difflib.get_close_matches(key, list(choices), n=1, cutoff=0.6)
    return f"the nearest {what} is {close[0]!r}; " if close else ""


def _more(keys: list[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""
