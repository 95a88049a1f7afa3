"""Where each layout keeps each parameter, as tables, and how to pass from one to another.

The official names are the released ones and ours (DESIGN law 3). A layout is one `Table` whose rows say, for every
module, the official name, theirs, and how the official rows are shared among theirs; one walk goes both ways.
A new layout of a known network is one more table in its file here; `weights.registry` says which network has which.
"""

from muybridge.weights.layouts.prefixes import INFIXES, PARTS, PREFIXES, kinds, part, stripped
from muybridge.weights.layouts.table import (
    Entries,
    Parts,
    Row,
    Table,
    from_official,
    identity,
    name_in,
    renamed,
    same,
    to_official,
)
from muybridge.weights.layouts.transformer import TRANSFORMER
from muybridge.weights.names import Kind, Layout

__all__ = [
    "INFIXES",
    "PARTS",
    "PREFIXES",
    "TRANSFORMER",
    "Entries",
    "Kind",
    "Layout",
    "Parts",
    "Row",
    "Table",
    "from_official",
    "identity",
    "kinds",
    "name_in",
    "part",
    "renamed",
    "same",
    "stripped",
    "to_official",
]
