"""Weights from a hub: only the files that are needed, checked, continued inside a file after an interruption.

`Hub` is the seam. `HuggingFace` is huggingface.co and the cache that all its clients share; `FolderHub` is a mirror in
a folder, for machines without a network and for tests. `download` asks either; both gather a file in `unfinished`,
`transfer` brings one over HTTP, and `answers` turns what can go wrong into one line.
"""

from muybridge.weights.hub.download import OnDownload, download, hub_in_use
from muybridge.weights.hub.folder import FolderHub
from muybridge.weights.hub.hugging_face import HuggingFace
from muybridge.weights.hub.listing import Hub, HubFile, Listing

__all__ = ["FolderHub", "Hub", "HubFile", "HuggingFace", "Listing", "OnDownload", "download", "hub_in_use"]
