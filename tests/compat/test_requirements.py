import pytest

from chainer_style.compat._requirements import ResolutionError, WorkingSet


@pytest.mark.parametrize(
    "requirement",
    ["chainer", "chainer==7.8.1", "Chainer>=7,<8", "nowhere; python_version < '3'"],
)
def test_met(requirement):
    WorkingSet().require(requirement)


@pytest.mark.parametrize(
    "requirement", ["nowhere", "chainer<7", "numpy>=99", "nowhere; os_name != ''"]
)
def test_not_met(requirement):
    with pytest.raises(ResolutionError, match=requirement.partition(";")[0][:5]):
        WorkingSet().require("chainer", requirement)


def test_unreadable_requirement():
    with pytest.raises(ValueError, match="=>"):
        WorkingSet().require("numpy=>1")


def test_pre_release_counts(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.0rc1")
    WorkingSet().require("numpy>=1.10")
