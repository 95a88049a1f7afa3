"""The cast: which animated emoji the sprites world draws, and what it calls them.

Every row was looked at on contact sheets at 64 and 128 px. The order is by how well a subject reads there (silhouette
and colour unlike the others', whole body, clear movement), so `SUBJECTS[:16]` is a good small cast. Names and tags were
checked against emojibase-data (MIT); the drawings are Microsoft's Fluent Emoji (MIT).
"""

from dataclasses import dataclass
from typing import Literal

Facing = Literal["left", "right", "front"]
Realm = Literal["ground", "air", "water"]
Verb = tuple[str, str]  # third person and participle: ("gallops", "galloping")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One member of the cast.

    `codepoints` names the drawing (the file's stem). `facing` is where the drawing looks; `front` is never mirrored.
    `upright_deg` turns the drawing counter-clockwise until it points straight up (0 for everything but diagonal ones).
    `span` keeps only this part of the drawing's cycle, played to and fro; (0, 1) is the whole loop.
    `tones` are the colours in which it would vanish: backgrounds of those colours are not used.
    """

    name: str
    codepoints: str
    colour: str
    realm: Realm
    facing: Facing
    moves: tuple[Verb, ...]
    rests: tuple[Verb, ...]
    also: tuple[str, ...] = ()
    tones: tuple[str, ...] = ()
    upright_deg: float = 0.0
    span: tuple[float, float] = (0.0, 1.0)


_STANDS: tuple[Verb, ...] = (("stands", "standing"), ("stands still", "standing still"))
_PARKED: tuple[Verb, ...] = (("waits", "waiting"), ("is parked", "parked"), ("stands still", "standing still"))
_HOVERS: tuple[Verb, ...] = (("hovers", "hovering"), ("hangs in the air", "hanging in the air"))
_FLOATS: tuple[Verb, ...] = (("floats", "floating"), ("stays in place", "staying in place"))
_FLIES: tuple[Verb, ...] = (("flies", "flying"),)
_SWIMS: tuple[Verb, ...] = (("swims", "swimming"),)
_WALKS: tuple[Verb, ...] = (("walks", "walking"),)
_DRIVES: tuple[Verb, ...] = (("drives", "driving"), ("rolls", "rolling"))


def _walker(
    name: str, codepoints: str, colour: str, *, also: tuple[str, ...] = (), tones: tuple[str, ...] = ()
) -> Subject:
    return Subject(
        name=name, codepoints=codepoints, colour=colour, realm="ground", facing="left",
        moves=_WALKS, rests=_STANDS, also=also, tones=tones,
    )  # fmt: skip


def _vehicle(
    name: str, codepoints: str, colour: str, *, also: tuple[str, ...] = (), tones: tuple[str, ...] = ()
) -> Subject:
    return Subject(
        name=name, codepoints=codepoints, colour=colour, realm="ground", facing="left",
        moves=_DRIVES, rests=_PARKED, also=also, tones=tones,
    )  # fmt: skip


SUBJECTS: tuple[Subject, ...] = (
    Subject(
        name="horse", codepoints="1f40e", colour="brown", realm="ground", facing="left",
        moves=(("gallops", "galloping"), ("runs", "running")),
        rests=(("gallops on the spot", "galloping on the spot"), ("runs in place", "running in place")),
    ),
    _vehicle("car", "1f697", "red", also=("automobile",), tones=("red", "pink")),
    _walker("elephant", "1f418", "grey", tones=("grey",)),
    Subject(
        name="rocket", codepoints="1f680", colour="red and white", realm="air", facing="right", upright_deg=45.0,
        moves=(("flies", "flying"), ("shoots", "shooting")), rests=_HOVERS, also=("space rocket",),
        tones=("white", "red"),
    ),
    Subject(
        name="penguin", codepoints="1f427", colour="black and white", realm="ground", facing="front",
        moves=(("waddles", "waddling"), ("walks", "walking")), rests=_STANDS, tones=("purple",),
    ),
    Subject(
        name="whale", codepoints="1f433", colour="blue", realm="water", facing="left", moves=_SWIMS, rests=_FLOATS,
        tones=("blue",),
    ),
    Subject(
        name="butterfly", codepoints="1f98b", colour="orange", realm="air", facing="front",
        moves=(("flutters", "fluttering"), ("flies", "flying")),
        rests=(("flaps its wings", "flapping its wings"), ("hovers", "hovering")), tones=("orange", "red"),
    ),
    Subject(
        name="turtle", codepoints="1f422", colour="green", realm="ground", facing="left", also=("tortoise",),
        moves=(("crawls", "crawling"), ("walks", "walking")), rests=_STANDS, tones=("green",), span=(0.0, 0.36),
    ),
    Subject(
        name="tropical fish", codepoints="1f420", colour="blue and yellow", realm="water", facing="left",
        moves=_SWIMS, rests=_FLOATS, also=("fish",), tones=("blue",),
    ),
    Subject(
        name="parrot", codepoints="1f99c", colour="red", realm="air", facing="left", moves=_FLIES,
        rests=(("bobs up and down", "bobbing up and down"), ("perches", "perching")), tones=("red", "pink"),
    ),
    Subject(
        name="dinosaur", codepoints="1f996", colour="green", realm="ground", facing="left", also=("T-Rex",),
        moves=(("stomps", "stomping"), ("walks", "walking")), rests=_STANDS, tones=("green",),
    ),
    Subject(
        name="helicopter", codepoints="1f681", colour="orange", realm="air", facing="left", moves=_FLIES, rests=_HOVERS,
        tones=("orange",),
    ),
    Subject(
        name="bee", codepoints="1f41d", colour="yellow and black", realm="air", facing="left", also=("honeybee",),
        moves=(("flies", "flying"), ("buzzes", "buzzing")), rests=_HOVERS, tones=("yellow", "orange"),
    ),
    Subject(
        name="snail", codepoints="1f40c", colour="brown", realm="ground", facing="left",
        moves=(("crawls", "crawling"), ("creeps", "creeping")),
        rests=(("rests", "resting"), ("sits still", "sitting still")), tones=("orange",),
    ),
    Subject(
        name="ghost", codepoints="1f47b", colour="white", realm="air", facing="front",
        moves=(("floats", "floating"), ("glides", "gliding")), rests=_FLOATS, tones=("white", "grey"),
    ),
    _vehicle("bus", "1f68c", "orange", tones=("orange",)),
    Subject(
        name="duck", codepoints="1f986", colour="green-headed", realm="water", facing="left",
        moves=(("swims", "swimming"), ("paddles", "paddling")), rests=_FLOATS, tones=("grey", "white"),
    ),
    _walker("flamingo", "1f9a9", "pink", tones=("pink", "red")),
    _walker("zebra", "1f993", "striped", tones=("grey",)),
    _walker("giraffe", "1f992", "yellow", tones=("orange", "yellow")),
    _vehicle("tractor", "1f69c", "green", tones=("green",)),
    Subject(
        name="snowman", codepoints="26c4", colour="white", realm="ground", facing="front",
        moves=(("slides", "sliding"), ("glides", "gliding")), rests=_STANDS, tones=("white", "grey"),
    ),
    Subject(
        name="crab", codepoints="1f980", colour="red", realm="ground", facing="front",
        moves=(("scuttles", "scuttling"), ("walks", "walking")), rests=_STANDS, tones=("red", "pink"),
    ),
    _vehicle("fire engine", "1f692", "red", also=("fire truck",), tones=("red", "pink")),
    _walker("cow", "1f404", "black and white", tones=("grey",)),
    _walker("tiger", "1f405", "orange", tones=("orange",)),
    _walker("pig", "1f416", "pink", tones=("pink", "red")),
    Subject(
        name="ladybug", codepoints="1f41e", colour="red", realm="ground", facing="front", also=("ladybird",),
        moves=(("crawls", "crawling"),), rests=(("wiggles", "wiggling"), ("rests", "resting")), tones=("red", "pink"),
    ),
    _walker("rooster", "1f413", "brown", tones=("orange",)),
    _walker("cat", "1f408", "ginger", tones=("orange", "yellow")),
    _walker("dog", "1f415", "tan", tones=("orange", "yellow")),
    Subject(
        name="swan", codepoints="1f9a2", colour="white", realm="water", facing="left",
        moves=(("swims", "swimming"), ("glides", "gliding")), rests=_FLOATS, tones=("white", "grey"),
    ),
    _vehicle("taxi", "1f695", "yellow", tones=("yellow", "orange")),
    Subject(
        name="kangaroo", codepoints="1f998", colour="tan", realm="ground", facing="left",
        moves=(("hops", "hopping"), ("bounds", "bounding")), rests=(("hops on the spot", "hopping on the spot"),),
        tones=("orange", "yellow"),
    ),
    Subject(
        name="octopus", codepoints="1f419", colour="orange", realm="water", facing="front", moves=_SWIMS, rests=_FLOATS,
        tones=("orange", "pink", "red"),
    ),
    Subject(
        name="flying saucer", codepoints="1f6f8", colour="silver", realm="air", facing="front", also=("UFO",),
        moves=_FLIES, rests=_HOVERS, tones=("grey",),
    ),
    Subject(
        name="spider", codepoints="1f577-fe0f", colour="black", realm="ground", facing="front",
        moves=(("crawls", "crawling"),), rests=(("wiggles", "wiggling"), ("rests", "resting")), tones=("purple",),
    ),
    Subject(
        name="robot", codepoints="1f916", colour="white", realm="ground", facing="front",
        moves=(("slides", "sliding"), ("rolls", "rolling")), rests=_STANDS, tones=("white", "grey"),
    ),
)  # fmt: skip
