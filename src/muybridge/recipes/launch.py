"""The stages of `gallop` in order: what each reads, where it writes, how it is started or continued."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.config import override
from muybridge.core.errors import invalid
from muybridge.core.files import sha256
from muybridge.data.cache import is_complete
from muybridge.recipes import gallop
from muybridge.recipes.publish import publish
from muybridge.text.gallop import GallopEncoder, TextStatistics, measure_statistics
from muybridge.training.checkpoint import latest
from muybridge.training.stages import CacheStage, FlowStage, VAEStage, build_caches, train_flow, train_vae
from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.vae.perceptual import PerceptualDistance
from muybridge.weights.assets import ensure
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld

Report = Callable[[str, int, int, dict[str, float]], None]  # stage, done, total, figures
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage: its recipe, the world it sees, and the stage whose weights it starts from."""

    recipe: Callable[[], VAEStage | CacheStage | FlowStage]
    world: Callable[[], SpritesConfig]
    summary: str
    start: str | None = None


STAGES: dict[str, Stage] = {
    "gallop-vae": Stage(
        recipe=gallop.gallop_vae, world=gallop.vae_world, summary="causal 3D VAE"
    ),
    "gallop-latents": Stage(
        recipe=gallop.gallop_latents, world=gallop.flow_world, summary="latents and text states of the scenes"
    ),
    "gallop-flow-64": Stage(
        recipe=gallop.gallop_flow_64, world=gallop.flow_world, summary="transformer on 64 px films"
    ),
    "gallop-flow-128": Stage(
        recipe=gallop.gallop_flow_128, world=gallop.flow_world, summary="transformer on 128 px films",
        start="gallop-flow-64",
    ),
}  # fmt: skip
STATISTICS_CAPTIONS = 1024
TEXT_FILE = "text.safetensors"
VAE_STAGE = "gallop-vae"  # whose weights encode the latents
LATENT_STAGE = "gallop-latents"
LAST_STAGE = "gallop-flow-128"


def run_stage(name: str, out: Path, *, changes: Mapping[str, Any], report: Report, say: Say) -> Path:
    """Run or continue one stage in `out`/NAME; where its result lies.

    Raises InvalidInput on an unknown name, an unknown setting, or a stage whose predecessor has not run.
    """
    if name not in STAGES:
        raise invalid(f"recipe {name!r}", "no such stage", f"choose from gallop, {', '.join(STAGES)}")
    stage = STAGES[name]
    settings = override(stage.recipe(), changes)
    folder = out / name
    say(f"{name}: {_standing(folder)}")

    def on_step(done: int, total: int, figures: dict[str, float]) -> None:
        report(name, done, total, figures)

    if isinstance(settings, FlowStage):
        caches, start = _finished(out, LATENT_STAGE), _weights(out, stage, "transformer")
        text = GallopEncoder(_language_model(say), TextStatistics.load(caches / TEXT_FILE))
        return train_flow(settings, folder, caches=caches, text=text, start=start, on_step=on_step)
    world = SpritesWorld(stage.world(), ensure("fluent-emoji-anim", on_progress=say))
    if isinstance(settings, CacheStage):
        vae_path = _finished(out, VAE_STAGE) / "vae.safetensors"
        text = GallopEncoder(_language_model(say), _statistics(folder / TEXT_FILE, world, say))
        build_caches(
            settings, folder, world=world, vae_path=vae_path, text=text, text_identity=sha256(folder / TEXT_FILE)[:16],
            on_shard=lambda done, total: report(name, done, total, {}),
        )  # fmt: skip
        return folder
    features = _perceptual(say) if settings.weights.perceptual else None
    start = _weights(out, stage, "vae")
    return train_vae(settings, folder, world=world, start=start, features=features, on_step=on_step)


def run_all(out: Path, *, report: Report, say: Say) -> Path:
    """All stages in order, each handing over to the next, then the model folder; finished stages are passed quickly.

    A model folder that is there already is left as it is.
    """
    if (out / "gallop").exists():
        say(f"{out / 'gallop'} is finished; move it away to publish the stages anew")
        return out / "gallop"
    for name in STAGES:
        run_stage(name, out, changes={}, report=report, say=say)
    return publish_gallop(out)


def publish_gallop(out: Path) -> Path:
    """The model folder `out`/gallop of the finished stages."""
    sources = {
        "transformer": _finished(out, LAST_STAGE) / "transformer.safetensors",
        "vae": _finished(out, VAE_STAGE) / "vae.safetensors",
    }
    text = _finished(out, LATENT_STAGE) / TEXT_FILE
    return publish(sources, text, out / "gallop", about=gallop.gallop_about())


def _perceptual(say: Say) -> PerceptualDistance:
    folder = ensure("efficientnet-lite0", on_progress=say)
    return PerceptualDistance(EfficientNetFeatures.load(folder / "efficientnet-lite0.pth"))


def _language_model(say: Say) -> Path:
    return ensure("smollm2-135m-instruct", on_progress=say)


def _statistics(path: Path, world: SpritesWorld, say: Say) -> TextStatistics:
    """The statistics at `path`, measured on the world's captions where there are none yet."""
    if not path.exists():
        say(f"measuring text states on {STATISTICS_CAPTIONS:,} captions")
        captions = [world.captions(world.scene(index))[0] for index in range(STATISTICS_CAPTIONS)]
        path.parent.mkdir(parents=True, exist_ok=True)
        measure_statistics(_language_model(say), captions).save(path)
    return TextStatistics.load(path)


def _standing(folder: Path) -> str:
    """Where a stage stands, in words."""
    found = latest(folder / "state")
    return "preparing" if found is None else f"continuing from {found}"


def _weights(out: Path, stage: Stage, kind: str) -> Path | None:
    return None if stage.start is None else _finished(out, stage.start) / f"{kind}.safetensors"


def _finished(out: Path, name: str) -> Path:
    folder = out / name
    if name == LATENT_STAGE:
        is_done = is_complete(folder / "held_out") and is_complete(folder / "train")
    else:
        is_done = any(folder.glob("*.safetensors"))
    if not is_done:
        raise invalid(str(folder), f"{name} has not finished here", f"run muybridge train {name} --out {out} first")
    return folder
