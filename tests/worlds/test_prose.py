"""Captions of the staged edition: true, grammatical, varied, with every field of the paper's."""

import random
import re
from dataclasses import fields, replace

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.movements import MOVEMENTS, movement_sentence
from muybridge.worlds.prose import dense_staged, short_staged, structured_staged
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.structured import compose, without_colours
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import SUBJECTS

CAST = {subject.name: subject for subject in SUBJECTS}
WORLD = SpritesWorld(complete_sprites(size_px=32, num_frames=5), drawn_library())
COLOUR = re.compile(r"\b(red|orange|yellow|golden|green|blue|purple|pink|brown|ginger|tan|grey|silver)\b", re.I)
SAYS: dict[Relation, str] = {
    "left of": "left of|right of", "right of": "left of|right of", "behind": "behind|front of",
    "in front of": "behind|front of",
}  # fmt: skip


def _actor(subject: str, **changes: object) -> Actor:
    facts = {"motion": "still", "facing": "left", "x": 0.0, "z": 1.0, "size": 0.5, "phase": 0.0}
    return Actor(subject=subject, **{**facts, **changes})


def _scene(*names: str, relations: tuple[Relation, ...] = (), **changes: object) -> StagedScene:
    facts = {"background": "meadow", "light": "noon", "style": "3D render", "camera": "static", "sway": 0.3}
    actors = tuple(_actor(name) for name in names)
    return StagedScene(actors=actors, relations=relations, detail_seed=3, **{**facts, **changes})


def _shorts(scene: StagedScene, number: int = 20) -> list[str]:
    return [short_staged(scene, CAST, variant=k) for k in range(number)]


@pytest.mark.parametrize("relation", SAYS)
def test_every_wording_names_both_subjects_and_how_they_stand(relation):
    scene = _scene("horse", "cow", relations=(relation,))
    for text in _shorts(scene):
        assert "horse" in text and "cow" in text
        assert re.search(f"{SAYS[relation]}|side by side", text), text


def test_left_and_right_are_told_from_the_one_named_first():
    for text in _shorts(_scene("horse", "cow", relations=("left of",)), 40):
        is_horse_first = text.index("horse") < text.index("cow")
        if "side by side" in text:
            assert "horse on the right" in text, text
        else:
            assert f"{'right' if is_horse_first else 'left'} of" in text, text


def test_three_subjects_are_all_named():
    for text in _shorts(_scene("horse", "cow", "bee", relations=("left of", "behind"))):
        assert all(name in text for name in ("horse", "cow", "bee")), text


@pytest.mark.parametrize("camera", [camera for camera in MOVEMENTS if camera != "static"])
def test_every_caption_names_a_moving_camera(camera):
    kind, _, way = camera.partition(" ")
    scene = _scene("horse", camera=camera)
    said = [*_shorts(scene), dense_staged(scene, CAST)]
    said += [compose(structured_staged(scene, CAST), random.Random(k), dropout=0.6) for k in range(20)]
    for text in said:
        assert kind in text.lower() and re.search(rf"\b{way}", text.lower()), text


@pytest.mark.parametrize("style", [style for style in STYLES if style != "3D render"])
def test_every_wording_names_a_style_that_is_not_plain(style):
    for text in _shorts(_scene("horse", style=style)):
        assert any(phrase.lower() in text.lower() for phrase in STYLES[style].phrases), text


@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if not style.has_colours])
def test_pictures_without_colours_are_described_without(style):
    for background, light in (("meadow", "golden hour"), ("orange", "key light")):
        scene = _scene("bus", "parrot", relations=("left of",), style=style, background=background, light=light)
        facts = structured_staged(scene, CAST)
        for text in (*_shorts(scene), facts.dense, facts.background, facts.lighting):
            assert not COLOUR.search(text), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("An orange bus on an orange background", "A bus on a background"),
        ("a black and white penguin", "a penguin"),
        ("A red elephant", "An elephant"),
        ("a green-headed duck on the blue sea", "a duck on the sea"),
        ("Warm golden light", "Light"),
    ],
)
def test_colours_are_taken_out_with_their_articles(text, expected):
    assert without_colours(text) == expected


def test_every_field_is_filled_in_and_fits_the_scene():
    for scene in (WORLD.scene(index) for index in range(60)):
        caption = WORLD.structured(scene)
        assert all(getattr(caption, field.name).strip() for field in fields(caption))
        assert (caption.camera, caption.shot_type) == (scene.camera, scene.shot_type)
        assert caption.style in STYLES[scene.style].phrases
        assert len(caption.short.split()) < len(caption.dense.split()) + 20


def test_no_caption_has_a_wrong_article_or_loose_ends():
    names = list(CAST)
    for number, scene in enumerate(WORLD.scene(index) for index in range(60)):
        actors = tuple(replace(actor, subject=names[(number + k) % len(names)], facing="left")
                       for k, actor in enumerate(scene.actors))  # fmt: skip
        recast = replace(scene, actors=actors)
        facts = structured_staged(recast, CAST, variant=number)
        for text in (facts.short, facts.dense, compose(facts, random.Random(number))):
            assert not re.search(r"\b[Aa] [aeioAEIO]", text), text
            assert not re.search(r"\b[Aa]n [^aeiouAEIOU]", text), text
            assert "  " not in text and ".." not in text and " ." not in text and text.endswith("."), text
            assert all(part[0].isupper() or part[0].isdigit() for part in re.split(r"(?<=\.) ", text)), text


def test_dropout_and_order_change_the_prose_but_not_its_opening():
    caption = WORLD.structured(WORLD.scene(3))
    whole = [compose(caption, random.Random(k), dropout=0.0) for k in range(12)]
    assert len(set(whole)) == 12 and all(text.startswith(caption.dense[:30]) for text in whole)
    lengths = [len(compose(caption, random.Random(k), dropout=0.5)) for k in range(40)]
    assert min(lengths) < 0.6 * min(map(len, whole))
    fixed = [compose(caption, random.Random(k), dropout=0.0, is_permuted=False) for k in range(12)]
    places = [text.find(caption.background) for text in fixed]
    assert all(0 < place < text.find(caption.lighting) for place, text in zip(places, fixed, strict=True)
               if caption.lighting in text)  # fmt: skip


def test_a_whole_caption_says_every_field():
    scene = _scene("horse", camera="pan up")
    caption = structured_staged(scene, CAST)
    for k in range(10):
        text = compose(caption, random.Random(k), dropout=0.0).lower()
        for name in ("background", "style", "shot_type", "lighting", "atmosphere"):
            assert getattr(caption, name).lower() in text, (name, text)


def test_captions_alternate_between_short_and_composed():
    lengths = [[len(text) for text in WORLD.captions(WORLD.scene(index), 4)] for index in range(60)]
    short, long = (sum(row[k] for row in lengths) for k in (0, 1))
    assert long > 1.5 * short


def test_wordings_vary():
    assert len(set(_shorts(_scene("horse", "cow", relations=("behind",)), 40))) > 30
    assert len({movement_sentence("pan left", random.Random(k)) for k in range(30)}) >= 3


def test_a_bad_dropout_is_refused():
    with pytest.raises(InvalidInput, match="dropout=2"):
        compose(WORLD.structured(WORLD.scene(0)), random.Random(0), dropout=2)
