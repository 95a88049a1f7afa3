"""What is applied to blocks from outside needs of a network, and any module seen so."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import nn


class HasBlocks(Protocol):
    """What says what its blocks are."""

    def blocks(self) -> Iterator[nn.Module]:
        """Its blocks, in the order in which they compute."""
        ...


class Network(HasBlocks, Protocol):
    """A module that says what its blocks are."""

    def get_submodule(self, target: str) -> nn.Module:
        """As every module."""
        ...

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """As every module."""
        ...


class WithBlocks:
    """A module that does not say what its blocks are, beside those who know it: a `Network`."""

    def __init__(self, module: nn.Module, blocks: Sequence[nn.Module]) -> None:
        """`blocks`: parts of the module, in the order in which they compute."""
        self._module = module
        self._blocks = blocks

    def blocks(self) -> Iterator[nn.Module]:
        """As said."""
        yield from self._blocks

    def get_submodule(self, target: str) -> nn.Module:
        """Of the module."""
        return self._module.get_submodule(target)

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Of the module."""
        yield from self._module.named_modules()
