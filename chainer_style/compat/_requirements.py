"""What ``chainer.testing`` needs of the late ``pkg_resources``.

Chainer's test helpers ask whether a requirement such as ``numpy>=1.10`` is
met. This module takes the place of ``pkg_resources`` in them.
"""

from __future__ import annotations

from importlib import metadata


class ResolutionError(Exception):
    """A requirement is not met by what is installed."""


class WorkingSet:
    """The distributions that are installed."""

    def require(self, *requirements: str) -> None:
        """Check that every requirement is met.

        Parameters
        ----------
        *requirements
            Requirements as pip takes them, for instance ``numpy>=1.10``.
            Pre-releases count; what a distribution itself requires does not.

        Raises
        ------
        ResolutionError
            A distribution is missing or has another version.
        packaging.requirements.InvalidRequirement
            A requirement cannot be read (a ValueError).
        """
        from packaging.requirements import Requirement

        for requirement in map(Requirement, requirements):
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            try:
                version = metadata.version(requirement.name)
            except metadata.PackageNotFoundError as error:
                raise ResolutionError(f"{requirement} is not installed") from error
            if not requirement.specifier.contains(version, prereleases=True):
                raise ResolutionError(f"{requirement}, but {version} is installed")
