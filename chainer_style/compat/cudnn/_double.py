"""Convolutions in double precision, on cuDNN's older C functions.

NVIDIA's frontend gives cuDNN the factor of a convolution as a float, whatever the
convolution computes in. In double precision cuDNN reads eight bytes where four were
written (release 1.22, seen on an H100: anything from zero to infinity comes out).
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainer_style.compat.cudnn import _descriptors as describe
from chainer_style.compat.cudnn._graphs import Convolution, Operation, Role
from chainer_style.compat.cudnn._state import get_handle, get_max_workspace_size
from chainer_style.compat.cudnn._status import CuDNNError, call


@dataclass(frozen=True, slots=True)
class Function:
    """A function of cuDNN's and its algorithms.

    Attributes
    ----------
    name
        Of the function; with ``Get`` and ``WorkspaceSize`` around, of the one that
        tells how much memory it takes.
    roles
        Arrays in the order of its arguments, the result last.
    algorithms
        cuDNN's numbers of those that know double precision, the best first.
    deterministic
        Those of them whose results are the same each time.
    """

    name: str
    roles: tuple[Role, Role, Role]
    algorithms: tuple[int, ...]
    deterministic: tuple[int, ...]


FUNCTIONS: dict[Operation, Function] = {
    "fprop": Function("Forward", ("image", "filter", "output"), (1, 0, 2), (1, 0, 2)),
    "dgrad": Function("BackwardData", ("filter", "output", "image"), (1, 0), (1,)),
    "wgrad": Function("BackwardFilter", ("image", "output", "filter"), (1, 0), (1,)),
}


def compute(
    convolution: Convolution, arrays: dict[Role, Any], *, deterministic: bool
) -> None:
    """Compute a convolution, or a gradient of one, of arrays in double precision.

    Parameters
    ----------
    convolution
        What it is, with its channels first.
    arrays
        Its three arrays, C-contiguous, channels first.
    deterministic
        Whether the result has to be the same each time.

    Raises
    ------
    RuntimeError
        If no algorithm gets along with the memory that it may take.
    """
    function = FUNCTIONS[convolution.operation]
    said = "none fits"
    with contextlib.ExitStack() as stack:
        described = {
            role: stack.enter_context(_described(role, arrays[role])) for role in arrays
        }
        how = stack.enter_context(_moved(convolution))
        for algorithm in (
            function.deterministic if deterministic else function.algorithms
        ):
            try:
                if _computed(function, algorithm, arrays, described, how):
                    return
            except CuDNNError as error:  # it does not know this convolution
                said = str(error)
    raise RuntimeError(
        f"cuDNN has no algorithm for {convolution} within {get_max_workspace_size()} "
        f"bytes of workspace ({said}); use chainer.using_config('use_cudnn', 'never')"
    )


def _computed(
    function: Function,
    algorithm: int,
    arrays: dict[Role, Any],
    described: dict[Role, ctypes.c_void_p],
    how: ctypes.c_void_p,
) -> bool:
    """Compute by one algorithm, if it takes no more memory than it may."""
    import cupy

    handle, number = ctypes.c_void_p(get_handle()), ctypes.c_int(algorithm)
    first, second, result = function.roles
    size = ctypes.c_size_t()
    call(
        f"cudnnGetConvolution{function.name}WorkspaceSize",
        *(handle, described[first], described[second], how, described[result]),
        *(number, ctypes.byref(size)),
    )
    if size.value > get_max_workspace_size():
        return False
    workspace = cupy.cuda.alloc(size.value)
    one, zero = describe.one_and_zero("float64")
    call(
        f"cudnnConvolution{function.name}",
        *(handle, one),
        *(described[first], describe.pointer(arrays[first])),
        *(described[second], describe.pointer(arrays[second])),
        *(how, number, ctypes.c_void_p(workspace.ptr), size),
        *(zero, described[result], describe.pointer(arrays[result])),
    )
    return True


@contextlib.contextmanager
def _described(role: Role, array: Any) -> Iterator[ctypes.c_void_p]:
    kind = describe.filters if role == "filter" else describe.tensor
    with kind(array.shape, array.dtype) as made:
        yield made


@contextlib.contextmanager
def _moved(convolution: Convolution) -> Iterator[ctypes.c_void_p]:
    groups = convolution.image.lengths[1] // convolution.filter.lengths[1]
    how = convolution
    with describe.convolution(
        how.pad, how.stride, how.dilation, groups, "float64"
    ) as made:
        yield made
