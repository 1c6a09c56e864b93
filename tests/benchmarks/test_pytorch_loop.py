from __future__ import annotations

import contextlib
import types

import numpy as np
import pytest

from chainer_style import networks
from chainer_style.engines.base import Device
from chainer_style.engines.define_by_run import ChainerEngine

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

pytorch_loop = pytest.importorskip("pytorch_loop")

LAYOUTS = pytest.mark.parametrize("channels_last", [False, True])


def compared(found, true, bound):
    losses, gradient = found
    expected, reference = true
    assert losses.total == pytest.approx(expected.total, rel=bound)
    np.testing.assert_allclose(losses.style, expected.style, rtol=bound)
    content = [term for term in expected.content if term]
    assert [term for term in losses.content if term] == pytest.approx(
        content, rel=bound
    )
    assert gradient.shape == reference.shape
    difference = np.linalg.norm(gradient - reference)
    assert difference < bound * np.linalg.norm(reference)


@LAYOUTS
@pytest.mark.parametrize(("name", "size"), [("vgg16", 24), ("nin", 70)])
def test_losses_and_gradient_are_the_references(posed, name, size, channels_last):
    problem = posed(name, size)
    reference = ChainerEngine(problem, Device(), "float64")
    loop = pytorch_loop.PyTorchLoop(problem, channels_last=channels_last)
    for picture in (problem.start, problem.content):
        compared(loop.evaluate(picture), reference.evaluate(picture), 1e-5)
    np.testing.assert_array_equal(loop.image, problem.start)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_they_are_the_same(posed):
    problem = posed("nin", 70)
    reference = ChainerEngine(problem, Device(), "float64")
    loop = pytorch_loop.PyTorchLoop(problem, channels_last=True, compiled=True)
    true = reference.evaluate(problem.start)
    compared(loop.evaluate(problem.start), true, 1e-5)


@LAYOUTS
def test_the_picture_goes_the_references_way(posed, channels_last):
    problem = posed("vgg16", 16, iterations=4, final_learning_rate=0.5)
    reference = ChainerEngine(problem, Device(), "float32")
    loop = pytorch_loop.PyTorchLoop(problem, channels_last=channels_last)
    for _ in range(4):
        # Adam's epsilon is added at another place, and gradients are small.
        assert loop.step()().total == pytest.approx(reference.step()().total, rel=1e-3)
    assert np.abs(loop.image - reference.image).mean() < 0.1
    assert np.abs(loop.image - problem.start).mean() > 1
    low, high = problem.canvas.bounds
    assert (loop.image >= low).all()
    assert (loop.image <= high).all()


@LAYOUTS
def test_the_style_loss_and_its_gradient(channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    features = torch.rand((1, 3, 4, 5), dtype=torch.float64)
    features = features.contiguous(memory_format=layout).requires_grad_()
    target = torch.rand((3, 3), dtype=torch.float64)
    target = target + target.T
    flat = features.detach().numpy().reshape(3, 20)
    expected = 0.7 * ((flat @ flat.T / 60 - target.numpy()) ** 2).mean()
    found = pytorch_loop.StyleLoss.apply(features, target, 0.7)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda x: pytorch_loop.StyleLoss.apply(x, target, 0.7), features
    )


def test_only_relus_whose_input_nobody_else_reads_work_in_place():
    vgg = pytorch_loop.in_place(networks.get("vgg16").upto_taps())
    # The taps of 2016 are the convolutions before these.
    assert vgg.isdisjoint({"relu1_2", "relu2_2", "relu3_3"})
    assert {"relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu4_2"} <= vgg
    behind = networks.get("vgg16").with_taps_after_relu().upto_taps()
    assert "relu1_2" in pytorch_loop.in_place(behind)


def test_losses_of_another_kind_are_refused(posed):
    with pytest.raises(ValueError, match="only the losses of protocol 2016"):
        pytorch_loop.PyTorchLoop(posed("vgg16", 16, tv_weight=1.0))


@LAYOUTS
@pytest.mark.parametrize("before", [0, 2])
def test_another_goes_on_from_a_state(posed, channels_last, before):
    problem = posed("vgg16", 16, iterations=4, final_learning_rate=0.5)
    loops = [
        pytorch_loop.PyTorchLoop(problem, channels_last=channels_last) for _ in range(2)
    ]
    for _ in range(before):
        loops[0].step()
    loops[1].restore(loops[0].state)
    assert loops[1].state.done == before
    for _ in range(2):
        for loop in loops:
            loop.step()
    np.testing.assert_array_equal(loops[1].image, loops[0].image)


