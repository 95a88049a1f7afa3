"""How the small networks are made that curation and captioning measure with: `muybridge train NAME`."""

from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.curating.camera import CameraStage
from muybridge.training.curating.marks import MarkStage
from muybridge.training.curating.quality import QualityStage
from muybridge.training.curating.sight import SightStage
from muybridge.training.curating.similarity import VideoClipStage
from muybridge.training.curating.sound import SoundStage
from muybridge.training.curating.writer import WriterStage


def curation_quality() -> QualityStage:
    """How damaged a picture is, from ladders of ten damages over renders, photographs, panoramas and textures.

    One CPU core, beside other work: 7 minutes to make 3,000 ladders, 10 s to train. On held-out pictures, the mean rank
    correlation of damage and strength along one picture's ladder: H.264 0.86, ghosting 0.87, the others 0.91 to 1.00;
    over all pictures together ghosting 0.46, the others 0.66 to 0.88. Along those of seven natural films, which no
    training saw: ghosting 0.59, which texture that repeats hides, the others 0.84 to 0.99. A frame of each as it is
    scores 0.19 to 0.99, 0.77 on the median; damaged with strengths of 0.75 and more, 0.20 on the median
    (benchmarks/curation_measures.py).
    """
    return QualityStage(
        run=RunConfig(
            num_steps=3000, batch_size=64, ema_decay=0.99, is_bf16=False, validate_every_steps=1500,
            checkpoint_every_steps=1500,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=100, decay_steps=2500, weight_decay=0.1),
        ),
    )  # fmt: skip


def curation_clip() -> VideoClipStage:
    """Clips and captions as vectors of one space, from clips of both worlds, their captions, and copies of the clips.

    Half a CPU core: 15 minutes to draw 2,250 clips and have their captions read, 19 to train. Among 250 clips of
    held-out combinations the right one is the first for its caption 63 % of the time, among the first five 91 %; of a
    copy that was cropped, mirrored, retimed and recoloured at once, the original 89 % and 98 % (measured).
    """
    return VideoClipStage(
        run=RunConfig(
            num_steps=700, batch_size=64, ema_decay=0.99, validate_every_steps=100, checkpoint_every_steps=50,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=40, decay_steps=500, weight_decay=0.01),
        ),
    )  # fmt: skip


def curation_marks() -> MarkStage:
    """Watermarks, logos and borders, from 8,000 films that marks were pasted over; no camera footage among them.

    One CPU core: 9 minutes to draw the films, 27 to train; the first 3,000 steps see them at 160 px instead of 256. On
    240 held-out films, marks and backdrops unseen: mAP50 0.79 (watermarks 0.80, logos 0.63, borders 0.93), on those of
    one frame 0.64; after 5,000 steps 0.76. It still gains: more steps are worth their time. Over natural films:
    benchmarks/marks.py. While the shipped file was made, the number of steps, of small steps and of the decay were
    changed before the first step that they bear on.
    """
    return MarkStage(
        num_small_steps=3000,
        run=RunConfig(
            num_steps=6800, batch_size=16, is_bf16=False, validate_every_steps=2500, checkpoint_every_steps=100,
            optimizer=OptimizerConfig(
                lr=3e-3, warmup_steps=100, decay_steps=2800, weight_decay=0.02, max_grad_norm=10.0
            ),
        ),
    )  # fmt: skip


def caption_camera() -> CameraStage:
    """The fourteen camera movements, from the flow of 3,360 clips of both worlds, things moving in most.

    One CPU core: 25 minutes to draw the clips, 3 minutes to train. On 336 held-out clips (other drawings and other
    scenes) that nobody looked at, macro-F1 0.967 (95 % 0.945 to 0.985): 0.964 in the staged world, 0.973 in the physics
    one; calibration error 0.017 (benchmarks/camera.py).
    """
    return CameraStage(
        run=RunConfig(
            num_steps=8000, batch_size=256, ema_decay=0.995, is_bf16=False, validate_every_steps=2000,
            checkpoint_every_steps=2000,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=200, decay_steps=7500, weight_decay=0.05),
        ),
    )  # fmt: skip


def curation_sound() -> SoundStage:
    """Speech, music and effects, from 1,500 mixtures of sounds that are made up, and of a CC0 voice.

    One CPU core, beside other work: 3 minutes to make the sounds, 10 s to train. F1 on held-out made ones: speech 0.94,
    music 0.94, effects 0.90. On real ones, which no training saw: speech 0.92, music 0.68, effects 0.73
    (benchmarks/curation_sound.py). Music that was made more like real music, with choirs, bowed bodies and bent phases,
    made it worse: two of five, then one of four real voices passed for music. The shipped file was made before two late
    mends of features and dropout; made again, real ones come out at 0.91, 0.58 and 0.75.
    """
    return SoundStage(
        run=RunConfig(
            num_steps=1500, batch_size=256, ema_decay=0.995, is_bf16=False, validate_every_steps=500,
            checkpoint_every_steps=500,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=50, decay_steps=1000, weight_decay=0.1),
        ),
    )  # fmt: skip


def caption_sight() -> SightStage:
    """What our captioner sees with: eighteen questions about a clip, from 6,700 clips of both worlds and their mirrors.

    Half a CPU core, beside other work: 35 minutes to draw the clips and have the trunk look at them, 25 to train (about
    half of that alone). On 120 clips of held-out combinations the likeliest answer is right 93 % of the time in the
    mean: who is there 86 % (sprites 92 %, physics 78 %), beside whom 84 %, a physics thing's colour and material 95 %,
    motion 94 %, its way 99 %, place 98 %, light 94 %, style 100 %, the kind of shot 79 %, the camera 83 % (measured).
    With 4,400 clips, no mirrors and no fine features it was 89 %, who is there 72 %.
    """
    return SightStage(
        run=RunConfig(
            num_steps=3200, batch_size=32, ema_decay=0.99, is_bf16=False, log_every_steps=50, validate_every_steps=400,
            checkpoint_every_steps=200,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=100, decay_steps=2200, weight_decay=0.05),
        ),
    )  # fmt: skip


def caption_writer() -> WriterStage:
    """SmolLM2's part of our captioner: captions of what is seen, from 2,000 scenes of both worlds.

    A third of a CPU core, beside other work: 9 s a step, 70 minutes in all. On held-out scenes, shown the true answers,
    88 % of the next tokens are right, wordings being drawn at random; after 280 steps it was 86 %.
    Captions of clips that it sees for itself: benchmarks/captions.py --captioner small (measured).
    """
    return WriterStage(
        run=RunConfig(
            num_steps=440, batch_size=4, ema_decay=0.97, log_every_steps=5, validate_every_steps=110,
            checkpoint_every_steps=20,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=20, decay_steps=220, weight_decay=0.01),
        ),
    )  # fmt: skip
