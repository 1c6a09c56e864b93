"""What Chainer 7.8.1 does on today's libraries: each test fails without its edit."""

import textwrap

import chainer
import h5py
import numpy as np
import pytest
from chainer import functions, serializers
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("error")

INTEGERS = ["int8", "uint8", "int16", "uint16", "uint32", "uint64"]
RNG = np.random.default_rng(0)


def wrapped(value, dtype):
    """Two's complement, as C casts and as NumPy did before version 2."""
    bits = np.dtype(dtype).itemsize * 8
    value %= 1 << bits
    signed = np.dtype(dtype).kind == "i" and value >> (bits - 1)
    return value - (1 << bits) if signed else value


@given(padding=st.integers(-(2**63), 2**63 - 1), dtype=st.sampled_from(INTEGERS))
def test_padding_wraps_around(padding, dtype):
    rows = [np.array(row, dtype) for row in ([1], [2, 3])]
    expected = [[1, wrapped(padding, dtype)], [2, 3]]
    for padded in (
        functions.pad_sequence(rows, padding=padding).array,
        chainer.dataset.concat_examples(rows, padding=padding),
    ):
        assert padded.dtype == dtype
        assert padded.tolist() == expected


@pytest.mark.parametrize("padding", [0, -1, 0.5, -np.inf])
def test_padding_of_floats_is_exact(padding):
    rows = [np.array(row, "float16") for row in ([1], [2, 3])]
    assert functions.pad_sequence(rows, padding=padding).array.tolist() == [
        [1, padding],
        [2, 3],
    ]


