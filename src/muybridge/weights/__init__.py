"""Checkpoints on disk: every known layout to our networks and back, the catalogue of models, and fetched assets."""
