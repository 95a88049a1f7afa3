"""What generated clips are worth: probes that know a world's facts, and figures that need no network."""
