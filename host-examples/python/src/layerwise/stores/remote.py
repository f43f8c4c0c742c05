"""Registries that speak OCI distribution (1.1) over HTTP and HTTPS."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from ..errors import Failure, quote
from ..registry import Presence
from ..types import Descriptor, FailureCode
from .answers import Trouble, ended_early, media_type_of, trouble
from .blobs import Blob
from .causes import too_large
from .credentials import Keys
from .documents import MANIFESTS
from .hashing import sha256, verifies
from .hiding import shown
from .pace import Pace
from .references import Remote as At
from .references import Target
from .tokens import Scope, Tokens
from .web import Answer, Web, follow, is_loopback, origin_of

#: Docker Hub answers under another name than the one in references.
_HUB = {"docker.io": "registry-1.docker.io"}
#: So much progress makes up for earlier interruptions.
_PROGRESS = 1 << 20


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how fast a request is made again after a connection error, a
    time-out, 429 or 5xx. The pause doubles each time.
    """

    attempts: int = 4
    first_pause: float = 0.25
    longest_pause: float = 10.0


class _Tries:
    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.repeated = False
        self.renew()

    def renew(self) -> None:
        """Counts from the beginning again, after some success."""
        self._left = max(1, self._retry.attempts) - 1
        self._pause = self._retry.first_pause

    def again(self, trouble: Trouble) -> None:
        """Pauses before the next try; raises the trouble when none is left."""
        if self._left == 0:
            raise trouble.failure from None
        time.sleep(min(max(trouble.pause, self._pause), self._retry.longest_pause))
        self._left -= 1
        self._pause *= 2
        self.repeated = True


