"""Files whose parts lie end in the model or in one line that names them; `make fuzz` draws thousands."""

import warnings
from pathlib import Path
from random import Random

import pytest

from tests.weights.grammar import KINDS
from tests.weights.grammar.reading import check

NUM_FILES = 4


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_the_grammar_are_read_or_refused(kind: str, tmp_path: Path):
    for seed in range(NUM_FILES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of members that the grammar writes twice
            path = KINDS[kind](Random(f"{kind} {seed}"), folder)
        check(path)
        assert not (folder / "ran").exists()
