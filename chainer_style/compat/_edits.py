"""What has to change in Chainer 7.8.1, and why.

Each edit replaces a piece of text in one of Chainer's modules while that
module loads; the files on disk stay as they are. An edit keeps the number of
lines, so a traceback still points at the right line of the file.

The edits, by module:
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in the source of one of Chainer's modules.

    Attributes
    ----------
    old
        The text to replace. It must occur exactly `count` times.
    new
        The text that takes its place, with as many lines as `old`.
    why
        What breaks without the edit, in reStructuredText.
    count
        How often `old` occurs in the module.
    to_end
        Whether everything after `old` goes as well. Only the end of a file
        can be cut without moving the lines that stay.
    """

    old: str
    new: str
    why: str
    count: int = 1
    to_end: bool = False

    def apply(self, source: str, module: str) -> str:
        """Return `source` edited.

        Raises
        ------
        ImportError
            `source` does not hold `old` exactly `count` times: `module` is
            not the one of Chainer 7.8.1, or somebody has changed it.
        """
        if (found := source.count(self.old)) != self.count:
            first_line = self.old.strip().partition("\n")[0]
            raise ImportError(
                f"{module} is not the one of Chainer {VERSIONS[0]}: found "
                f"{first_line!r} {found} times instead of {self.count}; "
                f"reinstall it with: pip install --force-reinstall --no-deps "
                f"chainer=={VERSIONS[0]}",
                name=module,
            )
        if self.to_end:
            return source[: source.index(self.old)] + self.new
        return source.replace(self.old, self.new)


VERSIONS = ("7.8.1", "7.8.1.post1")
"""The releases that the edits are for. The second changed only a build file
of the documentation."""

_PKG_RESOURCES = Edit(
    "import pkg_resources\n",
    "from chainer_style.compat import _requirements as pkg_resources\n",
    "setuptools 81 removed ``pkg_resources``. The two names that "
    "``chainer.testing`` uses are rebuilt on ``importlib.metadata`` and "
    "``packaging``.",
)

_WRAPS = (
    "NumPy 2 raises OverflowError where a Python integer does not fit the "
    "array's dtype (padding an unsigned array with -1). Older versions wrapped "
    "it around, to 255 for ``uint8``, as assigning an array still does."
)

_FRAMES = (
    "The error that tells that a library is missing is kept for ever, and with its "
    "traceback the local variables of whoever imported Chainer: a gigabyte, where "
    "these are large pictures."
)

