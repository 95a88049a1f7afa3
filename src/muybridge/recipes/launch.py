"""Starting or continuing the stages of a family: what each reads, where it writes, how they hand over."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from muybridge.acceleration.memory import available_bytes, in_words
from muybridge.core.config import override
from muybridge.core.errors import RunFailed, invalid
from muybridge.core.files import sha256
from muybridge.data.cache import is_complete
from muybridge.data.clips import Footage, WorldFootage
from muybridge.data.open_encoders import open_text
from muybridge.recipes.decoders import decoder_of
from muybridge.recipes.families import GALLOP, STAGES
from muybridge.recipes.family import Family, Recipe, Stage
from muybridge.recipes.films import open_films
from muybridge.recipes.names import unknown_recipe
from muybridge.recipes.publish import publish
from muybridge.recipes.sources import Say, Sources
from muybridge.text.gallop import GallopEncoder, TextStatistics, measure_statistics
from muybridge.training.checkpoint import latest
from muybridge.training.data_stage import train_flow_on_data, training_set
from muybridge.training.probe_stage import ProbeStage, train_probe
from muybridge.training.self_trained import SelfTrained
from muybridge.training.stages import CacheStage, FlowStage, VAEStage, build_caches, train_flow, train_vae
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.vae.lpips import Lpips, LpipsDistance
from muybridge.vae.perceptual import FeatureDistance
from muybridge.weights.catalog import locate, resolve
from muybridge.weights.load import load_transformer
from muybridge.worlds.sprites import SpritesWorld

Report = Callable[[str, int, int, dict[str, float]], None]  # stage, done, total, figures

TEXT_FILE = "text.safetensors"
FETCHED = Sources()
STATE_BYTES = 20  # of a parameter that is trained in float32: itself, its gradient, its average, two of AdamW


def run_stage(
    name: str,
    out: Path,
    *,
    changes: Mapping[str, Any],
    report: Report,
    say: Say,
    stages: Mapping[str, Stage] = STAGES,
    sources: Sources = FETCHED,
    films: Path | None = None,
) -> Path:
    """Run or continue one stage in `out`/NAME; where its result lies.

    films: a data set that a VAE's stage learns from in place of its world. Raises InvalidInput on an unknown name, an
    unknown setting, or a stage whose predecessor has not run.
    """
    _check_known(name, stages)
    settings = override(stages[name].recipe(), changes)
    say(f"{name}: {_standing(out / name)}")
    launch = _Launch(name=name, out=out, report=report, say=say, stages=stages, sources=sources, films=films)
    return launch.run(settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnData:
    """What `muybridge encode` wrote, and the model to begin with.

    name: of the set, where `folder` holds several. model: catalogue name or folder whose weights are trained on and
    whose text encoder made the states; None: afresh, or from the stage before. text: whose text encoder made the states
    where that is not the model's or the stage's; also `words`.
    """

    folder: Path
    name: str | None = None
    model: str | None = None
    text: str | None = None


def run_on_data(name: str, out: Path, data: OwnData, *, changes: Mapping[str, Any], report: Report, say: Say) -> Path:
    """Run or continue in `out`/NAME a transformer's stage on encoded data, or a VAE's on films as they are; where its
    result lies.

    Raises InvalidInput on a stage of another kind, or data that are not there, RunFailed where the network cannot fit.
    """
    _check_known(name, STAGES)
    stage, settings = STAGES[name], override(STAGES[name].recipe(), changes)
    if isinstance(settings, VAEStage):
        return run_stage(name, out, changes=changes, report=report, say=say, films=films_of(data, name))
    if not isinstance(settings, FlowStage):
        raise invalid(name, "trains neither a VAE nor a transformer on data", "use finetune, or gallop-vae-low-short")
    start = None if stage.start is None else finished(out, stage.start) / "transformer.safetensors"
    if data.model is not None:
        start = locate(resolve(data.model))
        settings = begun_with(settings, start)
    check_fits(settings.transformer, free_bytes=available_bytes(torch.device("cpu")))
    say(f"{name}: {_standing(out / name)}")
    text = open_text(data.text or data.model or stage.text, device=torch.device("cpu"), say=say)
    vae = None
    if settings.run.sample_every_steps:
        latents = training_set(data.folder, data.name).vae_identity()
        vae = decoder_of(latents, locate(resolve(data.model or stage.text)), say=say)
    return train_flow_on_data(
        settings, out / name, data=data.folder, name=data.name, text=text.encoder, start=start, vae=vae,
        on_step=lambda done, total, figures: report(name, done, total, figures),
    )  # fmt: skip


def check_fits(network: TransformerConfig, *, free_bytes: int) -> None:
    """Raises RunFailed where a processor's memory cannot hold what training keeps of every parameter.

    With CUDA it is spread over devices, and not judged here.
    """
    needed = STATE_BYTES * num_parameters(network)
    if needed > free_bytes and not torch.cuda.is_available():
        raise RunFailed(
            f"training {num_parameters(network) / 1e9:.3g} billion parameters keeps {in_words(needed)}, and "
            f"{in_words(free_bytes)} are free; begin with a smaller model, such as --model gallop."
        )


def films_of(data: OwnData, name: str) -> Path:
    """The data set that VAEs learn from. Raises InvalidInput where the data are said to be encoded."""
    if data.name or data.model:
        raise invalid(f"--name or --model with {name}", "a VAE learns from films as they are", "leave them out")
    return data.folder


def films_for(family: Family, data: OwnData) -> Path:
    """The data set that a family of VAE stages learns from. Raises InvalidInput on a family with other stages."""
    if family.about is not None:
        raise invalid(f"--data with {family.name}", "it learns from a world", "name one of its stages, or finetune")
    return films_of(data, family.name)


def run_all(
    out: Path,
    *,
    report: Report,
    say: Say,
    family: Family = GALLOP,
    sources: Sources = FETCHED,
    data: OwnData | None = None,
) -> Path:
    """All stages in order, each handing over to the next; the model folder, or the last weights of a family without.

    data: films that a family of VAE stages learns from. A model folder that is there already is left as it is. Raises
    InvalidInput on data for a family that learns from more than films.
    """
    films, target = None if data is None else films_for(family, data), out / family.name
    if target.exists():
        say(f"{target} is finished; move it away to publish the stages anew")
        return target
    results = [
        run_stage(name, out, changes={}, report=report, say=say, stages=family.stages, sources=sources, films=films)
        for name in family.stages
    ]
    return results[-1] if family.about is None else publish_family(out, family)


def publish_family(out: Path, family: Family = GALLOP) -> Path:
    """The model folder `out`/NAME of the finished stages."""
    vae, latents, flow = family.last(VAEStage), family.last(CacheStage), family.last(FlowStage)
    parts = {
        "transformer": finished(out, flow, stages=family.stages) / "transformer.safetensors",
        "vae": finished(out, vae, stages=family.stages) / "vae.safetensors",
    }
    text = finished(out, latents, stages=family.stages) / TEXT_FILE
    assert family.about is not None
    return publish(parts, text, out / family.name, about=family.about())


def finished(out: Path, name: str, *, stages: Mapping[str, Stage] = STAGES) -> Path:
    """The folder of a stage that has finished. Raises InvalidInput, naming the command, where it has not."""
    folder = out / name
    if isinstance(stages[name].recipe(), CacheStage):
        is_done = is_encoded(folder)
    else:
        is_done = any(folder.glob("*.safetensors"))
    if not is_done:
        raise invalid(str(folder), f"{name} has not finished here", f"run muybridge train {name} --out {out} first")
    return folder


def is_encoded(folder: Path) -> bool:
    """Whether a latents stage has finished in `folder`."""
    return is_complete(folder / "held_out") and is_complete(folder / "train")


def begun_with(stage: FlowStage, start: Path) -> FlowStage:
    """The stage with the transformer whose weights lie at `start`."""
    return replace(stage, transformer=load_transformer(start).config)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Launch:
    """One stage about to run."""

    name: str
    out: Path
    report: Report
    say: Say
    stages: Mapping[str, Stage]
    sources: Sources
    films: Path | None

    @property
    def stage(self) -> Stage:
        return self.stages[self.name]

    @property
    def folder(self) -> Path:
        return self.out / self.name

    def run(self, settings: Recipe) -> Path:
        """The stage's result."""
        if isinstance(settings, FlowStage):
            return self._flow(settings)
        if isinstance(settings, CacheStage):
            return self._latents(settings)
        if isinstance(settings, ProbeStage):
            return train_probe(settings, self.folder, world=self._world(), on_step=self._on_step)
        if isinstance(settings, SelfTrained):
            return settings.train(self.folder, on_step=self._on_step)
        features, start, footage = self._features(settings), self._start("vae"), self._footage(settings)
        return train_vae(settings, self.folder, footage=footage, start=start, features=features, on_step=self._on_step)

    def _features(self, settings: VAEStage) -> FeatureDistance | None:
        """LPIPS where its trunk is given, else the stand-in, else nothing where the loss asks for nothing."""
        if not settings.weights.perceptual:
            return None
        if settings.lpips_trunk:
            return LpipsDistance(Lpips.load(Path(settings.lpips_trunk)))
        return self.sources.features(self.say)

    def _flow(self, settings: FlowStage) -> Path:
        caches, start = self._read(), self._start("transformer")
        text = GallopEncoder(self.sources.language(self.say), TextStatistics.load(caches / TEXT_FILE))
        vae = self._decoder(caches) if settings.run.sample_every_steps else None
        return train_flow(settings, self.folder, caches=caches, text=text, start=start, vae=vae, on_step=self._on_step)

    def _decoder(self, caches: Path) -> Path | None:
        """The weights of the VAE stage that made the latents in `caches`."""
        assert self.stage.reads is not None
        maker = self.stages[self.stage.reads].reads
        made_by = json.loads((caches / "train" / "cache.json").read_text())["encoders"].partition("-")[0]
        return decoder_of(made_by, self.out / f"{maker}" / "vae.safetensors", say=self.say)

    def _latents(self, settings: CacheStage) -> Path:
        vae_path, world, file = self._read() / "vae.safetensors", self._world(), self.folder / TEXT_FILE
        text = GallopEncoder(self.sources.language(self.say), self._statistics(settings, world))
        build_caches(
            settings, self.folder, world=world, vae_path=vae_path, text=text, text_identity=sha256(file)[:16],
            on_shard=lambda done, total: self.report(self.name, done, total, {}),
        )  # fmt: skip
        return self.folder

    def _on_step(self, done: int, total: int, figures: dict[str, float]) -> None:
        self.report(self.name, done, total, figures)

    def _footage(self, settings: VAEStage) -> Footage:
        """The films of the user's own where they are given, else the stage's world."""
        if self.films is None:
            return WorldFootage(world=self._world())
        return open_films(self.films, settings, folder=self.folder, say=self.say)

    def _world(self) -> SpritesWorld:
        if self.stage.world is None:
            raise invalid(self.name, "learns from no world", "give it data of your own")
        return SpritesWorld(self.stage.world(), self.sources.library(self.say))

    def _statistics(self, settings: CacheStage, world: SpritesWorld) -> TextStatistics:
        """The stage's text statistics, measured on the world's captions where there are none yet."""
        path, num = self.folder / TEXT_FILE, settings.num_captions_measured
        if not path.exists():
            self.say(f"measuring text states on {num:,} captions")
            captions = [world.captions(world.scene(index))[0] for index in range(num)]
            path.parent.mkdir(parents=True, exist_ok=True)
            measure_statistics(self.sources.language(self.say), captions).save(path)
        return TextStatistics.load(path)

    def _read(self) -> Path:
        """The folder of the stage that this one reads."""
        if self.stage.reads is None:
            raise invalid(self.name, "learns from data of your own", "encode some and give them with --data")
        return finished(self.out, self.stage.reads, stages=self.stages)

    def _start(self, kind: str) -> Path | None:
        """The weights of the stage that this one starts from."""
        start = self.stage.start
        return None if start is None else finished(self.out, start, stages=self.stages) / f"{kind}.safetensors"


def _check_known(name: str, stages: Mapping[str, Stage]) -> None:
    if name not in stages:
        raise unknown_recipe(name, stages)


def _standing(folder: Path) -> str:
    """Where a stage stands, in words."""
    found = latest(folder / "state")
    return "preparing" if found is None else f"continuing from {found}"
