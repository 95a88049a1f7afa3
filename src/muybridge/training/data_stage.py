"""Training on a user's own films and pictures, as `muybridge encode` left them."""

from pathlib import Path

import torch

from muybridge.data.encode import set_path
from muybridge.data.encoded import EncodedLatents
from muybridge.data.latents import ReadAhead
from muybridge.text.encoder import BulkTextEncoder, TextStates
from muybridge.training.stages import VALIDATION_BATCH, FlowStage, fit_flow, flow_task
from muybridge.training.trainer import OnStep

HELD_OUT_SET = "held-out"


def train_flow_on_data(
    stage: FlowStage,
    folder: Path,
    *,
    data: Path,
    name: str | None = None,
    text: BulkTextEncoder,
    start: Path | None = None,
    vae: Path | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """Train on the encoded set `name` of `data`, whose largest bucket has `run.batch_size` rows and others as many
    tokens; the file of the averaged weights.

    The set "held-out" is validated on and may not be trained on; where there is none, validation looks at samples that
    are trained on. name: may be left out where `data` holds one other set. vae: weights that decode samples. Raises
    InvalidInput where there is no such set.
    """
    train = training_set(data, name, multiple=stage.run.num_micro_batches)
    held_out = EncodedLatents(data, name=HELD_OUT_SET) if HELD_OUT_SET in _names(data) else train
    ahead = ReadAhead(train)
    task = flow_task(stage, ahead, held_out.leading(VALIDATION_BATCH), empty=empty_states(text), vae=vae)
    try:
        return fit_flow(stage, folder, task=task, start=start, on_step=on_step)
    finally:
        ahead.close()


def training_set(data: Path, name: str | None = None, *, multiple: int = 1) -> EncodedLatents:
    """The encoded set that is trained on: the one of this name, or the only one beside "held-out".

    multiple: of which batches' rows are. Raises InvalidInput where there is no such set.
    """
    others = [found for found in _names(data) if found != HELD_OUT_SET]
    chosen = name or (others[0] if len(others) == 1 else None)
    return EncodedLatents(data, name=chosen, multiple=multiple)


def _names(data: Path) -> list[str]:
    """The encoded sets in `data`."""
    lists = set_path(data, HELD_OUT_SET).parent.glob("*.json")
    return [path.stem for path in lists if not path.stem.endswith(".report")]


def empty_states(text: BulkTextEncoder) -> TextStates:
    """The states of the empty prompt, which stand for a caption that is left out."""
    states, pooled = next(iter(text.encode_many([""])))
    mask = torch.ones(1, len(states), dtype=torch.bool)
    return TextStates(states=states[None], mask=mask, pooled=pooled[None])
