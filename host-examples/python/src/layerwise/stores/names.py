"""Image names as Docker reads them: short names completed.

The rules are those of `github.com/distribution/reference`: a text is an id (a
digest, or 64 hex digits), or a name `[domain/]path[:tag][@digest]`. A first
component without a dot, a colon or an upper-case letter, other than `localhost`,
belongs to the path; the domain is then `docker.io`, and a path of one component
gets `library/` in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .hashing import is_digest

_DOMAIN = re.compile(
    r"([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]+)?"
    r"|\[[0-9A-Fa-f:]+\](:[0-9]+)?"
)
_COMPONENT = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_PATH = 255


@dataclass(frozen=True, slots=True)
class Named:
    """A name, completed."""

    #: The domain of the registry, such as `docker.io`.
    domain: str
    #: The repository inside it, such as `library/busybox`.
    path: str
    tag: str | None
    digest: str | None

    def full(self) -> str:
        """The full form, such as `docker.io/library/busybox:latest`."""
        suffix = f"@{self.digest}" if self.digest else f":{self.tag or 'latest'}"
        return f"{self.domain}/{self.path}{suffix}"


def as_id(text: str) -> str | None:
    """The digest, when a text is an id."""
    for candidate in (text, f"sha256:{text}"):
        if is_digest(candidate):
            return candidate
    return None


def parse(text: str) -> Named:
    """Reads a name; a `ValueError` says what is wrong."""
    first, slash, rest = text.partition("/")
    if slash and first == "index.docker.io":
        domain = "docker.io"
    elif slash and (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        domain = first
    else:
        domain, rest = "docker.io", text
    rest, at, digest = rest.partition("@")
    path, colon, tag = rest.partition(":")
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    if path != path.lower():
        raise ValueError("a repository is lower case")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("the part before the first slash is not a domain")
    if not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        raise ValueError("a repository consists of letters, digits and single separators")
    if len(path) > _LONGEST_PATH:
        raise ValueError("a repository has at most 255 characters")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError('a tag consists of at most 128 letters, digits, "_", "." and "-"')
    if at and not is_digest(digest):
        raise ValueError('the part after "@" is not a digest')
    return Named(domain, path, tag if colon else None, digest if at else None)
