"""The funnel as a page: what went in, what was left out at each stage and why, with examples to judge it by."""
