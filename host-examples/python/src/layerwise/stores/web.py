"""Requests over HTTP and HTTPS: where they lead, what they tell, how long they take.

What proves who is asking goes to the origin of a request only, and into no message.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse

from ..errors import Failure, quote
from ..types import FailureCode
from .answers import code, trouble
from .blobs import Blob
from .causes import cause_of
from .hiding import hidden, proofs, shown, signatures
from .pace import Pace

_REDIRECTS = 5
_CHUNK = 256 << 10
#: How much of the words of a registry is read, and how much is passed on.
_LONGEST_REFUSAL = 16 << 10
_LONGEST_WORDS = 200


@dataclass(slots=True)
class Answer:
    """What came back, as far as it was read."""

    response: BaseHTTPResponse
    #: Whether it is from the origin that was asked.
    own: bool
    #: What was asked with, and may not be repeated.
    secrets: list[str]
    pace: Pace = field(repr=False)

    @property
    def status(self) -> int:
        """The status."""
        return self.response.status

    @property
    def fine(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str:
        """A header; empty when it is not there."""
        return self.response.headers.get(name) or ""

    def chunks(self, what: str) -> Iterator[bytes]:
        """The body as it comes; `unavailable` when it takes too long."""
        with _ended_after(self.pace.left(), self.response.shutdown):
            while chunk := self._some(what):
                self.pace.moved(what, len(chunk))
                yield chunk
            # Where it was ended may look like its own end.
            self.pace.moved(what, 0)

    def _some(self, what: str) -> bytes:
        """What is there: `read` would wait for all it wants."""
        try:
            return self.response.read1(_CHUNK, decode_content=False)
        except (HTTPError, OSError, ValueError):
            # Because the connection was ended.
            self.pace.moved(what, 0)
            raise

    def content(self, what: str, limit: int) -> bytes:
        """The body, or a little more than `limit` bytes of it."""
        content = bytearray()
        for chunk in self.chunks(what):
            content += chunk
            if len(content) > limit:
                break
        return bytes(content[: limit + 1])

    def refused(self, what: str) -> Failure:
        """The failure for a status that is no success, with the registry's words,
        but for what it was asked with.
        """
        try:
            body = self.content(what, _LONGEST_REFUSAL)
            errors = json.loads(body)["errors"]
            words = [str(errors[0].get(name) or "") for name in ("code", "message")]
        except (HTTPError, OSError, Failure, ValueError, KeyError, IndexError):
            words = ["", ""]
        except (TypeError, AttributeError, RecursionError):
            words = ["", ""]
        finally:
            self.close()
        message = f"{what}: the registry returned {self.status}"
        said = [hidden(text, self.secrets)[:_LONGEST_WORDS] for text in words if text]
        message += "".join(f", {quote(text)}" for text in said)
        return Failure(code(self.status, words[0]), message)

    def close(self) -> None:
        """Ends it, and its connection when there is more."""
        self.response.close()


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Trusts the certificates in a file, or without one those of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        words = f"there is no certificate in {quote(str(ca_file))}"
        raise Failure(FailureCode.INVALID, words) from None
    except OSError as error:
        raise cause_of(error).of("read", str(ca_file)) from error


class Web:
    """Connections, which are kept open for later requests."""

    def __init__(
        self,
        *,
        ca_file: str | None,
        connect_timeout: float,
        idle_timeout: float,
        pace: Callable[[], Pace],
    ) -> None:
        self._pace = pace
        timeout = urllib3.Timeout(connect=connect_timeout, read=idle_timeout)
        options: dict[str, Any] = {
            "timeout": timeout,
            "retries": False,
            "ssl_context": _trusting(ca_file),
        }
        self._pool = _watched(urllib3.PoolManager(**options))
        self._proxies: dict[str, urllib3.PoolManager] = {}
        for scheme, proxy in urllib.request.getproxies_environment().items():
            if scheme in ("http", "https"):
                try:
                    made = urllib3.ProxyManager(proxy, **options)
                except (HTTPError, ValueError):
                    message = f"the proxy {quote(shown(proxy))} for {scheme} is not an address"
                    raise Failure(FailureCode.INVALID, message) from None
                self._proxies[scheme] = _watched(made)

    def close(self) -> None:
        """Ends all connections."""
        for pool in (self._pool, *self._proxies.values()):
            pool.clear()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Blob | None = None,
        authorization: str = "",
        secrets: Iterable[str] = (),
    ) -> Answer:
        """Makes a request once. Reading requests follow redirections, and never from
        HTTPS to HTTP. `secrets` are those in the body.
        """
        origin = origin_of(url)
        known = [*secrets, *(proofs(authorization) if authorization else ())]
        for _ in range(_REDIRECTS + 1):
            own = origin_of(url) == origin
            sent = dict(headers or {})
            if authorization and own:
                sent["Authorization"] = authorization
            pace = self._pace()
            response = self._send(method, url, sent, body, pace)
            location = response.headers.get("Location")
            moved = response.status in (301, 302, 303, 307, 308) and location
            if not moved or method not in ("GET", "HEAD"):
                return Answer(response, own, known, pace)
            response.close()
            assert location
            url = follow(url, location)
            known += signatures(url)
        message = f"{method} {shown(url)}: too many redirections"
        raise Failure(FailureCode.OTHER, message)

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | Blob | None,
        pace: Pace,
    ) -> BaseHTTPResponse:
        what = f"{method} {shown(url)}"
        # Each try reads a blob from its beginning.
        data = _sent(what, body, pace) if isinstance(body, Blob) else body
        try:
            return self._pool_for(url).request(
                method,
                url,
                headers=headers,
                body=data,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except LocationParseError:
            message = f"{quote(shown(url))} is not an address"
            raise Failure(FailureCode.INVALID, message) from None
        except (HTTPError, OSError) as error:
            raise trouble(what, error) from None
        except ValueError:
            # Its text would repeat the header, and with it what is secret in it.
            message = f"{what}: what it is asked with cannot be in a header"
            raise Failure(FailureCode.INVALID, message) from None

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        parts = urllib.parse.urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        bypass = is_loopback(parts.hostname or "") or urllib.request.proxy_bypass(parts.netloc)
        return self._pool if proxy is None or bypass else proxy


def follow(base: str, location: str) -> str:
    """Where a `Location` header of an answer from `base` leads."""
    try:
        url = urllib.parse.urljoin(base, location)
        scheme = urllib.parse.urlsplit(url).scheme
    except ValueError:
        url, scheme = "", ""
    if scheme == "https" or (scheme == "http" and base.startswith("http:")):
        return url
    why = "it would not be encrypted any more" if scheme == "http" else "neither http nor https"
    message = f"{shown(base)} leads to {quote(shown(location))}: {why}"
    raise Failure(FailureCode.OTHER, message)


def origin_of(url: str) -> tuple[str, str]:
    """The scheme and host that credentials are for."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def is_loopback(name: str) -> bool:
    """Whether a host is this machine."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _sent(what: str, blob: Blob, pace: Pace) -> Iterator[bytes]:
    for chunk in blob.chunks():
        yield chunk
        pace.moved(what, len(chunk))


@contextlib.contextmanager
def _ended_after(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Ends a connection that still waits after so many seconds."""

    def cut() -> None:
        with contextlib.suppress(Exception):
            end()

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Watched:
    """Waits for the head of an answer no longer than for anything else: a peer that
    sends it byte by byte never meets the time-out between two reads.
    """

    sock: socket.socket | None
    timeout: float | None

    def getresponse(self) -> Any:
        connection: Any = super()
        sock = self.sock
        if sock is None or not self.timeout:
            return connection.getresponse()

        ended = threading.Event()

        def end() -> None:
            ended.set()
            # That of the base class: the one of TLS would take the state of the
            # thread that is reading.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

        try:
            with _ended_after(self.timeout, end):
                return connection.getresponse()
        finally:
            # What came of a head that was cut off is none.
            if ended.is_set():
                raise TimeoutError


class _Http(_Watched, HTTPConnection):
    pass


class _Https(_Watched, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def _watched(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager
