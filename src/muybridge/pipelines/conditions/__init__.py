"""Pictures and films that a film is made from: what was given, whether it goes together, and the start it makes."""