@pytest.mark.parametrize(("precision", "bound"), [("bf16", 0.05), ("fp16", 0.02)])
@LAYOUTS
def test_in_half_precision(posed, channels_last, precision, bound):
    problem = posed("vgg16", 24, final_learning_rate=0.5)
    reference = ChainerEngine(problem, Device(), "float64")
    loop = pytorch_loop.PyTorchLoop(
        problem, channels_last=channels_last, precision=precision
    )
    losses, gradient = loop.evaluate(problem.start)
    true, expected = reference.evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=bound)
    difference = np.linalg.norm(gradient - expected)
    assert 0 < difference < bound * np.linalg.norm(expected)
    assert loop.image.dtype == gradient.dtype == np.float32
    # Adam's moments come without what fp16 multiplies the loss by.
    loop.step()
    first = loop.state.first
    np.testing.assert_allclose(first, gradient / 10, rtol=0.01, atol=1e-7)
    other = pytorch_loop.PyTorchLoop(
        problem, channels_last=channels_last, precision=precision
    )
    other.restore(loop.state)
    for each in (loop, other):
        each.step()
    np.testing.assert_allclose(other.image, loop.image, atol=1e-3)


def test_a_cpu_has_no_tf32(posed):
    with pytest.raises(ValueError, match="no TF32"):
        pytorch_loop.PyTorchLoop(posed("vgg16", 16), precision="tf32")


def test_only_content_that_counts_is_kept(posed):
    problem = posed("vgg16", 16)
    kept = pytorch_loop.PyTorchLoop(problem)._content
    counts = [bool(tap.content) for tap in problem.network.taps]
    assert [target is not None for target in kept] == counts


class Graph:
    """Stands for a CUDA graph on a CPU: what was captured is computed again."""

    def __init__(self):
        self.again = None

    def replay(self):
        for kept, found in zip(self.kept, flat(self.again()), strict=True):
            kept.detach().copy_(found.detach())


def flat(terms):
    return [terms[0], *terms[1], *terms[2]]


def test_a_captured_loop_starts_where_it_should_and_goes_the_same_way(
    posed, monkeypatch
):
    import pytorch_graph

    stream = types.SimpleNamespace(wait_stream=lambda other: None)
    for name in ("Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda own: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda own: contextlib.nullcontext())
    problem = posed("vgg16", 16, iterations=4, final_learning_rate=0.5)
    plain = pytorch_loop.PyTorchLoop(problem, channels_last=True)
    loop = pytorch_graph.CapturedLoop(problem, device="cpu", channels_last=True)
    loop._graph.kept, loop._graph.again = flat(loop._terms_there), loop._iterate
    np.testing.assert_array_equal(loop.image, problem.start)
    assert loop.state.done == loop.state.scheduled == 0
    for _ in range(3):
        found, true = loop.step()(), plain.step()()
        assert found.total == pytest.approx(true.total, rel=1e-6)
        assert found.style == pytest.approx(true.style, rel=1e-6)
    np.testing.assert_allclose(loop.image, plain.image, atol=1e-3)
    other = pytorch_graph.CapturedLoop(problem, device="cpu", channels_last=True)
    other._graph.kept, other._graph.again = flat(other._terms_there), other._iterate
    other.restore(plain.state)
    plain.step()
    other.step()
    np.testing.assert_allclose(other.image, plain.image, atol=1e-3)
    assert other.state.done == 4


@pytest.fixture
def settled():
    """PyTorch's settings, as they were before."""
    before = torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn
    kept = cudnn.allow_tf32, cudnn.benchmark
    yield
    torch.set_float32_matmul_precision(before)
    cudnn.allow_tf32, cudnn.benchmark = kept


BOUNDS = {"float32": 1e-3, "tf32": 1e-2, "fp16": 0.02, "bf16": 0.05}


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("precision", BOUNDS)
def test_on_a_card(posed, settled, precision, captured):
    import pytorch_graph

    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA device")
    problem = posed("vgg16", 64, iterations=4, final_learning_rate=0.5)
    reference = ChainerEngine(problem, Device(), "float64")
    # PyTorch's Adam adds its epsilon elsewhere than Chainer's.
    plain = pytorch_loop.PyTorchLoop(problem, channels_last=True)
    for _ in range(4):
        plain.step()
    of_its_kind = pytorch_graph.CapturedLoop if captured else pytorch_loop.PyTorchLoop
    loop = of_its_kind(problem, channels_last=True, device="cuda", precision=precision)
    np.testing.assert_array_equal(loop.image, problem.start)
    bound = BOUNDS[precision]
    losses, gradient = loop.evaluate(problem.start)
    true, expected = reference.evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=bound)
    assert np.linalg.norm(gradient - expected) < bound * np.linalg.norm(expected)
    for _ in range(4):
        found = loop.step()().total
        assert found == pytest.approx(reference.step()().total, rel=10 * bound)
    assert loop.state.done == loop.state.scheduled == 4
    # Adam goes as far where a gradient is small as where it is large.
    assert np.abs(loop.image - plain.image).mean() < 0.1 + 40 * bound
    other = of_its_kind(problem, channels_last=True, device="cuda", precision=precision)
    other.restore(loop.state)
    for each in (loop, other):
        each.step()
    assert np.abs(other.image - loop.image).mean() < 0.5
