"""A folder of films and pictures, each with its caption beside it: `clip.mp4` and `clip.txt`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from muybridge.data.captions import read_captions
from muybridge.data.record import MediaFile, Part, Record, is_media
from muybridge.data.report import Reason, Row

TEXT_SUFFIXES = (".txt", ".caption", ".json")


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderConfig:
    """How a folder is read: the captions' suffix (None for any known), repeats, and a text before every caption."""

    caption_suffix: str | None = None
    num_repeats: int = 1
    caption_prefix: str = ""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of captions, in the order in which they are looked for."""
        return TEXT_SUFFIXES if self.caption_suffix is None else (f".{self.caption_suffix.lstrip('.')}",)


def read_folder(root: Path, files: Iterable[Path], config: FolderConfig) -> Part:
    """The records among `files`, which lie below `root`; every other file has a row."""
    listed = sorted(files)
    media = [path for path in listed if is_media(path) and not path.name.startswith(".")]
    used: set[Path] = set()
    records = []
    for path in media:
        sidecar = _sidecar(path, config)
        captions: tuple[str, ...] = ()
        if sidecar is not None:
            used.add(sidecar)
            captions = tuple(config.caption_prefix + text for text in _readable(sidecar))
        records.append(
            Record(
                id=path.relative_to(root).as_posix(),
                media=MediaFile(path=path),
                captions=captions,
                num_repeats=config.num_repeats,
            )
        )
    rest = [path for path in listed if path not in used and path not in set(media)]
    return Part(records=tuple(records), rows=tuple(_left_over(path, root, config) for path in rest))


def _sidecar(path: Path, config: FolderConfig) -> Path | None:
    """`clip.txt` of `clip.mp4`, else `clip.mp4.txt`."""
    names = [path.with_suffix(suffix) for suffix in config.suffixes]
    names += [path.with_name(path.name + suffix) for suffix in config.suffixes]
    return next((name for name in names if name.is_file()), None)


def _readable(sidecar: Path) -> tuple[str, ...]:
    """The sidecar's captions; none where it may not be read, which the report then says."""
    try:
        return read_captions(sidecar)
    except OSError:
        return ()


def _left_over(path: Path, root: Path, config: FolderConfig) -> Row:
    is_caption = path.suffix.lower() in config.suffixes and path.suffix.lower() != ".json"
    reason = Reason.LONE_CAPTION if is_caption else Reason.NOT_MEDIA
    return Row(item=path.relative_to(root).as_posix(), reason=reason)
