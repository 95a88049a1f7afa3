"""Addresses: one film over HTTP, or what lies in a bucket or any other file system that fsspec knows."""

import glob
from collections.abc import Mapping
from typing import Any

from muybridge.core.errors import RunFailed, invalid
from muybridge.curation.sources.folder import NO_MEDIA
from muybridge.curation.sources.item import SourceItem, as_uri, is_media
from muybridge.curation.sources.remote import file_system, is_http, lasting


def address_sources(address: str) -> list[SourceItem]:
    """The one file at an address, all files below it, or those that match the * in it; none is fetched.

    Raises InvalidInput where nothing is there, MissingExtra without fsspec or its driver, RunFailed where the place
    cannot be listed.
    """
    if is_http(address):
        return [SourceItem(uri=as_uri(lasting(address)), place=address, is_remote=True)]
    system, root = file_system(address)
    try:
        found: Mapping[str, Mapping[str, Any]]
        if glob.has_magic(root):
            found = system.glob(root, detail=True)
            root = root[: min(root.index(each) for each in "*?[" if each in root)].rpartition("/")[0]
        elif system.isfile(root):
            found, root = {root: system.info(root)}, root.rpartition("/")[0]
        else:
            found = system.find(root, detail=True)
    except Exception as error:  # each driver raises its own
        raise RunFailed(f"{address}: cannot be listed ({error}); check the address and your rights.") from None
    items = [_item(system, name, facts, root=root) for name, facts in found.items() if facts.get("type") == "file"]
    if not items:
        raise invalid(address, "holds no file", "check the address")
    return items


def _item(system: Any, name: str, facts: Mapping[str, Any], *, root: str) -> SourceItem:
    uri = as_uri(name.removeprefix(root).lstrip("/"))
    problem = None if is_media(name) else NO_MEDIA
    place = system.unstrip_protocol(name)
    return SourceItem(uri=uri, place=place, is_remote=True, num_bytes=facts.get("size"), problem=problem)
