"""The table of schemes: what each does to a linear layer, how small it gets, and where it is fast."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from muybridge.acceleration.quantise import four_bit, fp8, int8
from muybridge.acceleration.quantise.layers import (
    Decode,
    LayOut,
    PackedLinear,
    Parts,
    Product,
    ProductLinear,
    QuantisedLinear,
)
from muybridge.core.errors import invalid

Encode = Callable[[Tensor], Parts]  # of a weight (o, i)
Swap = Callable[[Tensor, Tensor | None, str], QuantisedLinear]  # from weight, bias and the scheme's name


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """A way to keep the weights of the blocks' linear layers small.

    title: what it does, in a sentence. bits_per_value: with its scales, in rows of 3072. swap: makes the layer that
    takes the plain one's place. quantises_tokens: whether what the layer reads is rounded too. fast_on: the kinds of
    device on which it is faster than bfloat16; elsewhere it saves memory alone.
    """

    title: str
    bits_per_value: float
    swap: Swap
    quantises_tokens: bool = False
    fast_on: tuple[str, ...] = ()


def decoded(encode: Encode, decode: Decode) -> Swap:
    """Weights decoded at each call; every part of theirs has a row for each output."""

    def swap(weight: Tensor, bias: Tensor | None, scheme: str) -> QuantisedLinear:
        parts, shape = encode(weight), (len(weight), weight.shape[1])
        return PackedLinear(parts, bias, shape=shape, scheme=scheme, decode=decode, row_parts=parts)

    return swap


def multiplied(encode: Encode, product: Product, *, lay_out: LayOut | None = None) -> Swap:
    """Weights multiplied as they are stored, or as they are laid out where they stay."""

    def swap(weight: Tensor, bias: Tensor | None, scheme: str) -> QuantisedLinear:
        shape = len(weight), weight.shape[1]
        return ProductLinear(encode(weight), bias, shape=shape, scheme=scheme, product=product, lay_out=lay_out)

    return swap


SCHEMES: dict[str, Scheme] = {
    "int8": Scheme(
        title="bytes times bytes, outliers spread beforehand; the fastest on processors with AVX512-VNNI",
        bits_per_value=8.01,
        swap=multiplied(int8.encode_columns, int8.product, lay_out=int8.laid_out),
        quantises_tokens=True,
        fast_on=("cpu", "cuda"),
    ),
    "int8-weights": Scheme(
        title="weights in int8 by 64, decoded at each call; the most faithful",
        bits_per_value=8.25,
        swap=decoded(int8.encode, int8.decode),
    ),
    "fp8": Scheme(
        title="e4m3 times e4m3, a scale for each row and token; the fastest on GPUs from Ada and Hopper on",
        bits_per_value=8.01,
        swap=multiplied(fp8.encode, fp8.product),
        quantises_tokens=True,
        fast_on=("cuda",),
    ),
    "fp8-weights": Scheme(
        title="weights in e4m3 by row, decoded at each call",
        bits_per_value=8.01,
        swap=decoded(fp8.encode, fp8.decode),
    ),
    "int4": Scheme(
        title="weights in sixteen even steps by 64, decoded at each call",
        bits_per_value=4.5,
        swap=decoded(four_bit.encode_int4, four_bit.decode_int4),
    ),
    "nf4": Scheme(
        title="weights in sixteen steps of a normal distribution by 64, decoded at each call; the smallest",
        bits_per_value=4.25,
        swap=decoded(four_bit.encode_nf4, four_bit.decode_nf4),
    ),
}


def check_scheme(name: str) -> None:
    """Raises InvalidInput on a name that is no row of `SCHEMES`."""
    if name not in SCHEMES:
        raise invalid(f"quantise={name}", f"known are {', '.join(SCHEMES)}", "use one of them, or leave it out")
