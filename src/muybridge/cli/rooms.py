"""What the verbs take from the rooms, imported when it is first used: the help of a verb must not wait for torch."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.data.buckets import BucketsConfig
    from muybridge.data.encode import EncodeConfig, encode, set_path
    from muybridge.data.open_encoders import open_encoders
    from muybridge.data.planning import DataConfig, plan
    from muybridge.data.probes import PROBES_FILE, ProbeCache
    from muybridge.data.sources import open_source
    from muybridge.worlds import SpritesConfig, SpritesWorld, complete_sprites
    from muybridge.worlds.materialise import MaterialiseConfig, materialise
    from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
    from muybridge.worlds.preview import write_sheet

_HOMES = {
    "PROBES_FILE": "data.probes",
    "BucketsConfig": "data.buckets",
    "DataConfig": "data.planning",
    "EncodeConfig": "data.encode",
    "MaterialiseConfig": "worlds.materialise",
    "PhysicsConfig": "worlds.physics",
    "PhysicsWorld": "worlds.physics",
    "ProbeCache": "data.probes",
    "SpritesConfig": "worlds",
    "SpritesWorld": "worlds",
    "complete_sprites": "worlds",
    "encode": "data.encode",
    "materialise": "worlds.materialise",
    "open_encoders": "data.open_encoders",
    "open_source": "data.sources",
    "plan": "data.planning",
    "set_path": "data.encode",
    "write_sheet": "worlds.preview",
}
__all__ = [
    "PROBES_FILE",
    "BucketsConfig",
    "DataConfig",
    "EncodeConfig",
    "MaterialiseConfig",
    "PhysicsConfig",
    "PhysicsWorld",
    "ProbeCache",
    "SpritesConfig",
    "SpritesWorld",
    "complete_sprites",
    "encode",
    "materialise",
    "open_encoders",
    "open_source",
    "plan",
    "set_path",
    "write_sheet",
]
__getattr__ = lazy_names("muybridge", _HOMES)
