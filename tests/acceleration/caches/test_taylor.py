import torch

from muybridge.acceleration.caches.taylor import WARM_UP, Taylor
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas

SIGMAS = inference_sigmas(12, shift=3.0).double()
X = torch.ones(2, 3, dtype=torch.float64)


def test_polynomials_of_its_order_are_predicted_exactly():
    for order in (1, 2):

        def velocity(x, sigma, order=order):
            return (sigma[:, None] ** order).expand_as(x)

        cached = Taylor(velocity, interval=3, order=order)
        torch.testing.assert_close(euler(cached, X, SIGMAS), euler(velocity, X, SIGMAS))


def test_every_interval_th_velocity_is_computed():
    for interval in (1, 2, 4):
        cached = Taylor(lambda x, sigma: x, interval=interval)
        euler(cached, X, SIGMAS)
        assert cached.num_computed == WARM_UP + (12 - WARM_UP) // interval


def test_an_interval_of_one_changes_nothing():
    cached = Taylor(lambda x, sigma: x.sin(), interval=1)
    assert torch.equal(euler(cached, X, SIGMAS), euler(lambda x, sigma: x.sin(), X, SIGMAS))
