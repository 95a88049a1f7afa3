"""What a prompt says beside its words: weights of its parts, its changes over time, the camera's movement."""
