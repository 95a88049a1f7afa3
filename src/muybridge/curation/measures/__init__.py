"""How good, how sharp and how lively the frames of a clip are: one file a measurement."""
