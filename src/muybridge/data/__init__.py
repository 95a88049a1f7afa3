"""From a world to what training reads: clips, and latents encoded once."""