EDITS: dict[str, tuple[Edit, ...]] = {
    "chainer._environment_check": (
        Edit(
            "import numpy.distutils.system_info\nimport pkg_resources\n",
            "\n\n",
            "``numpy.distutils`` and ``pkg_resources`` are gone, which stops "
            "``import chainer``.",
        ),
        Edit(
            "    _check_osx_numpy_backend()\n    _check_optional_dependencies()\n",
            "    pass\n\n",
            "The checks that used them look for the vecLib of old macOS "
            "versions and advise CuPy 7, which is older than Python 3.11.",
        ),
    ),
    "chainer.backends.cuda": (
        Edit(
            "_resolution_error = e\n",
            "_resolution_error = e.with_traceback(None)\n",
            _FRAMES,
            count=2,
        ),
        Edit(
            "        if 7 < _cupy_major:\n"
            "            import cupy.cuda.cudnn\n"
            "        import cupy.cudnn\n"
            "        cudnn = cupy.cudnn  # type: tp.Optional[types.ModuleType]\n"
            "        libcudnn = cupy.cuda.cudnn  # type: tp.Any # NOQA\n",
            "        if _cupy_major < 14:\n"
            "            with warnings.catch_warnings(action='ignore',"
            " category=DeprecationWarning): import cupy.cuda.cudnn, cupy.cudnn\n"
            "            cudnn, libcudnn = cupy.cudnn, cupy.cuda.cudnn\n"
            "        else:\n"
            "            from chainer_style.compat.cudnn import bring_back; "
            "cuda, cudnn, libcudnn = bring_back(cupy)\n",
            "CuPy 14 removed ``cupy.cudnn``; what Chainer needs of it is written anew "
            "in ``chainer_style.compat.cudnn``. CuPy 13 deprecates its module's name: "
            "where warnings are errors, as in a test suite, Chainer went without cuDNN "
            "for it.",
        ),
        Edit(
            "    if _cudnn_version < lowest_version:\n",
            "    if _cudnn_version < lowest_version"
            " or lowest_version and _cupy_major >= 14:\n",
            "Only batch and group normalization, dropout, recurrent networks and "
            "spatial transformers ask for a version of cuDNN. They are not written "
            "anew, and Chainer's own code computes them.",
        ),
        Edit(
            "    if (not cudnn_enabled and\n",
            "    if (not cudnn_enabled and _cupy_major < 14 and\n",
            "The advice to reinstall CuPy after cuDNN cannot be followed with CuPy 14.",
        ),
    ),
    "chainer.backends.intel64": (
        Edit("    _error = e\n", "    _error = e.with_traceback(None)\n", _FRAMES),
    ),
    "chainer.function_hooks.cupy_memory_profile": (
        Edit(
            "    _resolution_error = e\n",
            "    _resolution_error = e.with_traceback(None)\n",
            _FRAMES,
        ),
    ),
    "chainer.dataset.convert": (
        Edit(
            "numpy.maximum(shape, array.shape, shape)",
            "numpy.maximum(shape, array.shape, out=shape)",
            "NumPy 2.5 deprecates the positional output of ``numpy.maximum``.",
        ),
        Edit(
            "device.xp.full(shape, padding, dtype=arrays[0].dtype)",
            "device.xp.full(shape, numpy.asarray(padding).astype("
            "arrays[0].dtype)[()], dtype=arrays[0].dtype)",
            _WRAPS,
        ),
    ),
    "chainer.distributions.categorical": (
        Edit(
            "self.log_p[mg + [",
            "self.log_p[list(mg) + [",
            "``numpy.meshgrid`` returns a tuple instead of a list in NumPy 2, so "
            "``Categorical.log_prob`` raised TypeError.",
            count=2,
        ),
    ),
    "chainer.functions.array.as_strided": (
        Edit(
            "np.sctypes['int']",
            "(np.int8, np.int16, np.int32, np.int64)",
            "NumPy 2 removed ``numpy.sctypes``, which stops ``import chainer``.",
        ),
        Edit(
            "np.sctypes['float']",
            "(np.float16, np.float32, np.float64, np.longdouble)",
            "Its gradient uses the same name.",
        ),
    ),
    "chainer.functions.array.pad_sequence": (
        Edit(
            "y[i, l:] = self.padding",
            "y[i, l:] = numpy.asarray(self.padding).astype(y.dtype)",
            _WRAPS,
        ),
        Edit(
            "(ptrs, lengths, self.padding, base, length, y)",
            "(ptrs, lengths, numpy.asarray(self.padding).astype(y.dtype)[()],"
            " base, length, y)",
            "The same on the GPU.",
        ),
    ),
    "chainer.functions.array.resize_images": (
        Edit(
            "dtype=numpy.float)",
            "dtype=float)",
            "NumPy 1.24 removed ``numpy.float``, an alias of ``float``.",
            count=6,
        ),
    ),
    "chainer.functions.math.fix": (
        Edit(
            "xp.fix(x)",
            "xp.trunc(x)",
            "NumPy 2.5 deprecates ``numpy.fix`` for ``numpy.trunc``, its equal.",
        ),
    ),
    "chainer.functions.math.sparse_matmul": (
        Edit(
            "    _m, _k = A_shape\n    _n = B.shape[-1]\n    if B.ndim == 2:\n"
            "        sp_A = ",
            "    _m, _k = A_shape; _n = B.shape[-1]\n"
            "    A_data = A_data.astype(numpy.result_type("
            "A_data, numpy.float32), copy=False)\n"
            "    if B.ndim == 2:\n"
            "        sp_A = ",
            "SciPy's sparse matrices do not take float16 any more. The product is "
            "computed in float32, and Chainer itself casts it back.",
        ),
    ),
    "chainer.iterators.multiprocess_iterator": (
        Edit(
            "thread.setDaemon(True)",
            "thread.daemon = True",
            "Python 3.10 deprecates ``Thread.setDaemon``.",
        ),
    ),
    "chainer.links.activation.maxout": (
        Edit(
            "                array.shape = (out_size, pool_size, in_size)\n"
            "                initialW_orig(array)\n"
            "                array.shape = (linear_out_size, in_size)\n",
            "                initialW_orig(\n"
            "                    array.reshape((out_size, pool_size, in_size)))\n"
            "\n",
            "NumPy 2.5 deprecates assigning to an array's ``shape``. A function that "
            "initialises the weights is given a reshaped view instead.",
        ),
        Edit(
            "                array.shape = (out_size, pool_size)\n"
            "                initial_bias_orig(array)\n"
            "                array.shape = linear_out_size,\n",
            "                initial_bias_orig(\n"
            "                    array.reshape((out_size, pool_size)))\n"
            "\n",
            "So is one for the biases.",
        ),
    ),
    "chainer.links.caffe.protobuf3.caffe_pb2": (
        Edit(
            "DESCRIPTOR = _descriptor.FileDescriptor(\n"
            "  name='caffe.proto',\n"
            "  package='caffe',\n"
            "  syntax='proto2',\n"
            "  serialized_pb=_b(",
            "from google.protobuf import descriptor_pool\n"
            "from google.protobuf.internal import builder\n"
            "\n"
            "DESCRIPTOR = descriptor_pool.DescriptorPool().AddSerializedFile(\n"
            "  _b(",
            "protobuf 4 refuses code generated for protobuf 3. The serialized "
            "description of Caffe's format, which this module holds, is read in "
            "a pool of its own, where it cannot clash with another copy.",
        ),
        Edit(
            "_sym_db.RegisterFileDescriptor(DESCRIPTOR)\n",
            "builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())\n"
            "builder.BuildTopDescriptorsAndMessages("
            "DESCRIPTOR, __name__, globals())\n",
            "The classes are built from that description, as code generated today "
            "does it, instead of by the 5600 lines that follow.",
            to_end=True,
        ),
    ),
    "chainer.serializers.hdf5": (
        Edit(
            "value = type(value)(numpy.asarray(dataset))",
            "value = type(value)(dataset.asstr()[()] if isinstance(value, str)"
            " and h5py.check_string_dtype(dataset.dtype)"
            " else numpy.asarray(dataset))",
            "h5py 3 gives a string back as bytes, so 'abc' was read as \"b'abc'\".",
        ),
    ),
    "chainer.testing.doctest_helper": (_PKG_RESOURCES,),
    "chainer.testing.helper": (_PKG_RESOURCES,),
    "chainer.training.updaters.multiprocess_parallel_updater": (
        Edit(
            "    from cupy.cuda import nccl\n",
            "    with warnings.catch_warnings(action='ignore'): "
            "from cupy.cuda import nccl\n",
            "CuPy 14 warns at ``import chainer`` where NCCL is not installed, "
            "although only this updater, which says so itself, needs it.",
        ),
    ),
    "chainer.variable": (
        Edit(
            "device = getattr(array, 'device', 'CPU')",
            "device = 'CPU' if isinstance(array, numpy.ndarray)"
            " else getattr(array, 'device', 'CPU')",
            "NumPy 2 arrays have a ``device`` of their own, 'cpu'; "
            "``Variable.debug_print`` printed that instead of 'CPU'.",
        ),
    ),
    "chainermn.communicators._memory_utility": (
        Edit(
            "xp.array(v, copy=False, dtype=transfer_dtype)",
            "xp.asarray(v, dtype=transfer_dtype)",
            "NumPy 2 and CuPy 14 take ``copy=False`` as 'never copy' and raise "
            "ValueError where a conversion needs one.",
        ),
    ),
    "chainermn.extensions.observation_aggregator": (
        Edit(
            'value.to_device("native")',
            'value.to_device("native" if chx.is_available() else "@numpy")',
            "A reported variable was to go to a device of ChainerX, which is not "
            "available for these versions of Python, and that raised RuntimeError.",
        ),
    ),
    "chainermn.iterators.multi_node_iterator": (
        Edit(
            "int(_size)",
            "int(_size[0])",
            "NumPy 2.4 refuses to make a number of an array with an axis; older "
            "versions deprecate it.",
        ),
    ),
}


def edited(module: str, source: str) -> str:
    """Return the source of `module` with all its edits applied.

    Raises
    ------
    ImportError
        As `Edit.apply`.
    """
    for edit in EDITS[module]:
        source = edit.apply(source, module)
    return source


def _as_definition_list() -> str:
    return "\n".join(
        f"``{module}``\n    " + " ".join(edit.why for edit in edits)
        for module, edits in EDITS.items()
    )


# The documentation prints this docstring, and so the reasons have one home.
__doc__ = f"{__doc__}\n{_as_definition_list()}\n"
