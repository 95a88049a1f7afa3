"""Gallop's encoder on a tiny language model in SmolLM2's folder layout."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.text.encoder import TextEncoder
from muybridge.text.gallop import CLAMP, GallopEncoder, TextStatistics, measure_statistics
from muybridge.text.templates import GALLOP
from tests.text import tiny

PROMPTS = ["a horse gallops", "two cats", "", "a horse gallops", "a red ball bounces on a wooden floor"]
BFLOAT16_ERROR = 0.1  # of a standard deviation, root mean square; the tiny network measures about 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.gallop_language(tmp_path_factory.mktemp("llm"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> GallopEncoder:
    return GallopEncoder(folder, measure_statistics(folder, PROMPTS))


def test_the_template_and_its_first_token_are_cropped(encoder: GallopEncoder) -> None:
    ids = encoder.raw.token_ids("two cats")
    kept = encoder.encode(["two cats"]).mask.sum()
    assert encoder.raw.language.tokenizer.decode(ids[len(ids) - kept :]) == "two cats<|im_end|>\n"
    assert encoder.raw.language.tokenizer.decode(ids[: len(ids) - kept]) == GALLOP.prefix


def test_a_prompt_alone_equals_itself_in_a_list(encoder: GallopEncoder) -> None:
    seam: TextEncoder = encoder
    batch = seam.encode(PROMPTS, num_frames=17)
    for index, prompt in enumerate(PROMPTS):
        alone = seam.encode([prompt], num_frames=17)
        length = alone.states.shape[1]
        assert torch.equal(alone.states[0], batch.states[index, :length])
        assert torch.equal(alone.pooled[0], batch.pooled[index])
        assert batch.mask[index].sum() == length


def test_the_empty_prompt_keeps_the_templates_end(encoder: GallopEncoder) -> None:
    assert encoder.encode([""]).mask.tolist() == [[True, True]]


def test_states_of_the_measured_prompts_are_standardised(encoder: GallopEncoder) -> None:
    batch = encoder.encode(PROMPTS)
    states = batch.states[batch.mask]
    assert states.mean(0).abs().max() < BFLOAT16_ERROR  # statistics are measured in bfloat16
    assert (states.std(0, correction=0) - 1).abs().max() < BFLOAT16_ERROR
    assert (batch.pooled.std(0, correction=0) - 1).abs().max() < BFLOAT16_ERROR
    assert batch.states[~batch.mask].abs().max() == 0


def test_states_beyond_the_clamp_are_cut(folder: Path) -> None:
    dim = 32
    tiny_std = torch.full((dim,), 1e-6)
    stats = TextStatistics(mean=torch.zeros(dim), std=tiny_std, pooled_mean=torch.zeros(dim), pooled_std=tiny_std)
    batch = GallopEncoder(folder, stats).encode(["two cats"])
    assert batch.states.abs().max() == CLAMP
    assert batch.pooled.abs().max() == CLAMP


def test_pooled_is_the_mean_of_raw_states(folder: Path) -> None:
    dim = 32
    mean, std = torch.full((dim,), 0.5), torch.full((dim,), 2.0)
    encoder = GallopEncoder(folder, TextStatistics(mean=mean, std=std, pooled_mean=-mean, pooled_std=3 * std))
    batch = encoder.encode(["two cats"])
    raw = batch.states[0] * 2.0 + 0.5
    torch.testing.assert_close(batch.pooled[0], (raw.mean(0) + 0.5) / 6.0)


def test_bulk_encoding_agrees_in_order(encoder: GallopEncoder) -> None:
    one_by_one = encoder.encode(PROMPTS)
    bulk = list(encoder.encode_many(PROMPTS, batch_size=2))
    assert len(bulk) == len(PROMPTS)
    for index, (states, pooled) in enumerate(bulk):
        expected = one_by_one.states[index][one_by_one.mask[index]]
        assert states.dtype == pooled.dtype == torch.float16
        assert (states.float() - expected).square().mean().sqrt() < BFLOAT16_ERROR
        assert (pooled.float() - one_by_one.pooled[index]).square().mean().sqrt() < BFLOAT16_ERROR


def test_a_prompt_too_long_is_refused_by_its_count(encoder: GallopEncoder) -> None:
    assert encoder.encode(["x" * 62]).mask.sum() == 64
    with pytest.raises(InvalidInput, match=r"prompt of 65 tokens .*: this model reads 64; say it in fewer words"):
        encoder.encode(["x" * 63])


def test_statistics_are_those_of_all_tokens_and_all_prompts() -> None:
    draw = torch.Generator().manual_seed(0)
    states = [torch.randn(length, 6, generator=draw) * 3 + 40 for length in (3, 1, 7)]
    stats = TextStatistics.measure(states)
    tokens, pooled = torch.cat(states), torch.stack([item.mean(0) for item in states])
    torch.testing.assert_close(stats.mean, tokens.mean(0))
    torch.testing.assert_close(stats.std, tokens.std(0, correction=0))
    torch.testing.assert_close(stats.pooled_mean, pooled.mean(0))
    torch.testing.assert_close(stats.pooled_std, pooled.std(0, correction=0))


def test_a_dimension_that_never_moves_stays_finite() -> None:
    stats = TextStatistics.measure([torch.ones(2, 3), torch.ones(4, 3)])
    assert (stats.std > 0).all()


def test_statistics_need_two_prompts() -> None:
    with pytest.raises(InvalidInput, match="at least two"):
        TextStatistics.measure([torch.ones(2, 3)])


def test_statistics_round_trip_and_refuse_another_file(encoder: GallopEncoder, tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    encoder.stats.save(path)
    loaded = TextStatistics.load(path)
    assert all(torch.equal(getattr(loaded, name), getattr(encoder.stats, name)) for name in ("mean", "pooled_std"))
    save_file({"mean": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not a file of text statistics"):
        TextStatistics.load(path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_refused(folder: Path, tmp_path: Path, *, name: str, damage: str) -> None:
    for item in folder.iterdir():
        data = item.read_bytes()
        if item.name != name:
            (tmp_path / item.name).write_bytes(data)
        elif damage == "cut":
            (tmp_path / item.name).write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="not a language model") as caught:
        GallopEncoder(tmp_path, TextStatistics.measure([torch.ones(1, 32), torch.zeros(1, 32)]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", '{"hidden_size": "x"}'])
def test_a_config_of_another_kind_is_refused(folder: Path, tmp_path: Path, text: str) -> None:
    for item in folder.iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match="not a language model") as caught:
        GallopEncoder(tmp_path, TextStatistics.measure([torch.ones(1, 32), torch.zeros(1, 32)]))
    assert "\n" not in str(caught.value)


def test_a_missing_tensor_is_refused(folder: Path, tmp_path: Path) -> None:
    for item in folder.iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["layers.0.mlp.up_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"not a language model .*layers\.0\.mlp\.up_proj\.weight"):
        GallopEncoder(tmp_path, TextStatistics.measure([torch.ones(1, 32), torch.zeros(1, 32)]))
