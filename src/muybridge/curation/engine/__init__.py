"""Runs the stages of curation over sources: each decoded once, its result whole or absent, the same bytes however run.

`plan` says what is run, `run` runs it by an executor (`local`, `ray_data`), `journal` is the folder that it fills.
"""

from muybridge.core.lazy import lazy_names

# Ray takes a second to import, so it waits until it is asked for.
__getattr__ = lazy_names(__name__, {"LocalExecutor": "local", "RayDataExecutor": "ray_data"})
