"""What can go wrong, as exceptions.

* `Refused`: the component says no, with a typed reason; the session goes on.
* `Stopped`: the instance was stopped or trapped; the session is over.
* `Closed`: the session was closed, or stopped by an earlier call.
* `EngineError`: the component cannot be compiled, loaded or started.
* `Failure`: what an import raises to say why it failed.

Texts may hold names from images; `layerwise.text.escape` makes them safe for a
terminal.
"""

from __future__ import annotations

from typing import ClassVar

from .types import Excess, FailureCode, Problem


class LayerwiseError(Exception):
    """Everything this package raises about its work."""


class Refused(LayerwiseError):
    """An operation was refused or failed; one subclass for each case."""

    case: ClassVar[str]
    #: The thing it was about; empty when that is not known.
    subject: str = ""
    #: What was being done, such as `lookup`.
    operation: str = ""
    #: A stable code such as `docker/child-unreadable`.
    code: str = ""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class _WithProblem(Refused):
    def __init__(self, value: Problem) -> None:
        super().__init__(value)
        self.value = value
        self.code = value.code
        self.operation = value.operation
        self.subject = value.subject
        self.message = value.message

    def __str__(self) -> str:
        about = f" {quote(self.subject)}" if self.subject else ""
        return f"{self.operation}{about}: {self.message} ({self.code})"


class Invalid(_WithProblem):
    """An argument is not acceptable."""

    case = "invalid"


class NotFound(_WithProblem):
    """A named thing does not exist."""

    case = "not-found"


class Corrupt(_WithProblem):
    """A stored document is not what it should be."""

    case = "corrupt"


class Committed(_WithProblem):
    """The session was committed and cannot be changed any more."""

    case = "committed"


class Conflict(_WithProblem):
    """Somebody else changed the same thing."""

    case = "conflict"


class LimitExceeded(Refused):
    """A cap was met."""

    case = "limit-exceeded"

    def __init__(self, value: Excess) -> None:
        super().__init__(value)
        self.value = value
        self.operation = value.operation
        self.subject = value.subject
        #: The name of the cap, as in `Limit`.
        self.limit = value.limit

    def __str__(self) -> str:
        value = self.value
        return (
            f"{value.operation} {quote(value.subject)}: "
            f"above the limit {quote(value.limit)} of {value.value}"
        )


class Denied(_WithProblem):
    """The host refused access."""

    case = "denied"


class Unsupported(_WithProblem):
    """The named version or feature does not exist."""

    case = "unsupported"


class HostError(_WithProblem):
    """An import failed; `message` carries its words."""

    case = "host"


class Other(Refused):
    """Anything else."""

    case = "other"

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value
        self.message = value

    def __str__(self) -> str:
        return self.message


REFUSALS: tuple[type[Refused], ...] = (
    Invalid,
    NotFound,
    Corrupt,
    Committed,
    Conflict,
    LimitExceeded,
    Denied,
    Unsupported,
    HostError,
    Other,
)


class Stopped(LayerwiseError):
    """The instance was stopped in the middle of a call; open a new session."""


class Deadline(Stopped):
    """It computed for longer than it may."""


class Fuel(Stopped):
    """It used up its fuel."""


class Memory(Stopped):
    """It asked for more memory than it may have."""


class Trap(Stopped):
    """It trapped."""


class Closed(LayerwiseError):
    """The session is closed, or was stopped by an earlier call."""


class EngineError(LayerwiseError):
    """The component cannot be compiled, loaded or started."""


class Failure(LayerwiseError):
    """Why an import failed.

    Whoever lends the component something raises it, or puts it into an answer
    in the place of one item.
    """

    def __init__(self, code: FailureCode | str, message: str) -> None:
        super().__init__(code, message)
        self.code = FailureCode(code)
        #: The host's words: lower case, naming the action and the thing.
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Failure) and self.code == other.code and self.message == other.message
        )

    def __hash__(self) -> int:
        return hash((self.code, self.message))


def quote(text: str) -> str:
    """Text in quotes, with what is not to be printed escaped."""
    return '"' + "".join(_quoted(char) for char in text) + '"'


_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _quoted(char: str) -> str:
    short = _SHORT.get(char)
    if short is not None:
        return short
    if "\udc80" <= char <= "\udcff":
        # A byte of a file name that is no text.
        return f"\\x{ord(char) - 0xDC00:02X}"
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"
