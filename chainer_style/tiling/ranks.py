"""The processes that paint one picture together, each a band of its rows.

A process is called a rank, as in MPI. The ranks are numbered from the top of the
picture, and the first is the root, which alone talks to the user.
"""

from __future__ import annotations

import abc
import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import numpy as np

from chainer_style import cores
from chainer_style.errors import UserError

T = TypeVar("T")

NEEDS_MPI4PY = (
    "several ranks need mpi4py, which is not installed; "
    "install it with: pip install 'chainer-style[mpi]'"
)
NEEDS_A_LIBRARY = (
    "mpi4py finds no MPI library; load the cluster's (module load ...), or, to try it "
    "on one machine: pip install mpich"
)

LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
"""Variables in which Open MPI, MPICH and Slurm tell how many processes they started."""

ROOT_FIRST = 1.5
"""Seconds that the other ranks leave to the root to tell what went wrong: what fails
on all of them alike is told once."""

PASSED_ON = 0.5
"""Seconds that the launcher has to pass on what was told, since it may drop what it has
not read when the job ends."""

_SHAPE, _VALUES, _BAND = 1, 2, 3
"""Tags, which keep messages of different kinds apart."""


class Ranks(abc.ABC):
    """All processes of a job, as one of them sees the others.

    Every method but `abort` is collective: all ranks have to call it, in the same
    order. One that does not keeps the others waiting.

    Attributes
    ----------
    number
        This rank's, from 0.
    count
        How many there are.
    number_here
        This rank's among those of its machine, from 0; with one GPU for each rank,
        the number of its GPU.
    cores
        Cores that this rank may use while the machine's others use theirs.
    """

    number: int
    count: int
    number_here: int
    cores: int

    @property
    def is_root(self) -> bool:
        """Whether this is the rank that talks to the user and writes files."""
        return self.number == 0

    @abc.abstractmethod
    def add(self, array: np.ndarray) -> None:
        """Replace an array by its sum over all ranks, the same to the bit on each.

        Parameters
        ----------
        array
            C-contiguous, of the same shape and dtype on all ranks; float64, if many
            numbers of single precision went into it.
        """

    @abc.abstractmethod
    def swap(
        self, up: np.ndarray | None, down: np.ndarray | None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Exchange arrays with the rank above and the rank below.

        Only these two are reached. The caller sees to it that no band is thinner than
        the margin that its neighbours need of it.

        Parameters
        ----------
        up, down
            What the rank above, `number` - 1, and the rank below, `number` + 1, are to
            have: float32, of any shape. None, or anything, where there is no such rank.

        Returns
        -------
        from_above, from_below : ndarray or None
            What they sent, in their shape; None where there is no such rank.

        Raises
        ------
        TypeError
            Something else than float32 was to be sent.
        """

    @abc.abstractmethod
    def collect(self, rows: np.ndarray) -> np.ndarray | None:
        """Put the bands of all ranks together on the root, from top to bottom.

        The root receives each band in its place; besides it holds nothing but its own.

        Parameters
        ----------
        rows
            This rank's band, of shape (rows, ...) and dtype float32. All but the first
            axis are as long on all ranks.

        Returns
        -------
        ndarray or None
            The whole on the root, None elsewhere. Where there is but one rank, it may
            be `rows` itself.
        """

    @abc.abstractmethod
    def spread(self, whole: np.ndarray) -> np.ndarray:
        """Return the root's array on all ranks.

        Parameters
        ----------
        whole
            On the root, of dtype float32; elsewhere its shape alone is read.
        """

    @abc.abstractmethod
    def share(self, value: T) -> T:
        """Return the root's value, a small one that can be pickled, on all ranks."""

    @abc.abstractmethod
    def agree(self, ok: bool) -> bool:
        """Return whether all ranks say yes."""

    @abc.abstractmethod
    def abort(self, code: int) -> None:
        """End all other ranks and this one with an exit code, where there are others.

        Returns only where there are none. It may be called by one rank alone.
        """


class Alone(Ranks):
    """The one process of a job without MPI."""

    number, count, number_here = 0, 1, 0

    def __init__(self) -> None:
        self.cores = cores.available()

    def add(self, array: np.ndarray) -> None:
        """Do nothing: the sum is there."""

    def swap(self, up: np.ndarray | None, down: np.ndarray | None) -> tuple[None, None]:
        """Return that there are no neighbours."""
        return None, None

    def collect(self, rows: np.ndarray) -> np.ndarray:
        """Return `rows`, which is the whole."""
        return rows

    def spread(self, whole: np.ndarray) -> np.ndarray:
        """Return `whole`."""
        return whole

    def share(self, value: T) -> T:
        """Return `value`."""
        return value

    def agree(self, ok: bool) -> bool:
        """Return `ok`."""
        return ok

    def abort(self, code: int) -> None:
        """Do nothing: an exception ends the only process."""


class Mpi(Ranks):
    """Ranks of MPI.

    Parameters
    ----------
    communicator
        ChainerMN's, of any kind; the bands are exchanged by its MPI communicator.
    """

    def __init__(self, communicator: Any) -> None:
        from mpi4py import MPI

        self._MPI = MPI
        self._comm = communicator.mpi_comm
        self.number, self.count = communicator.rank, communicator.size
        self.number_here = communicator.intra_rank
        self.cores = self._own_cores(communicator.inter_rank)

    def _own_cores(self, machine: int) -> int:
        """Divide the cores by the ranks of this machine that are bound to the same."""
        bound: frozenset[int] = frozenset()
        if hasattr(os, "sched_getaffinity"):
            bound = frozenset(os.sched_getaffinity(0))
        sharers: int = self._comm.allgather((machine, bound)).count((machine, bound))
        return max(1, cores.available() // sharers)

    def add(self, array: np.ndarray) -> None:
        """Sum by MPI_Allreduce, of which MPI wants identical results on all ranks."""
        self._comm.Allreduce(self._MPI.IN_PLACE, array)

    def swap(
        self, up: np.ndarray | None, down: np.ndarray | None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Send both ways without waiting, shapes first, then receive."""
        sent = []
        for other, array in ((self.number - 1, up), (self.number + 1, down)):
            if 0 <= other < self.count:
                array = _single(array)
                sent += [
                    self._comm.isend(array.shape, other, _SHAPE),
                    self._comm.Isend(array, other, _VALUES),
                ]
        received = self._received(self.number - 1), self._received(self.number + 1)
        self._MPI.Request.waitall(sent)
        return received

    def _received(self, other: int) -> np.ndarray | None:
        if not 0 <= other < self.count:
            return None
        array = np.empty(self._comm.recv(source=other, tag=_SHAPE), np.float32)
        self._comm.Recv(array, other, _VALUES)
        return array

    def collect(self, rows: np.ndarray) -> np.ndarray | None:
        """Receive each band right where it belongs."""
        rows = _single(rows)
        heights = self._comm.gather(len(rows))
        if heights is None:
            self._comm.Send(rows, 0, _BAND)
            return None
        whole = np.empty((sum(heights), *rows.shape[1:]), np.float32)
        bands = np.split(whole, np.cumsum(heights)[:-1])
        bands[0][...] = rows
        for other in range(1, self.count):
            self._comm.Recv(bands[other], other, _BAND)
        return whole

    def spread(self, whole: np.ndarray) -> np.ndarray:
        """Broadcast right into the new array."""
        found = _single(whole) if self.is_root else np.empty(whole.shape, np.float32)
        self._comm.Bcast(found)
        return found

    def share(self, value: T) -> T:
        """Broadcast what the root has."""
        return self._comm.bcast(value)  # type: ignore[no-any-return]

    def agree(self, ok: bool) -> bool:
        """Combine all answers by "and"."""
        return bool(self._comm.allreduce(bool(ok), self._MPI.LAND))

    def abort(self, code: int) -> None:
        """End the job by MPI_Abort."""
        if self.count > 1:
            self._abort(code)

    def _abort(self, code: int) -> NoReturn:
        # The library would add a line of its own, which tells nothing more.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        self._MPI.COMM_WORLD.Abort(code)
        raise AssertionError("MPI_Abort has returned")


def _single(array: np.ndarray | None) -> np.ndarray:
    """Return an array of float32 as MPI takes it, copied only if it has gaps."""
    if array is None or array.dtype != np.float32:
        kind = None if array is None else array.dtype
        raise TypeError(f"ranks exchange arrays of float32, not {kind}")
    return np.ascontiguousarray(array)


def connect() -> Mpi:
    """Return the ranks that mpiexec has started; without it, a single one.

    Raises
    ------
    UserError
        mpi4py or an MPI library is missing, or the processes do not find each other.
    """
    try:
        from mpi4py import MPI
    except ModuleNotFoundError as error:
        if error.name != "mpi4py":
            raise
        raise UserError(NEEDS_MPI4PY) from None
    except (ImportError, RuntimeError):
        raise UserError(NEEDS_A_LIBRARY) from None
    if MPI.COMM_WORLD.size == 1 and (started := _started()) > 1:
        library = MPI.get_vendor()[0]
        raise UserError(
            f"{started} processes were started, but each finds itself alone: use the "
            f"mpiexec of mpi4py's library, which is {library}, or srun with --mpi=pmi2 "
            "for MPICH, --mpi=pmix for Open MPI"
        )
    import chainermn

    return Mpi(chainermn.create_communicator("naive", mpi_comm=MPI.COMM_WORLD))


def _started() -> int:
    """Return how many processes the launcher says it has started, 0 without one."""
    told = [os.environ.get(name, "") for name in LAUNCHERS]
    return max((int(count) for count in told if count.isdecimal()), default=0)


@contextlib.contextmanager
def ending(ranks: Ranks) -> Iterator[None]:
    """End all ranks when one fails, and tell on stderr which and why.

    Where there is but one rank, an exception passes as if this were not here. Else it
    ends every process at once: with exit code 2 for a `UserError`, 130 for Ctrl-C, 1
    for any other, whose traceback is printed too. `SystemExit` is left alone unless
    its code is that of a failure.
    """
    try:
        yield
    except BaseException as error:
        if ranks.count > 1 and (code := _exit_code(error)):
            if not ranks.is_root:
                time.sleep(ROOT_FIRST)
            # In one piece: the launcher mixes what several processes write.
            sys.stdout.flush()
            sys.stderr.write(_told(error, ranks))
            sys.stderr.flush()
            time.sleep(PASSED_ON)
            ranks.abort(code)
        raise


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(bool(error.code))
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, UserError) else 1


def _told(error: BaseException, ranks: Ranks) -> str:
    """Return a line that names rank and error, after the traceback of a program."""
    before = ""
    if isinstance(error, UserError):
        what = str(error)
    else:
        what = "".join(traceback.format_exception_only(error))
        if isinstance(error, Exception):
            before = "".join(traceback.format_exception(error))
    where = f"rank {ranks.number} of {ranks.count} on {os.uname().nodename}"
    return f"{before}Error: {where}: {' '.join(what.split())}\n"
