"""The page about gallop says what its data say, and its pictures are small enough to read on a train."""

import importlib.util
import math
from types import ModuleType

import pytest

from tests.contract.source import ROOT, report

PAGE, PICTURES = ROOT / "docs" / "explanation" / "gallop.md", ROOT / "docs" / "pictures"
MAX_PICTURE_BYTES = 300 * 2**10


@pytest.fixture(scope="module")
def benchmarks() -> ModuleType:
    """`benchmarks/gallop_report.py`, which is a script."""
    spec = importlib.util.spec_from_file_location("gallop_report", ROOT / "benchmarks" / "gallop_report.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_data_say(benchmarks: ModuleType) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- begin {name} -->" in text for name in benchmarks.BLOCKS)
    assert benchmarks.page_of(text) == text, "run `python benchmarks/gallop_report.py`"


def test_the_pictures_of_the_page_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in PICTURES.iterdir() if path.name.startswith("gallop-")}
    report([f"{name}: {size} bytes" for name, size in sizes.items() if size > MAX_PICTURE_BYTES])


def test_a_power_law_is_found_and_followed(benchmarks: ModuleType) -> None:
    samples = [1000.0, 2000.0, 4000.0, 8000.0]
    law = benchmarks.PowerLaw.fit(samples, [3 * n**-0.25 for n in samples])
    assert law.exponent == pytest.approx(0.25) and law.at(16000) == pytest.approx(3 * 16000**-0.25)
    best, low, high = law.samples_for(3 * 32000**-0.25)
    assert low <= best <= high and best == pytest.approx(32000)


def test_the_interval_of_an_extrapolation_widens_with_its_distance(benchmarks: ModuleType) -> None:
    samples = [1000.0, 2000.0, 4000.0, 8000.0]
    values = [3 * n**-0.25 * math.exp(wiggle) for n, wiggle in zip(samples, (0.01, -0.01, -0.01, 0.01), strict=True)]
    law = benchmarks.PowerLaw.fit(samples, values)
    near, far = (law.samples_for(law.at(n)) for n in (16000, 256000))
    assert 1 < near[2] / near[0] < far[2] / far[0]
