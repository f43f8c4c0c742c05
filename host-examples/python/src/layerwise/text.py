"""Text of others on a terminal."""

from __future__ import annotations


def escape(text: str) -> str:
    """Text with everything escaped that a terminal could take for more than
    letters: control characters, line ends, and what changes the direction.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        # A byte of a file name that is no text.
        return f"\\x{code - 0xDC00:02x}"
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\u{{{code:x}}}")


def cut(text: str, longest: int) -> str:
    """At most so many characters of a text."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
