"""What was given on a command line as a list of sources: every file under it is a source, or says why it is none."""

import glob
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from muybridge.core.errors import invalid
from muybridge.curation.sources.bucket import address_sources
from muybridge.curation.sources.folder import file_source, folder_sources
from muybridge.curation.sources.item import SourceItem, is_media
from muybridge.curation.sources.manifest import TABLE_SUFFIXES, list_sources, table_sources
from muybridge.curation.sources.remote import is_address

IN_SEVERAL = "is found in several of the places given"
LIST_SUFFIXES = (".txt", ".list", ".lst", ".urls")


def find_sources(given: Sequence[str]) -> list[SourceItem]:
    """The sources in each place given, sorted by uri.

    A place is a folder with all below it, a glob, a film or picture, an address (https://, s3://, gs:// or any other
    that fsspec knows; also of a bucket's folder, or with * in it), a table (.csv .tsv .jsonl .parquet with a column
    `path` or `url`, and perhaps `licence` and `consent`), or a list (.txt) of addresses or paths, one a line. Files
    that are neither film nor picture are items with a problem. Nothing is fetched but listings.
    Raises InvalidInput where a place is not there, nothing is found in any, or the same uri in two, MissingExtra,
    RunFailed where a bucket cannot be listed.
    """
    if not given:
        raise invalid("sources", "none is given", "name a folder, a file or an address")
    found: dict[str, SourceItem] = {}
    for place in given:
        for item in _sources_in(place):
            if item.uri in found:
                raise invalid(item.uri, IN_SEVERAL, "give the folder that holds them all")
            found[item.uri] = item
    if not found:
        raise invalid(", ".join(given), "holds no file and names none", "name footage")
    return [found[uri] for uri in sorted(found)]


def _sources_in(place: str) -> list[SourceItem]:
    if is_address(place):
        return address_sources(place)
    path = Path(place).expanduser().absolute()  # workers may start elsewhere
    suffix = path.suffix.lower()
    if path.is_dir():
        return folder_sources(path)
    if not os.path.lexists(path):
        if glob.has_magic(place):
            return _matching(str(path))
        raise invalid(place, "no such file or folder", "check the path")
    if suffix in TABLE_SUFFIXES:
        return table_sources(path)
    if suffix in LIST_SUFFIXES:
        return list_sources(path)
    if is_media(path.name):
        return [file_source(path, root=path.parent)]
    kinds = "a folder, film, picture, table (.csv .tsv .jsonl .parquet) or list (.txt)"
    raise invalid(place, f"is not {kinds}", "give the folder that holds the films")


def _matching(pattern: str) -> list[SourceItem]:
    """What a glob finds; uris start behind the folders that it names without wildcards."""
    parts = Path(pattern).parts
    plain = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    root, wanted = Path(*parts[:plain]), parts[plain:]
    if "**" in wanted:  # which glob itself would follow round and round through links
        items = [item for item in folder_sources(root) if _fits(Path(item.place).relative_to(root).parts, wanted)]
    else:
        paths = [Path(found) for found in sorted(glob.glob(pattern))]
        items = [file_source(path, root=root) for path in paths if not path.is_dir()]
    if not items:
        raise invalid(pattern, "no file has such a name", "check the pattern, with ** for all folders below")
    return items


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path has such names, of which ** stands for any number."""
    if not wanted or not parts:
        return not wanted and not parts
    if wanted[0] == "**":
        return len(wanted) == 1 or _fits(parts, wanted[1:]) or _fits(parts[1:], wanted)
    is_shown = not parts[0].startswith(".") or wanted[0].startswith(".")
    return is_shown and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])
