import textwrap

COMPAT = ("-m", "chainer_style.compat")


def test_old_script_runs_unchanged(python, tmp_path):
    (tmp_path / "neighbour.py").write_text("import chainer\n")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        import neighbour
        assert __name__ == "__main__" and __file__ == sys.argv[0]
        print(neighbour.chainer.__version__, *sys.argv[1:])
        sys.exit(3)
        """)
    )
    output = python(*COMPAT, str(script), "--gpu", "-1", status=3)
    assert output == "7.8.1 --gpu -1\n"


def test_same_script_fails_without_it(python, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import chainer\n")
    # With CuPy it is a warning, which is an error there.
    assert "Traceback" in python(str(script), status=1)


def test_missing_script(python):
    output = python(*COMPAT, "nowhere.py", status=1)
    assert output == "chainer_style.compat: there is no script 'nowhere.py'\n"


def test_usage(python):
    usage = "usage: python -m chainer_style.compat SCRIPT [ARGUMENT ...]\n"
    assert python(*COMPAT, "--help") == usage
    assert python(*COMPAT, status=1) == usage
