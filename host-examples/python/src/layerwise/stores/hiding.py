"""What messages leave out: credentials.

That is what a request was authorized with, the queries of addresses, as storage
services sign them, and users and passwords before a host.
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from collections.abc import Iterable

_USER = re.compile(r"//[^/@\s]*@")
_QUERY = re.compile(r"[?#][^\s'\"<>)]*")
#: Values of a query that are shorter prove nothing, and may be words of a message.
_SHORTEST = 8


def shown(address: str) -> str:
    """An address as messages name it: without a query, and without a user."""
    return _USER.sub("//", address.partition("?")[0].partition("#")[0])


def proofs(authorization: str) -> list[str]:
    """The texts in an `Authorization` header that prove who is asking."""
    secret = authorization.partition(" ")[2] or authorization
    found = [secret]
    try:
        plain = base64.b64decode(secret, validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    found.append(plain.partition(":")[2])
    return [text for text in found if text]


def signatures(address: str) -> list[str]:
    """What proves something in the query of an address that a registry told."""
    query = urllib.parse.urlsplit(address).query
    values = [value for _, value in urllib.parse.parse_qsl(query)]
    raw = [part.partition("=")[2] for part in query.split("&")]
    return [text for text in {*values, *raw} if len(text) >= _SHORTEST]


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text of others with `***` in place of secrets, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def without_addresses(text: str) -> str:
    """Words of a library, with the queries and users of all addresses left out."""
    return _USER.sub("//", _QUERY.sub("", text))
