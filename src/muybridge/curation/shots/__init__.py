"""Footage into clips: where a shot ends and the next begins, and which stretch of it is worth keeping."""
