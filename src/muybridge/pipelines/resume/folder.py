"""A folder of films that are underway, each under the hash of all that decides its bits."""

import hashlib
import json
import logging
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.core.files import atomic_path
from muybridge.pipelines.resume.record import WRITE_EVERY_S, RunRecord, read_tensor, write_tensor
from muybridge.pipelines.settings import RANDOM_SEEDS

_log = logging.getLogger(__name__)

Report = dict[str, Any]


class FilmState:
    """What is known of one film: the runs it takes, and once they are through, its latents."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, every_s: float = WRITE_EVERY_S) -> None:
        """settings: all that decides the film's bits; people find it in the folder as settings.json."""
        self.folder = folder
        self._settings, self._every_s = settings, every_s

    def run(self, name: str = "film") -> RunRecord:
        """The record of one run of a sampler; a film of several windows names each."""
        self._describe()
        return RunRecord(self.folder / name, every_s=self._every_s)

    def result(self) -> tuple[Float[Tensor, "c t h w"], Report | None] | None:
        """Latents as `keep` was given them and what the step cache reported; None where they are yet to be made."""
        if not self._latents.exists():
            return None
        try:
            latents, said = read_tensor(self._latents)
            return latents, json.loads(said["report"])
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            _log.warning("%s: damaged (%s); made again", self._latents, error)
            return None

    def keep(self, latents: Float[Tensor, "c t h w"], report: Report | None) -> None:
        """Finished latents instead of the runs that led to them. Raises RunFailed where the disk is full."""
        self._describe()
        write_tensor(self._latents, latents.cpu(), said={"report": json.dumps(report)})
        for run in [path for path in self.folder.iterdir() if path.is_dir()]:
            shutil.rmtree(run, ignore_errors=True)

    def discard(self) -> None:
        """The film is saved: nothing of it is kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _latents(self) -> Path:
        return self.folder / "latents.safetensors"

    def _describe(self) -> None:
        path = self.folder / "settings.json"
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(self._settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


class ResumeFolder:
    """A folder given to `resume_dir`; any number of requests may share it."""

    def __init__(self, path: Path | str, *, every_s: float = WRITE_EVERY_S) -> None:
        """every_s: seconds of work that SIGKILL may cost. Raises InvalidInput where the folder cannot be written."""
        self.path, self._every_s = Path(path), every_s
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            reason = error.strerror or "not possible"
            raise InvalidInput(f"resume_dir {path}: cannot be written ({reason}); choose another folder.") from None

    def film(self, settings: Mapping[str, Any]) -> FilmState:
        """The state of the film that these settings make; other settings, another state."""
        words = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(words.encode()).hexdigest()[:32]
        return FilmState(self.path / key, settings, every_s=self._every_s)

    def seed(self) -> int:
        """Of calls that choose none: drawn once for the folder, so that the same call makes the same film."""
        path = self.path / "seed.json"
        try:
            seed = json.loads(path.read_text(encoding="utf-8"))["seed"]
            return int(seed)
        except FileNotFoundError:
            seed = secrets.randbelow(RANDOM_SEEDS)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InvalidInput(f"{path}: damaged ({error}); delete it, or name a seed.") from None
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({"seed": seed}) + "\n", encoding="utf-8")
        return seed


def machine(device: torch.device) -> dict[str, Any]:
    """What of this machine decides how sums are rounded; a state of another is not used."""
    if device.type == "cuda":
        return {"device_name": torch.cuda.get_device_name(device)}
    return {"device_name": torch.backends.cpu.get_cpu_capability(), "num_threads": torch.get_num_threads()}
