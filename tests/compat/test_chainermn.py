"""ChainerMN between two processes of MPI."""

import json

import mpi_jobs
import numpy as np
import pytest

pytestmark = pytest.mark.mpi

BEGIN = """
import sys, warnings
from pathlib import Path
import chainer_style
import chainer, chainermn, numpy as np
from chainer import functions, links, training
from chainer.training import extensions
from chainer_style.tiling import ranks

warnings.filterwarnings("ignore", ".* is experimental", FutureWarning)
comm = chainermn.create_communicator("naive")
number = comm.rank
found = {}
sys.stderr = open(Path(sys.argv[1]) / f"{number}.err", "w")
"""

END = """
import json
(Path(sys.argv[1]) / f"{number}.json").write_text(json.dumps(found))
"""


def indented(code):
    """Return some code whose first error ends both processes."""
    lines = code.strip("\n").splitlines()
    return "with ranks.ending(ranks.Mpi(comm)):\n" + "\n".join(
        f"    {line}" for line in lines
    )


def run(code, folder):
    job = mpi_jobs.start(2, f"{BEGIN}{indented(code)}\n{END}", folder)
    told = "".join(path.read_text() for path in folder.glob("*.err"))
    assert job.returncode == 0, told + job.stderr
    return [json.loads((folder / f"{number}.json").read_text()) for number in (0, 1)]


def test_primitives(tmp_path):
    code = """
for kind in ("int32", "int64", "float32", "float64"):
    mine = np.full(2 + number, number + 1, kind)
    met = {
        "allreduce": comm.allreduce(mine[:2]),
        "bcast": comm.bcast(mine if number == 0 else None),
        "gather": comm.gather(mine),
        "allgather": comm.allgather(mine),
        "alltoall": comm.alltoall((mine, mine[:1])),
        "scatter": comm.scatter((mine, mine[:1]) if number == 0 else None),
    }
    if number == 0:
        comm.send(mine, 1, 0)
    else:
        met["recv"] = comm.recv(0, 0)
    found[kind] = {
        name: [a.tolist() for a in y] if isinstance(y, tuple) else np.array(y).tolist()
        for name, y in met.items()
    }
found["objects"] = comm.gather_obj(number), comm.bcast_obj([3] if not number else None)
"""
    for number, own in enumerate(run(code, tmp_path)):
        bands = [[1, 1], [2, 2, 2]]
        expected = {
            "allreduce": [3, 3],
            "bcast": bands[0],
            "gather": None if number else bands,
            "allgather": bands,
            "alltoall": [[1], [2]] if number else [[1, 1], [2, 2, 2]],
            "scatter": [1] if number else [1, 1],
        } | ({"recv": [1, 1]} if number else {})
        assert own.pop("objects") == [None if number else [0, 1], [3]]
        assert own == dict.fromkeys(["int32", "int64", "float32", "float64"], expected)


def test_training(tmp_path):
    code = """
random = np.random.RandomState(0)
x, t = random.rand(20, 4).astype("f"), np.arange(20, dtype="i") % 3
data = chainer.datasets.TupleDataset(x, t) if number == 0 else None
data = chainermn.scatter_dataset(data, comm, shuffle=True, seed=0)
normalized = chainermn.links.MultiNodeBatchNormalization(5, comm)
layers = chainer.Sequential(links.Linear(4, 5), normalized, links.Linear(5, 3))
model = links.Classifier(layers)
adam = chainer.optimizers.Adam()
optimizer = chainermn.create_multi_node_optimizer(adam, comm).setup(model)
batches = chainer.iterators.SerialIterator(data, 5)
once = chainer.iterators.SerialIterator(data, 5, repeat=False, shuffle=False)
updater = training.StandardUpdater(batches, optimizer)
trainer = training.Trainer(updater, (3, "epoch"), out=sys.argv[1])
evaluator = extensions.Evaluator(once, model)
trainer.extend(chainermn.create_multi_node_evaluator(evaluator, comm))
trainer.extend(chainermn.extensions.AllreducePersistent(model, comm))
trainer.extend(chainermn.extensions.ObservationAggregator(comm, "main/loss"))
snapshot = extensions.snapshot(filename="snapshot")
trainer.extend(chainermn.extensions.multi_node_snapshot(comm, snapshot, [0, 1]))
trainer.run()
found["parameters"] = {k: p.array.tolist() for k, p in model.namedparams()}
found["loss"] = float(trainer.observation["main/loss"].array)
found["validation"] = float(trainer.observation["validation/main/loss"])
"""
    first, second = run(code, tmp_path)
    assert first == second
    assert np.isfinite([first["loss"], first["validation"]]).all()
    assert {path.name for path in tmp_path.glob("snapshot*")} == {
        "snapshot.0",
        "snapshot.1",
    }


def test_iterators(tmp_path):
    code = """
def batches():
    return chainer.iterators.SerialIterator(np.arange(6), 4)

same = chainermn.iterators.create_multi_node_iterator(batches(), comm)
found["same"] = [int(i) for i in same.next()]
order = chainermn.iterators.create_synchronized_iterator(batches(), comm)
found["order"] = [int(i) for i in order.next()]
"""
    first, second = run(code, tmp_path)
    assert first == second
    assert len(set(first["same"])) == len(set(first["order"])) == 4


def test_a_model_over_two_ranks(tmp_path):
    code = """
class Half(chainermn.MultiNodeChainList):
    def __init__(self):
        super().__init__(comm)
        if number == 0:
            self.add_link(links.Linear(3, 4), rank_in=None, rank_out=1)
        else:
            self.add_link(links.Linear(4, 2), rank_in=0, rank_out=None)

model = Half()
model.cleargrads()
if number == 0:
    model(chainer.Variable(np.ones((1, 3), "f"))).backward()
else:
    functions.sum(model()).backward()
found["gradients"] = [p.grad is not None and bool(p.grad.any()) for p in model.params()]
"""
    assert run(code, tmp_path) == [{"gradients": [True, True]}] * 2
