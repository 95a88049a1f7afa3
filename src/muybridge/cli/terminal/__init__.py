"""Pictures in a terminal: what it can draw, and the words that make it draw."""
