"""The arithmetic between pixels, latents and tokens: the only place for 4n+1, /8 and patch maths."""

from muybridge.core.errors import invalid

TEMPORAL_RATIO = 4  # paper 4.1: frames per latent frame
SPATIAL_RATIO = 8  # paper 4.1: pixels per latent cell, each way


def check_num_frames(num_frames: int, *, ratio: int = TEMPORAL_RATIO) -> None:
    """Raises InvalidInput unless `num_frames` is ratio*n + 1."""
    if num_frames >= 1 and (num_frames - 1) % ratio == 0:
        return
    below = max(1, (num_frames - 1) // ratio * ratio + 1)
    nearest = f"use {below} or {below + ratio}" if num_frames > 1 else "use 1 for a picture or 17 for a film"
    raise invalid(f"num_frames={num_frames}", f"this VAE needs {ratio}n+1 frames", nearest)


def nearest_frames(wanted: float, *, ratio: int = TEMPORAL_RATIO) -> int:
    """The number ratio*n + 1 that is nearest to `wanted`."""
    return max(0, round((wanted - 1) / ratio)) * ratio + 1


def check_size(width_px: int, height_px: int, *, multiple: int) -> None:
    """Raises InvalidInput unless both sides are positive multiples of `multiple` pixels."""
    for name, side in (("width", width_px), ("height", height_px)):
        if side < multiple or side % multiple:
            below = max(multiple, side // multiple * multiple)
            remedy = f"use {below}" if side < multiple else f"use {below} or {below + multiple}"
            raise invalid(f"{name}={side}", f"sizes are multiples of {multiple} px", remedy)


def latent_frames(num_frames: int, *, ratio: int = TEMPORAL_RATIO) -> int:
    """Latent frames of `ratio`*n + 1 frames: n + 1."""
    check_num_frames(num_frames, ratio=ratio)
    return (num_frames - 1) // ratio + 1


def latent_shape(
    num_frames: int, height_px: int, width_px: int, *, channels: int = 16, spatial: int = SPATIAL_RATIO
) -> tuple[int, int, int, int]:
    """(c, t, h, w) of the latents of one film."""
    check_size(width_px, height_px, multiple=spatial)
    return channels, latent_frames(num_frames), height_px // spatial, width_px // spatial


def token_grid(latent_thw: tuple[int, int, int], patch_size: tuple[int, int, int]) -> tuple[int, int, int]:
    """(t, h, w) of the token grid; raises InvalidInput where a patch does not divide its axis."""
    for axis, size, patch in zip("thw", latent_thw, patch_size, strict=True):
        if size % patch:
            raise invalid(f"latent {axis}={size}", f"must be a multiple of the patch {patch}", "change the size")
    t, h, w = (size // patch for size, patch in zip(latent_thw, patch_size, strict=True))
    return t, h, w
