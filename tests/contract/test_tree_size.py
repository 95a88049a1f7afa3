"""The tree stays small enough to clone on a train, shipped weights included."""

import shutil
import subprocess

import pytest

from tests.contract.source import PACKAGE, ROOT

MIB = 2**20
MAX_TREE_BYTES = 60 * MIB
MAX_WEIGHTS_BYTES = 40 * MIB
MAX_WEIGHT_FILE_BYTES = 16 * MIB
EMBEDDED = [path for folder in PACKAGE.rglob("embedded") for path in folder.rglob("*") if path.is_file()]


def test_tracked_files_stay_under_the_limit():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git work tree")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    sizes = {name: (ROOT / name).stat().st_size for name in listing.split("\0") if name and (ROOT / name).is_file()}
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:5]
    assert sum(sizes.values()) < MAX_TREE_BYTES, f"{sum(sizes.values()) / MIB:.1f} MiB; largest: {largest}"


def test_shipped_weights_stay_under_their_limits():
    sizes = {str(path.relative_to(PACKAGE)): path.stat().st_size for path in EMBEDDED}
    assert sum(sizes.values()) < MAX_WEIGHTS_BYTES
    assert all(size < MAX_WEIGHT_FILE_BYTES for size in sizes.values()), sizes


def test_shipped_weights_are_safetensors():
    suffixes = {path.suffix for path in EMBEDDED}
    assert suffixes <= {".safetensors", ".json", ".md", ".txt"}
