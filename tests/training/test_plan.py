"""What a stage would take is said before it is trained, also for networks that would never fit."""

import pytest

from muybridge.core.counting import TRAINING_PASSES
from muybridge.training.config import RunConfig
from muybridge.training.plan import kept_bytes, plan_transformer, plan_vae
from muybridge.transformer.cost import forward_flops, num_parameters
from tests.transformer.networks import TINY
from tests.vae.small import SMALL, clip, small_vae

RUN = RunConfig(batch_size=4, num_steps=100, is_bf16=False)


def test_a_transformer_s_step_is_planned() -> None:
    plan = plan_transformer(TINY, RUN, latent_thw=(3, 4, 6), num_text_tokens=40, rows=4)
    weights = 4 * num_parameters(TINY)
    forward = forward_flops(TINY, num_visual_tokens=18, num_text_tokens=40, batch_size=4)
    assert plan.num_parameters == num_parameters(TINY) and plan.step_flops == TRAINING_PASSES * forward
    assert plan.checkpoint_bytes == 4 * weights and plan.state_bytes == 5 * weights
    assert plan.total_s == 100 * plan.step_s > 0


def test_activations_are_those_of_one_micro_batch_and_fall_with_recomputation() -> None:
    def kept(**changes: object) -> int:
        run = RunConfig(batch_size=4, is_bf16=False, **changes)  # type: ignore[arg-type]
        return plan_transformer(TINY, run, latent_thw=(3, 4, 6), num_text_tokens=40, rows=4).activation_bytes

    whole = kept()
    assert kept(num_micro_batches=4) == pytest.approx(whole / 4, rel=0.3)  # what does not grow with rows
    assert kept(recompute="full") < 0.6 * whole


def test_planned_activations_are_what_a_real_pass_keeps() -> None:
    vae = small_vae().train()
    real = kept_bytes(vae, lambda model: model.decode(model.encode(clip(5, 32, 32, batch=4)).mode()).mean())
    planned = plan_vae(SMALL, RUN, size_px=32, num_frames=5).activation_bytes
    assert planned == pytest.approx(real, rel=0.02)
