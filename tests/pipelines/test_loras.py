"""LoRAs in a film: said in a word, recorded with the result, and gone afterwards."""

from pathlib import Path

import pytest
import torch

from muybridge import LoraUse, Pipeline, Settings
from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.weights.save import save_tensors
from tests.pipelines.tiny import SMALL, pipeline

PROMPT = "a red ball"


def lora_file(folder: Path, pipe: Pipeline, seed: int = 0) -> str:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in pipe.components.transformer.named_modules():
        if isinstance(module, torch.nn.Linear) and "_blocks" in name and "mod" not in name:
            rows, columns = module.weight.shape
            tensors[f"diffusion_model.{name}.lora_A.weight"] = torch.randn(2, columns, generator=generator)
            tensors[f"diffusion_model.{name}.lora_B.weight"] = torch.randn(rows, 2, generator=generator)
    path = folder / f"lora{seed}.safetensors"
    save_tensors(tensors, path)
    return str(path)


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("a.safetensors", LoraUse(file="a.safetensors")),
        ("a.safetensors:0.8", LoraUse(file="a.safetensors", weight=0.8)),
        ("a:-1e-1@double.0-9,x#1-10", LoraUse(file="a", weight=-0.1, blocks="double.0-9,x", steps=(1, 10))),
        ("a@*img_attn*", LoraUse(file="a", blocks="*img_attn*")),
        ("a#11-", LoraUse(file="a", steps=(11, None))),
        ("dir.d/a.safetensors#5", LoraUse(file="dir.d/a.safetensors", steps=(5, 5))),
        (r"C:\loras\a.safetensors:2", LoraUse(file=r"C:\loras\a.safetensors", weight=2.0)),
    ],
)  # fmt: skip
def test_a_word_says_file_weight_blocks_and_steps(text: str, use: LoraUse):
    assert LoraUse.parse(text) == use


@pytest.mark.parametrize(
    "text", ["", " ", "a:", "a:--1", "a:1e9", "a@", "a@x y", "a@double_blocks.9-0", "a#", "a#0", "a#5-2", "a#x", "a:x"]
)
def test_a_word_that_means_nothing_is_refused(text: str):
    with pytest.raises(InvalidInput):
        LoraUse.parse(text)


def test_a_file_is_taken_by_its_name_whatever_it_looks_like(tmp_path: Path):
    path = tmp_path / "odd@name#3.safetensors"
    path.touch()
    assert LoraUse.parse(str(path)) == LoraUse(file=str(path))


def test_a_film_changes_with_its_lora_and_only_that_film(tmp_path: Path):
    pipe = pipeline()
    path = lora_file(tmp_path, pipe)
    plain = pipe(PROMPT, seed=1, **SMALL)
    changed = pipe(PROMPT, seed=1, loras=[path], **SMALL)
    again = pipe(PROMPT, seed=1, **SMALL)
    assert not torch.equal(plain.latents, changed.latents) and torch.equal(plain.latents, again.latents)
    off = pipe(PROMPT, seed=1, loras=[path + ":0"], **SMALL)
    assert torch.equal(off.latents, plain.latents)


def test_steps_and_files_are_swapped_within_a_film_and_between_films(tmp_path: Path):
    pipe = pipeline()
    first, second = lora_file(tmp_path, pipe), lora_file(tmp_path, pipe, seed=1)
    films = {word: pipe(PROMPT, seed=1, loras=[word], **SMALL).latents for word in (first, second, first + "#1-1")}
    assert torch.equal(films[first], pipe(PROMPT, seed=1, loras=[first + "#1-3"], **SMALL).latents)
    halves = [first + "#1", first + "#2-"]
    assert torch.equal(films[first], pipe(PROMPT, seed=1, loras=halves, **SMALL).latents)
    assert len({tuple(latents.flatten().tolist()) for latents in films.values()}) == 3


def test_the_record_repeats_the_film_and_refuses_another_file(tmp_path: Path):
    pipe = pipeline()
    path = lora_file(tmp_path, pipe)
    film = pipe(PROMPT, seed=1, loras=[LoraUse(file=path, weight=0.5, steps=(1, None))], **SMALL)
    recorded = Settings.recorded(film.settings)
    (again,) = pipe.stream(pipe.requests([PROMPT], recorded))
    assert torch.equal(again.latents, film.latents)
    Path(path).write_bytes(Path(lora_file(tmp_path, pipe, seed=1)).read_bytes())
    with pytest.raises(InvalidInput, match="was made with"):
        pipe.requests([PROMPT], recorded)


def test_what_cannot_act_is_refused_before_the_work(tmp_path: Path):
    pipe = pipeline()
    path = lora_file(tmp_path, pipe)
    for word, error, message in (
        ("nowhere.safetensors", InvalidInput, "no such file"),
        ("nowhere:x", InvalidInput, "'x' is no weight"),
        (str(tmp_path), InvalidInput, "is a folder; name the file itself"),
        (path + "@double_blocks.40", InvalidInput, "is no module"),
        (path + "#4", InvalidInput, "takes 3 steps"),
    ):
        with pytest.raises(error, match=message):
            pipe(PROMPT, loras=[word], **SMALL)
    key = "diffusion_model.double_blocks.0.img_attn_qkv.lora_"
    narrow = {key + "A.weight": torch.ones(2, 7), key + "B.weight": torch.ones(21, 2)}
    save_tensors(narrow, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="made for this model"):
        pipe(PROMPT, loras=[str(tmp_path / "x.safetensors")], **SMALL)
