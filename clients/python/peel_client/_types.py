"""What answers contain. Members may be missing; newer servers may add some."""

from typing import List, TypedDict


class Sticker(TypedDict, total=False):
    filename: str
    title: str
    url: str  # whole addresses
    thumbnail: str
    query_id: str  # the receipt of the search that found it, for `tell` and `feedback`
    rank: int  # from 1, among all results of the search
    score: float
    confidence: float  # how likely it fits, 0 to 1
    pinned: bool
    alt: str  # what the image shows, in the language of the search
    author: str
    license: str
    source: str
    pack: str
    mime: str
    width: int
    height: int
    frames: int  # of an animation
    duration_ms: int
    animated: bool
    rating: str  # "g", "pg", "pg-13" or "r"
    keywords: List[str]  # in the language that was asked for; only of `Peel.sticker`


class Found(TypedDict, total=False):
    results: List[Sticker]
    stickers: List[str]  # their filenames
    query_id: str
    total: int  # of all results, where there are more than these


class SearchAnswer(Found, total=False):
    query: str
    language: str
    ranking: str
    corrected: str  # the query with misspelled words replaced
    legs: List[str]
    degraded: bool  # the search was answered from keywords alone


class Trending(Found, total=False):
    queries: List[str]


class Suggestion(TypedDict):
    text: str
    kind: str  # "query", "title" or "word"


class Category(TypedDict, total=False):
    id: str
    name: str
    query: str  # what to search for
    cover: str  # for `Peel.address`


class Pack(TypedDict, total=False):
    name: str
    title: str  # what to call it
    author: str  # of the pack as a whole, as licence and source; missing where unknown
    license: str
    source: str
    stickers: int
    animated: int
    rating: str  # the highest of its stickers
    cover: str  # for `Peel.address`
    authors: List[str]  # those of the most stickers first, as the licences; only of `Peel.pack`
    licenses: List[str]


class PackPage(Found, total=False):
    pack: Pack
    next: str  # the cursor of the next page; missing on the last one


class Vote(TypedDict, total=False):
    """By search and voter: each sticker is in one list at most."""

    query_id: str  # the receipt of the search, or its query
    query: str
    voter: str
    positive: List[str]
    negative: List[str]
    withdrawn: List[str]
