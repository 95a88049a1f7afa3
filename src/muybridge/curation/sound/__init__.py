"""What a clip sounds like: silence, speech, music and effects, and whether the sound goes with the picture."""
