"""Ranks alone, and ranks of MPI in jobs of two and three processes."""

from __future__ import annotations

import re
import sys
import textwrap
import time

import mpi_jobs
import numpy as np
import pytest

from chainer_style import cores
from chainer_style.errors import UserError
from chainer_style.tiling import ranks

SIZE = 350_000
MARGIN = (48, 1024, 3)
"""More than MPI sends unasked: whoever sends first and waits, waits for ever."""


def summand(number):
    return np.random.RandomState(number).uniform(-1e3, 1e3, SIZE)


def margin(sender, receiver):
    """A margin whose shape and values tell whose it is, and whose it is to be."""
    shape = (MARGIN[0] + 5 * sender + receiver, *MARGIN[1:])
    seed = 10 * sender + receiver + 1
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def band(number):
    """Bands of different heights, the second of which has no row."""
    height = (5, 0, 3)[number]
    rows = np.arange(height * 7 * 3, dtype="float32").reshape(height, 7, 3)
    return rows + 1000 * number


def test_alone():
    alone = ranks.Alone()
    assert (alone.number, alone.count, alone.number_here) == (0, 1, 0)
    assert alone.is_root
    assert alone.cores == cores.available()
    array = summand(0)
    alone.add(array)
    np.testing.assert_array_equal(array, summand(0))
    assert alone.swap(None, margin(0, 1)) == (None, None)
    np.testing.assert_array_equal(alone.collect(band(0)), band(0))
    np.testing.assert_array_equal(alone.spread(band(0)), band(0))
    assert alone.share({"seed": 3}) == {"seed": 3}
    assert alone.agree(True)
    assert not alone.agree(False)
    alone.abort(1)


@pytest.mark.parametrize("error", [UserError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_alone_an_error_is_nobody_elses(error, capsys):
    with pytest.raises(type(error)) as raised, ranks.ending(ranks.Alone()):
        raise error
    assert raised.value is error
    assert capsys.readouterr() == ("", "")


class Counted(ranks.Alone):
    """The last of three ranks, which no other process hears."""

    number, count = 2, 3
    code = None

    def abort(self, code):
        self.code = code


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.setattr(ranks, "ROOT_FIRST", 0)
    monkeypatch.setattr(ranks, "PASSED_ON", 0)
    return Counted()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("no such\npicture"), 2, "no such picture"),
        (KeyboardInterrupt(), 130, "KeyboardInterrupt"),
        (SystemExit(3), 3, "SystemExit: 3"),
        (SystemExit("no"), 1, "SystemExit: no"),
    ],
)
def test_an_error_is_told_in_a_line(error, code, told, counted, capsys):
    with pytest.raises(type(error)), ranks.ending(counted):
        raise error
    assert counted.code == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(rf"Error: rank 2 of 3 on \S+: {told}", lines[0])


def test_an_error_of_the_program_comes_with_its_traceback(counted, capsys):
    with pytest.raises(KeyError), ranks.ending(counted):
        {}["oh"]
    assert counted.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert re.fullmatch(r"Error: rank 2 of 3 on \S+: KeyError: 'oh'", lines[-1])


@pytest.mark.parametrize("code", [None, 0])
def test_an_orderly_exit_ends_no_other(code, counted, capsys):
    with pytest.raises(SystemExit), ranks.ending(counted):
        raise SystemExit(code)
    assert counted.code is None
    assert capsys.readouterr().err == ""


EXCHANGE = """
    import sys
    from pathlib import Path

    import numpy as np
    from tiling.test_ranks import band, margin, summand
    from chainer_style.tiling import ranks

    ours = ranks.connect()
    with ranks.ending(ours):
        number = ours.number
        found = {"number": number, "count": ours.count, "is_root": ours.is_root}
        found |= {"number_here": ours.number_here, "cores": ours.cores}
        total = summand(number)
        ours.add(total)
        found["total"] = total
        up, down = margin(number, number - 1), margin(number, number + 1)
        up = np.asfortranarray(up)  # with gaps between what belongs together
        for again in range(3):
            above, below = ours.swap(up, down)
        found |= {} if above is None else {"above": above}
        found |= {} if below is None else {"below": below}
        whole = ours.collect(band(number))
        found |= {} if whole is None else {"whole": whole}
        wanted = band(0) if ours.is_root else np.empty(band(0).shape)
        found["spread"] = ours.spread(wanted)
        text = ours.share("the root's" if ours.is_root else None)
        found["text"] = text
        found["yes"], found["no"] = ours.agree(True), ours.agree(number != 1)
        for wrong in (None, np.zeros(3)):
            for exchange in (ours.collect, lambda array: ours.swap(array, array)):
                try:
                    exchange(wrong)
                except TypeError as error:
                    assert "float32" in str(error)
                else:
                    assert ours.count == 1 and exchange != ours.collect
        np.savez(Path(sys.argv[1]) / f"{number}.npz", **found)
"""


