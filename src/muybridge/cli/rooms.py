"""What the verbs take from the rooms, imported when it is first used: the help of a verb must not wait for torch."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.acceleration.explain import as_dict, duration_words, tables
    from muybridge.acceleration.facts import Model, TextFacts
    from muybridge.acceleration.machine import device_named, limits_of
    from muybridge.acceleration.memory import parse_bytes
    from muybridge.acceleration.plan import choose
    from muybridge.acceleration.settings import RunSettings
    from muybridge.captioning.opened import open_captioner
    from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS, with_safe_faces
    from muybridge.curation.output.manifest import MANIFEST
    from muybridge.curation.report.funnel import funnel, tier_lines
    from muybridge.curation.report.page import length_words
    from muybridge.curation.review.desk import DeskConfig
    from muybridge.curation.review.queue import QueueConfig
    from muybridge.curation.threshold_files import read_thresholds, written
    from muybridge.curation.thresholds import TIERS, check_tiers
    from muybridge.data.buckets import BucketsConfig
    from muybridge.data.encode import EncodeConfig, encode, set_path
    from muybridge.data.open_encoders import open_encoders
    from muybridge.data.planning import DataConfig, plan
    from muybridge.data.probes import PROBES_FILE, ProbeCache
    from muybridge.data.sources import open_source
    from muybridge.evaluation.speed import SPEED_PROMPT, measure_speed
    from muybridge.pipelines.fitting import RunChoice, unusual, work_bytes
    from muybridge.pipelines.planning import described, work_of
    from muybridge.pipelines.request import SIZE_MULTIPLE_PX, GenerationRequest
    from muybridge.pipelines.step_cache import StepCache
    from muybridge.recipes.caption_files import caption_files
    from muybridge.recipes.curation.results import Curated
    from muybridge.recipes.curation.review import agreement_of, apply_reviews, open_review, suggestions
    from muybridge.recipes.curation.run import curate, erase_source, planned, replay_stage, retier, thresholds_of
    from muybridge.recipes.curation.settings import CurationSettings
    from muybridge.transformer import TransformerConfig
    from muybridge.transformer.cost import forward_flops
    from muybridge.vae import VAEConfig
    from muybridge.weights.convert import convert
    from muybridge.weights.folders import named_part
    from muybridge.weights.lora import convert_lora, describe, is_lora_file
    from muybridge.weights.report import describe_all
    from muybridge.weights.target import DTYPES, Target
    from muybridge.worlds import SpritesConfig, SpritesWorld, complete_sprites
    from muybridge.worlds.materialise import MaterialiseConfig, materialise
    from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
    from muybridge.worlds.preview import write_sheet

_HOMES = {
    "DeskConfig": "curation.review.desk",
    "QueueConfig": "curation.review.queue",
    "apply_reviews": "recipes.curation.review",
    "open_review": "recipes.curation.review",
    "suggestions": "recipes.curation.review",
    "agreement_of": "recipes.curation.review",
    "open_captioner": "captioning.opened",
    "erase_source": "recipes.curation.run",
    "replay_stage": "recipes.curation.run",
    "Curated": "recipes.curation.results",
    "MANIFEST": "curation.output.manifest",
    "caption_files": "recipes.caption_files",
    "CurationSettings": "recipes.curation.settings",
    "DEFAULT_THRESHOLDS": "curation.default_thresholds",
    "with_safe_faces": "curation.default_thresholds",
    "TIERS": "curation.thresholds",
    "check_tiers": "curation.thresholds",
    "curate": "recipes.curation.run",
    "funnel": "curation.report.funnel",
    "length_words": "curation.report.page",
    "planned": "recipes.curation.run",
    "read_thresholds": "curation.threshold_files",
    "retier": "recipes.curation.run",
    "thresholds_of": "recipes.curation.run",
    "tier_lines": "curation.report.funnel",
    "written": "curation.threshold_files",
    "DTYPES": "weights.target",
    "PROBES_FILE": "data.probes",
    "SIZE_MULTIPLE_PX": "pipelines.request",
    "SPEED_PROMPT": "evaluation.speed",
    "BucketsConfig": "data.buckets",
    "DataConfig": "data.planning",
    "EncodeConfig": "data.encode",
    "GenerationRequest": "pipelines.request",
    "Model": "acceleration.facts",
    "RunChoice": "pipelines.fitting",
    "RunSettings": "acceleration.settings",
    "TextFacts": "acceleration.facts",
    "unusual": "pipelines.fitting",
    "work_bytes": "pipelines.fitting",
    "MaterialiseConfig": "worlds.materialise",
    "PhysicsConfig": "worlds.physics",
    "PhysicsWorld": "worlds.physics",
    "ProbeCache": "data.probes",
    "SpritesConfig": "worlds",
    "SpritesWorld": "worlds",
    "StepCache": "pipelines.step_cache",
    "Target": "weights.target",
    "TransformerConfig": "transformer",
    "VAEConfig": "vae",
    "as_dict": "acceleration.explain",
    "choose": "acceleration.plan",
    "complete_sprites": "worlds",
    "convert": "weights.convert",
    "convert_lora": "weights.lora",
    "describe": "weights.lora",
    "describe_all": "weights.report",
    "described": "pipelines.planning",
    "device_named": "acceleration.machine",
    "duration_words": "acceleration.explain",
    "encode": "data.encode",
    "forward_flops": "transformer.cost",
    "is_lora_file": "weights.lora",
    "limits_of": "acceleration.machine",
    "materialise": "worlds.materialise",
    "measure_speed": "evaluation.speed",
    "named_part": "weights.folders",
    "open_encoders": "data.open_encoders",
    "open_source": "data.sources",
    "parse_bytes": "acceleration.memory",
    "plan": "data.planning",
    "set_path": "data.encode",
    "tables": "acceleration.explain",
    "work_of": "pipelines.planning",
    "write_sheet": "worlds.preview",
}
__all__ = [
    "DeskConfig",
    "QueueConfig",
    "apply_reviews",
    "open_review",
    "suggestions",
    "agreement_of",
    "open_captioner",
    "erase_source",
    "replay_stage",
    "Curated",
    "MANIFEST",
    "caption_files",
    "CurationSettings",
    "DEFAULT_THRESHOLDS",
    "TIERS",
    "check_tiers",
    "curate",
    "funnel",
    "length_words",
    "planned",
    "read_thresholds",
    "retier",
    "thresholds_of",
    "tier_lines",
    "with_safe_faces",
    "written",
    "DTYPES",
    "PROBES_FILE",
    "SIZE_MULTIPLE_PX",
    "SPEED_PROMPT",
    "BucketsConfig",
    "DataConfig",
    "EncodeConfig",
    "GenerationRequest",
    "Model",
    "RunChoice",
    "RunSettings",
    "TextFacts",
    "unusual",
    "work_bytes",
    "MaterialiseConfig",
    "PhysicsConfig",
    "PhysicsWorld",
    "ProbeCache",
    "SpritesConfig",
    "SpritesWorld",
    "StepCache",
    "Target",
    "TransformerConfig",
    "VAEConfig",
    "as_dict",
    "choose",
    "complete_sprites",
    "convert",
    "convert_lora",
    "describe",
    "describe_all",
    "described",
    "device_named",
    "duration_words",
    "encode",
    "forward_flops",
    "is_lora_file",
    "limits_of",
    "materialise",
    "measure_speed",
    "named_part",
    "open_encoders",
    "open_source",
    "parse_bytes",
    "plan",
    "set_path",
    "tables",
    "work_of",
    "write_sheet",
]
__getattr__ = lazy_names("muybridge", _HOMES)
