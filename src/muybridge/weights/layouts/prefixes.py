"""What wrappers put in front of keys, and keys without it."""

from muybridge.core.errors import WeightsError
from muybridge.weights.layouts.table import Entries
from muybridge.weights.stored import StoredTensor

PREFIXES = (  # what ComfyUI, diffusion-pipe, the released VAE, DeepSpeed, torch.compile, DDP and FSDP put in front
    "model.diffusion_model.", "model.model.", "diffusion_model.", "transformer.", "module.", "vae.",
    "first_stage_model.",
)  # fmt: skip
INFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # these can stand at every level


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


def _without_prefixes(key: str) -> str:
    for infix in INFIXES:
        key = key.replace(infix, "")
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key[len(prefix) :]
    return key
