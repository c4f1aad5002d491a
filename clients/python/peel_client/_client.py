"""The client, one request at a time for each call. Its methods may be called from several threads."""

import email.utils
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import deque
from datetime import datetime, timezone
from typing import Any, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Union, cast

from ._types import Category, Found, Pack, PackPage, SearchAnswer, Sticker, Suggestion, Trending, Vote

Parameter = Union[str, int, bool, None]

EVENTS_AT_ONCE = 100
EVENTS_KEPT = 5000
BACKOFF_S = 0.25
WAIT_MOST_S = 30.0  # a server that wants a longer pause gets it from the app
ANSWER_MAX = 16 << 20


class PeelError(Exception):
    """The server refused or did not answer: `status` is 0 without an answer, `retry_after` what it asked to wait (s)."""

    def __init__(self, message: str, status: int = 0, retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in (0, 429, 502, 503, 504)


def read_retry_after(text: Optional[str]) -> Optional[float]:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if not text:
        return None
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


class Peel:
    """
    server: where StickerService is. lang: the language of people's queries, such as "pt-BR". client: your app's own id
    of the person or device, for votes and events. token: an API token. timeout: seconds for one attempt. retries:
    further attempts after no answer, 429 or 503.
    """

    def __init__(
        self,
        server: str,
        *,
        lang: Optional[str] = None,
        client: Optional[str] = None,
        token: Optional[str] = None,
        timeout: float = 5.0,
        retries: int = 2,
    ) -> None:
        if urllib.parse.urlsplit(server).scheme not in ("http", "https"):
            raise ValueError(f"server: expected an address such as https://stickers.example, found {server!r}")
        self._server = server
        self._lang, self._client, self._token = lang, client, token
        self._timeout, self._retries = timeout, max(0, retries)
        self._told: Deque[Dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        self._lock = threading.Lock()  # of _told

    def __enter__(self) -> "Peel":
        return self

    def __exit__(self, kind: object, *unused: object) -> None:
        try:
            self.flush()
        except PeelError:
            if kind is None:  # else what went wrong before matters more
                raise

    # ---- finding ----

    def search(
        self,
        query: str,
        *,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        lang: Optional[str] = None,
        pack: Optional[str] = None,
        rating: Optional[str] = None,
        animated: Optional[bool] = None,
        **more: Parameter,
    ) -> SearchAnswer:
        """One page of the stickers for a phrase."""
        asked = {"limit": limit, "offset": offset, "pack": pack, "rating": rating, "animated": animated, **more}
        return cast(SearchAnswer, self._find("/api/search/", {"query": query, "lang": lang or self._lang, **asked}))

    def pages(self, query: str, *, limit: int = 24, offset: int = 0, **more: Any) -> Iterator[Sticker]:
        """All stickers of a search, page after page of `limit` stickers, until the caller stops."""
        while True:
            found = self.search(query, limit=limit, offset=offset, **more)
            yield from found["results"]
            offset += len(found["results"])
            if not found["results"] or offset >= found["total"]:
                return

    def suggest(self, prefix: str, *, limit: Optional[int] = None, lang: Optional[str] = None) -> List[Suggestion]:
        """What somebody may be typing."""
        asked = {"prefix": prefix, "limit": limit, "lang": lang or self._lang}
        return cast(List[Suggestion], self._ask("GET", "/api/suggest/", asked)["suggestions"])

    def trending(self, **more: Parameter) -> Trending:
        return cast(Trending, self._find("/api/trending/", {"lang": self._lang, **more}))

    def random(self, **more: Parameter) -> Found:
        return self._find("/api/random/", {"lang": self._lang, **more})

    def similar(self, filename: str, **more: Parameter) -> Found:
        return self._find(f"/api/stickers/{urllib.parse.quote(filename, safe='')}/similar", {"lang": self._lang, **more})

    def sticker(self, filename: str, **more: Parameter) -> Sticker:
        path = f"/api/stickers/{urllib.parse.quote(filename, safe='')}"
        return self._whole(self._ask("GET", path, {"lang": self._lang, **more}), None)

    def categories(self, **more: Parameter) -> List[Category]:
        return cast(List[Category], self._ask("GET", "/api/categories/", {"lang": self._lang, **more})["categories"])

    def packs(self, **more: Parameter) -> List[Pack]:
        return cast(List[Pack], self._ask("GET", "/api/packs/", {"lang": self._lang, **more})["packs"])

    def pack(self, name: str, *, cursor: Optional[str] = None, **more: Parameter) -> PackPage:
        """A page of a pack's stickers, in their order; `cursor`: the `next` of the page before."""
        path = f"/api/packs/{urllib.parse.quote(name, safe='')}"
        return cast(PackPage, self._find(path, {"lang": self._lang, "cursor": cursor, **more}))

    def address(self, path: str) -> str:
        """A path of this server as a whole address."""
        return urllib.parse.urljoin(self._server, path)

    # ---- telling ----

    def feedback(self, votes: Union[Vote, Iterable[Vote]]) -> List[str]:
        """Count votes. Returns the stickers that the server does not know."""
        entries = [votes] if isinstance(votes, Mapping) else list(votes)
        who = {"voter": self._client} if self._client else {}
        body = {"feedback": [{**who, **entry} for entry in entries]}
        return cast(List[str], self._ask("POST", "/api/feedback/", {}, body, {"Idempotency-Key": uuid.uuid4().hex})["failed"])

    def tell(self, action: str, sticker: Mapping[str, Any], **more: Any) -> None:
        """Tell what somebody did with a sticker of an answer: "impression", "click", "copy", "share", "favourite" or
        "report". Events wait for `flush`, or until there are a hundred; those without a receipt belong to no search and
        are not sent."""
        if not sticker.get("query_id"):
            return
        event = {
            "event_id": uuid.uuid4().hex,
            "action_name": action,
            "query_id": sticker["query_id"],
            "object_id": sticker["filename"],
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            **({"position": sticker["rank"]} if "rank" in sticker else {}),
            **({"client_id": self._client} if self._client else {}),
            **more,
        }
        with self._lock:
            self._told.append(event)
            full = len(self._told) >= EVENTS_AT_ONCE
        if full:
            try:
                self.flush()
            except PeelError:
                pass  # they wait for the next time

    def flush(self) -> None:
        """Send the events that wait. Those that could not be sent for now wait for the next time."""
        while True:
            with self._lock:
                events = [self._told.popleft() for _ in range(min(EVENTS_AT_ONCE, len(self._told)))]
            if not events:
                return
            try:
                self._ask("POST", "/api/events/", {}, {"events": events})
            except PeelError as error:
                if error.temporary:
                    with self._lock:
                        self._told.extendleft(reversed(events))
                raise

    # ---- writing, with a token ----

    def upload(self, filename: str, image: bytes, about: Optional[Mapping[str, Any]] = None) -> Sticker:
        """Add a sticker, or replace its image and what `about` names: title, titles, keywords, pack, rating, author,
        license, source, animated."""
        parts = [("image", image)] + ([("sticker", json.dumps(about).encode())] if about else [])
        border = uuid.uuid4().hex
        form = b"".join(
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
            for name, data in parts
        )
        kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
        path = f"/api/stickers/{urllib.parse.quote(filename, safe='')}"
        return self._whole(self._ask("PUT", path, {}, form + f"--{border}--\r\n".encode(), kind), None)

    def remove(self, filename: str) -> None:
        """Move a sticker to the trash."""
        self._ask("DELETE", f"/api/stickers/{urllib.parse.quote(filename, safe='')}", {}, None, {"Idempotency-Key": uuid.uuid4().hex})

    # ---- requests ----

    def _whole(self, sticker: Sticker, query_id: Optional[str]) -> Sticker:
        """A sticker of an answer with whole addresses, and the receipt of the answer."""
        for name in ("url", "thumbnail"):
            if name in sticker:
                sticker[name] = self.address(sticker[name])
        if query_id:
            sticker["query_id"] = query_id
        return sticker

    def _find(self, path: str, params: Mapping[str, Parameter]) -> Found:
        found = cast(Found, self._ask("GET", path, params))
        for sticker in found["results"]:
            self._whole(sticker, found.get("query_id"))
        return found

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, Parameter],
        body: Union[Mapping[str, Any], bytes, None] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """Asks again what may be asked again: all that we send counts once, by its key or by the events' ids."""
        asked = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in params.items() if v is not None}
        url = self.address(path) + ("?" + urllib.parse.urlencode(asked) if asked else "")
        request = urllib.request.Request(url, method=method, headers={"Accept": "application/json", **(headers or {})})
        if isinstance(body, bytes):
            request.data = body
        elif body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_unredirected_header("Authorization", f"Token {self._token}")
        for attempt in range(self._retries + 1):
            try:
                return self._once(request)
            except PeelError as error:
                wait = error.retry_after
                if wait is None:
                    wait = BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
                if not error.temporary or attempt == self._retries or wait > WAIT_MOST_S:
                    raise
                time.sleep(wait)
        raise AssertionError("there is always a first attempt")

    def _once(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return json.loads(answer.read(ANSWER_MAX) or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                try:
                    message = json.loads(error.read(ANSWER_MAX))["message"]
                except (ValueError, KeyError, TypeError, OSError):
                    message = f"{request.full_url}: status {error.code}"
                raise PeelError(message, error.code, read_retry_after(error.headers.get("Retry-After"))) from None
        except (OSError, http.client.HTTPException) as error:  # refused, cut off, or past the timeout
            raise PeelError(f"{request.full_url}: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise PeelError(f"{request.full_url}: expected JSON: {error}", 200) from error
