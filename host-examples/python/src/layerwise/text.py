"""Text of others on a terminal."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_DIGEST = re.compile("(sha256|sha384|sha512):([0-9a-f]{12})[0-9a-f]{52,116}")


def escape(text: str) -> str:
    """Text with everything escaped that could move the cursor, hide text or turn
    its direction: control characters, line ends and separators, bidirectional
    controls, and bytes that are no text.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    return short or f"\\u{{{ord(char):x}}}"


def short_ids(text: str) -> str:
    """Text with every digest replaced by its first hex digits."""
    return _DIGEST.sub(r"\2", text)


def cut(text: str, longest: int) -> str:
    """At most so many characters of a text, counting the mark of what is left out."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
