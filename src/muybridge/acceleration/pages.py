"""Memory that the system may take back at once."""

import ctypes
import mmap
import sys

from torch import Tensor

_PAGEOUT = 21  # Linux 5.4: write back if need be and drop; harmless to any memory, unlike MADV_DONTNEED


def give_back(tensor: Tensor) -> None:
    """Tell Linux that the tensor will not be read for long: what is mapped from a file leaves memory, values stay.

    What is not from a file stays, unless there is swap. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (tensor.data_ptr() + tensor.nbytes - start) // mmap.PAGESIZE * mmap.PAGESIZE
    if length > 0:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _PAGEOUT)
