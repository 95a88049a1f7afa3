"""Options that more than one verb takes, or that are long to say: what of, how written, what they do."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "gallop"

# What to make.
Prompts = Annotated[list[str] | None, typer.Argument(metavar="PROMPT...", help="One sentence for each film.")]
PromptsFile = Annotated[
    str | None, typer.Option("--prompts", metavar="FILE", help="One prompt a line; - is standard input.")
]
Repeat = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Repeat a result: its .mp4, .png or .json. Other options override."),
]
Model = Annotated[str, typer.Option(help="A name of the catalogue, or a folder.")]
Size = Annotated[str | None, typer.Option(metavar="WIDTHxHEIGHT", help="In px, multiples of 16; or 540p, 720p.")]
Aspect = Annotated[str | None, typer.Option(metavar="W:H", help="Such as 16:9, instead of a size in px.")]
Frames = Annotated[int | None, typer.Option(help="4n+1; 1 makes a picture.")]
Seconds = Annotated[float | None, typer.Option(help="Instead of --frames: the nearest 4n+1 of them.")]
Fps = Annotated[int | None, typer.Option(help="Frames a second.")]
Steps = Annotated[int | None, typer.Option(help="Sampler steps.")]
Shift = Annotated[float | None, typer.Option(help="Bend of the noise levels.")]
Guidance = Annotated[
    str | None, typer.Option(metavar="SCALE", help="Embedded guidance, for weights that have it; written as --cfg.")
]
Cfg = Annotated[
    str | None,
    typer.Option(
        metavar="SCALE", help="True classifier-free guidance; 1 is off. 6, 1-6 over the steps, 6@0.2-0.8, 6#3-20."
    ),
]
Rescale = Annotated[float | None, typer.Option(help="Keep the contrast that cfg adds within bounds; 0 is off, 1 all.")]
CfgZeroStar = Annotated[bool | None, typer.Option("--cfg-zero-star", help="Scale the negative to fit (CFG-Zero*).")]
ZeroSteps = Annotated[int | None, typer.Option(help="First steps that leave the noise alone (CFG-Zero*).")]
Camera = Annotated[str | None, typer.Option(metavar="MOVEMENT", help="Such as pan_left, in the words of the training.")]
PromptAt = Annotated[
    list[str] | None,
    typer.Option(metavar="TIME=PROMPT", help="What PROMPT gives way to, at a frame or 1.5s; may be repeated."),
]
Negative = Annotated[str | None, typer.Option(metavar="TEXT", help="What to avoid; needs --cfg above 1.")]
Seed = Annotated[
    list[int] | None, typer.Option(help="Film i gets SEED + i; or give it once per prompt. Default: random.")
]
Sampler = Annotated[str | None, typer.Option(help="euler, heun, ab2 or abm2.")]
Steady = Annotated[float | None, typer.Option(help="Averaging along the motion, against flicker; 0 is off.")]
Window = Annotated[
    int | None, typer.Option(metavar="FRAMES", help="Make a longer film so many frames at a time; 0 makes it whole.")
]
Context = Annotated[
    int | None, typer.Option(metavar="FRAMES", help="Make a film whole, but show the network so many frames at a time.")
]
RiflexSwitch = Annotated[
    str | None,
    typer.Option("--riflex", metavar="auto|on|off", help="Against films that repeat; auto: over 192 frames."),
]
Quality = Annotated[
    str | None, typer.Option(metavar="psnr>=DB", help="Predict steps, but stay so close to the film of all steps.")
]
Speed = Annotated[
    str | None, typer.Option(metavar="NUMBERx", help="Predict steps: so many times fewer network evaluations.")
]

# What to make it from.
Image = Annotated[Path | None, typer.Option(metavar="FILE", help="The first frame, or what --mask frees parts of.")]
LastImage = Annotated[Path | None, typer.Option(metavar="FILE", help="The last frame.")]
Keyframes = Annotated[
    list[str] | None,
    typer.Option("--keyframe", metavar="TIME=FILE", help="A picture at a frame or 1.5s; may be repeated."),
]
Video = Annotated[Path | None, typer.Option(metavar="FILE", help="A film, or picture, to make anew.")]
Strength = Annotated[float | None, typer.Option(help="How much of --video is made anew: the share of the steps.")]
Mask = Annotated[
    Path | None, typer.Option(metavar="FILE", help="White is made anew, black stays: of --image or --video.")
]
Extend = Annotated[Path | None, typer.Option(metavar="FILE", help="A film to continue; --frames counts the overlap.")]
Direction = Annotated[str | None, typer.Option(metavar="forwards|backwards", help="Where --extend goes on.")]
Overlap = Annotated[int | None, typer.Option(help="Frames in common with --extend, 4n+1.")]
Loop = Annotated[bool | None, typer.Option("--loop", help="The last frame meets the first.")]
Dynamic = Annotated[bool | None, typer.Option("--dynamic", help="More motion, of weights made for pictures.")]

# What to change of the model.
Loras = Annotated[
    list[str] | None,
    typer.Option("--lora", metavar="FILE[:WEIGHT][@BLOCKS][#STEPS]", help="Change the model; may be repeated."),
]
IgnoresLoraText = Annotated[
    bool, typer.Option("--ignore-lora-text", help="Use a LoRA without its changes of a text encoder.")
]

# How it is written.
Codec = Annotated[str | None, typer.Option(help="h264, h265, av1, vp9, prores, prores4444, ffv1. Default: by name.")]
Crf = Annotated[int | None, typer.Option(help="0 is best; the scale is the codec's own.")]
Bitrate = Annotated[str | None, typer.Option(metavar="8M", help="Bits a second, instead of --crf.")]
Bits = Annotated[int | None, typer.Option(help="8 or 10 a channel, where the codec has both.")]
OutputFps = Annotated[float | None, typer.Option(metavar="FPS", help="Another rate in the file, the same length.")]
Between = Annotated[str | None, typer.Option(metavar="repeat|blend", help="What --output-fps does between frames.")]
Interpolate = Annotated[int | None, typer.Option(metavar="TIMES", help="So many times more frames, by motion.")]
Audio = Annotated[Path | None, typer.Option(metavar="FILE", help="Its sound goes with the film.")]
Stills = Annotated[
    str | None, typer.Option(metavar="first,last,sheet", help="Pictures beside the film, such as NAME.first.png.")
]

# How to run it.
Memory = Annotated[
    str, typer.Option(metavar="auto|AMOUNT", help="The most memory to use, such as 12GiB; auto: what is free.")
]
Quantise = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEME", help="Smaller weights for the blocks: int8, int8-weights, fp8, fp8-weights, int4 or nf4."
    ),
]
Weights = Annotated[str | None, typer.Option(help="Where the blocks wait: device, host or disk. Default: chosen.")]
VaeMode = Annotated[
    str | None, typer.Option(help="whole, exact, spill, stream, or tiled as released. Default: chosen.")
]
Attention = Annotated[
    str | None, typer.Option(metavar="NAME", help="A kernel, or a sparse pattern such as radial:0.5. Default: exact.")
]
Compiles = Annotated[bool, typer.Option("--compile", help="Compile the blocks first; pays from minutes on.")]
Together = Annotated[
    bool | None,
    typer.Option(
        "--together/--one-by-one", help="Films share each pass of the network, or not. Default: where it is faster."
    ),
]
ResumeDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep what is computed there; after a stop the same command goes on."),
]

# What to read and write.
ModelOrRecorded = Annotated[
    str | None, typer.Option(help=f"A name of the catalogue, or a folder. Default: {DEFAULT_MODEL}.")
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE|DIR", help="Default: films/PROMPT-SEED.mp4, .png for pictures."),
]
Transformer = Annotated[Path | None, typer.Option(metavar="FILE", help="Other weights, in any layout.")]
HasPreview = Annotated[bool, typer.Option("--preview", help="Draw the film so far above the bars.")]
PreviewFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the film so far to a .webp or .gif, now and then.")
]
IsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Device(StrEnum):
    """Where to compute."""

    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    """What to compute in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


ComputeDevice = Annotated[Device | None, typer.Option(help="Default: cuda where there is one.")]
Dtype = Annotated[Precision | None, typer.Option(help="Default: float32 on cpu, bfloat16 on cuda.")]
