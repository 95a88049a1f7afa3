"""From a file to a bucket's pixels."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.data.buckets import Bucket
from muybridge.data.record import MediaFile, Record
from muybridge.data.samples import Sample, crop_box, read_sample
from tests.data.films import levels, write_film

BUCKET = Bucket(num_frames=5, width_px=32, height_px=16)


def test_a_sample_has_its_bucket_s_shape_and_moments(tmp_path: Path) -> None:
    media = MediaFile(path=write_film(tmp_path / "a.mp4", 24))
    sample = Sample(record=Record(id="a", media=media), bucket=BUCKET, start_s=4 / 24, rate=8.0, crop="centre")
    frames = read_sample(sample)
    assert frames.shape == (5, 16, 32, 3)
    assert np.abs(frames[:, 8, -4, 0].astype(int) - levels(24)[[4, 7, 10, 13, 16]]).max() <= 4


@pytest.mark.parametrize("is_wide", [True, False])
def test_a_smart_crop_follows_the_detail(is_wide: bool) -> None:
    picture = np.full((64, 192, 3), 90, np.uint8)
    picture[20:44, 150:180] = np.random.default_rng(0).integers(0, 255, (24, 30, 3))
    bucket = Bucket(num_frames=1, width_px=64, height_px=64)
    if not is_wide:
        picture = picture.transpose(1, 0, 2)
    left, top, right, bottom = crop_box(picture, bucket, is_smart=True)
    low, high = (left, right) if is_wide else (top, bottom)
    assert low <= 150 and high >= 180 and high <= 192 and high - low == pytest.approx(64)
    centred = crop_box(picture, bucket, is_smart=False)
    assert centred == crop_box(np.full_like(picture, 90), bucket, is_smart=True) or centred[0 if is_wide else 1] == 64


def test_preprocessing_names_all_that_pixels_depend_on(tmp_path: Path) -> None:
    record = Record(id="a", media=MediaFile(path=tmp_path / "a.mp4"))
    base = {"record": record, "bucket": BUCKET, "start_s": 0.0, "rate": 24.0, "crop": "centre"}
    other = Bucket(num_frames=5, width_px=16, height_px=16)
    changes = ({}, {"bucket": other}, {"start_s": 0.5}, {"rate": 12.0}, {"crop": "smart"})
    kinds = {str(Sample(**{**base, **change}).preprocessing()) for change in changes}
    assert len(kinds) == len(changes)
