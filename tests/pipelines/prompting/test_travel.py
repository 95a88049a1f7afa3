"""Laws of prompts at times."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.prompting.travel import PromptAt, check_times, prompts_at, travel_weights

FILM = {"num_frames": 33, "fps": 12}


@given(some.lists(some.integers(1, 32), min_size=1, max_size=5, unique=True).map(sorted))
def test_weights_are_a_partition_of_one(frames):
    later = prompts_at({frame: "b" for frame in frames})
    weights = travel_weights(later, **FILM)
    assert weights.shape == (len(frames) + 1, 9) and bool((weights >= 0).all())
    torch.testing.assert_close(weights.sum(0), torch.ones(9))


def test_a_prompt_has_given_way_when_the_next_one_is_due():
    weights = travel_weights(prompts_at({1.0: "b"}), **FILM)  # frame 12
    assert weights[0, 0] == 1 and weights[1, 4:].eq(1).all()  # latent frame 4 is at 14.5
    assert weights[1].diff().ge(0).all() and 0 < weights[1, 2] < 1


def test_a_prompt_given_twice_stays_between():
    weights = travel_weights(prompts_at({1.0: "a", 2.0: "b"}), **FILM)
    assert (weights[:2].sum(0)[:4] == 1).all() and weights[2, -1] == 1


@pytest.mark.parametrize(
    ("given", "frame"), [({24: "b"}, 24), ({1.5: "b"}, 18), ({"1.5s": "b"}, 18), (["1.5s=b"], 18), ("24=b", 24),
                         (["1.5 = b=c"], 18), ({"24": "b"}, 24)]  # fmt: skip
)  # fmt: skip
def test_times_are_frames_or_seconds(given, frame):
    [only] = prompts_at(given)
    assert only.frame(12) == frame and prompts_at([f"{only.time}={only.prompt}"]) == (only,)


@pytest.mark.parametrize("given", [7, ["b"], ["x=b"], ["-1=b"], ["1.5s="], {True: "b"}, {1: ""}, {None: "b"}, {1: 7}])
def test_what_is_no_prompt_at_a_time_is_refused(given):
    with pytest.raises(InvalidInput, match="prompt at"):
        prompts_at(given)


@pytest.mark.parametrize("given", [{0: "b"}, {33: "b"}, {8: "b", 4: "c"}, {8: "b", "8": "c"}, {2.75: "b"}])
def test_times_out_of_order_or_out_of_the_film_are_refused(given):
    with pytest.raises(InvalidInput, match="prompt at"):
        check_times(prompts_at(given), **FILM)


@pytest.mark.parametrize("given", [{1: "b", 2: "c"}, {7: "b", 8: "c", 9: "d"}, {31: "b", 32: "c"}])
def test_a_prompt_that_no_latent_frame_shows_is_refused(given):
    with pytest.raises(InvalidInput, match="acts nowhere"):
        check_times(prompts_at(given), **FILM)


@given(some.lists(some.integers(1, 8), min_size=1, max_size=5, unique=True).map(sorted))
def test_every_prompt_acts_where_times_are_four_frames_apart(quarters):
    check_times(prompts_at({4 * quarter: "b" for quarter in quarters}), **FILM)


def test_the_last_frame_is_within_the_film():
    check_times((PromptAt(time="32", prompt="b"),), **FILM)
