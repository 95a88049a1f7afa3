"""Fades: a shot goes into black or white, and another one comes out of it."""

import numpy as np

from muybridge.curation.shots.changes import Window
from muybridge.curation.shots.joins import Join

PLAIN = 4.0  # levels of contrast: less is one colour
DARK, LIGHT = 24.0, 231.0  # levels up to and from which it is black or white: shots before a blue sky are no fades
MAX_RAMP = 36  # frames of fading on one side
RISE = 1.02  # of contrast from a frame to the next while it fades
LONG = 48  # frames of one colour from which on it is a shot of its own, with a fade on each side
FLASH = 10  # frames up to which it is a flash if the shot behind it is the one before
RETURNED = 4.0  # levels of news, at most, in a shot that is back
SUDDEN = 2  # frames of ramp up to which it is no fade but a cut to the colour


def find_fades(window: Window) -> list[Join]:
    """Stretches of black or white with the fading before and behind them."""
    is_plain = (window.contrast < PLAIN) & ((window.level < DARK) | (window.level > LIGHT))
    edges = np.flatnonzero(np.diff(is_plain, prepend=False, append=False)).reshape(-1, 2)
    joins: list[Join] = []
    for first, end in edges.tolist():
        if first == 0 and end == len(window):
            return []
        out, into = _ramp(window.contrast[:first][::-1]), _ramp(window.contrast[end:])
        kind = "fade" if max(out, into) > SUDDEN else "cut"
        if _is_flash(window, first - out, end + into):
            continue
        if end - first < LONG:
            joins.append(Join(first=first - out, end=end + into, kind=kind))
            continue
        joins += [Join(first=first - out, end=first + 1, kind=kind)] if first else []
        joins += [Join(first=end - 1, end=end + into, kind=kind)] if end < len(window) else []
    return joins


def _ramp(contrast: np.ndarray) -> int:
    """For how many frames contrast keeps rising."""
    seen = contrast[: MAX_RAMP + 1]
    still = np.flatnonzero(seen[1:] < RISE * seen[:-1])
    return min(int(still[0]) if len(still) else len(seen), MAX_RAMP)


def _is_flash(window: Window, first: int, end: int) -> bool:
    if end - first > FLASH or first == 0 or end == len(window):
        return False
    return bool(window.news(np.array([first - 1]), np.array([end]))[0] < RETURNED)
