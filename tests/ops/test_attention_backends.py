"""Every backend of attention against the reference, and what each refuses."""

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput, MissingExtra
from muybridge.ops.attention import attend, attention_named
from muybridge.ops.attention.choose import KERNELS
from muybridge.ops.attention.limits import HALF, Limits
from muybridge.ops.attention.optional import Package
from muybridge.ops.attention.packing import attend_packed, attend_packed_in_turn
from muybridge.ops.attention.reference import reference_attention

LARGEST = {  # difference over the output's deviation: rounding of the weights and of the result
    torch.float64: 1e-12,
    torch.float32: 2e-5,
    torch.bfloat16: 0.12,
}
ON_CPU = [name for name, kernel in KERNELS.items() if kernel.package is None and "cpu" in kernel.limits]


def qkv(dtype: torch.dtype, *, num_tokens: int = 150) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 2, num_tokens, 16, generator=generator, dtype=torch.float64)
    return [x.to(dtype) for x in (2 * q, k, v)]


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours.double() - exact).abs().max() / exact.std())


@pytest.mark.parametrize("lengths", [None, [150, 150], [90, 150]])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in ("auto", *ON_CPU) for dtype in LARGEST if name != "blocked" or dtype == torch.bfloat16],
)
def test_every_backend_is_near_the_reference(name, dtype, lengths):
    q, k, v = qkv(dtype)
    exact = reference_attention(q.double(), k.double(), v.double(), lengths=lengths)
    assert error(attention_named(name)(q, k, v, lengths=lengths), exact) < LARGEST[dtype]


@pytest.mark.parametrize("name", ["auto", *ON_CPU])
def test_no_backend_reads_what_follows_a_length(name):
    q, k, v = qkv(torch.bfloat16)
    before = attention_named(name)(q, k, v, lengths=[90, 150])
    for x in (q, k, v):
        x[0, :, 90:] = 1e4
    after = attention_named(name)(q, k, v, lengths=[90, 150])
    assert torch.equal(before, after) and not after[0, :, 90:].any()


def test_the_default_is_what_auto_names():
    assert attention_named("auto") is attend


def test_packed_samples_are_the_samples():
    q, k, v = qkv(torch.float64)
    packed = attend_packed(attend_packed_in_turn, q, k, v, lengths=[90, 150])
    torch.testing.assert_close(packed, reference_attention(q, k, v, lengths=[90, 150]))


def test_the_reference_sees_the_pairs_it_is_given():
    q, k, v = qkv(torch.float64, num_tokens=4)
    own = reference_attention(q, k, v, pairs=torch.eye(4, dtype=torch.bool))
    torch.testing.assert_close(own, v)


def test_a_package_that_is_not_installed_is_refused_in_one_line():
    package = Package(module="kernels_of_nobody", source="pip install them")
    assert not package.is_installed
    rule = "kernels_of_nobody: is not installed; get it by `pip install them`, or use attention=auto."
    with pytest.raises(MissingExtra, match=rule):
        package.load()


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if kernel.package is not None])
def test_kernels_of_other_packages_are_refused_where_these_are_not_installed(name):
    package = KERNELS[name].package
    assert package is not None
    if not package.is_installed:
        with pytest.raises(MissingExtra, match=f"{package.module}: is not installed"):
            attention_named(name)


@pytest.mark.parametrize("name", ["cudnn", "efficient"])
def test_kernels_of_other_devices_are_refused(name):
    with pytest.raises(InvalidInput, match=f"attention={name}: needs cuda, and these are on cpu; use attention=auto"):
        attention_named(name)(*qkv(torch.bfloat16))


@pytest.mark.parametrize("name", ["cudnn", "flash-attention-2", "flash-attention-3", "sage"])
def test_kernels_of_other_devices_are_refused_before_they_are_called_or_missed(name):
    with pytest.raises(InvalidInput, match=f"attention={name}: needs cuda, and these are on cpu"):
        attention_named(name, like=torch.empty(1, 1, 1, 64))


def test_blocks_refuse_float32():
    with pytest.raises(InvalidInput, match="needs bfloat16, and these are float32"):
        attention_named("blocked")(*qkv(torch.float32))


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(InvalidInput, match="attention=fast: known are auto, torch, flash, .*sliding-tile, radial"):
        attention_named("fast")


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(dtypes=HALF), "needs float16 or bfloat16, and these are float64"),
        (Limits(max_head_dim=8), "needs heads of at most 8 in steps of 1 channels, and these have 16"),
        (Limits(head_step=32), "needs heads in steps of 32 channels, and these have 16"),
        (Limits(capability=(9, 0), is_one_generation=True), "needs compute capability 9.x, and this device has 0.0"),
        (Limits(max_head_dim=16, head_step=8), None),
    ],
)
def test_limits_say_the_rule_that_is_broken(limits, rule):
    assert limits.unmet(qkv(torch.float64)[2]) == rule
