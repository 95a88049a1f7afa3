"""Worlds: endless clips with exact captions, made by formula so that training needs no footage."""

from muybridge.worlds.library import WebpLibrary
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpriteClip, SpritesConfig, SpritesWorld

__all__ = ["Scene", "SpriteClip", "SpritesConfig", "SpritesWorld", "WebpLibrary"]
