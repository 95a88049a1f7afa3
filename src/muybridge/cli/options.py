"""Options that more than one verb takes, or that are long to say, in the groups that --help shows."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "gallop"

shown = partial(typer.Option, rich_help_panel="What to show")
long = partial(typer.Option, rich_help_panel="How long")
given = partial(typer.Option, rich_help_panel="What it is made from")
guided = partial(typer.Option, rich_help_panel="How closely the prompt is followed")
sampled = partial(typer.Option, rich_help_panel="How it is sampled")
model = partial(typer.Option, rich_help_panel="Which model")
run = partial(typer.Option, rich_help_panel="How it is run")
written = partial(typer.Option, rich_help_panel="What is written, and shown meanwhile")


class Device(StrEnum):
    """Where to compute."""

    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    """What to compute in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Prompts = Annotated[list[str] | None, typer.Argument(metavar="PROMPT...", help="One sentence for each film.")]
PromptsFile = Annotated[str | None, shown("--prompts", metavar="FILE", help="One prompt a line; - is standard input.")]
Repeat = Annotated[
    Path | None,
    shown("--from", metavar="FILE", help="Repeat a result: its .mp4, .png or .json. Other options override."),
]
Seed = Annotated[
    list[int] | None, shown(metavar="SEED", help="Film i gets SEED + i; or one for each prompt. Default: random.")
]
Size = Annotated[str | None, shown(metavar="WIDTHxHEIGHT", help="In px, multiples of 16; or 540p, 720p.")]
Aspect = Annotated[str | None, shown(metavar="W:H", help="Such as 16:9, instead of a size in px.")]
Camera = Annotated[str | None, shown(metavar="MOVEMENT", help="Such as pan_left, in the words of the training.")]
PromptAt = Annotated[
    list[str] | None,
    shown(metavar="TIME=PROMPT", help="What PROMPT gives way to, at a frame or 1.5s; may be repeated."),
]

Frames = Annotated[int | None, long(metavar="NUMBER", help="4n+1, such as 17 or 33; 1 makes a picture.")]
Seconds = Annotated[float | None, long(metavar="SECONDS", help="Instead of --frames: the nearest 4n+1 of them.")]
Fps = Annotated[int | None, long(metavar="NUMBER", help="Frames a second that it plays at.")]
Window = Annotated[
    int | None, long(metavar="FRAMES", help="Make a longer film so many frames at a time; 0 makes it whole.")
]
Context = Annotated[
    int | None, long(metavar="FRAMES", help="Make a film whole, but show the network so many frames at a time.")
]
RiflexSwitch = Annotated[
    str | None,
    long("--riflex", metavar="auto|on|off", help="Keep films from starting over (RIFLEx); auto: beyond 192 frames."),
]

Image = Annotated[Path | None, given(metavar="FILE", help="The first frame, or what --mask frees parts of.")]
LastImage = Annotated[Path | None, given(metavar="FILE", help="The last frame.")]
Keyframes = Annotated[
    list[str] | None,
    given("--keyframe", metavar="TIME=FILE", help="A picture at a frame or 1.5s; may be repeated."),
]
Video = Annotated[Path | None, given(metavar="FILE", help="A film, or picture, to make anew.")]
Strength = Annotated[
    float | None, given(metavar="0..1", help="How much of --video is made anew: the share of the steps.")
]
Mask = Annotated[Path | None, given(metavar="FILE", help="White is made anew, black stays: of --image or --video.")]
Extend = Annotated[Path | None, given(metavar="FILE", help="A film to continue; --frames counts the overlap.")]
Direction = Annotated[
    str | None, given(metavar="forwards|backwards", help="Where --extend goes on. Default: forwards.")
]
Overlap = Annotated[int | None, given(metavar="FRAMES", help="In common with --extend, 4n+1. Default: 9.")]
Loop = Annotated[bool | None, given("--loop", help="Close the film: its last frame meets its first.")]
Dynamic = Annotated[bool | None, given("--dynamic", help="More motion, of weights made for pictures.")]

Negative = Annotated[str | None, guided(metavar="TEXT", help="What to avoid; needs --cfg above 1.")]
Cfg = Annotated[
    str | None,
    guided(
        metavar="SCALE", help="Classifier-free: 6, 1-6 over the steps, 6@0.2-0.8 by level, 6#3-20 by step; 1 is off."
    ),
]
Guidance = Annotated[
    str | None, guided(metavar="SCALE", help="Of distilled weights, embedded in them; written as --cfg.")
]
Rescale = Annotated[
    float | None, guided(metavar="0..1", help="How much of the contrast that --cfg adds is taken back; 0 is off.")
]
CfgZeroStar = Annotated[bool | None, guided("--cfg-zero-star", help="Scale the negative to fit (CFG-Zero*).")]
ZeroSteps = Annotated[int | None, guided(metavar="NUMBER", help="First steps that leave the noise alone (CFG-Zero*).")]

