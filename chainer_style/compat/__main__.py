"""Run an old Chainer script unchanged.

Usage: ``python -m chainer_style.compat SCRIPT [ARGUMENT ...]``
"""

import runpy
import sys
from pathlib import Path

from chainer_style.compat import install

USAGE = "usage: python -m chainer_style.compat SCRIPT [ARGUMENT ...]"


def main() -> None:
    """Run the script ``sys.argv[1]`` as Python would, after `install`."""
    match sys.argv[1:]:
        case []:
            sys.exit(USAGE)
        case ["-h" | "--help", *_]:
            print(USAGE)
            return
        case [script, *_] if not Path(script).is_file():
            sys.exit(f"chainer_style.compat: there is no script {script!r}")
    install()
    del sys.argv[0]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
