"""The official MCP client (PyPI: mcp): mcp_client.py PEEL URL against `peel mcp`, mcp_client.py URL KEY against /mcp of
StickerService. Started by test_mcp.py."""

import asyncio
import base64
import sys

import httpx2
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def connect(first, second):
    if first.startswith("http"):
        return streamable_http_client(first, http_client=httpx2.AsyncClient(headers={"Authorization": f"Bearer {second}"}))
    return stdio_client(StdioServerParameters(command=first, args=["mcp", second]))


async def use(first, second):
    async with connect(first, second) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        names = [tool.name for tool in (await session.list_tools()).tools]
        assert names == ["search_stickers", "suggest", "get_sticker"], names
        found = await session.call_tool("search_stickers", {"query": "cat", "limit": 1})
        filename = found.structured_content["results"][0]["filename"]
        text, image = (await session.call_tool("get_sticker", {"filename": filename})).content
        assert image.mime_type == "image/webp" and base64.b64decode(image.data)[8:12] == b"WEBP"
        refused = await session.call_tool("get_sticker", {"filename": "nowhere.png"})
        assert refused.is_error and refused.content[0].text == "Sticker not found.", refused
        print(filename)


asyncio.run(use(*sys.argv[1:]))
