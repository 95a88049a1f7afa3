"""`muybridge generate`: what is made, where, and that it can be made again."""

import io
import json
import sys
from dataclasses import replace

from muybridge.flow.samplers import SAMPLERS
from muybridge.media.sidecar import read_settings
from muybridge.media.video import read_video
from muybridge.weights.save import save_model
from tests.pipelines.tiny import FOLDER_TRANSFORMER
from tests.transformer.networks import network


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_sentence_becomes_a_film(generate, folder):
    outcome = generate("a horse gallops", "--seed", "7", "-o", "horse.mp4", "--fps", "12")
    assert outcome.code == 0 and outcome.out == "horse.mp4\n"
    frames, fps = read_video(folder / "horse.mp4")
    assert frames.shape == (5, 32, 48, 3) and fps == 12
    assert names(folder) == ["horse.json", "horse.mp4"]


def test_without_output_the_name_is_made_from_prompt_and_seed(generate, folder):
    assert generate("A horse, galloping!", "--seed", "7").code == 0
    assert names(folder) == ["films/a-horse-galloping-7.json", "films/a-horse-galloping-7.mp4"]


def test_several_prompts_become_several_films(generate, folder):
    outcome = generate("a horse", "a cow", "--seed", "7", "-o", "new/", "--json")
    films = outcome.json()["films"]
    assert [film["settings"]["seed"] for film in films] == [7, 8]
    assert names(folder) == ["new/a-cow-8.json", "new/a-cow-8.mp4", "new/a-horse-7.json", "new/a-horse-7.mp4"]


def test_no_film_is_written_over_in_a_folder(generate, folder):
    for _ in range(2):
        assert generate("a horse", "--seed", "7", "-o", "new/").code == 0
    assert "new/a-horse-7-2.mp4" in names(folder)


def test_prompts_come_from_a_file_or_from_standard_input(generate, folder, monkeypatch):
    (folder / "prompts.txt").write_text("a horse\n\n  a cow \n")
    assert generate("--prompts", "prompts.txt", "--seed", "1", "-o", "one/").code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("a whale\n"))
    assert generate("--prompts", "-", "--seed", "1", "-o", "two/").code == 0
    films = [name for name in names(folder) if name.endswith(".mp4")]
    assert films == ["one/a-cow-2.mp4", "one/a-horse-1.mp4", "two/a-whale-1.mp4"]


def test_one_frame_becomes_a_picture(generate, folder):
    assert generate("a horse", "--seed", "1", frames=1).code == 0
    assert names(folder) == ["films/a-horse-1.json", "films/a-horse-1.png"]


def test_from_repeats_a_result_bit_by_bit(generate, run, folder):
    assert generate("a horse", "-o", "a.mp4", "--cfg", "2", "--negative", "dark").code == 0
    for source in ("a.mp4", "a.json"):
        assert run("generate", "--from", source, "-o", "b.mp4").code == 0
        assert (folder / "b.mp4").read_bytes() == (folder / "a.mp4").read_bytes()
        assert read_settings(folder / "b.json") == read_settings(folder / "a.json")


def test_from_repeats_a_picture(generate, run, folder):
    assert generate("a horse", "-o", "a.png", frames=1).code == 0
    assert run("generate", "--from", "a.png", "-o", "b.png").code == 0
    assert (folder / "b.png").read_bytes() == (folder / "a.png").read_bytes()


def test_explicit_options_stand_over_from(generate, run, folder):
    assert generate("a horse", "-o", "a.mp4", "--seed", "4").code == 0
    outcome = run("generate", "a cow", "--from", "a.mp4", "-o", "b.mp4", "--steps", "3", "--json")
    settings = outcome.json()["films"][0]["settings"]
    assert (settings["prompt"], settings["steps"], settings["seed"], settings["size"]) == ("a cow", 3, 4, "48x32")


def test_from_with_other_weights_is_refused_unless_the_model_is_named(generate, run, folder, model):
    assert generate("a horse", "-o", "a.mp4").code == 0
    record = json.loads((folder / "a.json").read_text())
    record["settings"]["weights"]["vae"] = "f" * 64
    (folder / "a.json").write_text(json.dumps(record))
    outcome = run("generate", "--from", "a.json", "-o", "b.mp4")
    assert outcome.code == 2 and "was made with ffffffffffff" in outcome.err
    assert run("generate", "--from", "a.json", "-o", "b.mp4", "--model", model).code == 0


def test_seeds_may_be_given_one_by_one(generate, folder):
    outcome = generate("a", "b", "--seed", "5", "--seed", "3", "-o", "new/", "--json")
    assert [film["settings"]["seed"] for film in outcome.json()["films"]] == [5, 3]


def test_help_names_every_sampler(run):
    outcome = run("generate", "--help")
    assert all(name in outcome.out for name in SAMPLERS)


def test_help_puts_every_option_under_its_subject(run):
    _, rest = run("generate", "--help").out.split("\nOptions:\n")
    assert rest.split() == "-h, --help Show this message and exit.".split()


def test_json_is_all_that_goes_to_standard_output(generate):
    film = generate("a horse", "--json", "-o", "a.mp4").json()["films"][0]
    assert film["path"] == "a.mp4" and film["frames"] == 5 and film["seconds"] > 0


def test_other_weights_are_recorded_and_repeated(generate, run, folder):
    save_model(network(FOLDER_TRANSFORMER, seed=5), folder / "mine.safetensors")
    assert generate("a horse", "--seed", "7", "-o", "own.mp4").code == 0
    assert generate("a horse", "--seed", "7", "-o", "mine.mp4", "--transformer", "mine.safetensors").code == 0
    assert read_settings(folder / "mine.mp4")["transformer"] == str(folder / "mine.safetensors")
    assert run("generate", "--from", "mine.mp4", "-o", "again.mp4").code == 0
    films = {name: read_video(folder / f"{name}.mp4")[0] for name in ("own", "mine", "again")}
    assert (films["mine"] == films["again"]).all() and (films["mine"] != films["own"]).any()
    save_model(network(FOLDER_TRANSFORMER, seed=6), folder / "mine.safetensors")
    refused = run("generate", "--from", "mine.mp4", "-o", "other.mp4")
    assert refused.code == 2 and "the result was made with" in refused.err
    assert run("generate", "--from", "mine.mp4", "-o", "other.mp4", "--transformer", "mine.safetensors").code == 0


def test_a_transformer_of_another_architecture_is_refused(generate, folder):
    save_model(network(replace(FOLDER_TRANSFORMER, text_dim=33)), folder / "mine.safetensors")
    refused = generate("a horse", "--transformer", "mine.safetensors")
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "its text_dim is 33, that of" in refused.err
