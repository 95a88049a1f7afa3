"""Worlds: endless clips with exact captions, made by formula so that training needs no footage."""

from muybridge.worlds.library import WebpLibrary
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpriteClip, SpritesConfig, SpritesWorld, complete_sprites
from muybridge.worlds.staging import StagedScene
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.truth import Truth
from muybridge.worlds.world import DescribedWorld

__all__ = [
    "DescribedWorld",
    "Scene",
    "SpriteClip",
    "SpritesConfig",
    "SpritesWorld",
    "StagedScene",
    "StructuredCaption",
    "Truth",
    "WebpLibrary",
    "complete_sprites",
]
