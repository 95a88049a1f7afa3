"""Laws of Ray Data as executor: the same bytes, and no graph that would wait for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.engine.journal import Journal
from muybridge.curation.engine.ray_data import RayDataExecutor, share_of
from tests.curation.engine.poison import Poisoned, digest, footage, plan, run

SCRIPT = """
import sys
from pathlib import Path
import ray
from muybridge.curation.engine.ray_data import RayDataExecutor
from muybridge.curation.engine.plan import Limits
from muybridge.curation.engine.run import run_stages
from muybridge.curation.sources.find import find_sources
from tests.curation.engine.poison import Poisoned, plan

if __name__ == "__main__":
    films, out = Path(sys.argv[1]), Path(sys.argv[2])
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**27, log_to_driver=False)
    chosen = plan(out, Poisoned(), num_samples=2, limits=Limits(base_s=float(sys.argv[3]), per_second=0.0))
    print(run_stages(chosen, find_sources([str(films)]), executor=RayDataExecutor()))
"""


def test_a_graph_that_holds_every_cpu_is_refused_with_a_remedy_that_works(tmp_path: Path):
    chosen = plan(tmp_path, Poisoned())
    with pytest.raises(InvalidInput, match="4 kinds of actors holding 1 CPUs.* 1 CPUs; use cpu_share=0.9"):
        share_of(chosen, RayDataExecutor(cpu_share=1.0), cluster_cpus=1.0)
    assert share_of(chosen, RayDataExecutor(cpu_share=0.9), cluster_cpus=1.0) == 0.9
    with pytest.raises(InvalidInput, match="use fewer workers"):
        share_of(chosen, RayDataExecutor(num_workers=1000), cluster_cpus=1.0)


def test_a_share_that_is_not_given_leaves_a_tenth_of_the_cluster(tmp_path: Path):
    chosen = plan(tmp_path, Poisoned())
    assert [share_of(chosen, RayDataExecutor(), cluster_cpus=cpus) for cpus in (0.5, 1.0, 2.0)] == [0.45, 0.9, 1.0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_makes_the_same_bytes_and_survives_poison(tmp_path: Path):
    films = footage(tmp_path / "films", "a.mp4", "b.mp4", "crash.mp4", "d.png", "fail.mp4", "lose.mp4")
    (films / "empty.mp4").write_bytes(b"")
    run(films, plan(tmp_path / "local", Poisoned(), num_samples=2))
    folders = [str(films), str(tmp_path / "ray"), "60"]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}  # where actors find the stages of tests
    words = [sys.executable, "-c", SCRIPT, *folders]
    found = subprocess.run(words, capture_output=True, text=True, check=False, env=path)
    assert found.returncode == 0, found.stderr[-3000:]
    assert digest(tmp_path / "ray") == digest(tmp_path / "local")
    (record,) = [each for each in Journal(tmp_path / "ray").records() if each.uri == "lose.mp4"]
    assert [row["start_s"] for row in record.rows] == [0.0, 2.0] and len(record.lost) == 1
