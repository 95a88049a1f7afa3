"""The names of HunyuanVideo's siblings: its own, and those of their further parts. Nobody renames them."""

from collections.abc import Mapping

from muybridge.transformer.config import Sibling
from muybridge.weights.layouts.table import Table, same
from muybridge.weights.layouts.transformer import TRANSFORMER

_PARTS: Mapping[Sibling, tuple[str, ...]] = {
    "avatar": (
        "ref_in.*", "before_proj", "motion_exp.*", "motion_pose.*", "fps_proj.*", "audio_proj.*",
        "audio_adapter_blocks.*",
    ),
    "custom-audio": ("audio_proj.*", "audio_models.*"),
    "custom-editing": ("bg_in.*", "bg_proj"),
    "gamecraft": ("camera_net.*",),
}  # fmt: skip
TABLES: Mapping[Sibling, tuple[Table, ...]] = {
    sibling: (Table(layout="official", rows=same(*(row.official for row in TRANSFORMER), *parts)),)
    for sibling, parts in _PARTS.items()
}
