"""The device that is meant by a name, and how much of it may be used."""

import torch

from muybridge.acceleration.device import Device, nominal, unmeasured
from muybridge.acceleration.measure import known, measured, total_bytes
from muybridge.acceleration.memory import available_bytes, held_bytes, parse_bytes
from muybridge.acceleration.plan import Limits
from muybridge.core.errors import invalid

AUTO = "auto"


def device_named(words: str | None = None, *, anew: bool = False) -> Device:
    """This machine's "cpu" or "cuda", measured, or the data sheet of another; None is cuda where there is one.

    anew: measured again. Raises InvalidInput on an unknown name, and on cuda where there is none.
    """
    here = words or ("cuda" if torch.cuda.is_available() else "cpu")
    if here == "cpu":
        return measured(torch.device("cpu"), anew=anew)
    if here == "cuda" and not torch.cuda.is_available():
        raise invalid("device=cuda", "this machine shows no CUDA device", "use cpu, or a name such as h200")
    return measured(torch.device("cuda"), anew=anew) if here == "cuda" else nominal(here)


def device_here(place: torch.device) -> Device:
    """This machine's device as it was measured, or with the rates of a usual one where it never was. Takes no time."""
    found = known(place)
    if found is not None:
        return found
    is_cuda = place.type == "cuda"
    host = total_bytes(torch.device("cpu")) if is_cuda else 0
    return unmeasured("cuda" if is_cuda else "cpu", memory_bytes=total_bytes(place), host_bytes=host)


def limits_of(device: Device, *, memory: str = AUTO, host_memory: str = AUTO) -> Limits:
    """What may be used: what is free and what this process holds already, or less where an amount says so.

    Of a data sheet all of it is free. An amount above that is taken at its word: it may be meant for another machine.
    Raises InvalidInput on anything but "auto" and an amount.
    """
    is_cuda = device.kind == "cuda"
    free, host = device.memory_bytes, device.host_bytes
    if not device.is_elsewhere:
        free = _usable(torch.device(device.kind))
        host = _usable(torch.device("cpu")) if is_cuda else 0
    return Limits(
        device_bytes=free if memory == AUTO else parse_bytes(memory),
        host_bytes=host if host_memory == AUTO else parse_bytes(host_memory, name="host-memory"),
    )


def _usable(place: torch.device) -> int:
    return available_bytes(place) + held_bytes(place)
