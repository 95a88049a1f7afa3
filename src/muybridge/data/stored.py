"""Text states and latents of samples in stores: what is there is checked and used, the rest computed."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.data.buckets import Bucket
from muybridge.data.encoders import Encoders, encode_frames, vae_identity
from muybridge.data.probes import ProbeCache
from muybridge.data.report import Note
from muybridge.data.samples import Sample, read_sample
from muybridge.data.store import DamagedEntry, Store, key_of
from muybridge.media.frames import Frames
from muybridge.text.encoder import BulkTextEncoder

TEXT_CHUNK = 256  # captions between two looks at the progress
# Four films of 17 frames at 128 px take 0.64 of the time that they take one by one, to the same bits (gallop's VAE, one
# core). Larger ones, which keep a processor busy, go alone.
PIXELS_TOGETHER, MAX_TOGETHER = 4 * 17 * 128**2, 16

Fitted = tuple[Tensor, Tensor, int]  # states, pooled, words of the caption that were read


class StoredTexts:
    """Text states of captions in a store."""

    def __init__(self, store: Store, encoders: Encoders) -> None:
        self._store = store
        self._encoders = encoders
        self.remarks: list[str] = []  # for the report
        self._words: dict[str, int] = {}  # by key: how many words of the caption were read; 0 refused

    def key(self, caption: str, *, is_picture: bool) -> str:
        """The address of a caption's states."""
        return key_of(self._made_from(caption, is_picture))

    def encode(self, captions: Sequence[tuple[str, bool]]) -> Iterator[int]:
        """Make sure that every (caption, whether of a picture) is stored; how many are done, now and then."""
        for start in range(0, len(captions), TEXT_CHUNK):
            chunk = captions[start : start + TEXT_CHUNK]
            missing = [item for item in chunk if not self._is_stored(*item)]
            for is_picture in (False, True):
                self._encode([caption for caption, kind in missing if kind == is_picture], is_picture)
            yield start + len(chunk)

    def is_refused(self, sample: Sample) -> bool:
        """Whether the encoder can read nothing of some caption of the sample."""
        return any(self._words[key] == 0 for key in self.keys(sample))

    def keys(self, sample: Sample) -> list[str]:
        """The addresses of the sample's captions."""
        return [self.key(caption, is_picture=sample.is_picture) for caption in sample.record.captions]

    def notes(self, sample: Sample) -> list[str]:
        """What the report says of captions longer than the encoder reads."""
        pairs = [
            (self._words[key], len(text.split()))
            for key, text in zip(self.keys(sample), sample.record.captions, strict=True)
        ]
        return [f"{Note.LONG_CAPTION}: the encoder reads the first {read:,} words" for read, num in pairs if read < num]

    def _made_from(self, caption: str, is_picture: bool) -> dict[str, Any]:
        return {"caption": caption, "encoder": self._encoders.text(is_picture=is_picture).identity}

    def _is_stored(self, caption: str, is_picture: bool) -> bool:
        key = self.key(caption, is_picture=is_picture)
        if not self._store.path(key).exists():
            return False
        try:
            self._words[key] = int(self._store.read(key)["words"])
        except DamagedEntry:
            self.remarks.append(f"damaged states of {caption[:40]!r} were encoded anew")
            return False
        return True

    def _encode(self, captions: Sequence[str], is_picture: bool) -> None:
        encoder = self._encoders.text(is_picture=is_picture).encoder
        try:
            pairs = zip(captions, encoder.encode_many(captions), strict=True)
            found: list[Fitted | None] = [(*states, len(caption.split())) for caption, states in pairs]
        except InvalidInput:  # one of them is too long for it
            found = [_fitted(caption, encoder) for caption in captions]
        for caption, fitted in zip(captions, found, strict=True):
            made_from = self._made_from(caption, is_picture)
            self._words[key_of(made_from)] = 0 if fitted is None else fitted[2]
            if fitted is not None:
                states, pooled, words = fitted
                tensors = {"states": states.half(), "pooled": pooled.half(), "words": torch.tensor(words)}
                self._store.write(made_from, {name: tensor.cpu().clone() for name, tensor in tensors.items()})


class StoredLatents:
    """Latents of samples in a store."""

    def __init__(self, store: Store, encoders: Encoders, probes: ProbeCache) -> None:
        self._store = store
        self._encoders = encoders
        self._identity = vae_identity(encoders.vae)
        self._probes = probes
        self.remarks: list[str] = []  # for the report
        self._first: dict[str, str] = {}  # by hash of bytes: the first record that has them
        self._good: set[str] = set()  # addresses of what is known to be stored

    def encode(self, samples: Sequence[Sample]) -> None:
        """Store the latents of samples that are not stored yet, several of a bucket at a time.

        Samples that cannot be read are passed over; `key` says why.
        """
        waiting: dict[Bucket, list[tuple[dict[str, Any], Frames]]] = {}
        for sample in samples:
            with suppress(MediaError, OSError):
                made_from = self._made_from(sample)
                if not self._is_stored(made_from, sample):
                    waiting.setdefault(sample.bucket, []).append((made_from, read_sample(sample)))
            films = waiting.get(sample.bucket, [])
            if len(films) == _num_together(sample.bucket):
                self._write(waiting.pop(sample.bucket))
        for films in waiting.values():
            self._write(films)

    def key(self, sample: Sample) -> str:
        """The address of the sample's latents, encoded now where they are not stored. Raises MediaError, OSError."""
        made_from = self._made_from(sample)
        if not self._is_stored(made_from, sample):
            self._write([(made_from, read_sample(sample))])
        return key_of(made_from)

    def notes(self, sample: Sample) -> list[str]:
        """Whether another record has the same bytes."""
        digest = self._probes.sha256(sample.record.media)
        first = self._first.setdefault(digest, sample.record.id)
        return [] if first == sample.record.id else [f"{Note.SAME_BYTES}: {first}"]

    def _is_stored(self, made_from: dict[str, Any], sample: Sample) -> bool:
        key = key_of(made_from)
        if key in self._good:
            return True
        state = self._store.state(key)
        if state == "damaged":
            self.remarks.append(f"damaged latents of {sample.record.id} were encoded anew")
            self._store.path(key).unlink(missing_ok=True)
        if state == "good":
            self._good.add(key)
        return state == "good"

    def _write(self, films: Sequence[tuple[dict[str, Any], Frames]]) -> None:
        """Encode and store films of one shape."""
        latents = encode_frames([frames for _, frames in films], self._encoders.vae, tiling=self._encoders.tiling)
        for (made_from, _), own in zip(films, latents, strict=True):
            self._good.add(self._store.write(made_from, {"latents": own}))

    def _made_from(self, sample: Sample) -> dict[str, Any]:
        digest = self._probes.sha256(sample.record.media)
        return {"bytes": digest, "preprocessing": sample.preprocessing(), "vae": self._identity}


def _num_together(bucket: Bucket) -> int:
    """Samples of a bucket that are encoded at once."""
    num_pixels = bucket.num_frames * bucket.width_px * bucket.height_px
    return max(1, min(MAX_TOGETHER, PIXELS_TOGETHER // num_pixels))


def _fitted(caption: str, encoder: BulkTextEncoder) -> Fitted | None:
    """(states, pooled, words read) of as many words as the encoder takes; None where it takes none."""
    words = caption.split()
    low, high, best = 0, len(words), None
    while low < high:
        middle = (low + high + 1) // 2
        try:
            states, pooled = next(iter(encoder.encode_many([" ".join(words[:middle])])))
        except InvalidInput:
            high = middle - 1
        else:
            low, best = middle, (states, pooled, middle)
    return best
