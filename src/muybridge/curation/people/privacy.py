"""The stage that blurs faces of people who were not asked, and counts private data that was redacted."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from muybridge.curation.clip import Clip
from muybridge.curation.people.blur import blurred
from muybridge.curation.people.finder import FaceFinder
from muybridge.curation.stage import Column, Resources
from muybridge.curation.text.redaction import num_redacted

logger = logging.getLogger(__name__)


class Privacy:
    """Blurs every face in every frame, doubtful ones too, unless the people of the source consented; comes last.

    faces_blurred: how many were followed and blurred, 0 with consent; None without a `finder`, and then faces stay.
    faces_safe: whether no face is shown without consent as far as is known: blurred, or consented to.
    pii_found: private data that stands redacted in the column `text`, whose own stage redacts it; None without text.
    """

    name = "privacy"
    version = 3
    inputs: tuple[str, ...] = ()
    outputs: Mapping[str, Column] = MappingProxyType({
        "faces_blurred": "int", "faces_safe": "bool", "pii_found": "int",
    })  # fmt: skip
    resources = Resources(cpus=1.0, memory_bytes=400 * 2**20)

    def __init__(self, *, finder: FaceFinder | None = None) -> None:
        self.faces_by = None if finder is None else finder.name
        self._finder = finder

    def prepare(self) -> None:
        """Fetch the detector; without one, say so. Raises AssetError, MissingExtra."""
        if self._finder is None:
            logger.info("faces=kept reason='no detector was asked for'")
        else:
            self._finder.prepare()

    def setup(self) -> None:
        """Load the detector."""
        if self._finder is not None:
            self._finder.setup()

    def process(self, clip: Clip) -> Clip:
        """The clip without faces, with the columns."""
        text = clip.values.get("text")
        pii = num_redacted(str(each) for each in text) if isinstance(text, tuple) else None
        if self._finder is None:
            return clip.noted({"faces_blurred": None, "faces_safe": clip.origin.has_consent, "pii_found": pii})
        tracks = () if clip.origin.has_consent else self._finder.tracks(clip)
        shown = replace(clip, frames=blurred(clip.frames, tracks)) if tracks else clip
        return shown.noted({"faces_blurred": len(tracks), "faces_safe": True, "pii_found": pii})
