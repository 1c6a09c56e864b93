import sys
import textwrap

import pytest

from chainer_style.compat import install
from chainer_style.compat._finder import EditingFinder, EditingLoader

FAKE_VARIABLE = """\
class numpy:
    ndarray = list


def where(array):
    device = getattr(array, 'device', 'CPU')
    return device


def fail():
    raise RuntimeError
"""


@pytest.fixture
def fake_chainer(tmp_path):
    """A folder whose package ``chainer`` has one module that needs an edit."""
    (tmp_path / "chainer").mkdir()
    (tmp_path / "chainer/__init__.py").touch()
    (tmp_path / "chainer/variable.py").write_text(FAKE_VARIABLE)
    return tmp_path


def declare_version(folder, version):
    metadata = folder / f"chainer-{version}.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: chainer\nVersion: {version}\n")


def test_importing_chainer_style_imports_nothing_heavy(python):
    heavy = {"chainer", "numpy", "packaging", "importlib.metadata", "dataclasses"}
    imported = python("-c", "import chainer_style, sys; print(*sys.modules)").split()
    assert "chainer_style.compat" in imported
    assert not heavy & set(imported)


def test_install_is_idempotent():
    for _ in range(2):
        install()
    assert sum(isinstance(finder, EditingFinder) for finder in sys.meta_path) == 1


def test_other_modules_are_not_found_by_it():
    finder = EditingFinder()
    assert finder.find_spec("numpy") is None
    assert finder.find_spec("chainer_style") is None
    assert finder.find_spec("chainer.functions") is None


@pytest.mark.parametrize(
    "first",
    [
        "chainer",
        "chainer.functions.array.resize_images",
        "chainer.links.caffe.protobuf3.caffe_pb2",
        "chainer.testing",
        "chainermn",
    ],
)
def test_any_module_may_come_first_and_none_warns(python, first):
    code = f"""
        import chainer_style, {first}, chainer_style, sys
        import chainer, chainermn, chainer.testing, chainer.links.caffe
        from chainer_style.compat import _edits
        loaded = {{name for name in _edits.EDITS if name in sys.modules}}
        assert len(loaded) > 15, loaded
        for name in loaded:
            assert type(sys.modules[name].__loader__).__name__ == "EditingLoader"
        assert "pkg_resources" not in sys.modules
        assert not hasattr(__import__("numpy"), "sctypes")
    """
    assert python("-c", textwrap.dedent(code)) == ""


def test_chainer_imported_before_is_refused(python, fake_chainer):
    code = "import chainer.variable, chainer_style"
    message = python("-c", code, path=fake_chainer, status=1)
    assert "import chainer_style first, in a new Python process" in message


def test_remains_of_a_failed_import_are_refused(python, fake_chainer):
    code = "import sys, chainer.variable; del sys.modules['chainer']\n"
    message = python("-c", code + "import chainer_style", path=fake_chainer, status=1)
    assert "import chainer_style first, in a new Python process" in message


def test_another_version_is_refused(python, fake_chainer):
    declare_version(fake_chainer, "7.7.0")
    code = "import chainer_style; print('fine'); import chainer"
    message = python("-c", code, path=fake_chainer, status=1)
    assert "fine" in message.splitlines()
    assert "chainer 7.7.0 is installed" in message
    assert "pip install chainer==7.8.1" in message


@pytest.mark.parametrize("version", ["7.8.1", "7.8.1.post1"])
def test_the_right_version_is_taken(python, fake_chainer, version):
    declare_version(fake_chainer, version)
    python("-c", "import chainer_style, chainer.variable", path=fake_chainer)


def test_changed_text_is_refused(python, fake_chainer):
    (fake_chainer / "chainer/variable.py").write_text("device = None\n")
    code = "import chainer_style, chainer.variable"
    message = python("-c", code, path=fake_chainer, status=1)
    assert "chainer.variable is not the one of Chainer 7.8.1" in message


def test_without_chainer_only_its_own_import_fails(python):
    code = f"import sys; sys.path[:] = {[p for p in sys.path if 'site-' not in p]}\n"
    python("-S", "-c", code + "import chainer_style")
    message = python("-S", "-c", code + "import chainer_style, chainer", status=1)
    assert "ModuleNotFoundError: No module named 'chainer'" in message


def test_bytecode_of_the_unedited_file_is_neither_read_nor_replaced(
    python, fake_chainer
):
    python("-c", "import chainer.variable", path=fake_chainer)
    (cached,) = fake_chainer.glob("chainer/__pycache__/variable.*.pyc")
    bytecode = cached.read_bytes()
    code = """
        import chainer_style, chainer.variable, numpy
        class Array(list):
            device = "gpu"
        assert chainer.variable.where(Array()) == "CPU"
        chainer.variable.numpy = numpy
        assert chainer.variable.where(Array()) == "gpu"
    """
    python("-c", textwrap.dedent(code), path=fake_chainer)
    assert cached.read_bytes() == bytecode
    assert (fake_chainer / "chainer/variable.py").read_text() == FAKE_VARIABLE


def test_traceback_and_source_point_at_the_file(python, fake_chainer):
    code = "import inspect, chainer_style, chainer.variable as v\n"
    output = python("-c", code + "print(inspect.getsource(v.fail))", path=fake_chainer)
    assert output.strip() == "def fail():\n    raise RuntimeError"
    output = python("-c", code + "v.fail()", path=fake_chainer, status=1)
    assert 'chainer/variable.py", line 11, in fail\n    raise RuntimeError' in output


def test_loader_gives_the_edited_source():
    import chainer.variable

    loader = chainer.variable.__loader__
    assert isinstance(loader, EditingLoader)
    assert "isinstance(array, numpy.ndarray)\n" not in loader.get_source(loader.name)
    assert "'CPU' if isinstance(array, numpy.nd" in loader.get_source(loader.name)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_are_served(python, tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import multiprocessing
        import chainer_style
        import chainer
        import numpy as np

        def double(x):
            return chainer.functions.sum(np.float32([x, x])).array

        if __name__ == "__main__":
            multiprocessing.set_start_method({method!r})
            with multiprocessing.Pool(1) as pool:
                print(*map(int, pool.map(double, [1, 2, 3])))
            data = np.arange(6)
            batches = chainer.iterators.MultiprocessIterator(
                data, 2, repeat=False, shuffle=False, n_processes=1, shared_mem=64)
            print(*[int(x) for batch in batches for x in batch])
            batches.finalize()
        """)
    )
    assert python(str(script)) == "2 4 6\n0 1 2 3 4 5\n"
