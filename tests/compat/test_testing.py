"""Chainer's own test helpers, which many users' test suites are built on."""

import unittest

from chainer import testing
from chainer.testing import doctest_helper

SUM = {1: {"x": 0, "y": 1}, 2: {"x": 1, "y": 2}}


@testing.parameterize(*testing.product({"a": [1, 2], "b": ["x", "y"]}))
class TestParameterize(unittest.TestCase):
    def test_parameters_are_attributes(self):
        assert SUM[self.a][self.b] == self.a - (self.b == "x")


def test_parameterize_makes_a_class_for_each_combination():
    made = [name for name in globals() if name.startswith("TestParameterize_param_")]
    assert len(made) == 4


def test_with_requires_skips_what_is_not_met():
    class Cases(unittest.TestCase):
        @testing.with_requires("chainer>=7")
        def test_runs(self):
            pass

        @testing.with_requires("chainer>=7", "numpy>=99")
        def test_skipped(self):
            self.fail()

        @testing.without_requires("numpy>=99")
        def test_runs_too(self):
            pass

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Cases)
    result = unittest.TestResult()
    suite.run(result)
    assert result.wasSuccessful()
    assert [case.id().rpartition(".")[2] for case, _ in result.skipped] == [
        "test_skipped"
    ]


def test_doctest_helper():
    assert doctest_helper.skipif_requires_satisfied("chainer>=7")
    assert not doctest_helper.skipif_requires_satisfied("chainer<7")
