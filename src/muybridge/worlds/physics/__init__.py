"""Rigid bodies that do what their captions say, simulated and drawn by MuJoCo (the extra [worlds])."""

from muybridge.worlds.physics.config import PhysicsConfig
from muybridge.worlds.physics.scene import PhysicsScene
from muybridge.worlds.physics.truth import PhysicsTruth
from muybridge.worlds.physics.world import PhysicsClip, PhysicsWorld

__all__ = ["PhysicsClip", "PhysicsConfig", "PhysicsScene", "PhysicsTruth", "PhysicsWorld"]
