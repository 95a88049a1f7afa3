"""The curation of footage, composed: `run` does it in one call, the other files each a part of it."""
