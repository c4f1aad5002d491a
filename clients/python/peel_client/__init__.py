"""A client of Peel: searches, suggestions, votes and events, with the standard library alone.

    from peel_client import Peel

    with Peel("https://stickers.example") as peel:
        found = peel.search("birthday cake", limit=24)
        peel.tell("share", found["results"][0])

AsyncPeel has the same methods as coroutines. docs/API.md says what each parameter and member means.
"""

from ._async import AsyncPeel
from ._client import Peel, PeelError
from ._types import Category, Found, Pack, PackPage, SearchAnswer, Sticker, Suggestion, Trending, Vote

__version__ = "0.2.0"
__all__ = [
    "AsyncPeel",
    "Category",
    "Found",
    "Pack",
    "PackPage",
    "Peel",
    "PeelError",
    "SearchAnswer",
    "Sticker",
    "Suggestion",
    "Trending",
    "Vote",
]
