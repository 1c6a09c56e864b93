"""The page of the readers, with records and without."""

from __future__ import annotations

import json

import pytest
import reading
from docutils import nodes
from docutils.core import publish_doctree

ENVIRONMENT = {
    "cpu": "Processor | of *one*",
    "cores": 2,
    "python": "3.13.0",
    "libraries": {"chainer": "7.8.1", "numpy": "2.4.6"},
    "commit": None,
}
MADE = {"environment": ENVIRONMENT, "ended": "2026-01-02T03:04:05+00:00"}


def compared(tap, way, form, opencv, caffe_function, width=64):
    return {
        "network": "nin",
        "as": way,
        "format": form,
        "height": 32,
        "width": width,
        "tap": tap,
        "opencv": opencv,
        "caffe_function": caffe_function,
    }


RECORDS = {
    "agreement": {
        **MADE,
        "opencv": "4.9",
        "rows": [
            compared("conv1", "caffe", "V1", 1.21e-6, 0.0),
            compared("conv1", "caffe", "V1", 1e-7, 0.0, width=65),
            compared("conv1", "caffe", "V2", 2e-12, None),
            compared("conv2", "caffe", "V1", 3e-7, 0.0),
            compared("conv2", "2016", "V1", None, 5e-7),
            compared("conv3", "2016", "V2", None, 6e-7),
        ],
    },
    "fuzz-a": {
        **MADE,
        "reader": "chainer_style.weights.caffe",
        "engine": "some",
        "inputs": 1234,
        "outcomes": {"read": 30, "UserError: a": 1200, "UserError: b": 3},
        "failures": {"7": "MemoryError"},
        "slowest_seconds": 0.0123,
        "memory_before_bytes": 10_000_000,
        "peak_memory_bytes": 15_000_000,
    },
    "convert": {
        **MADE,
        "file_bytes": 553_000_000,
        "tasks": {
            "open": {
                "median_seconds": 0.00123,
                "seconds": [0.001, 0.00123, 0.5],
                "peak_above_start_bytes": 2_000_000,
            }
        },
    },
}


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "one" / "benchmarks" / "reader"
    folder.mkdir(parents=True)
    for name, record in RECORDS.items():
        (folder / f"{name}.json").write_text(json.dumps(record))
    return tmp_path


def read(text):
    settings = {"report_level": 1, "halt_level": 2}
    tree = publish_doctree(text, settings_overrides=settings)
    return tree.astext(), [
        [[entry.astext() for entry in row] for row in table.findall(nodes.row)]
        for table in tree.findall(nodes.table)
    ]


def test_without_records_the_page_says_so(tmp_path):
    for function in (reading.agreement, reading.fuzzing, reading.conversion):
        assert function(tmp_path) == reading.NOTHING


def test_agreement(results):
    text, (taps, protocols) = read(reading.agreement(results))
    assert taps[0][2:] == [
        *("OpenCV, V1", "OpenCV, V2", "CaffeFunction, V1", "CaffeFunction, V2")
    ]
    assert taps[1:] == [
        ["NIN", "conv1", "1.2e-6", "2.0e-12", "0", "—"],
        ["", "conv2", "3.0e-7", "—", "0", "—"],
    ]
    assert protocols[0] == [
        *("Network", "2016, OpenCV", "2016, CaffeFunction"),
        *("modern, OpenCV", "modern, CaffeFunction"),
    ]
    assert protocols[1:] == [["NIN", "—", "6.0e-7", "—", "—"]]
    assert "Pictures of 32 × 64, 32 × 65 pixels." in text
    assert "Processor | of *one*, 2 cores, Python 3.13.0, numpy 2.4.6" in text
    assert "OpenCV 4.9; 2026-01-02, commit unknown." in text


def test_fuzzing(results):
    _, (table,) = read(reading.fuzzing(results))
    assert table[1] == [
        *("weights.caffe", "some", "1,234", "30", "1,203", "1", "12 ms", "5 MB")
    ]


def test_conversion(results):
    text, (table,) = read(reading.conversion(results))
    assert "553 MB" in text
    assert table[1:] == [[reading.TASKS["open"], "0.00123 s", "0.001 to 0.5 s", "2 MB"]]


def test_the_records_here_are_read(root):
    for function in (reading.agreement, reading.fuzzing, reading.conversion):
        text, tables = read(function(root / "results"))
        assert text == reading.NOTHING.strip() or tables