class Remotes:
    """All registries, with the tokens they gave."""

    def __init__(
        self,
        *,
        keys: Keys,
        plain_http: Iterable[str],
        https: Iterable[str],
        ca_file: str | None,
        retry: Retry,
        connect_timeout: float,
        idle_timeout: float,
        largest_manifest: int,
        pace: Callable[[], Pace],
    ) -> None:
        self._plain = frozenset(plain_http)
        self._encrypted = frozenset(https)
        self._retry = retry
        self._largest = largest_manifest
        self._pace = pace
        self._web = Web(
            ca_file=ca_file,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            pace=pace,
        )
        self._tokens = Tokens(self._web, keys, self._is_plain)

    def close(self) -> None:
        """Ends all connections."""
        self._web.close()

    def resolve(self, at: At, target: Target) -> Descriptor:
        """What a name stands for: the digest and size of the bytes that came,
        whatever the headers say.
        """
        media_type, content = (
            self.manifest(at, target.digest) if target.digest else self._fetch(at, target.tag or "")
        )
        return Descriptor(media_type, target.digest or sha256(content), len(content))

    def manifest(self, at: At, digest: str) -> tuple[str, bytes]:
        """A manifest by its digest, checked, with its media type."""
        media_type, content = self._fetch(at, digest)
        if not verifies(digest, content):
            message = f"the bytes of {digest} have the digest {sha256(content)}"
            raise Failure(FailureCode.CORRUPT, message)
        return media_type, content

    def content(self, at: At, kind: str, digest: str, size: int) -> Blob:
        """A blob, or one of the manifests, as bytes that can be read."""
        return Blob(digest, size, lambda: self._pull(at, kind, digest, size))

    def has(self, at: At, digest: str) -> Presence:
        """Whether a repository has a blob."""
        url = self._url(at, f"blobs/{digest}")
        answer = self._send(Scope(at, "pull"), "HEAD", url)
        if answer.fine:
            return Presence.PRESENT
        if answer.status == 404:
            return Presence.ABSENT
        if answer.status in (400, 405):
            return Presence.UNKNOWN
        raise answer.refused(f"cannot look for {digest}")

    def put_manifest(self, at: At, name: str, media_type: str, content: bytes) -> None:
        """Stores a manifest under a tag or its digest."""
        url = self._url(at, f"manifests/{name}")
        headers = {"Content-Type": media_type}
        answer = self._send(Scope(at, "pull,push"), "PUT", url, headers, content)
        if not answer.fine:
            raise answer.refused(f'cannot store the manifest {quote(name)} in "{at}"')

    def tag(self, at: At, tag: str, digest: str) -> None:
        """Makes a tag stand for a manifest that is there."""
        media_type, content = self.manifest(at, digest)
        self.put_manifest(at, tag, media_type, content)

    def delete(self, at: At, digest: str) -> None:
        """Deletes a manifest."""
        tries = _Tries(self._retry)
        url = self._url(at, f"manifests/{digest}")
        answer = self._send(Scope(at, "delete"), "DELETE", url, tries=tries)
        # The answer to an earlier try may have been lost.
        gone = answer.status == 404 and tries.repeated
        if not answer.fine and not gone:
            raise answer.refused(f"cannot delete the manifest {digest}")

    def store(self, at: At, blob: Blob, source: str | None) -> bool:
        """Stores a blob unless it is there; returns whether it was not. `source` is
        another repository of the same registry that has it.
        """
        if self.has(at, blob.digest) is Presence.PRESENT:
            return False
        tries = _Tries(self._retry)
        while True:
            try:
                self._upload(at, blob, source)
                return True
            except Trouble as passing:
                tries.again(passing)
            source = None
            # The answer to an earlier try may have been lost.
            if self.has(at, blob.digest) is Presence.PRESENT:
                return True

    def _upload(self, at: At, blob: Blob, source: str | None) -> None:
        what = f'cannot store {blob.digest} in "{at}"'
        url = self._url(at, "blobs/uploads/")
        if source:
            url += "?" + urllib.parse.urlencode({"mount": blob.digest, "from": source})
        scope = Scope(at, "pull,push", source)
        answer = self._once(scope, "POST", url)
        if source and answer.status == 201:
            return
        if answer.status != 202:
            raise answer.refused(what)
        location = answer.header("Location")
        if not location:
            raise Failure(FailureCode.OTHER, f"{what}: the registry does not say where")
        session = follow(url, location)
        # The session may be on another host, which then gets no credentials.
        own = scope if origin_of(session) == origin_of(url) else None
        mark = "&" if "?" in session else "?"
        to = f"{session}{mark}{urllib.parse.urlencode({'digest': blob.digest})}"
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(blob.size),
        }
        try:
            answer = self._once(own, "PUT", to, headers, blob)
            if answer.status == 404:
                # The session is gone: another one may last longer.
                raise Trouble(answer.refused(what))
            if not answer.fine:
                raise answer.refused(what)
        except (Failure, Trouble):
            self._give_up(own, session)
            raise

    def _give_up(self, scope: Scope | None, session: str) -> None:
        """Frees what the registry keeps for an upload that will not be finished."""
        try:
            self._once(scope, "DELETE", session)
        except (Failure, Trouble):
            return

    def _fetch(self, at: At, name: str) -> tuple[str, bytes]:
        """A manifest by a tag or digest, not checked yet."""
        what = f'cannot read the manifest {quote(name)} of "{at}"'
        url = self._url(at, f"manifests/{name}")
        headers = {"Accept": ", ".join(MANIFESTS)}
        tries = _Tries(self._retry)
        while True:
            answer = self._send(Scope(at, "pull"), "GET", url, headers, tries=tries)
            if not answer.fine:
                raise answer.refused(what)
            try:
                declared = answer.header("Content-Length")
                if declared.isdecimal() and int(declared) > self._largest:
                    raise too_large(f"{what}: it", int(declared), self._largest)
                content = answer.content(what, self._largest)
                if len(content) > self._largest:
                    message = f"{what}: it has more than {self._largest} bytes"
                    raise Failure(FailureCode.TOO_LARGE, message)
                if not declared.isdecimal() or len(content) == int(declared):
                    return media_type_of(answer.header("Content-Type"), content), content
                again = ended_early(what, len(content))
            except (HTTPError, OSError, ValueError) as error:
                again = trouble(what, error)
            finally:
                answer.close()
            tries.again(again)

    def _pull(self, at: At, kind: str, digest: str, size: int) -> Iterator[bytes]:
        """The bytes of a manifest or blob; not checked. Goes on after an
        interruption.
        """
        url = self._url(at, f"{kind}/{digest}")
        what = f"cannot read {url}"
        tries = _Tries(self._retry)
        # Of all tries together.
        pace = self._pace()
        done = stuck = 0
        while True:
            headers = {"Accept": ", ".join(MANIFESTS)} if kind == "manifests" else {}
            if done:
                headers["Range"] = f"bytes={done}-"
            answer = self._send(Scope(at, "pull"), "GET", url, headers, tries=tries)
            answer.pace = pace
            over = done
            partly = answer.header("Content-Range").startswith(f"bytes {done}-")
            if answer.status == 206 and partly:
                over = 0
            elif answer.status != 200:
                raise answer.refused(what)
            try:
                for chunk in answer.chunks(what):
                    skipped = min(over, len(chunk))
                    over -= skipped
                    if skipped < len(chunk):
                        done += len(chunk) - skipped
                        yield chunk[skipped:]
                    if done > size:
                        return
                again = ended_early(what, done)
                if done >= size or answer.header("Content-Length"):
                    return
            except (HTTPError, OSError) as error:
                again = trouble(what, error)
            finally:
                answer.close()
            if done - stuck >= _PROGRESS:
                tries.renew()
            stuck = done
            tries.again(again)

    def _send(
        self,
        scope: Scope,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        *,
        tries: _Tries | None = None,
    ) -> Answer:
        """Makes a request, again after passing trouble."""
        tries = tries or _Tries(self._retry)
        while True:
            try:
                return self._once(scope, method, url, headers, body)
            except Trouble as passing:
                tries.again(passing)

    def _once(
        self,
        scope: Scope | None,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | Blob | None = None,
    ) -> Answer:
        """Makes a request, with a token or password where the registry asks for
        one. Without a scope nothing is proved.
        """
        secret = self._tokens.known(scope)
        answer = self._web.ask(method, url, headers=headers, body=body, authorization=secret)
        if answer.status == 401 and answer.own and scope:
            asked = answer.response.headers.getlist("WWW-Authenticate")
            answer.close()
            secret = self._tokens.authorize(scope, asked)
            answer = self._web.ask(method, url, headers=headers, body=body, authorization=secret)
            if answer.status == 401 and answer.own:
                self._tokens.forget(scope)
        if answer.status == 429 or (answer.status >= 500 and answer.status != 501):
            after = answer.header("Retry-After")
            pause = float(after) if re.fullmatch("[0-9]{1,6}", after.strip()) else 0.0
            raise Trouble(answer.refused(f"{method} {shown(url)}"), pause)
        return answer

    def _url(self, at: At, rest: str) -> str:
        scheme = "http" if self._is_plain(at.host) else "https"
        return f"{scheme}://{_HUB.get(at.host, at.host)}/v2/{at.path}/{rest}"

    def _is_plain(self, host: str) -> bool:
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return host in self._plain or (is_loopback(name) and host not in self._encrypted)
