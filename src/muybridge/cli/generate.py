"""Make films from sentences, or pictures with --frames 1. The settings travel in every file; --from repeats it.

Examples:

  muybridge generate "a brown horse gallops over green grass"
  muybridge generate "a red car drives to the left" --seed 7 --frames 33 -o car.mp4
  muybridge generate "a penguin hops" "a whale swims" --seed 7 -o films/
  muybridge generate --prompts prompts.txt -o films/
  muybridge generate --from car.mp4 --steps 50 -o car-50.mp4
  muybridge generate "a brown horse gallops over green grass" --frames 241 -o long.mp4
  muybridge generate "a red car" --transformer my-finetune.safetensors
  muybridge generate "the horse gallops on" --image horse.png
  muybridge generate "a penguin hops" --negative "snow" --cfg 6@0.2-0.8 --rescale 0.7
  muybridge generate "(a red car:1.5) in the snow" --camera pan_left --prompt-at "1.2s=a red car at sunset"
  muybridge generate "a red car" --quality "psnr>=32"
  muybridge generate "a red car" --codec prores --stills first,sheet -o car.mov
  muybridge generate --prompts prompts.txt -o films/ --resume-dir underway/ --preview
  muybridge generate "a red car" --lora style.safetensors:0.8
  muybridge generate "a red car" --lora a.safetensors:0.6#1-10 --lora b.safetensors@double_blocks.0-9,single

A LoRA is FILE[:WEIGHT][@BLOCKS][#STEPS]: WEIGHT 1 as trained, 0.5 half as strong, negative turns away; BLOCKS such as
double_blocks.0-9,single or *img_attn*; STEPS such as 1-10, 11- or 5, counted from 1. Any layout of file is read.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import muybridge
from muybridge import cli
from muybridge.cli import options, rooms
from muybridge.cli.progress import ByteBars
from muybridge.core.errors import InvalidInput, invalid

if TYPE_CHECKING:
    from muybridge import LoraUse, Pipeline, RunChoice


def command(
    prompts: options.Prompts = None,
    *,
    prompts_file: options.PromptsFile = None,
    repeat: options.Repeat = None,
    seed: options.Seed = None,
    size: options.Size = None,
    aspect: options.Aspect = None,
    camera: options.Camera = None,
    prompt_at: options.PromptAt = None,
    frames: options.Frames = None,
    seconds: options.Seconds = None,
    fps: options.Fps = None,
    window: options.Window = None,
    context: options.Context = None,
    riflex: options.RiflexSwitch = None,
    image: options.Image = None,
    last_image: options.LastImage = None,
    keyframes: options.Keyframes = None,
    video: options.Video = None,
    strength: options.Strength = None,
    mask: options.Mask = None,
    extend: options.Extend = None,
    direction: options.Direction = None,
    overlap: options.Overlap = None,
    loop: options.Loop = None,
    dynamic: options.Dynamic = None,
    negative: options.Negative = None,
    cfg: options.Cfg = None,
    guidance: options.Guidance = None,
    rescale: options.Rescale = None,
    cfg_zero_star: options.CfgZeroStar = None,
    zero_steps: options.ZeroSteps = None,
    steps: options.Steps = None,
    sampler: options.Sampler = None,
    shift: options.Shift = None,
    steady: options.Steady = None,
    quality: options.Quality = None,
    speed: options.Speed = None,
    model: options.ModelOrRecorded = None,
    transformer: options.Transformer = None,
    loras: options.Loras = None,
    ignores_lora_text: options.IgnoresLoraText = False,
    device: options.ComputeDevice = None,
    dtype: options.Dtype = None,
    memory: options.Memory = "auto",
    quantise: options.Quantise = None,
    weights: options.Weights = None,
    vae_mode: options.VaeMode = None,
    attention: options.Attention = None,
    compiles: options.Compiles = False,
    together: options.Together = None,
    resume_dir: options.ResumeDir = None,
    output: options.Output = None,
    codec: options.Codec = None,
    crf: options.Crf = None,
    bitrate: options.Bitrate = None,
    bits: options.Bits = None,
    output_fps: options.OutputFps = None,
    between: options.Between = None,
    interpolate: options.Interpolate = None,
    audio: options.Audio = None,
    stills: options.Stills = None,
    has_preview: options.HasPreview = False,
    preview_file: options.PreviewFile = None,
    is_json: options.IsJson = False,
) -> None:
    """Check everything, then make and save one film after the other."""
    chosen = locals()
    if output is not None and output.strip() == "":
        raise invalid("output ''", "is empty", "name a file or a folder")
    showing = cli.Showing(resume_dir=resume_dir, has_preview=has_preview, preview_file=preview_file, together=together)
    showing.check()
    record = {} if repeat is None else muybridge.read_settings(repeat)
    saving = muybridge.SaveOptions.of(chosen).over(muybridge.SaveOptions.recorded(record))
    words = _prompts(prompts, prompts_file, record)
    films = chosen | {"seed": _seed(seed), "loras": _loras(loras, ignores_text=ignores_lora_text)}
    choices = muybridge.Settings.of(films).over(muybridge.Settings.recorded(record)).identified()
    console = Console(stderr=True)
    wanted = {"weights": weights, "vae_mode": vae_mode, "compiles": compiles}
    wanted |= {"quantise": quantise or record.get("quantise"), "attention": attention or record.get("attention")}
    run = muybridge.RunChoice(films=choices, memory=memory, wanted=wanted)
    pipe = _load(model, record, transformer=transformer, device=device, dtype=dtype, run=run, console=console)
    requests = pipe.requests(words, choices, resume_dir=resume_dir)
    jobs = cli.jobs_of(pipe, requests, output=output, saving=saving, is_resumed=resume_dir is not None)
    pipe.check(requests, memory=memory)
    made = cli.make(pipe, jobs, memory=memory, showing=showing, console=console)
    print(json.dumps({"films": made}, indent=2) if is_json else "\n".join(film["path"] for film in made))


def _load(
    model: str | None,
    record: dict[str, Any],
    *,
    transformer: Path | None,
    device: options.Device | None,
    dtype: options.Precision | None,
    run: "RunChoice",
    console: Console,
) -> "Pipeline":
    """The model chosen, else the recorded one, whose weights must then be the same but for those named here."""
    precision = dtype.value if dtype is not None else record.get("dtype")
    recorded = record.get("transformer") if model is None else None
    name = model or record.get("model", options.DEFAULT_MODEL)
    with ByteBars(console) as bars, console.status(f"loading {name}"):
        pipe = muybridge.load(
            name,
            transformer=transformer or recorded,
            device=device,
            dtype=precision,
            run=run,
            on_message=console.print,
            on_download=bars.show,
        )
    if chosen := rooms.unusual(pipe.components.run, device=pipe.device):
        console.print(f"{name}: {', '.join(chosen)}", style="dim", soft_wrap=True)
    if record and model is None:
        pipe.check_same_weights(record, without=() if transformer is None else ("transformer",))
    return pipe


def _loras(words: Sequence[str] | None, *, ignores_text: bool) -> "tuple[LoraUse, ...] | None":
    if not words:
        return None
    return tuple(muybridge.LoraUse.parse(word, ignores_text=ignores_text) for word in words)


def _prompts(prompts: Sequence[str] | None, file: str | None, record: dict[str, Any]) -> list[str]:
    """The prompts of exactly one source; those given in words stand in for the recorded one."""
    if prompts and file is not None:
        raise invalid("prompts and --prompts", "only one of them is read", "leave one out")
    if prompts:
        return list(prompts)
    if file is not None:
        return _read_prompts(file)
    if isinstance(record.get("prompt"), str):
        return [record["prompt"]]
    raise invalid("no prompt", "a film needs a sentence", 'write one, such as: muybridge generate "a horse gallops"')


def _read_prompts(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InvalidInput(f"--prompts {file}: cannot be read ({reason}); give a text file.") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise invalid(f"--prompts {file}", "holds no prompt", "write one a line")
    return lines


def _seed(seeds: Sequence[int] | None) -> int | list[int] | None:
    if not seeds:
        return None
    return seeds[0] if len(seeds) == 1 else list(seeds)
