"""The VAE's loss: every term matters, micro-batches add up, the critic hears what was decoded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.data.clips import ClipsConfig, ClipStream, WorldFootage
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.stages import VAEStage, train_vae
from muybridge.training.task import Sampling
from muybridge.training.tasks.reconstruction import (
    ReconstructionTask,
    ReconstructionWeights,
    gradient_norm,
    last_layer,
    paper_weights,
)
from muybridge.training.tasks.windows import busy_windows
from muybridge.training.trainer import Trainer
from muybridge.vae import VideoVAE
from muybridge.vae.discriminator import AdversaryConfig, PatchDiscriminator
from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.vae.linear_path import START_LOGVAR
from muybridge.vae.perceptual import PerceptualDistance
from muybridge.vae.tiling import Tiling
from muybridge.weights.load import load_vae
from tests.data.small import SIZE_PX, small_vae_config, small_world
from tests.vae.small import clip, small_vae

FOOTAGE = WorldFootage(world=small_world())
ADVERSARY = AdversaryConfig(channels=(8, 16), norm_groups=4, ramp_steps=0)
SHARE = 0.02  # of the gradient's length at the decoder's last layer, below which a term would do nothing


def vae(*, logvar: float = START_LOGVAR) -> VideoVAE:
    """Nothing zero in it, posteriors as narrow as training starts with; decodes somewhere near the range of pixels."""
    model = small_vae(small_vae_config())
    with torch.no_grad():
        bias = model.quant_conv.bias
        assert bias is not None
        model.quant_conv.weight[4:].mul_(0.1)
        bias[4:] = logvar
        model.decoder.conv_out.conv.weight.mul_(0.3)
    return model


def task(weights: ReconstructionWeights | None = None, **settings: Any) -> ReconstructionTask:
    torch.manual_seed(0)
    stream = ClipStream(world=small_world(), config=ClipsConfig(size_px=SIZE_PX, num_frames=5, images_every=5), seed=0)
    features = PerceptualDistance(EfficientNetFeatures((0, 2)))
    chosen = weights or paper_weights()
    defaults = {"held_out": clip(5, SIZE_PX, SIZE_PX), "features": features, "adversary": ADVERSARY}
    critic = PatchDiscriminator(ADVERSARY)
    return ReconstructionTask(clips=stream, weights=chosen, critic=critic, **(defaults | settings))


def test_every_term_of_the_papers_loss_reaches_the_last_layer() -> None:
    model, subject = vae(), task()
    terms = subject.terms(model, 0, batch_size=2)
    assert set(terms) == {"l1", "perceptual", "adversarial", "kl"}
    reaching = {name: getattr(subject.weights, name) * gradient_norm(terms[name], last_layer(model))
                for name in ("l1", "perceptual", "adversarial")}  # fmt: skip
    shares = {name: length / sum(reaching.values()) for name, length in reaching.items()}
    assert min(shares.values()) > SHARE, shares


def test_kl_keeps_posteriors_from_narrowing_without_end() -> None:
    """At 1e-6 it is nothing beside L1 at first, and the stronger one before the posterior is a point."""

    def share(logvar: float) -> float:
        model, subject = vae(logvar=logvar), task()
        terms, bias = subject.terms(model, 0, batch_size=2), model.quant_conv.bias
        assert bias is not None
        lengths = []
        for name in ("kl", "l1"):
            (gradient,) = torch.autograd.grad(terms[name], bias, retain_graph=True)
            lengths.append(getattr(subject.weights, name) * float(gradient[4:].norm()))
        return lengths[0] / sum(lengths)

    assert 0 < share(START_LOGVAR) < 0.1
    assert share(-25.0) > 0.5


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    model, subject = vae(), task()
    total, figures = subject.loss(model, 3, batch_size=2)
    expected = sum(getattr(subject.weights, name) * value for name, value in figures.items())
    torch.testing.assert_close(float(total.detach()), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", [0, 4])  # clips; pictures
def test_micro_batches_add_up_to_the_whole(step: int) -> None:
    weights = replace(paper_weights(), latent_noise=0.1, squared=1.0)
    model, whole, halves = vae(), task(weights), task(weights, num_micro_batches=2)
    expected = whole.loss(model, step, batch_size=2)[0]
    parts = [halves.loss(model, step, batch_size=1, micro=micro)[0] for micro in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), expected)
    critic = [halves.critic_loss(step, micro=micro)[0] for micro in range(2)]
    torch.testing.assert_close(torch.stack(critic).mean(), whole.critic_loss(step)[0])


def test_the_critic_learns_from_detached_clips_and_only_from_its_start() -> None:
    model, subject = vae(), task(adversary=replace(ADVERSARY, start_step=2))
    assert "adversarial" not in subject.loss(model, 1, batch_size=1)[1]
    assert "adversarial" in subject.loss(model, 2, batch_size=1)[1]
    subject.critic_loss(2)[0].backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert subject.critic is not None and all(p.grad is not None for p in subject.critic.parameters())


def test_an_adaptive_weight_makes_the_terms_equally_long() -> None:
    weights = replace(paper_weights(), adversarial=1.0, kl=0.0, perceptual=0.0)
    model, subject = vae(), task(weights, adversary=replace(ADVERSARY, is_weight_adaptive=True))
    figures = subject.loss(model, 0, batch_size=1)[1]
    terms = subject.terms(model, 0, batch_size=1)
    adversarial = figures["adaptive_weight"] * gradient_norm(terms["adversarial"], last_layer(model))
    assert adversarial == pytest.approx(gradient_norm(terms["l1"], last_layer(model)), rel=0.05)  # the epsilon


def test_some_steps_are_tiled() -> None:
    model, tiling = vae(), Tiling(sample_px=16, sample_frames=8, overlap=0.5)

    def loss(step: int, share: float) -> Tensor:
        subject = task(ReconstructionWeights(), tiling=tiling, tiled_share=share)
        return subject.loss(model, step, batch_size=1)[0].detach()

    assert {torch.equal(loss(step, 0.5), loss(step, 0.0)) for step in range(4)} == {True, False}
    assert not torch.equal(loss(0, 1.0), loss(0, 0.0))


def test_terms_without_what_they_need_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"perceptual=0\.1: this term needs"):
        task(features=None)
    with pytest.raises(InvalidInput, match="tiled_share=2"):
        task(tiled_share=2)
    with pytest.raises(InvalidInput, match=r"adversarial=0\.05: this term needs a critic"):
        ReconstructionTask(
            clips=task().clips, weights=replace(paper_weights(), perceptual=0.0), held_out=clip(5, 32, 32)
        )


def test_it_shows_held_out_clips_and_their_reconstructions() -> None:
    subject = task()
    assert isinstance(subject, Sampling)
    shown = subject.samples(vae())
    assert {name: films.shape for name, films in shown.items()} == {
        "original": (1, 5, SIZE_PX, SIZE_PX, 3), "decoded": (1, 5, SIZE_PX, SIZE_PX, 3),
    }  # fmt: skip
    assert {"psnr_db", "ssim", "perceptual", "latent_rms"} == set(subject.validate(vae()))


def stage(num_steps: int, **changes: Any) -> VAEStage:
    run = RunConfig(
        num_steps=num_steps, batch_size=2, is_bf16=False, checkpoint_every_steps=2, validate_every_steps=9,
        optimizer=OptimizerConfig(warmup_steps=1),
    )  # fmt: skip
    weights = replace(paper_weights(), perceptual=0.0)
    clips = ClipsConfig(size_px=SIZE_PX, num_frames=5)
    whole = VAEStage(vae=small_vae_config(), clips=clips, weights=weights, run=run, adversary=ADVERSARY)
    return replace(whole, num_held_out=1, held_out_frames=5, **changes)


def test_a_run_with_a_critic_resumes_bit_for_bit(tmp_path: Path) -> None:
    adversary = replace(ADVERSARY, start_step=1)
    train_vae(stage(2, adversary=adversary), tmp_path / "cut", footage=FOOTAGE)
    cut = load_vae(train_vae(stage(4, adversary=adversary), tmp_path / "cut", footage=FOOTAGE))
    whole = load_vae(train_vae(stage(4, adversary=adversary), tmp_path / "whole", footage=FOOTAGE))
    assert all(torch.equal(a, b) for a, b in zip(cut.parameters(), whole.parameters(), strict=True))


def test_a_vae_without_a_linear_path_starts_from_scratch(tmp_path: Path) -> None:
    config = replace(small_vae_config(), has_linear_path=False)
    path = train_vae(stage(2, vae=config, is_from_patches=False), tmp_path, footage=FOOTAGE)
    assert load_vae(path).config.has_linear_path is False


def test_the_trainer_moves_model_and_critic(tmp_path: Path) -> None:
    model, subject = vae(), task(replace(paper_weights(), perceptual=0.0))
    assert subject.critic is not None
    before = [p.detach().clone() for p in (*model.parameters(), *subject.critic.parameters())]
    settings = stage(1)
    Trainer(model, subject, settings.run, folder=tmp_path, settings=settings_of(settings)).run()
    after = (*model.parameters(), *subject.critic.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_windows_are_busy_and_on_the_grid_of_cells() -> None:
    pixels = torch.zeros(1, 3, 5, 64, 64)
    pixels[..., 40:56, 8:24] = clip(5, 16, 16)
    where = torch.arange(64.0).expand(64, 64)
    numbered = torch.stack([where.T, where, pixels[0, 0, 0]])[None, :, None].repeat(1, 1, 5, 1, 1)
    numbered[:, :2] *= 1e-4
    corners, hits = set(), 0
    for number in range(40):
        window = busy_windows(numbered, size_px=16, draws=[torch.Generator().manual_seed(number)])[0, :, 0]
        top, left = (round(float(value) * 1e4) for value in window[:2, 0, 0])
        corners.add((top % 8, left % 8))
        hits += 32 <= top <= 48 and 0 <= left <= 16
    assert corners == {(0, 0)} and hits > 36
    assert busy_windows(pixels, size_px=64, draws=[]) is pixels
    with pytest.raises(InvalidInput, match="window_px=12"):
        busy_windows(pixels, size_px=12, draws=[])


def test_a_new_decoder_learns_on_windows_of_the_latents_that_there_are(tmp_path: Path) -> None:
    weights = replace(ReconstructionWeights(), latent_noise=0.0)
    first = train_vae(stage(2, weights=weights), tmp_path / "first", footage=FOOTAGE)
    config = replace(small_vae_config(), decoder_channels=(16,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell")
    settings = {"vae": config, "weights": weights, "is_encoder_frozen": True, "has_new_decoder": True, "window_px": 16}
    second = train_vae(stage(2, **settings), tmp_path / "second", footage=FOOTAGE, start=first)
    before, after, pixels = load_vae(first), load_vae(second), clip(5, 32, 32)
    assert torch.equal(before.encode(pixels).mean, after.encode(pixels).mean)
    assert after.config == replace(config, scaling_factor=before.config.scaling_factor)
    assert float(after.decoder.conv_out.conv.weight.abs().max()) > 0
