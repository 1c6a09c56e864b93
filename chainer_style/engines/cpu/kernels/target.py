"""Which vector instructions the kernels are made of: those of this CPU.

numba compiles for the CPU that it finds. The variable ``CHAINER_STYLE_CPU`` makes it
compile for a lesser one, to try that or to compare: ``avx512``, ``avx2`` or
``generic``. It must be set before numba compiles anything.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from numba import config

from chainer_style.errors import UserError

VARIABLE = "CHAINER_STYLE_CPU"


@dataclass(frozen=True)
class Target:
    """How kernels are laid out for a kind of CPU.

    Attributes
    ----------
    name
        Of the instructions.
    lanes
        Numbers of float32 in a vector.
    rows
        Rows of a product whose sums are held in registers at once, each of them two
        vectors wide.
    features
        Instructions that the CPU must have.
    """

    name: str
    lanes: int
    rows: int
    features: tuple[str, ...] = ()

    @property
    def panel(self) -> int:
        """Columns of a product that are computed at once."""
        return 2 * self.lanes


TARGETS = (
    # 32 registers hold 24 sums, two vectors of the panel and one number spread out.
    Target("avx512", 16, 12, ("avx512f", "avx512dq", "avx512bw", "avx512vl")),
    Target("avx2", 8, 6, ("avx2", "fma")),
    # A vector of 8 is two registers on every CPU that has registers of 4.
    Target("generic", 8, 3),
)
"""From the widest to what every CPU can do."""


@functools.cache
def get() -> Target:
    """Return the target that kernels are compiled for."""
    from numba.core.registry import cpu_target

    *_, features = cpu_target.target_context.codegen().magic_tuple()
    there = set(features.split(","))
    return next(t for t in TARGETS if {f"+{f}" for f in t.features} <= there)


@functools.cache
def has_bfloat16() -> bool:
    """Whether the CPU multiplies pairs of bfloat16 in vectors of 16 sums."""
    from numba.core.registry import cpu_target

    *_, features = cpu_target.target_context.codegen().magic_tuple()
    return get().name == "avx512" and "+avx512bf16" in features.split(",")


TWO_UNITS = (
    "skylake-avx512",
    "cascadelake",
    "cooperlake",
    "icelake-server",
    "sapphirerapids",
    "emeraldrapids",
    "graniterapids",
    "graniterapids-d",
    "znver5",
)
"""CPUs that multiply two vectors of 512 bits at once, by the names LLVM gives them."""


@functools.cache
def multiply_adds() -> int:
    """Return the multiply-adds that a core begins per cycle."""
    from numba.core.registry import cpu_target

    _, name, _ = cpu_target.target_context.codegen().magic_tuple()
    return 32 if get().name == "avx512" and name in TWO_UNITS else 16


def force(name: str) -> None:
    """Have numba compile for a target, if one is named.

    Raises
    ------
    UserError
        If there is no such target.
    """
    if not name:
        return
    found = next((target for target in TARGETS if target.name == name), None)
    if found is None:
        known = ", ".join(target.name for target in TARGETS)
        raise UserError(f"{VARIABLE} is {name!r}; set it to one of: {known}")
    if not config.CPU_NAME:
        config.CPU_NAME = "generic"
        config.CPU_FEATURES = ",".join(f"+{f}" for f in found.features)
