from __future__ import annotations

import children

CODE = """
import weakref
import chainer_style

class Large:
    pass

def importing():
    picture = Large()
    import chainer
    import chainer.backends.intel64
    return weakref.ref(picture)

print(importing()() is None)
"""


def test_importing_chainer_keeps_nothing_of_who_does():
    """What Chainer notes of missing libraries held the caller's variables."""
    assert children.run(CODE).strip() == "True"
