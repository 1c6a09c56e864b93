"""What an examination finds, and examinations that may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "optional"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes
    ----------
    section
        Where it belongs in a listing.
    what
        Its name.
    value
        Its version or size; or what is the matter with it.
    state
        ``ok``; ``missing`` where it should be there, and to work; ``optional``
        where it is not there and need not be.
    why
        What it is good for, in a few words.
    remedy
        What to do where it is not ok: the command, wherever there is one.
    needed
        Whether a run on the CPU needs it.
    """

    section: str
    what: str
    value: str
    state: State = "ok"
    why: str = ""
    remedy: str | None = None
    needed: bool = False


class Lacking(Exception):  # noqa: N818 - no error: a finding
    """Raised by a look at something that is not there, or not as it should be.

    Attributes
    ----------
    remedy
        What to do, if that is special.
    """

    def __init__(self, value: str, remedy: str | None = None) -> None:
        super().__init__(value)
        self.remedy = remedy


@dataclass(frozen=True)
class Check:
    """Something to look for; what is not described here is as in `Finding`.

    Attributes
    ----------
    look
        Returns the value. Any exception of it is a finding.
    lacking
        The state where it is not there.
    """

    section: str
    what: str
    why: str
    look: Callable[[], str]
    remedy: str | None = None
    needed: bool = False
    lacking: State = "missing"

    def run(self) -> Finding:
        """Look, and return what is found."""
        remedy: str | None = None
        state: State = "ok"
        try:
            value = self.look()
        except Exception as error:
            value, state = told(error), self.lacking
            remedy = getattr(error, "remedy", None) or self.remedy
        return Finding(
            self.section, self.what, value, state, self.why, remedy, self.needed
        )


def told(error: Exception) -> str:
    """Return in one line what an exception says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip("= \t")]
    if isinstance(error, Lacking):
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def guarded(
    section: str, examination: Callable[[], Iterable[Finding]]
) -> Iterator[Finding]:
    """Yield the findings of an examination; if it fails, that is the last one."""
    try:
        yield from examination()
    except Exception as error:
        yield Finding(section, "examination", told(error), "missing", "it failed")
