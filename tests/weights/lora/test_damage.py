"""A damaged or foreign LoRA is refused in one line that names the file, the key and a remedy."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from muybridge.core.errors import WeightsError
from muybridge.weights.lora import read_lora
from muybridge.weights.lora.names import MAX_BLOCKS, mangled_places, places
from tests.weights.lora.formats import FORMATS, Case

KOHYA = "kohya, musubi-tuner"
NORMS = ("_norm", ".norm1", ".norm2")


def refusal(case: Case, folder: Path) -> str:
    """The one line; fails where the file is taken."""
    with pytest.raises(WeightsError) as caught:
        read_lora(case.save(folder))
    message = str(caught.value)
    assert "\n" not in message and "lora.safetensors" in message and message.endswith(".")
    return message


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_passes_unseen(data: st.DataObject, tmp_path: Path):
    case = FORMATS[data.draw(st.sampled_from([KOHYA, "LoHa", "LoKr, low-rank", "DoRA", "the same with `.alpha`"]))]()
    key = data.draw(st.sampled_from(sorted(case.tensors)))
    tensor = case.tensors[key]
    kinds = ["nan", "integer", "renamed", "doubled"]
    kinds += ["zero alpha"] if key.endswith("alpha") else ["missing half", "wrong rank"]
    kind = data.draw(st.sampled_from(kinds))
    if (key.endswith("dora_scale") and kind == "missing half") or (key.endswith("lokr_w1") and kind == "wrong rank"):
        kind = "nan"  # a file is sound without its magnitude, and a whole side of a Kronecker product has no rank
    if kind == "nan":
        case.tensors[key] = torch.full_like(tensor, float("nan"))
    elif kind == "integer":
        case.tensors[key] = tensor.int()
    elif kind == "renamed":
        case.tensors[key.replace("blocks", "bloks").replace("_in", "_inn").replace("final", "finale")] = tensor
        del case.tensors[key]
    elif kind == "doubled":
        case.tensors["model.diffusion_model." + _dotted(key)] = tensor.clone()
    elif kind == "zero alpha":
        case.tensors[key] = torch.zeros(())
    elif kind == "missing half":
        del case.tensors[key]
    else:
        axis = 0 if key.endswith(("down.weight", "A.weight", "_b")) else 1
        case.tensors[key] = torch.cat([tensor, tensor], axis)
    refusal(case, tmp_path)


def _dotted(key: str) -> str:
    name, _, end = key.removeprefix("lora_unet_").removeprefix("diffusion_model.").partition(".lora_down")
    for suffix in (".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".alpha", ".dora_scale", ".hada", ".lokr"):
        if not end and suffix in name:
            name, _, rest = name.partition(suffix)
            end, dotted = rest, suffix
            break
    else:
        dotted = ".lora_down"
    place = mangled_places().get(name) or places()[name]
    return place.official + dotted + end


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("lora_unet_single_blocks_0_linear2.lora_up.weight"), ["other half", "up"]),
        (
            lambda tensors: tensors.update({"lora_unet_single_blocks_0_linear3.alpha": torch.ones(())}),
            ["no module", "nearest module is 'single_blocks_0_linear"],
        ),
        (lambda tensors: tensors.update({"lora_te1_layers_0.alpha": torch.ones(())}), ["text encoder", "ignore"]),
        (
            lambda tensors: tensors.update({"lora_unet_img_in_proj.lora_mid.weight": torch.ones(3, 3)}),
            ["lora_mid", "do not fit"],
        ),
        (
            lambda tensors: tensors.update({"lora_unet_single_blocks_0_linear2.oft_blocks": torch.ones(2, 2)}),
            ["oft_blocks' is OFT or BOFT, a rotation of the weight; train or extract it again as LoRA"],
        ),
        (
            lambda tensors: tensors.update({"lora_unet_single_blocks_0_linear2.a1.weight": torch.ones(2, 2)}),
            ["a1.weight' is GLoRA"],
        ),
        (lambda tensors: tensors.update({"lora_unet_img_in_proj.alpha": torch.ones(2)}), ["not one number"]),
        (
            lambda tensors: tensors.update({"transformer.transformer_blocks.0.attn.to_q.alpha": torch.ones(())}),
            ["changes the whole of 'double_blocks.0.img_attn_qkv'"],
        ),
    ],
)
def test_the_line_says_what_is_wrong(change, words: list[str], tmp_path: Path):
    case = FORMATS[KOHYA]()
    change(case.tensors)
    message = refusal(case, tmp_path)
    assert all(word in message for word in words), message


def test_text_encoder_keys_are_left_aside_only_by_choice(tmp_path: Path):
    case = FORMATS[KOHYA]()
    case.tensors["lora_te1_layers_0.alpha"] = torch.ones(())
    lora = read_lora(case.save(tmp_path), text_encoder="ignore")
    assert lora.text_keys == ("lora_te1_layers_0.alpha",)


def test_a_models_own_file_is_no_lora(tmp_path: Path):
    save_file({"double_blocks.0.img_attn_qkv.weight": torch.ones(2, 2)}, tmp_path / "lora.safetensors")
    with pytest.raises(WeightsError, match="holds no LoRA"):
        read_lora(tmp_path / "lora.safetensors")


def test_every_name_with_underscores_is_one_module():
    """Reading a name back from underscores is only safe because no two modules' names fall together."""
    seen: dict[str, str] = {}
    for name, place in places().items():
        known = seen.setdefault(name.replace(".", "_"), f"{place.official} {place.part}")
        assert known == f"{place.official} {place.part}", name
    assert f"double_blocks.{MAX_BLOCKS - 1}.img_attn_qkv" in places()
    assert not any(place.part is not None for place in places().values() if place.official.endswith(NORMS))
