"""The GeForce GTX 960 by other sources than the paper.

What is known of the model; the paper's own card may have had other clocks, and 2 or
4 GB.
"""

from __future__ import annotations

QUERY = "https://gist.github.com/svanschalkwyk/d1b7ceb1b0508dd28c764e40caa68e98"
"""What deviceQuery printed of a GTX 960 in January of 2017, with CUDA 8.0."""

CAPABILITY = "5.2"
MULTIPROCESSORS = 8
CORES = 8 * 128
MEMORY = 4228317184
"""Bytes of that card; there were others with half as much."""
CLOCK = 1342e6
"""Hz of that card, at most."""
MEMORY_CLOCK = 3505e6
BUS = 128
"""Bits of the memory's bus; the memory sends twice per clock."""
L2_CACHE = 1048576

DATA_SHEET = (
    "https://fpsbench.com/compare/gpu/nvidia-geforce-gtx-960-vs-nvidia-p106-100"
)
"""NVIDIA's own clocks, as a list of GPUs gives them."""

BOOST_CLOCK = 1178e6
"""Hz that NVIDIA's own design reaches."""

FLOPS_PER_SECOND = 2 * CORES * BOOST_CLOCK
"""The most that the arithmetic allows: a multiplication and an addition per clock."""

BYTES_PER_SECOND = 2 * MEMORY_CLOCK * BUS / 8
"""The most that the memory's bus allows."""
