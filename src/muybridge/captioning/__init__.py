"""Structured captions of clips: several captioners behind one seam, and the camera's movement.   Paper 3.2."""
