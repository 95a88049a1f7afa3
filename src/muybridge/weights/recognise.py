"""What a checkpoint is: network, layout, config, and its entries checked against the model it claims to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from muybridge.core.errors import WeightsError, invalid
from muybridge.weights.accounting import check_entries
from muybridge.weights.configs import Shapes, own_config
from muybridge.weights.files import Checkpoint
from muybridge.weights.layouts import (
    Entries,
    Kind,
    Layout,
    Table,
    from_official,
    name_in,
    part,
    stripped,
    to_official,
)
from muybridge.weights.registry import NETWORKS, Config, Network, detect
from muybridge.weights.storage import Quantisation, plain

_DEPTHS = ("num_double_blocks", "num_single_blocks", "num_refiner_blocks", "num_layers", "layers_per_block")
_KINDS = "a transformer, a VAE or a text encoder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """A checkpoint whose every key is known. entries: under the official names; stored: under its own layout's.

    quantisation: what of the file is quantised, by the file's own keys; the entries decode themselves when read.
    """

    path: Path
    network: Network
    layout: Layout
    config: Config
    entries: Entries
    stored: Entries
    quantisation: Quantisation | None = None

    @property
    def kind(self) -> Kind:
        """Which part of a system it is."""
        return self.network.kind

    @property
    def variant(self) -> str:
        """What people call it, e.g. `HunyuanVideo-I2V, latent concat (33 channels)`."""
        return self.network.variant(self.config)

    def in_layout(self, layout: Layout) -> Entries:
        """Entries under a layout's names; in their own they stay mapped.

        Raises InvalidInput where this network has no such layout, WeightsError where the layout has no place for a key.
        """
        if layout == self.layout:
            return self.stored
        table = self.network.table(layout)
        if table is None:
            known = ", ".join(table.layout for table in self.network.tables)
            raise invalid(f"layout={layout}", f"a {self.network.name} has none such", f"choose one of {known}")
        hidden_size = getattr(self.config, "hidden_size", 0)
        return self.entries if layout == "official" else from_official(self.entries, table, hidden_size=hidden_size)


def recognise(checkpoint: Checkpoint, *, kind: Kind | None = None, config: Config | None = None) -> Recognised:
    """Network, layout and config of a checkpoint, every key, shape and dtype checked.

    kind: which model it must be, and which to take where one file holds a whole system. config: used instead of what
    the file says.
    Raises WeightsError with file, key and nearest match.
    """
    checkpoint, quantisation = plain(checkpoint)
    path, stored = checkpoint.path, stripped(part(checkpoint.entries, kind, file=checkpoint.path))
    network, table = identify(checkpoint, stored)
    if kind not in (None, network.kind):
        raise WeightsError(f"{path}: holds a {network.kind}, not a {kind}; give the {kind}'s file or folder.")
    called = _namer(table)
    entries = stored if table.layout == "official" else to_official(stored, table)
    chosen: Config = (
        config
        or own_config(checkpoint.metadata, network.kind, config_type=network.config_type, path=path)
        or network.read_config(Shapes(entries, path=path, called=called), checkpoint.config)
    )
    if not isinstance(chosen, network.config_type):
        raise WeightsError(
            f"{path}: holds a {network.kind}, which {type(chosen).__name__} does not describe; give its own config."
        )
    needed = {key: entry for key, entry in entries.items() if not key.startswith(network.carried)}
    check_entries(needed, _shapes(network, chosen, path, num_keys=len(entries)), path=path, called=called)
    return Recognised(
        path=path,
        network=network,
        layout=table.layout,
        config=chosen,
        entries=entries,
        stored=stored,
        quantisation=quantisation,
    )


def identify(checkpoint: Checkpoint, entries: Entries) -> tuple[Network, Table]:
    """Network and layout by keys, without checking them all. Raises WeightsError where they are of no known model."""
    if not entries:
        raise WeightsError(f"{checkpoint.path}: holds no tensors; give {_KINDS}.")
    found = detect(entries)
    if found is None:
        first = next(iter(entries))
        raise WeightsError(f"{checkpoint.path}: keys such as {first!r} are of no known model; give {_KINDS}.")
    network, table = found
    class_name = (checkpoint.config or {}).get("_class_name")
    named = [table for table in network.tables if table.class_name and table.class_name == class_name]
    return network, (named[0] if named and table.layout == "official" else table)


def build(config: Config) -> nn.Module:
    """The module of a config on the meta device: shapes without memory."""
    return next(network for network in NETWORKS if isinstance(config, network.config_type)).on_meta(config)


def _shapes(network: Network, config: Config, path: Path, *, num_keys: int) -> Mapping[str, tuple[int, ...]]:
    """What a model of this config needs. Raises WeightsError, before it is built, where that cannot be in the file."""
    deepest = max(getattr(config, name, 0) for name in _DEPTHS)
    if deepest > num_keys:
        rule = f"its config asks for {deepest} blocks or layers, and it has {num_keys} keys"
        raise WeightsError(f"{path}: {rule}; use a complete checkpoint with its own config.")
    try:
        return network.shapes(config)
    except (RuntimeError, TypeError):  # torch's, of sizes that overflow
        raise WeightsError(f"{path}: its config asks for tensors beyond any memory; use its own config.") from None


def _namer(table: Table) -> Callable[[str], str]:
    """What a file in this layout calls an official key: the first name where it has several."""
    return lambda key: next(iter(name_in(table, key)), key)
