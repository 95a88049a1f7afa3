"""Our own detector: cuts, fades, dissolves and wipes, each by what it does to frames. No weights."""

from muybridge.curation.shots.changes import window
from muybridge.curation.shots.cuts import find_cuts
from muybridge.curation.shots.fades import find_fades
from muybridge.curation.shots.gradual import find_gradual
from muybridge.curation.shots.joins import Join, Thumbnails

MARGIN = 2  # frames beside a fade or cut that are of neither shot for certain


def find_joins(thumbnails: Thumbnails) -> list[Join]:
    """The joins of a window in the order of their times. Where two overlap, fades go first, then cuts."""
    if len(thumbnails) < 2:
        return []
    seen = window(thumbnails)
    fades = find_fades(seen)
    sudden, bursts = find_cuts(seen)
    cuts = [cut for cut in sudden if not any(fade.first <= cut.first <= fade.end for fade in fades)]
    taken = [*bursts, *((join.first - MARGIN, join.end + MARGIN) for join in (*fades, *cuts))]
    return sorted([*fades, *cuts, *find_gradual(seen, taken)], key=lambda join: join.first)
