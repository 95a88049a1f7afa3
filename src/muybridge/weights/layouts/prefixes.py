"""What wrappers put in front of keys, and keys without it."""

from collections.abc import Mapping

from muybridge.core.errors import WeightsError
from muybridge.weights.layouts.table import Entries
from muybridge.weights.names import Kind
from muybridge.weights.stored import StoredTensor

PARTS: Mapping[Kind, tuple[str, ...]] = {  # how ComfyUI keeps a whole system in one file
    "transformer": ("model.diffusion_model.",),
    "vae": ("vae.", "first_stage_model."),
    "text-encoder": ("text_encoders.llama.", "llama."),
    "pooled-text-encoder": ("text_encoders.clip_l.", "clip_l."),
}
PREFIXES = (  # those, and what diffusion-pipe, the released VAE and DDP put in front
    *(prefix for prefixes in PARTS.values() for prefix in prefixes),
    "model.model.", "diffusion_model.", "transformer.", "module.",
)  # fmt: skip
INFIXES = (  # torch.compile, FSDP, recomputation and DeepSpeed; these can stand at every level
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module.",
)  # fmt: skip


def kinds(entries: Entries) -> tuple[Kind, ...]:
    """The parts that a file with a whole system holds; none where it holds one model."""
    found: list[Kind] = [kind for kind, prefixes in PARTS.items() if _starting(entries, prefixes)]
    return tuple(found) if len(found) > 1 else ()


def part(entries: Entries, kind: Kind | None, *, file: object) -> Entries:
    """The entries of one kind where a file holds a whole system; all of them where it holds one model.

    Raises WeightsError where there are several and none is asked for, or not that one.
    """
    found = {name: _starting(entries, PARTS[name]) for name in kinds(entries)}
    if not found:
        return entries
    for key in entries:
        if not any(key in keys for keys in found.values()):
            raise WeightsError(f"{file}: {key!r} is of none of its models {', '.join(found)}; remove it.")
    if kind not in found:
        given = "holds several models" if kind is None else f"holds no {kind}"
        raise WeightsError(f"{file}: {given}; say which of {', '.join(found)}.")
    return found[kind]


def stripped(entries: Entries) -> dict[str, StoredTensor]:
    """The entries without the prefixes that wrappers put in front of keys, however many.

    Raises WeightsError where two keys become one.
    """
    result: dict[str, StoredTensor] = {}
    origin: dict[str, str] = {}
    for key, entry in entries.items():
        name = _without_prefixes(key)
        if name in result:
            raise WeightsError(
                f"{entry.file}: {key!r} and {origin[name]!r} both mean {name!r}; keep one model per file."
            )
        result[name], origin[name] = entry, key
    return result


def _starting(entries: Entries, prefixes: tuple[str, ...]) -> dict[str, StoredTensor]:
    return {key: entry for key, entry in entries.items() if key.startswith(prefixes)}


def _without_prefixes(key: str) -> str:
    for infix in INFIXES:
        key = key.replace(infix, "")
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key[len(prefix) :]
    return key
