"""The client for asyncio: the same requests, on threads. A coroutine that is cancelled leaves at once; its request ends
by itself, within the timeout."""

import asyncio
from typing import Any, AsyncIterator, Iterable, List, Mapping, Optional, Union

from ._client import Parameter, Peel
from ._types import Category, Found, Pack, PackPage, SearchAnswer, Sticker, Suggestion, Trending, Vote


class AsyncPeel:
    """Arguments, methods and answers are those of Peel."""

    def __init__(self, server: str, **options: Any) -> None:
        self._peel = Peel(server, **options)
        self.address = self._peel.address

    async def __aenter__(self) -> "AsyncPeel":
        return self

    async def __aexit__(self, *why: object) -> None:
        await asyncio.to_thread(self._peel.__exit__, *why)

    async def search(self, query: str, **more: Any) -> SearchAnswer:
        return await asyncio.to_thread(self._peel.search, query, **more)

    async def pages(self, query: str, *, limit: int = 24, offset: int = 0, **more: Any) -> AsyncIterator[Sticker]:
        stickers = self._peel.pages(query, limit=limit, offset=offset, **more)
        while (sticker := await asyncio.to_thread(next, stickers, None)) is not None:
            yield sticker

    async def suggest(self, prefix: str, **more: Any) -> List[Suggestion]:
        return await asyncio.to_thread(self._peel.suggest, prefix, **more)

    async def trending(self, **more: Parameter) -> Trending:
        return await asyncio.to_thread(self._peel.trending, **more)

    async def random(self, **more: Parameter) -> Found:
        return await asyncio.to_thread(self._peel.random, **more)

    async def similar(self, filename: str, **more: Parameter) -> Found:
        return await asyncio.to_thread(self._peel.similar, filename, **more)

    async def sticker(self, filename: str, **more: Parameter) -> Sticker:
        return await asyncio.to_thread(self._peel.sticker, filename, **more)

    async def categories(self, **more: Parameter) -> List[Category]:
        return await asyncio.to_thread(self._peel.categories, **more)

    async def packs(self, **more: Parameter) -> List[Pack]:
        return await asyncio.to_thread(self._peel.packs, **more)

    async def pack(self, name: str, **more: Any) -> PackPage:
        return await asyncio.to_thread(self._peel.pack, name, **more)

    async def feedback(self, votes: Union[Vote, Iterable[Vote]]) -> List[str]:
        return await asyncio.to_thread(self._peel.feedback, votes)

    async def tell(self, action: str, sticker: Mapping[str, Any], **more: Any) -> None:
        await asyncio.to_thread(self._peel.tell, action, sticker, **more)

    async def upload(self, filename: str, image: bytes, about: Optional[Mapping[str, Any]] = None) -> Sticker:
        return await asyncio.to_thread(self._peel.upload, filename, image, about)

    async def remove(self, filename: str) -> None:
        await asyncio.to_thread(self._peel.remove, filename)

    async def flush(self) -> None:
        await asyncio.to_thread(self._peel.flush)
