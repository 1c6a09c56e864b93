"""Chainer 7.8.1 on today's Python, NumPy, protobuf, h5py and CuPy.

``import chainer_style`` calls `install`, after which ``import chainer``
works. An old script runs unchanged with ``python -m chainer_style.compat
SCRIPT``. The documentation's page "Running Chainer in 2026" says what is
edited and why.
"""

from chainer_style.compat._finder import install

__all__ = ["install"]