@pytest.mark.mpi
@pytest.mark.parametrize("count", [1, 2, 3])
def test_exchange(count, tmp_path):
    job = mpi_jobs.start(count, EXCHANGE, tmp_path)
    assert job.returncode == 0, job.stderr
    found = [dict(np.load(tmp_path / f"{number}.npz")) for number in range(count)]
    total = np.sum([summand(number) for number in range(count)], axis=0)
    for number, own in enumerate(found):
        assert (own["number"], own["count"]) == (number, count)
        assert own["is_root"] == (number == 0)
        assert own["number_here"] == number
        assert own["cores"] == max(1, cores.available() // count)
        assert own["total"].tobytes() == found[0]["total"].tobytes()
        np.testing.assert_allclose(own["total"], total, rtol=0, atol=1e-12)
        for name, other in (("above", number - 1), ("below", number + 1)):
            assert (name in own) == (0 <= other < count)
            if name in own:
                assert own[name].dtype == np.float32
                np.testing.assert_array_equal(own[name], margin(other, number))
        assert ("whole" in own) == (number == 0)
        np.testing.assert_array_equal(own["spread"], band(0))
        assert own["spread"].dtype == np.float32
        assert own["text"] == "the root's"
        assert own["yes"]
        assert own["no"] == (count == 1)
    assert found[0]["whole"].dtype == np.float32
    np.testing.assert_array_equal(
        found[0]["whole"], np.concatenate([band(number) for number in range(count)])
    )


FAILING = """
    import os
    import signal
    import sys
    from pathlib import Path

    import numpy as np
    from chainer_style.errors import UserError
    from chainer_style.tiling import ranks

    ours = ranks.connect()
    with ranks.ending(ours):
        if ours.is_root:
            (Path(sys.argv[1]) / "im_00000.png").write_text("saved")
        ours.agree(True)
        {what}
        ours.add(np.zeros(3))
        ours.share(None)
"""

SECONDS = 10
"""In which a job has to end, its start and Python's included."""


def failed(count, what, folder):
    """Return exit code and lines of a job in which something happens."""
    begun = time.monotonic()
    code = textwrap.dedent(FAILING).format(what=what)
    job = mpi_jobs.start(count, code, folder)
    assert time.monotonic() - begun < SECONDS
    assert (folder / "im_00000.png").read_text() == "saved"
    return job.returncode, (job.stderr + job.stdout).splitlines()


@pytest.mark.mpi
def test_a_users_mistake_on_one_rank_ends_all(tmp_path):
    raising = "if ours.number == 2: raise UserError('no such picture')"
    code, lines = failed(3, raising, tmp_path)
    assert code == 2
    told = [line for line in lines if "no such picture" in line]
    assert len(told) == 1
    assert told[0].startswith("Error: rank 2 of 3 on ")
    assert not [line for line in lines if "Traceback" in line]


@pytest.mark.mpi
def test_what_fails_on_all_ranks_is_told_once(tmp_path):
    code, lines = failed(3, "raise UserError('no such picture')", tmp_path)
    assert code == 2
    told = [line for line in lines if "no such picture" in line]
    assert len(told) == 1
    assert told[0].startswith("Error: rank 0 of 3 on ")


@pytest.mark.mpi
def test_a_rank_that_is_killed_ends_all(tmp_path):
    kill = "if ours.number == 1: os.kill(os.getpid(), signal.SIGKILL)"
    code, lines = failed(3, kill, tmp_path)
    assert code != 0
    # The launcher tells it, each in its own words.
    assert any("signal 9" in line for line in lines)


def package(folder, **modules):
    """Write a package mpi4py that stands before any other."""
    (folder / "mpi4py").mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (folder / "mpi4py" / f"{name}.py").write_text(text)


@pytest.fixture
def no_mpi4py():
    """Whatever a test imports as mpi4py, no other test sees it."""

    def removed():
        names = [name for name in sys.modules if name.partition(".")[0] == "mpi4py"]
        return {name: sys.modules.pop(name) for name in names}

    kept = removed()
    yield
    removed()
    sys.modules.update(kept)


def test_mpi4py_is_not_installed(no_mpi4py, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UserError, match=r"pip install 'chainer-style\[mpi\]'"):
        ranks.connect()


@pytest.mark.parametrize("error", ["RuntimeError", "ImportError"])
def test_there_is_no_mpi_library(error, no_mpi4py, monkeypatch, tmp_path):
    package(tmp_path, MPI=f"raise {error}('cannot load MPI library\\nlibmpi.so')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"^mpi4py finds no MPI library.*mpich$"):
        ranks.connect()


ALONE = """
class COMM_WORLD:
    size = 1

def get_vendor():
    return "Open MPI", (5, 0, 11)
"""


@pytest.mark.parametrize("variable", ranks.LAUNCHERS)
def test_the_launcher_of_another_library(variable, no_mpi4py, monkeypatch, tmp_path):
    package(tmp_path, MPI=ALONE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(variable, "4")
    with pytest.raises(UserError, match=r"^4 processes .* is Open MPI, or srun"):
        ranks.connect()
