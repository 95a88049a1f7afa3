"""Encoding: once, shared, resumable, checked; and the batches that come of it."""

import json
import resource
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.processes import in_processes
from muybridge.data import stored
from muybridge.data.buckets import BucketsConfig
from muybridge.data.encode import EncodeConfig, encode, entry_bytes, report_path
from muybridge.data.encoded import EncodedLatents
from muybridge.data.encoders import Encoders, NamedText, PromptText
from muybridge.data.latents import ReadAhead
from muybridge.data.planning import DataConfig, plan
from muybridge.data.probes import ProbeCache
from muybridge.data.report import Note, Reason, Report
from muybridge.data.sources import open_source
from muybridge.data.store import DamagedEntry, Store
from muybridge.text.encoder import HashEncoder
from tests.data.films import write_film, write_film_damaged_inside, write_picture
from tests.data.small import small_vae

HALF = 2e-3  # float16 rounds sums of another order by its last bit
BUCKETS = BucketsConfig(resolutions=((32, 32),), num_aspects=1, frames=(1, 5))


class Counting:
    """A real encoder that reads at most `max_words` words and counts the prompts it is given."""

    text_dim = 6

    def __init__(self, max_words: int = 50) -> None:
        self.num = 0
        self._max_words = max_words
        self._encoder = HashEncoder(text_dim=6, pooled_dim=6)

    def encode_many(self, prompts: Sequence[str], *, batch_size: int = 16) -> Iterator[tuple[Tensor, Tensor]]:
        if any(len(prompt.split()) > self._max_words for prompt in prompts):
            raise InvalidInput("too long")
        self.num += len(prompts)
        yield from self._encoder.encode_many(prompts)


def encoders(text: Counting) -> Encoders:
    named = NamedText(encoder=text, identity="counting")
    return Encoders(vae=small_vae(), film_text=named, picture_text=named)


def make_data(folder: Path, *, films: int = 5, pictures: int = 3) -> Path:
    folder.mkdir()
    for number in range(films):
        write_film(folder / f"film-{number}.mp4", 5 + number)
        (folder / f"film-{number}.txt").write_text(f"a grey wall, number {number}")
    for number in range(pictures):
        write_picture(folder / f"picture-{number}.png", level=40 * number)
        (folder / f"picture-{number}.txt").write_text(f"a grey picture, number {number}")
    return folder


def run(data: Path, out: Path, text: Counting | None = None, name: str = "clips") -> Report:
    probes = ProbeCache(None)
    planned = plan(open_source(data), DataConfig(buckets=BUCKETS), probes=probes)
    return encode(planned, out, config=EncodeConfig(name=name), encoders=encoders(text or Counting()), probes=probes)


def entries(out: Path) -> list[Path]:
    return sorted(out.rglob("*.safetensors"))


def same(first: object, second: object) -> bool:
    names = ("latents", "text", "text_mask", "pooled")
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


def test_an_encoded_set_is_served_in_batches_of_one_shape(tmp_path: Path) -> None:
    report = run(make_data(tmp_path / "data"), tmp_path / "out")
    assert report.num_taken == 8 and report == report and json.loads(report_path(tmp_path / "out", "clips").read_text())
    source = EncodedLatents(tmp_path / "out")
    shapes = Counter(tuple(source.batch(step, batch_size=2, seed=0).latents.shape[1:]) for step in range(12))
    assert set(shapes) == {(4, 2, 4, 4), (4, 1, 4, 4)} and len(source) == 8
    batch = source.batch(0, batch_size=2, seed=0)
    assert batch.latents.dtype == batch.text.dtype == torch.float32
    assert batch.text[~batch.text_mask].abs().sum() == 0
    assert [tuple(part.latents.shape) for part in source.leading(6)] == [(5, 4, 2, 4, 4), (1, 4, 1, 4, 4)]


def test_every_sample_is_seen_once_a_round_across_a_resume(tmp_path: Path) -> None:
    run(make_data(tmp_path / "data"), tmp_path / "out")
    first, second = EncodedLatents(tmp_path / "out"), EncodedLatents(tmp_path / "out")
    seen: Counter[tuple[str, int]] = Counter()
    for step in range(30):
        source = first if step < 13 else second
        draw = source.draw(step, batch_size=1, seed=3)
        seen.update(zip(source.ids(draw), draw.rounds, strict=True))
    assert set(seen.values()) == {1}
    for kind, number in (("film", 5), ("picture", 3)):
        rounds = Counter(turn for name, turn in seen if name.startswith(kind))
        assert all(rounds[turn] == number for turn in range(max(rounds)))


