from __future__ import annotations

import dataclasses
from pathlib import Path

import platformdirs
import pytest

import chainer_style
from chainer_style import protocols, transfer, weights
from chainer_style.errors import UserError
from chainer_style.networks import NIN, VGG16
from chainer_style.weights import folder, registry, store
from chainer_style.weights.folder import State


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def trained(weights_of):
    """What looks like the trained weights of NIN."""
    original = registry.find("nin")[0]
    return dataclasses.replace(
        weights_of("nin"), kind="trained", source=original.name, seed=None
    )


def test_the_variable_names_the_folder(monkeypatch) -> None:
    monkeypatch.setenv(folder.VARIABLE, "~/somewhere")
    assert folder.models() == Path.home() / "somewhere"


def test_a_checkout_has_a_folder_of_its_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(folder.VARIABLE)
    monkeypatch.setattr(
        chainer_style, "__file__", str(tmp_path / "chainer_style" / "__init__.py")
    )
    user = platformdirs.user_data_path("chainer-style", appauthor=False)
    assert folder.models() == user / "models"
    (tmp_path / "models").mkdir()
    assert folder.models() == user / "models"
    (tmp_path / "models" / "README.rst").touch()
    assert folder.models() == tmp_path / "models"


def test_shown(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder.shown(tmp_path / "a" / "b") == str(Path("a") / "b")
    assert folder.shown(tmp_path.parent / "c") == str(tmp_path.parent / "c")


def test_trained_takes_the_converted_file_first(home: Path) -> None:
    assert folder.trained("vgg16") is None
    (home / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    (home / "vgg16.h5.part").touch()
    assert folder.trained("vgg16") is None
    original = "VGG_ILSVRC_16_layers"
    for name in (f"{original}.caffemodel", f"{original}.h5", "vgg16.h5"):
        (home / name).touch()
        assert folder.trained("vgg16") == home / name
    assert folder.trained("vgg19") is None
    assert folder.trained("nobody") is None


def test_state(home: Path, trained) -> None:
    (original,) = registry.find("nin")
    assert folder.state(original, home) == State("absent")
    (home / f"{original.name}.part").write_bytes(b"12345")
    assert folder.state(original, home) == State("partial", 5)
    (home / original.name).write_bytes(b"1234567")
    assert folder.state(original, home) == State("original", 7)
    store.save(trained, home / "nin.h5")
    size = (home / "nin.h5").stat().st_size
    assert folder.state(original, home) == State("converted", size)
    store.save(dataclasses.replace(trained, source="mine"), home / "nin.h5")
    assert folder.state(original, home) == State("original", 7)
    (home / "nin.h5").write_bytes(b"nothing")
    assert folder.state(original, home) == State("damaged", 7)


# -- `weights.load` by name -----------------------------------------------


def test_caffe_means_the_trained_weights(home: Path, trained) -> None:
    store.save(trained, home / "nin.h5")
    loaded = weights.load("caffe", NIN.upto_taps())
    assert (loaded.kind, loaded.source) == ("trained", "nin_imagenet.caffemodel")


def test_without_them_the_command_is_told(home: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(UserError) as caught:
        weights.load("caffe", VGG16)
    assert str(caught.value) == (
        f"there are no trained weights of VGG-16 in {tmp_path.name}; "
        "fetch them with: chainer-style weights fetch vgg16"
    )


def test_of_some_networks_there_are_none(home: Path) -> None:
    network = dataclasses.replace(NIN, name="overfeat", title="OverFeat")
    with pytest.raises(UserError, match="no trained weights of OverFeat are published"):
        weights.load("caffe", network)


def test_a_folder_called_caffe_is_no_file_of_weights(home: Path, monkeypatch) -> None:
    (home / "caffe").mkdir()
    monkeypatch.chdir(home)
    with pytest.raises(UserError, match="there are no trained weights"):
        weights.load("caffe", NIN)


def test_auto(home: Path, trained, pictures) -> None:
    """Trained weights where there are some; self-taught ones elsewhere."""
    settings = protocols.MODERN.with_options(model="nin", width=96)
    assert settings.weights == "auto"
    before = transfer.prepare(*pictures, protocol=settings).problem
    assert before.weights.kind == "self-taught"
    assert before.protocol.weights == "auto"
    store.save(trained, home / "nin.h5")
    after = transfer.prepare(*pictures, protocol=settings).problem
    assert after.weights.kind == "trained"
    assert after.weights.label == "trained weights"


def test_auto_does_not_pass_over_a_damaged_file(home: Path, pictures) -> None:
    (home / "nin.h5").write_bytes(b"nothing")
    settings = protocols.MODERN.with_options(model="nin", width=96)
    with pytest.raises(UserError, match=r"nin\.h5 is not an HDF5 file"):
        transfer.prepare(*pictures, protocol=settings)


def test_protocol_2016_stays_as_it_was(home: Path, trained, pictures) -> None:
    store.save(trained, home / "nin.h5")
    job = transfer.prepare(*pictures, protocol="2016", width=96)
    assert job.problem.weights.kind == "seeded"
