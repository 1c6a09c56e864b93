"""Packaging of chainer_style; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
INIT = (HERE / "chainer_style" / "__init__.py").read_text(encoding="utf-8")

EXTRAS = {
    # Products of halves with sums in single precision came with 2.8.
    "benchmark": ["torch>=2.8"],
    # CuPy's "ctk" brings CUDA's own libraries. cuDNN 9 is called by way of NVIDIA's
    # frontend, whose later releases bring a compiler along that is of no use here.
    "cuda": [
        "cupy-cuda12x[ctk]>=14",
        "nvidia-cudnn-cu12>=9.10",
        "nvidia-cudnn-frontend>=1.14,<1.23",
    ],
    "cuda13": [
        "cupy-cuda13x[ctk]>=14",
        "nvidia-cudnn-cu13>=9.12",
        "nvidia-cudnn-frontend>=1.14,<1.23",
    ],
    "digits": ["scikit-learn>=1.5"],
    "fuzz": ["atheris>=3.0"],
    # No MPI library: a cluster has its own.
    "mpi": ["mpi4py>=4.0"],
    "test": [
        "hypothesis>=6.100",
        # With an MPI library of its own, where there is a wheel of it.
        "mpi4py>=4.1",
        "mpich",
        "mypy>=1.14",
        # 5 no longer reads Caffe's files.
        "opencv-python-headless>=4.10,<5",
        "pytest>=8",
        "pytest-xdist>=3.6",
        "ruff>=0.9",
        "scipy>=1.14",
    ],
    "docs": ["furo>=2024.8.6", "sphinx>=8", "sphinx-click>=6.1"],
}

setup(
    name="chainer-style",
    version=re.search(r'^__version__ = "(.+)"$', INIT, re.MULTILINE)[1],
    description="Neural style transfer in Chainer: a faithful replication, and more",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    packages=find_packages(include=["chainer_style", "chainer_style.*"]),
    package_data={
        "chainer_style": [
            "engines/cuda/kernels/*.cu",
            "report/templates/*",
            "report/parts/*.j2",
        ]
    },
    python_requires=">=3.11",
    install_requires=[
        "chainer==7.8.1",
        "numpy>=2.0",
        "pillow>=10.1",
        "h5py>=3.11",
        "matplotlib>=3.9",
        "numba>=0.61",
        "protobuf>=4",
        "click>=8.1",
        "docutils>=0.21",
        "filelock>=3.12",
        "jinja2>=3.1",
        "packaging>=24",
        "platformdirs>=4",
        "requests>=2.32.2",
        "threadpoolctl>=3.1",
        "tqdm>=4.66",
        "urllib3>=1.26",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["chainer-style = chainer_style.cli:main"]},
)
