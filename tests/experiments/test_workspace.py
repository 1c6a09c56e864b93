from __future__ import annotations

from chainer.backends import cuda

from chainer_style.experiments import workspace
from chainer_style.experiments.rates import Rates
from chainer_style.experiments.workspace import Workspaces
from chainer_style.paper import TABLE_4, TABLE_5, Cell


def test_workspace_is_that_of_the_channels() -> None:
    assert workspace.workspace_bytes("vgg16") == (3 * 9 * 4, 512 * 9 * 4)
    assert workspace.workspace_bytes("nin") == (96 * 4, 384 * 9 * 4)


def test_only_cells_with_cudnn(pictures):
    experiment = Workspaces(TABLE_4.cells, 1, *pictures, "seeded")
    assert experiment.cells() == (
        Cell("vgg16", 128, "cuDNN"),
        Cell("nin", 128, "cuDNN"),
    )
    assert experiment.name == "workspace"
    assert len(Workspaces(TABLE_5.cells, 1, *pictures, "seeded").cells()) == 4


def test_the_workspace_is_set_before_anything_is_measured(
    pictures, tmp_path, monkeypatch
):
    done = []
    monkeypatch.setattr(cuda, "set_max_workspace_size", done.append)
    monkeypatch.setattr(Rates, "measure", lambda *_: done.append("measured"))
    cell = Cell("nin", 128, "cuDNN")
    experiment = Workspaces((cell,), 1, *pictures, "seeded")
    experiment.measure(cell, tmp_path, lambda *_: None)
    assert done == [384 * 9 * 4, "measured"]
