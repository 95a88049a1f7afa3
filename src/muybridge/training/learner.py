"""A network that learns: its optimizers, its clipping, and their state."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.training.config import OptimizerConfig
from muybridge.training.optimizer import Clipping, build_optimizers, lr_scale, optimized, set_lr, state_bytes


class Learner:
    """Moves a network's parameters by their gradients.

    The parameters are the masters and stay float32; autocast makes what is computed in bfloat16. Raises InvalidInput
    where one that learns is not float32.
    """

    def __init__(self, network: nn.Module, config: OptimizerConfig):
        for name, parameter in network.named_parameters():
            if parameter.requires_grad and parameter.dtype != torch.float32:
                given = f"{name} of {parameter.dtype}"
                raise invalid(given, "what learns is float32", "load it with dtype=torch.float32")
        self.network, self.config = network, config
        self.optimizers = build_optimizers(network, config)
        set_lr(self.optimizers, 1.0)  # every group knows its first rate before anything is saved
        self.clipping = Clipping(config)

    def clip(self) -> Tensor:
        """Clip the gradients; their norm before."""
        return self.clipping(self.network.parameters())

    def move(self, step: int, num_steps: int) -> None:
        """One step at the rate that the schedule gives to `step` of `num_steps`; the gradients are gone afterwards."""
        set_lr(self.optimizers, lr_scale(step, num_steps, self.config))
        for optimizer in self.optimizers:
            optimizer.step()
        self.forget()

    def forget(self) -> None:
        """Drop the gradients."""
        for parameter in self.network.parameters():
            parameter.grad = None

    def state(self) -> dict[str, Any]:
        """Everything but the weights that the next steps depend on, by optimizer, and clipping's where it learns."""
        state: dict[str, Any] = {str(i): optimizer.state_dict() for i, optimizer in enumerate(self.optimizers)}
        return state | ({"clipping": self.clipping.state()} if self.clipping.state() else {})

    def num_state_bytes(self) -> int:
        """Bytes of `state` once every parameter has moved."""
        return sum(map(state_bytes, self.optimizers))

    def prepare(self, names: Iterable[str], *, prefix: str) -> None:
        """Make the state exist that a checkpoint names, so that it can be loaded in place.

        A step of zero gradients at rate zero, for the parameters that had moved by then. names: dotted, such as
        "optimizers.0.state.5.exp_avg" under the prefix "optimizers".
        """
        moved = {tuple(name.removeprefix(f"{prefix}.").split(".")[:3]) for name in names if name.startswith(prefix)}
        set_lr(self.optimizers, 0.0)
        for number, optimizer in enumerate(self.optimizers):
            for index, parameter in enumerate(optimized(optimizer)):
                if (str(number), "state", str(index)) in moved:
                    parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        self.forget()

    def load(self, state: Mapping[str, Any]) -> None:
        """Take what was loaded into `state()`; clipping's was filled in place."""
        for i, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state[str(i)])
