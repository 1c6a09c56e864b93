"""cuDNN 9 for Chainer on CuPy 14, which has none of its own any more.

CuPy 13 is the last with ``cupy.cudnn``, and that wants cuDNN 8. Chainer calls some
twenty names of it. They are written anew here: convolutions on `NVIDIA's frontend of
cuDNN <https://github.com/NVIDIA/cudnn-frontend>`_ (``nvidia-cudnn-frontend``, ``import
cudnn``); activations, pooling and softmax on older C functions of ``libcudnn.so.9``
itself, since the frontend knows no pooling. Both are for Linux.

``chainer.backends.cuda`` takes them where CuPy is 14 or later and both libraries load.
Then ``cudnn_enabled`` is True, and the settings mean what they did:

``chainer.config.use_cudnn``
    ``'never'``, ``'auto'`` or ``'always'``, as ever.
``chainer.backends.cuda.set_max_workspace_size``
    Algorithms that need more memory beside input and output are out: 8 MiB unless set.
``chainer.config.cudnn_deterministic``
    Algorithms whose results may differ from run to run are out for gradients, too. For
    a convolution itself they always are, as cuDNN 8 had none.
``chainer.config.use_cudnn_tensor_core``
    ``'never'`` leaves tensor cores out. ``'auto'`` allows them for float16 only, so
    that float32 is computed in float32. ``'always'`` allows TensorFloat-32 as well.
``chainer.config.autotune``
    The first convolution of its kind tries all algorithms that are left, and keeps the
    fastest. Otherwise the first one that cuDNN proposes and that fits is taken.
    In float64 the first one that fits is taken in any case: older C functions compute
    that, too.

Batch and group normalization, dropout, recurrent networks and spatial transformers are
not among what is written anew: Chainer computes them in its own code for CuPy, as
with ``use_cudnn = 'never'``.

CuPy itself is not touched: ``import cupy.cudnn`` fails as before, and
``chainer.backends.cuda.cudnn`` is where the functions are.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any


def bring_back(cupy: Any) -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return what Chainer knows as ``cupy.cuda``, ``cupy.cudnn``, ``cupy.cuda.cudnn``.

    Parameters
    ----------
    cupy
        CuPy 14 or later.

    Raises
    ------
    ImportError
        The frontend or cuDNN's library is missing or does not load.
    """
    from chainer_style.compat.cudnn import _libraries, functions, library

    _libraries.load()
    return _Cuda(cupy.cuda, library), functions, library


def frontend() -> Any:
    """Return NVIDIA's frontend, with the libraries loaded that it computes by.

    Raises
    ------
    ImportError
        It or cuDNN's library is missing or does not load.
    """
    from chainer_style.compat.cudnn import _libraries

    _libraries.load()
    _libraries.load_what_cudnn_opens()
    return _libraries.frontend()


def frontend_version() -> str:
    """Return the version of NVIDIA's frontend."""
    from chainer_style.compat.cudnn import _libraries

    return str(_libraries.frontend().__version__)


class _Cuda(ModuleType):
    """``cupy.cuda`` with a ``cudnn``, by which name many of Chainer's modules ask."""

    def __init__(self, cuda: ModuleType, cudnn: ModuleType) -> None:
        super().__init__(cuda.__name__, cuda.__doc__)
        self._cuda = cuda
        self.cudnn = cudnn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cuda, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._cuda), "cudnn"})
