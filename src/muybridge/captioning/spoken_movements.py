"""What people and language models call camera movements, as the fourteen classes mean them.

An exact class name is that class. Other words go by what the camera does (`worlds.movements`): moving sideways or up
and down without turning is a pan, turning on the spot a tilt, circling the subject an around; coming closer, by lens or
by dolly, is a zoom. So "trucks left" is a pan and "swivels left" a tilt. A movement counts for more than a rest.
"""

import re

from muybridge.worlds.movements import MOVEMENTS

_SIDES = r"(?P<way>left|right|up|down)(?:wards?)?"
_BETWEEN = (
    "slowly|smoothly|quickly|gently|slightly|it|to|the|towards?|straight|across|along|over|scene|subject|camera|shot"
)
_GAP = rf"(?:\W+(?:{_BETWEEN}))*\W+"
_FROM = re.compile(r"\bfrom (?:the )?(?:left|right|top|bottom|up|down|side)\b ?")
_STILL = re.compile(
    r"\b(?:static|still|fixed|stationary|locked[- ]?(?:off|down)?|tripod|motionless|none|"
    r"no (?:camera )?(?:movement|motion)|(?:does|is|has) not? mov\w*|doesn't move|unmoving)\b"
)
_HANDHELD = re.compile(r"\b(?:hand[- ]?held|shak(?:y|es|ing)|jittery|unsteady)\b")
_IN = re.compile(
    r"\b(?:zoom\w*|doll(?:y|ies|ying)|push(?:es|ing)?|track\w*|mov\w+|trucks?)\W+(?:\w+ly\W+)?"
    r"(?:in|forwards?|closer|towards?)\b|\b(?:push|zoom)[- ]?in\b"
)
_OUT = re.compile(
    r"\b(?:zoom\w*|doll(?:y|ies|ying)|pull(?:s|ing)?|track\w*|mov\w+)\W+(?:\w+ly\W+)?(?:out|back(?:wards?)?|away)\b"
)
_AROUND = re.compile(
    rf"\b(?:orbit|arc|circl|revolv|around)\w*(?:\W+around)?{_GAP}{_SIDES}\b"
    r"|\b(?:orbit|arc|circl|revolv)\w*.*?\b(?P<turn>(?:counter|anti)-?clockwise|clockwise)\b"
)
_TURN = re.compile(rf"\b(?:tilt|swivel|rotat|turn|yaw|pitch|look|swing)\w*{_GAP}{_SIDES}\b")
_SLIDE = re.compile(
    rf"\b(?:pan|truck|slid|doll(?=y|i)|track|crab|pedestal|crane|boom|jib|lift|mov|glid|travel)\w*{_GAP}{_SIDES}\b"
    r"|\b(?P<rise>ris(?:es|ing)|ascend\w*|lifts)\b|\b(?P<sink>sink\w*|descend\w*|lowers)\b"
)


def movement_called(text: str) -> str | None:
    """The class that a phrase names: the first one in it; None where it names none of the fourteen."""
    plain = re.sub(r"[_\s]+", " ", text.lower()).strip(" .")
    if plain in MOVEMENTS:
        return plain
    found = _mentions(_FROM.sub("", plain))
    if found:
        return min(found)[1]
    return "static" if _STILL.search(plain) else None


def _mentions(plain: str) -> list[tuple[int, str]]:
    """(place, class) of the first mention of each kind of movement."""
    found = []
    for pattern, name in ((_IN, "zoom in"), (_OUT, "zoom out"), (_HANDHELD, "handheld")):
        if match := pattern.search(plain):
            found.append((match.start(), name))
    if match := _AROUND.search(plain):
        way = match["way"] or ("left" if match["turn"] == "clockwise" else "right")  # as seen from above
        found.append((match.start(), f"around {way}"))
    if match := _TURN.search(plain):
        found.append((match.start(), f"tilt {match['way']}"))
    if match := _SLIDE.search(plain):
        way = match["way"] or ("up" if match["rise"] else "down")
        found.append((match.start(), f"pan {way}"))
    return found
