"""Why something failed, in codes and words."""

from __future__ import annotations

import errno
import os
from typing import TypeVar

from ..errors import Failure, quote
from ..types import FailureCode

T = TypeVar("T")


class Cause(Exception):
    """Why something in a directory failed; the action and the path are added later."""

    def __init__(self, code: FailureCode, words: str) -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words

    def of(self, action: str, path: str) -> Failure:
        """The failure to do `action` to `path`."""
        return Failure(self.code, f"cannot {action} {quote(path)}: {self.words}")


def changed() -> Cause:
    """What was looked at was exchanged in between."""
    return Cause(FailureCode.OTHER, "it was changed meanwhile")


_CAUSES = {
    errno.ENOENT: (FailureCode.NOT_FOUND, "it does not exist"),
    errno.ENOTDIR: (FailureCode.OTHER, "it or a part of it is not a directory"),
    errno.ELOOP: (FailureCode.OTHER, "too many links"),
    errno.EISDIR: (FailureCode.OTHER, "it is a directory"),
    errno.ENOTEMPTY: (FailureCode.OTHER, "the directory is not empty"),
    errno.ENAMETOOLONG: (FailureCode.OTHER, "it is too long"),
    errno.EMFILE: (FailureCode.UNAVAILABLE, "too many files are open"),
    errno.ENFILE: (FailureCode.UNAVAILABLE, "too many files are open"),
    errno.EIO: (FailureCode.UNAVAILABLE, "input or output failed"),
    errno.EEXIST: (FailureCode.CONFLICT, "something is there already"),
    errno.EACCES: (FailureCode.DENIED, "permission denied"),
    errno.EPERM: (FailureCode.DENIED, "permission denied"),
    errno.EROFS: (FailureCode.DENIED, "the file system is read-only"),
    errno.ENOSPC: (FailureCode.FULL, "no room is left on the device"),
    errno.EDQUOT: (FailureCode.FULL, "the quota is used up"),
    errno.EFBIG: (FailureCode.TOO_LARGE, "it is larger than the system allows"),
    errno.EOPNOTSUPP: (FailureCode.UNSUPPORTED, "not supported there"),
    errno.ENOSYS: (FailureCode.UNSUPPORTED, "not supported there"),
}


def cause_of(error: OSError) -> Cause:
    """What an error of the system means for something in an opened directory."""
    known = _CAUSES.get(error.errno or 0)
    return Cause(*known) if known else Cause(FailureCode.OTHER, _system_words(error))


_FAILURES = {
    errno.ENOENT: (FailureCode.NOT_FOUND, "it does not exist"),
    errno.ENOTDIR: (FailureCode.NOT_FOUND, "a part of it is not a directory"),
    errno.EMFILE: (FailureCode.UNAVAILABLE, "too many files are open"),
    errno.ENFILE: (FailureCode.UNAVAILABLE, "too many files are open"),
    errno.EACCES: (FailureCode.DENIED, "permission denied"),
    errno.EPERM: (FailureCode.DENIED, "permission denied"),
    errno.EROFS: (FailureCode.DENIED, "the filesystem is read-only"),
    errno.ENOSPC: (FailureCode.FULL, "no room is left on the device"),
    errno.EDQUOT: (FailureCode.FULL, "the quota is used up"),
    errno.EFBIG: (FailureCode.FULL, "the filesystem holds no file so large"),
    errno.EOPNOTSUPP: (FailureCode.UNSUPPORTED, "not supported there"),
    errno.ENOSYS: (FailureCode.UNSUPPORTED, "not supported there"),
}


def failure_of(action: str, path: str | os.PathLike[str], error: OSError) -> Failure:
    """What an error of the system means for a file of a store."""
    code, words = _FAILURES.get(error.errno or 0, (FailureCode.OTHER, _system_words(error)))
    return Failure(code, f"cannot {action} {quote(os.fspath(path))}: {words}")


def _system_words(error: OSError) -> str:
    if error.errno is None:
        return _lower(str(error))
    return _lower(f"{os.strerror(error.errno)} (os error {error.errno})")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def too_large(what: str, size: int, limit: int) -> Failure:
    """The failure for something above a limit."""
    return Failure(
        FailureCode.TOO_LARGE, f"{what} has {size} bytes, more than the limit of {limit}"
    )