def test_a_disk_too_small_is_said_before_anything_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, text = make_data(tmp_path / "data"), Counting()
    planned = plan(open_source(data), DataConfig(buckets=BUCKETS), probes=ProbeCache(None))
    run(data, tmp_path / "out", text)
    estimate = entry_bytes(planned, encoders(text))
    assert 0.5 < sum(path.stat().st_blocks * 512 for path in entries(tmp_path / "out")) / estimate < 2
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(InvalidInput, match="0.0 MB free: latents and text states of 8 samples need"):
        run(data, tmp_path / "new", text)
    assert not (tmp_path / "new").exists() and text.num == 8


def test_a_disk_that_fills_up_is_said_in_a_line_and_what_is_there_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    kept = store.write({"made": "first"}, {"states": torch.zeros(4)})

    def write_too_much(_: int) -> None:
        torch.set_num_threads(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        store.write({"made": "second"}, {"states": torch.zeros(1_000_000)})

    with pytest.raises(RunFailed, match="cannot be written .*; what was encoded before is kept; make room") as caught:
        list(in_processes(write_too_much, [0], num_workers=2))
    assert "\n" not in str(caught.value) and store.state(kept) == "good"
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 1


def test_films_encoded_together_are_those_encoded_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(tmp_path / "data")
    run(data, tmp_path / "together")
    monkeypatch.setattr(stored, "MAX_TOGETHER", 1)
    run(data, tmp_path / "alone")
    latents = [sorted((tmp_path / name / "latents").rglob("*.safetensors")) for name in ("together", "alone")]
    assert len(latents[0]) == 8 and [path.name for path in latents[0]] == [path.name for path in latents[1]]
    for pair in zip(*latents, strict=True):
        one, other = (load_file(path)["latents"].float() for path in pair)
        torch.testing.assert_close(one, other, rtol=HALF, atol=HALF)


def test_what_is_encoded_is_not_encoded_again(tmp_path: Path) -> None:
    data, text = make_data(tmp_path / "data"), Counting()
    run(data, tmp_path / "out", text)
    stamps = {path: path.stat().st_mtime_ns for path in entries(tmp_path / "out")}
    run(data, tmp_path / "out", text, name="again")
    assert text.num == 8 and {path: path.stat().st_mtime_ns for path in entries(tmp_path / "out")} == stamps
    (data / "film-0.txt").write_text("another caption")
    run(data, tmp_path / "out", text)
    assert text.num == 9 and len(entries(tmp_path / "out")) == len(stamps) + 1


def test_an_interrupted_encoding_goes_on_to_the_same_end(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    run(data, tmp_path / "whole")
    run(data, tmp_path / "cut")
    for path in entries(tmp_path / "cut")[::2]:
        path.unlink()
    with pytest.raises(DamagedEntry, match="run the encode command again"):
        for step in range(8):
            EncodedLatents(tmp_path / "cut").batch(step, batch_size=2, seed=0)
    run(data, tmp_path / "cut")
    whole, cut = EncodedLatents(tmp_path / "whole"), EncodedLatents(tmp_path / "cut")
    assert all(same(whole.batch(s, batch_size=2, seed=0), cut.batch(s, batch_size=2, seed=0)) for s in range(8))


def test_a_damaged_entry_is_noticed_mended_and_reported(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=1, pictures=0)
    run(data, tmp_path / "out")
    good = {path: path.read_bytes() for path in entries(tmp_path / "out")}
    assert len(good) == 2
    for path, content in good.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedEntry, match="checksum"):
        EncodedLatents(tmp_path / "out").batch(0, batch_size=1, seed=0)
    report = run(data, tmp_path / "out")
    assert [remark.split()[0] for remark in report.remarks] == ["damaged", "damaged"]
    assert {path: path.read_bytes() for path in entries(tmp_path / "out")} == good


def test_a_film_that_cannot_be_decoded_to_its_end_is_left_out(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=1, pictures=0)
    write_film_damaged_inside(data / "bad.mp4")
    (data / "bad.txt").write_text("damaged")
    probes = ProbeCache(None)
    buckets = BucketsConfig(resolutions=((32, 32),), frames=(5,), extraction="chunk")
    planned = plan(open_source(data), DataConfig(buckets=buckets), probes=probes)
    assert planned.report.num_taken == 2
    report = encode(planned, tmp_path / "out", config=EncodeConfig(), encoders=encoders(Counting()), probes=probes)
    assert [row.item for row in report.rejected()[Reason.DAMAGED]] == ["bad.mp4"]
    source = EncodedLatents(tmp_path / "out")
    assert {source.ids(source.draw(step, batch_size=1, seed=0))[0] for step in range(4)} == {"film-0.mp4"}


def test_a_caption_beyond_what_the_encoder_reads_is_shortened_and_noted(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=1, pictures=0)
    (data / "film-0.txt").write_text("word " * 60)
    for _ in range(2):  # the second time from the store
        (row,) = run(data, tmp_path / "out", Counting(max_words=50)).rows
        assert row.notes[-1] == f"{Note.LONG_CAPTION}: the encoder reads the first 50 words"
    assert EncodedLatents(tmp_path / "out").batch(0, batch_size=1, seed=0).text_mask.sum() == 51  # and the end token


def test_a_caption_that_the_encoder_refuses_is_left_out(tmp_path: Path) -> None:
    report = run(make_data(tmp_path / "data", films=1, pictures=0), tmp_path / "out", Counting(max_words=0))
    assert list(report.rejected()) == [Reason.UNREADABLE_CAPTION]
    with pytest.raises(InvalidInput, match="has no samples"):
        EncodedLatents(tmp_path / "out")


def test_equal_bytes_share_their_latents_and_are_noted(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=1, pictures=0)
    (data / "copy.mp4").write_bytes((data / "film-0.mp4").read_bytes())
    (data / "copy.txt").write_text("a copy")
    report = run(data, tmp_path / "out")
    assert [row.notes[-1] for row in report.rows if row.item == "film-0.mp4"] == [f"{Note.SAME_BYTES}: copy.mp4"]
    assert len(list((tmp_path / "out/latents").rglob("*.safetensors"))) == 1


def test_several_captions_take_turns(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=1, pictures=0)
    (data / "film-0.txt").unlink()
    (data / "film-0.json").write_text('{"captions": ["one", "one two", "one two three"]}')
    run(data, tmp_path / "out")
    source = EncodedLatents(tmp_path / "out")
    lengths = {int(source.batch(step, batch_size=1, seed=0).text_mask.sum()) for step in range(30)}
    assert lengths == {2, 3, 4}


def test_repeats_come_up_as_often_as_they_say(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", films=2, pictures=0)
    (data / "d.toml").write_text('[[directory]]\npath = "."\nnum_repeats = 3\nframe_buckets = [5]\nresolutions = [32]')
    run(data / "d.toml", tmp_path / "out")
    source = EncodedLatents(tmp_path / "out")
    seen = Counter(source.ids(source.draw(step, batch_size=1, seed=0))[0] for step in range(len(source)))
    assert seen == {"film-0.mp4": 3, "film-1.mp4": 3}


def test_reading_ahead_changes_nothing(tmp_path: Path) -> None:
    run(make_data(tmp_path / "data"), tmp_path / "out")
    plain, ahead = EncodedLatents(tmp_path / "out"), ReadAhead(EncodedLatents(tmp_path / "out"), num_steps=3)
    for step in (0, 1, 2, 3, 7, 8, 2, 2, 20):
        assert same(plain.batch(step, batch_size=2, seed=1), ahead.batch(step, batch_size=2, seed=1))
    ahead.close()


def test_pictures_may_be_described_in_other_words() -> None:
    class Asking(HashEncoder):
        def encode(self, prompts: Sequence[str], *, num_frames: int):
            return super().encode([f"{num_frames} {prompt}" for prompt in prompts], num_frames=num_frames)

    film, picture = (next(PromptText(Asking(), num_frames=n).encode_many(["a"]))[0] for n in (2, 1))
    assert film.shape == picture.shape and not torch.equal(film, picture)


def test_a_folder_that_is_not_encoded_yet_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"run muybridge encode '.*my shards' --out encoded, and name that folder"):
        EncodedLatents(tmp_path / "my shards")


def test_a_store_knows_entries_by_what_they_were_made_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tensors = {"a": torch.arange(3), "b": torch.ones(2, dtype=torch.float16)}
    key = store.write({"x": 1, "y": "z"}, tensors)
    assert key == store.write({"y": "z", "x": 1}, tensors) and store.state(key) == "good"
    assert torch.equal(store.read(key)["a"], tensors["a"])
    store.path(key).write_bytes(b"")
    assert store.state(key) == "damaged" and store.state("0" * 40) == "absent"


@pytest.mark.parametrize("name", ["a/b", "", "x y"])
def test_a_set_s_name_is_a_file_s(name: str) -> None:
    with pytest.raises(InvalidInput, match="name="):
        EncodeConfig(name=name)
