"""People look at curated clips in the browser, judge them, and their verdicts decide."""
