"""Faces, people and nudity in clips, and faces blurred."""