@pytest.mark.gpu
def test_padding_wraps_around_on_the_gpu():
    cupy = pytest.importorskip("cupy")
    rows = [cupy.array(row, "uint8") for row in ([1], [2, 3])]
    assert functions.pad_sequence(rows, padding=-1).array.tolist() == [[1, 255], [2, 3]]
    padded = chainer.dataset.concat_examples(rows, padding=-1)
    assert padded.tolist() == [[1, 255], [2, 3]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_as_strided_and_its_gradient(dtype):
    x = chainer.Variable(np.arange(6, dtype=dtype))
    windows = functions.as_strided(x, (4, 3), (1, 1))
    np.testing.assert_array_equal(
        windows.array, np.lib.stride_tricks.sliding_window_view(x.array, 3)
    )
    windows.grad = np.ones((4, 3), dtype)
    windows.backward()
    np.testing.assert_array_equal(x.grad, [1, 2, 3, 3, 2, 1])


def positions(size, out, mode, align_corners):
    if mode == "nearest":
        return np.floor(np.arange(out) * size / out)
    if align_corners:
        return np.linspace(0, size - 1, out)
    return (np.arange(out) + 0.5) * size / out - 0.5


@pytest.mark.parametrize("shape", [(9, 8), (3, 11), (5, 7)])
@pytest.mark.parametrize(
    ("mode", "align_corners"),
    [("bilinear", True), ("bilinear", False), ("nearest", False)],
)
def test_resize_images(shape, mode, align_corners):
    x, direction = RNG.normal(size=(2, 2, 3, 5, 7)).astype("float32")
    expected = x.astype("float64")
    for axis, out in zip((2, 3), shape, strict=True):
        at = positions(x.shape[axis], out, mode, align_corners)
        expected = np.apply_along_axis(
            lambda line, at=at: np.interp(at, np.arange(len(line)), line),
            axis,
            expected,
        )

    def resize(x):
        return functions.resize_images(x, shape, mode=mode, align_corners=align_corners)

    variable = chainer.Variable(x)
    resized = resize(variable)
    np.testing.assert_allclose(resized.array, expected, rtol=1e-5, atol=1e-5)
    # The function is linear, so its gradient is its adjoint.
    resized.grad = gy = RNG.normal(size=resized.shape).astype("float32")
    resized.backward()
    np.testing.assert_allclose(
        np.vdot(variable.grad, direction),
        np.vdot(gy, resize(direction).array),
        rtol=1e-4,
    )


def test_categorical_log_prob():
    p = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    distribution = chainer.distributions.Categorical(p)
    for x in (np.array([2, 1]), chainer.Variable(np.array([2, 1]))):
        log_p = distribution.log_prob(x).array
        np.testing.assert_allclose(log_p, np.log([0.25, 0.2]))


def test_fix():
    x = np.float32([-1.5, -0.5, 0.5, 2])
    np.testing.assert_array_equal(functions.fix(x).array, [-1, 0, 0, 2])
    np.testing.assert_array_equal(
        functions.fmod(x, np.ones_like(x)).array, [-0.5, -0.5, 0.5, 0]
    )


def test_maxout_takes_functions_as_initializers():
    def count(array):
        array[...] = np.arange(array.size).reshape(array.shape)

    maxout = chainer.links.Maxout(2, 3, 4, initialW=count, initial_bias=count)
    W, b = maxout.linear.W.array, maxout.linear.b.array
    np.testing.assert_array_equal(W, np.arange(24).reshape(12, 2))
    np.testing.assert_array_equal(b, np.arange(12))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_sparse_matmul(dtype, batch):
    pytest.importorskip("scipy")
    A = RNG.integers(-2, 3, (*batch, 4, 3)).astype(dtype)
    B = RNG.integers(-2, 3, (*batch, 3, 2)).astype(dtype)
    product = functions.sparse_matmul(chainer.utils.to_coo(A), B)
    assert product.dtype == dtype
    np.testing.assert_array_equal(product.array, A @ B)


def test_debug_print_names_the_device():
    x = chainer.Variable(np.float32([1, 3]), name="x")
    assert "- device: CPU\n" in x.debug_print()


def test_multiprocess_iterator():
    batches = chainer.iterators.MultiprocessIterator(
        np.arange(5), 2, repeat=False, shuffle=False, n_processes=1, shared_mem=64
    )
    assert [list(batch) for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches._prefetch_loop.thread.daemon
    batches.finalize()


class Note(chainer.Link):
    """A link with an attribute of any type."""

    def __init__(self, note):
        super().__init__()
        self.note = note

    def serialize(self, serializer):
        self.note = serializer("note", self.note)


@pytest.mark.parametrize("text", ["", "abc", "été 🎨"])
def test_hdf5_reads_a_string(tmp_path, text):
    with h5py.File(tmp_path / "note.h5", "w") as file:
        file["note"] = text  # Chainer itself writes no string to HDF5.
    link = Note("old")
    serializers.load_hdf5(tmp_path / "note.h5", link)
    assert link.note == text


@pytest.mark.parametrize("value", [None, 3, 2.5, True, b"abc"])
def test_hdf5_keeps_other_values(tmp_path, value):
    serializers.save_hdf5(tmp_path / "note.h5", Note(value))
    link = Note(type(value)() if value is not None else "old")
    serializers.load_hdf5(tmp_path / "note.h5", link)
    assert (link.note, type(link.note)) == (value, type(value))


def test_hdf5_reads_a_number_into_a_string(tmp_path):
    serializers.save_hdf5(tmp_path / "note.h5", Note(3))
    link = Note("old")
    serializers.load_hdf5(tmp_path / "note.h5", link)
    assert link.note == "3"


def test_hdf5_resumes_an_updater(tmp_path):
    def updater():
        model = chainer.links.Classifier(chainer.links.Linear(3, 2))
        data = chainer.datasets.TupleDataset(np.eye(3, dtype="f"), np.int32([0, 1, 1]))
        optimizer = chainer.optimizers.Adam().setup(model)
        batches = chainer.iterators.SerialIterator(data, 2)
        return chainer.training.StandardUpdater(batches, optimizer)

    first, second = updater(), updater()
    first.update()
    serializers.save_hdf5(tmp_path / "updater.h5", first)
    serializers.load_hdf5(tmp_path / "updater.h5", second)
    assert second.iteration == 1
    one, two = (u.get_optimizer("main") for u in (first, second))
    assert two.t == 1
    for (path, p), (_, q) in zip(
        one.target.namedparams(), two.target.namedparams(), strict=True
    ):
        np.testing.assert_array_equal(p.array, q.array, err_msg=path)
        assert p.update_rule.state.keys() == q.update_rule.state.keys() >= {"m", "v"}
        for name, value in p.update_rule.state.items():
            np.testing.assert_array_equal(value, q.update_rule.state[name])


@pytest.mark.parametrize("cupy_major", [13, 14])
def test_advice_on_cudnn_is_given_only_where_it_helps(monkeypatch, cupy_major):
    cuda = chainer.backends.cuda
    monkeypatch.setattr(cuda, "available", True)
    monkeypatch.setattr(cuda, "cudnn_enabled", False)
    monkeypatch.setattr(cuda, "_cudnn_disabled_by_user", False, raising=False)
    monkeypatch.setattr(cuda, "_cupy_major", cupy_major)
    monkeypatch.setattr(
        cuda.check_cuda_available, "_already_warned", False, raising=False
    )
    if cupy_major < 14:
        with pytest.warns(UserWarning, match="cuDNN is not enabled"):
            cuda.check_cuda_available()
    else:
        cuda.check_cuda_available()


def write_package(folder, name, **modules):
    (folder / name).mkdir()
    for module, source in {"__init__": "", **modules}.items():
        (folder / name / f"{module}.py").write_text(textwrap.dedent(source))


def test_deprecated_name_of_cudnn_does_not_disable_it(python, tmp_path):
    anything = """
        from unittest.mock import MagicMock

        __version__ = "13.6.0"
        ndarray = type("ndarray", (), {})

        def __getattr__(name):
            if name.startswith("_"):
                raise AttributeError(name)
            return MagicMock()
    """
    deprecated = "import warnings; warnings.warn('use cupyx', DeprecationWarning)"
    util = "class PerformanceWarning(Warning): pass"
    write_package(tmp_path, "cupy", __init__=anything, cudnn=deprecated, _util=util)
    library = f"{textwrap.dedent(anything)}\ngetVersion = lambda: 8907"
    write_package(tmp_path / "cupy", "cuda", __init__=anything, cudnn=library)
    write_package(tmp_path, "cupyx")
    write_package(tmp_path / "cupyx", "scipy", special="")
    write_package(tmp_path / "cupyx/scipy", "linalg")
    code = "import chainer_style, chainer; print(chainer.backends.cuda.cudnn_enabled)"
    assert python("-c", code, path=tmp_path) == "True\n"


def test_missing_nccl_is_no_news_at_import(python, tmp_path):
    cuda = """
        import warnings

        def __getattr__(name):
            if name == "nccl":
                warnings.warn("nccl library could not be loaded.")
                raise ImportError(name)
            raise AttributeError(name)
    """
    write_package(tmp_path, "cupy", cuda=cuda)
    code = "import chainer_style, chainer; print(chainer.backends.cuda.available)"
    assert python("-W", "always", "-c", code, path=tmp_path) == "False\n"


def test_chainermn_unpacks_what_it_converted(python, tmp_path):
    write_package(tmp_path, "mpi4py", MPI="FLOAT = None")
    code = """
        import chainer_style
        import chainer, numpy as np
        from chainermn.communicators._memory_utility import unpack_params

        class Buffer:
            def to_device(self, array, size, offset, stream):
                assert array.dtype == np.float16 and size == 2 * array.size
                array[...] = 3

        parameter = chainer.Parameter(np.zeros(2, np.float32))
        parameter.grad = np.ones(2, np.float32)
        unpack_params([parameter], "grad", Buffer(), np.float16, False)
        print(parameter.grad.tolist(), parameter.grad.dtype)
    """
    output = python("-c", textwrap.dedent(code), path=tmp_path)
    assert output == "[3.0, 3.0] float32\n"


def test_chainermn_learns_the_size_of_a_dataset(python, tmp_path):
    write_package(tmp_path, "mpi4py", MPI="FLOAT = None")
    code = """
        import chainer_style
        import numpy as np
        from chainermn.iterators.multi_node_iterator import _MultiNodeIteratorSlave

        class Communicator:
            said = [np.float32([6]), np.float32([2, 0, 1])]

            def bcast(self, value, root):
                return self.said.pop(0)

        print(_MultiNodeIteratorSlave(Communicator(), 1).dataset_size)
    """
    assert python("-c", textwrap.dedent(code), path=tmp_path) == "6\n"


def test_chainermn_averages_a_reported_variable(python, tmp_path):
    write_package(tmp_path, "mpi4py", MPI="FLOAT = None")
    code = """
        from types import SimpleNamespace
        import chainer_style
        import chainer, numpy as np
        from chainermn.extensions import ObservationAggregator

        class Communicator:
            rank = 0

            def gather_obj(self, value):
                return [value, [chainer.Variable(np.float32([1]))]]

            def bcast_obj(self, value):
                return value

        loss = chainer.Variable(np.float32([2]))
        updater = SimpleNamespace(iteration=1)
        trainer = SimpleNamespace(observation={"loss": loss}, updater=updater)
        ObservationAggregator(Communicator(), "loss")(trainer)
        print(trainer.observation["loss"].array)
    """
    assert python("-c", textwrap.dedent(code), path=tmp_path) == "[1.5]\n"
