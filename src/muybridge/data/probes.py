"""Facts and hashes of files, found once: kept by path, size and time of writing, shared between runs."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.config import from_dict, to_dict
from muybridge.core.errors import InvalidInput, MediaError, MuybridgeError
from muybridge.data.record import MediaFile
from muybridge.data.report import Reason
from muybridge.media.probe import EmptyFile, Facts, probe
from muybridge.media.video import CutShort, NoVideo

PROBES_FILE = "probes.jsonl"  # in the cache folder
VERSION = 1  # of what a probe finds; raise it when `Facts` or its rules change


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Why a file cannot be used."""

    reason: Reason
    detail: str


class ProbeCache:
    """Answers of `probe` and SHA-256s, appended to a file of JSON lines; a line that is cut counts as absent."""

    def __init__(self, path: Path | None) -> None:
        """path: the file; None keeps the answers for this process alone. Raises InvalidInput where it cannot be."""
        self._path = path
        self._known: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()
        self.num_read = 0  # files that had to be opened
        if path is not None and path.exists():
            self._load(path)

    def facts(self, media: MediaFile) -> Facts | Refused:
        """What the file is, or why it cannot be used."""
        try:
            key = f"facts{VERSION}|{media.stamp()}"
        except OSError as error:
            return Refused(reason=Reason.MISSING_FILE, detail=error.strerror or "")
        if key not in self._known:
            self._keep(key, _probed(media))
        answer = self._known[key]
        if "reason" in answer:
            return Refused(reason=Reason(answer["reason"]), detail=answer["detail"])
        return from_dict(Facts, answer)

    def sha256(self, media: MediaFile) -> str:
        """Hex SHA-256 of the file's bytes. Raises OSError where it is absent."""
        key = f"sha256|{media.stamp()}"
        if key not in self._known:
            self._keep(key, {"sha256": media.sha256()})
        return str(self._known[key]["sha256"])

    def _load(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                self._known[entry["key"]] = entry["answer"]
            except (ValueError, KeyError, TypeError):
                continue

    def _keep(self, key: str, answer: Mapping[str, Any]) -> None:
        with self._lock:
            self.num_read += 1
            self._known[key] = answer
            if self._path is None:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "answer": answer}) + "\n")
            except OSError as error:
                raise InvalidInput(
                    f"{self._path}: cannot be written ({error.strerror}); set MUYBRIDGE_CACHE to a folder you own."
                ) from None


def _probed(media: MediaFile) -> dict[str, Any]:
    """The facts as a dict, or a reason with its detail. Nothing that a file holds can stop a run."""
    try:
        return to_dict(probe(media.name, data=media.data()))
    except MuybridgeError as error:
        return {"reason": reason_of(error).value, "detail": detail_of(error, media)}
    except (OSError, ArithmeticError, ValueError, LookupError, AttributeError) as error:
        return {"reason": Reason.DAMAGED.value, "detail": f"{type(error).__name__}: {error}"}


def reason_of(error: MuybridgeError) -> Reason:
    """The row that an error of reading becomes."""
    kinds: tuple[tuple[type[MediaError], Reason], ...] = (
        (EmptyFile, Reason.EMPTY_FILE),
        (CutShort, Reason.CUT_SHORT),
        (NoVideo, Reason.NO_VIDEO),
    )
    return next((reason for kind, reason in kinds if isinstance(error, kind)), Reason.DAMAGED)


def detail_of(error: MuybridgeError, media: MediaFile) -> str:
    """What the error says besides the file's name, which the row has."""
    return str(error).removeprefix(f"{media.name}: ")
