"""Laws of cutting evenly: pieces lie edge to edge, with their sound, under ids that stay."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.curation.clip import SourceFile
from muybridge.curation.even import Brightness, EvenSplitter
from muybridge.media.coded import coded_film
from muybridge.media.formats import coding
from muybridge.media.sound import Sound


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 frames that grow brighter, at 10 frames/s, with a sound of ones."""
    path = tmp_path_factory.mktemp("even") / "film.mp4"
    frames = np.arange(0, 250, 10, np.uint8)[:, None, None, None] * np.ones((1, 32, 48, 3), np.uint8)
    sound = Sound(samples=np.full((1, 40_000), 0.5, np.float32), rate_hz=16_000)
    how = coding(path, codec=None, crf=None, bitrate=None, bits=None)
    with coded_film(path, how, fps=10, metadata=None, sound=sound) as film:
        film.start(48, 32)
        for frame in frames:
            film.add(frame)
    return path


def test_pieces_lie_edge_to_edge_and_keep_their_sound(film: Path):
    clips = list(EvenSplitter(seconds=1.0, side_px=16).clips(SourceFile(path=film, uri="film.mp4")))
    assert [(clip.start_s, clip.end_s, len(clip.frames)) for clip in clips] == [(0, 1, 10), (1, 2, 10), (2, 2.5, 5)]
    assert [clip.values["shot"] for clip in clips] == [0, 1, 2]
    assert {clip.frames.shape[1:3] for clip in clips} == {(16, 24)}
    brightness = [Brightness().process(clip).values["brightness"] for clip in clips]
    assert brightness == sorted(brightness)
    for clip in clips:
        assert clip.sound is not None
        assert clip.sound.samples.shape[1] == round((clip.end_s - clip.start_s) * clip.sound.rate_hz)
        assert abs(float(np.median(clip.sound.samples)) - 0.5) < 0.1


def test_ids_depend_on_what_was_cut_where_and_nothing_else(film: Path, tmp_path: Path):
    elsewhere = tmp_path / "other.mp4"
    elsewhere.write_bytes(film.read_bytes())
    ids = [
        [clip.id for clip in EvenSplitter(seconds=seconds).clips(SourceFile(path=path, uri=uri))]
        for path, uri, seconds in ((film, "a", 1.0), (elsewhere, "a", 1.0), (film, "b", 1.0), (film, "a", 2.0))
    ]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    assert set(ids[0]) & set(ids[3]) == {ids[0][-1]}  # from 2 s to the end, however the rest is cut


def test_what_cannot_be_cut_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="60 s"):
        EvenSplitter(seconds=61)
    with pytest.raises(InvalidInput, match="even"):
        EvenSplitter(side_px=15)
    (tmp_path / "a.mp4").write_bytes(b"no film")
    with pytest.raises(MediaError):
        list(EvenSplitter().clips(SourceFile(path=tmp_path / "a.mp4", uri="a.mp4")))
