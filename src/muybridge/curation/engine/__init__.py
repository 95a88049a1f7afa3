"""Runs the stages of curation over sources: each decoded once, its result whole or absent, the same bytes however run.

`plan` says what is run, `run` runs it by an executor (`local`, `ray_data`), `journal` is the folder that it fills.
"""