Steps = Annotated[int | None, sampled(metavar="NUMBER", help="Fewer are faster, more are better.")]
Sampler = Annotated[str | None, sampled(metavar="NAME", help="euler, heun, ab2 or abm2.")]
Shift = Annotated[float | None, sampled(metavar="NUMBER", help="Above 1: more of the steps at high noise levels.")]
Steady = Annotated[
    float | None, sampled(metavar="NUMBER", help="Averaging along the motion, against flicker; 0 is off.")
]
Quality = Annotated[
    str | None, sampled(metavar="psnr>=DB", help="Predict steps, but stay about so close to the film of all steps.")
]
Speed = Annotated[
    str | None, sampled(metavar="NUMBERx", help="Predict steps: so many times fewer network evaluations.")
]

Model = Annotated[str, model(metavar="NAME|FOLDER", help="A name of the catalogue, or a folder.")]
ModelOrRecorded = Annotated[
    str | None, model(metavar="NAME|FOLDER", help=f"A name of the catalogue, or a folder. Default: {DEFAULT_MODEL}.")
]
Transformer = Annotated[Path | None, model(metavar="FILE", help="Other weights for its transformer, in any layout.")]
Loras = Annotated[
    list[str] | None,
    model("--lora", metavar="FILE[:WEIGHT][@BLOCKS][#STEPS]", help="Change the model; may be repeated."),
]
IgnoresLoraText = Annotated[bool, model("--ignore-lora-text", help="Use a LoRA without its changes of a text encoder.")]

ComputeDevice = Annotated[Device | None, run(help="Default: cuda where there is one.")]
Dtype = Annotated[Precision | None, run(help="Default: float32 on cpu, bfloat16 on cuda.")]
Memory = Annotated[str, run(metavar="auto|AMOUNT", help="The most memory to use, such as 12GiB; auto: what is free.")]
Quantise = Annotated[
    str | None,
    run(metavar="SCHEME", help="Smaller weights for the blocks: int8, int8-weights, fp8, fp8-weights, int4 or nf4."),
]
Weights = Annotated[
    str | None, run(metavar="PLACE", help="Where the blocks wait: device, host or disk. Default: chosen.")
]
VaeMode = Annotated[
    str | None, run(metavar="NAME", help="whole, exact, spill, stream, or tiled as released. Default: chosen.")
]
Attention = Annotated[
    str | None, run(metavar="NAME", help="A kernel, or a sparse pattern such as radial:0.5. Default: exact.")
]
Compiles = Annotated[bool, run("--compile", help="Compile the blocks first; pays from minutes on.")]
Together = Annotated[
    bool | None,
    run("--together/--one-by-one", help="Films share each pass of the network, or not. Default: where it is faster."),
]
ResumeDir = Annotated[
    Path | None,
    run(metavar="DIR", help="Keep what is computed there; after a stop the same command goes on."),
]

Output = Annotated[
    str | None,
    written(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help="Its extension says the format. Default: films/PROMPT-SEED.mp4, .png for pictures.",
    ),
]
Codec = Annotated[
    str | None,
    written(metavar="NAME", help="h264, h265, av1, vp9, prores, prores4444, ffv1. Default: by the extension."),
]
Crf = Annotated[int | None, written(metavar="NUMBER", help="Quality: 0 is best; the scale is the codec's own.")]
Bitrate = Annotated[str | None, written(metavar="8M", help="Bits a second, instead of --crf.")]
Bits = Annotated[int | None, written(metavar="8|10", help="Bits a channel, where the codec has both.")]
OutputFps = Annotated[float | None, written(metavar="FPS", help="Another rate in the file, the same length.")]
Between = Annotated[str | None, written(metavar="repeat|blend", help="What --output-fps does between frames.")]
Interpolate = Annotated[int | None, written(metavar="TIMES", help="So many times more frames, by motion.")]
Audio = Annotated[Path | None, written(metavar="FILE", help="Its sound goes with the film.")]
Stills = Annotated[
    str | None, written(metavar="first,last,sheet", help="Pictures beside the film, such as NAME.first.png.")
]
HasPreview = Annotated[bool, written("--preview", help="Draw the film so far above the bars.")]
PreviewFile = Annotated[
    Path | None, written(metavar="FILE", help="Write the film so far to a .webp or .gif, now and then.")
]
IsJson = Annotated[bool, written("--json", help="Print JSON for machines.")]
