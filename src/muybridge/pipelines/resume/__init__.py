"""Films that were stopped and go on: what a run has computed is kept in a folder and given back to the same request."""
