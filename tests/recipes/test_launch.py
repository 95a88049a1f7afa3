"""The whole system in miniature: world, data, VAE, pictures, films, a published model, a sample, its score."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from muybridge import Pipeline
from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.data.cache import CacheConfig
from muybridge.data.clips import ClipsConfig
from muybridge.data.encoders import vae_identity
from muybridge.evaluation.accuracy import share_right
from muybridge.evaluation.motion import flicker
from muybridge.evaluation.probes import ProbeConfig, judge, load_probe
from muybridge.pipelines.components import Components, TextSource
from muybridge.pipelines.settings import Defaults
from muybridge.recipes.decoders import decoder_of
from muybridge.recipes.families import FAMILIES, STAGES
from muybridge.recipes.family import Family, Stage
from muybridge.recipes.launch import OwnData, check_fits, run_all, run_on_data, run_stage
from muybridge.recipes.sources import Sources
from muybridge.text.encoder import HashEncoder
from muybridge.text.gallop import GallopEncoder, TextStatistics
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.probe_stage import ProbeStage
from muybridge.training.scales import Scale
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.training.tasks.probing import facts_of
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.weights.load import load_transformer, load_vae
from muybridge.weights.save import save_model
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.drawn import DRAWN_SUBJECTS, drawn_library
from muybridge.worlds.motion import MOTIONS
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld
from tests.data.films import write_film
from tests.data.small import SIZE_PX, small_vae, small_vae_config
from tests.data.test_encode import make_data, run
from tests.text.tiny import gallop_language

TEXT_DIM = 32
MODELS = {name: family for name, family in FAMILIES.items() if family.about is not None}
TWO_STEPS = RunConfig(
    num_steps=2, batch_size=2, is_bf16=False, checkpoint_every_steps=2, validate_every_steps=2,
    optimizer=OptimizerConfig(warmup_steps=1),
)  # fmt: skip


def world() -> SpritesConfig:
    return SpritesConfig(width_px=SIZE_PX, height_px=SIZE_PX, num_frames=5)


def vae() -> VAEStage:
    clips = ClipsConfig(size_px=SIZE_PX, num_frames=5)
    return VAEStage(vae=small_vae_config(), clips=clips, run=TWO_STEPS, num_held_out=2, held_out_frames=5)


def latents() -> CacheStage:
    cache = CacheConfig(num_scenes=8, sizes_px=(SIZE_PX,), num_frames=5)
    return CacheStage(cache=cache, num_held_out=2, num_captions_measured=4)


def pictures() -> FlowStage:
    network = TransformerConfig(
        in_channels=4, out_channels=4, hidden_size=32, num_heads=2, num_double_blocks=1, num_single_blocks=1,
        num_refiner_blocks=1, rope_axes_dim=(4, 6, 6), rope_theta=16.0, text_dim=TEXT_DIM, pooled_dim=TEXT_DIM,
        has_guidance=False,
    )  # fmt: skip
    scales = (Scale(size_px=SIZE_PX, num_frames=1, batch_size=2),)
    return FlowStage(transformer=network, size_px=SIZE_PX, flow=FlowConfig(), run=TWO_STEPS, scales=scales)


def films() -> FlowStage:
    films = Scale(size_px=SIZE_PX, num_frames=5, batch_size=2)
    flow = FlowConfig(held_share=0.5, shift_tokens=8, loss_tokens=16)
    scales = (films, replace(films, num_frames=1, batch_size=4))
    return replace(pictures(), scales=scales, flow=flow, run=replace(TWO_STEPS, sample_every_steps=2))


def probe() -> ProbeStage:
    config = ProbeConfig(
        subject=tuple(subject.name for subject in DRAWN_SUBJECTS), background=tuple(BACKGROUNDS), motion=MOTIONS,
        camera=CAMERAS, size_px=32, num_frames=3, channels=(8, 8, 8, 8), place_channels=2,
    )  # fmt: skip
    return ProbeStage(probe=config, num_frames=5, num_scenes=100, num_held_out=2, run=TWO_STEPS)


TINY = Family(
    name="tiny",
    summary="all of it, two steps each",
    stages={
        "tiny-vae": Stage(recipe=vae, world=world, summary="VAE"),
        "tiny-latents": Stage(recipe=latents, world=world, summary="latents", reads="tiny-vae"),
        "tiny-pictures": Stage(recipe=pictures, summary="pictures", reads="tiny-latents"),
        "tiny-films": Stage(recipe=films, summary="films", start="tiny-pictures", reads="tiny-latents"),
    },
    about=lambda: {"name": "tiny", "defaults": {"width": SIZE_PX, "height": SIZE_PX, "frames": 5, "fps": 12}},
)


def sources(folder: Path) -> Sources:
    drawn = SpritesWorld(world(), drawn_library())
    folder.mkdir()
    language = gallop_language(folder, corpus=[drawn.captions(drawn.scene(index))[0] for index in range(60)])

    def never(_say: object) -> object:
        raise AssertionError("no stage here asks for features")

    return Sources(library=lambda _: drawn_library(), language=lambda _: language, features=never)


def test_the_whole_system_in_one_sitting(tmp_path: Path) -> None:
    given, lines, shown = sources(tmp_path / "language"), [], []
    model = run_all(tmp_path, family=TINY, sources=given, say=lines.append, report=lambda name, *_: shown.append(name))
    assert list(dict.fromkeys(shown)) == list(TINY.stages)
    pipeline = Pipeline(
        Components(
            name="tiny", transformer=load_transformer(model), vae=load_vae(model), weights={}, tiling=None,
            text=TextSource(lambda: encoder(tmp_path / "language", model)),
            defaults=Defaults(width=SIZE_PX, height=SIZE_PX, frames=5, fps=12, steps=2, shift=2.0, guidance=None),
        )
    )  # fmt: skip
    drawn = SpritesWorld(world(), drawn_library())
    scene = drawn.scene(0, split="held_out")
    film = pipeline(drawn.captions(scene)[0], seed=0).pixels
    result = run_stage(
        "tiny-probe", tmp_path, changes={}, report=lambda *_: None, say=lines.append, sources=given,
        stages={"tiny-probe": Stage(recipe=probe, world=world, summary="probe")},
    )  # fmt: skip
    seen = judge(load_probe(result), [film])
    assert film.shape == (5, SIZE_PX, SIZE_PX, 3) and flicker(film) >= 0
    assert share_right([facts_of(scene)], seen, "subject").num == 1
    assert (tmp_path / "tiny-films" / "samples" / "step-0000002-32x32.png").exists()
    assert not (tmp_path / "tiny-pictures" / "samples").exists()
    again = run_all(tmp_path, family=TINY, sources=given, say=lines.append, report=lambda *_: None)
    assert again == model and "is finished" in lines[-1]


def encoder(language: Path, model: Path) -> GallopEncoder:
    return GallopEncoder(language, TextStatistics.load(model / "text.safetensors"))


def test_a_stage_names_the_command_that_must_come_before(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="run muybridge train gallop-latents --out"):
        run_stage("gallop-image-mixed", tmp_path, changes={}, report=lambda *_: None, say=lambda _: None)
    assert not (tmp_path / "gallop-image-mixed").exists()


def test_latents_of_another_vae_or_of_none_are_not_shown(tmp_path: Path) -> None:
    lines: list[str] = []
    save_model(small_vae(), tmp_path / "vae.safetensors")
    identity = vae_identity(load_vae(tmp_path / "vae.safetensors"))
    assert decoder_of(identity, tmp_path / "vae.safetensors", say=lines.append) == tmp_path / "vae.safetensors"
    assert lines == []
    assert decoder_of("another", tmp_path / "vae.safetensors", say=lines.append) is None
    assert decoder_of(identity, tmp_path / "none.safetensors", say=lines.append) is None
    assert ["another VAE" in lines[0], "no VAE can be read" in lines[1]] == [True, True] and len(lines) == 2


def test_every_recipe_is_a_valid_config_of_its_own() -> None:
    settings = {name: stage.recipe() for name, stage in STAGES.items()}
    assert len({repr(config) for config in settings.values()}) == len(settings)


@pytest.mark.parametrize("family", MODELS.values(), ids=list(MODELS))
def test_stages_of_a_family_train_one_network_in_order(family: Family) -> None:
    flows = {name: stage for name, stage in family.stages.items() if isinstance(stage.recipe(), FlowStage)}
    assert len({stage.recipe().transformer for stage in flows.values()}) == 1
    names = list(flows)
    assert [stage.start for stage in flows.values()] == [None, *names[:-1]]
    assert len({stage.recipe().run.seed for stage in flows.values()}) == len(flows)


@pytest.mark.parametrize("family", MODELS.values(), ids=list(MODELS))
def test_what_a_family_publishes_has_learned_to_go_on_from_given_frames(family: Family) -> None:
    last = family.stages[family.last(FlowStage)].recipe()
    assert isinstance(last, FlowStage) and 0 < last.flow.held_share < 0.5


def test_stages_out_of_order_are_refused() -> None:
    stages = {"second": Stage(recipe=films, summary="", reads="first"), "first": Stage(recipe=vae, summary="")}
    with pytest.raises(InvalidInput, match="needs first before it"):
        Family(name="wrong", summary="", stages=stages, about=dict)


def test_a_model_is_trained_on_ones_own_encoded_data(tmp_path: Path) -> None:
    data, base = tmp_path / "encoded", tmp_path / "base.safetensors"
    run(make_data(tmp_path / "data", films=2, pictures=1), data, text=HashEncoder())
    network = Transformer(replace(pictures().transformer, pooled_dim=16))
    save_model(network, base)
    own = OwnData(folder=data, model=str(base), text="words")
    changes = {"run.num_steps": "2", "run.batch_size": "1", "run.is_bf16": "false"}
    result = run_on_data("finetune", tmp_path, own, changes=changes, report=lambda *_: None, say=lambda _: None)
    trained = load_transformer(result)
    assert trained.config == network.config
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), network.parameters(), strict=True))


def test_a_vae_learns_from_films_on_disk_stage_after_stage(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    for number in range(3):
        write_film(tmp_path / "films" / f"{number}.mp4", 24, width=SIZE_PX, height=SIZE_PX)
    stages = {"first": Stage(recipe=vae, summary=""), "second": Stage(recipe=vae, summary="", start="first")}
    curriculum = Family(name="curriculum", summary="", stages=stages, about=None)
    lines: list[str] = []
    own = OwnData(folder=tmp_path / "films")
    result = run_all(tmp_path, family=curriculum, data=own, say=lines.append, report=lambda *_: None)
    assert result == tmp_path / "second" / "vae.safetensors" and load_vae(result).config.has_linear_path
    assert "3 of 3 inputs are used, 1 of them held out" in lines[1]
    assert json.loads((tmp_path / "first" / "films.json").read_text())["taken"] == 3


def test_the_released_family_is_of_the_released_size() -> None:
    stages = [stage.recipe() for name, stage in STAGES.items() if name.startswith("hunyuan-")]
    assert len(stages) == 6
    for stage in stages:
        assert isinstance(stage, FlowStage) and num_parameters(stage.transformer) > 12.7e9
    frames, rows, columns = stages[-1].largest()[0]
    assert frames == 33 and abs(rows * columns / (90 * 160) - 1) < 0.03


def test_a_network_that_memory_cannot_hold_is_refused_before_anything_is_made():
    released = TransformerConfig()
    if not torch.cuda.is_available():
        with pytest.raises(RunFailed, match="12.8 billion parameters keeps 239 GiB, and 16 GiB are free"):
            check_fits(released, free_bytes=16 * 2**30)
    check_fits(released, free_bytes=300 * 2**30)
