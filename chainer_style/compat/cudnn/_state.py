"""The handle of each thread and device, and how much memory algorithms may take."""

from __future__ import annotations

import threading

from chainer_style.compat.cudnn import _libraries

_handles = threading.local()
_max_workspace_size = 8 << 20  # as CuPy 13


def get_handle() -> int:
    """Return this thread's handle for the current device, on CuPy's current stream."""
    import cupy

    frontend = _libraries.frontend()
    of_devices = _handles.__dict__.setdefault("of_devices", {})
    device = cupy.cuda.Device().id
    if device not in of_devices:
        _libraries.load_what_cudnn_opens()
        of_devices[device] = frontend.create_handle()
    handle = int(of_devices[device])
    frontend.set_stream(handle=handle, stream=int(cupy.cuda.get_current_stream().ptr))
    return handle


def get_max_workspace_size() -> int:
    """Return how many bytes an algorithm may take beside input and output."""
    return _max_workspace_size


def set_max_workspace_size(size: int) -> None:
    """Set how many bytes an algorithm may take beside input and output."""
    global _max_workspace_size
    _max_workspace_size = int(size)
