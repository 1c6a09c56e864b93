"""The kernels of engine ``cpu``, which numba compiles, and how a program runs them."""

import os

from chainer_style.engines.cpu.kernels import target

# Before the first function is decorated: numba then settles on a CPU.
target.force(os.environ.get(target.VARIABLE, ""))
