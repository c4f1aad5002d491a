"""The official MCP client (PyPI: mcp) against `peel mcp`: mcp_client.py PEEL URL. Started by test_mcp.py."""

import asyncio
import base64
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def use(peel, url):
    server = StdioServerParameters(command=peel, args=["mcp", url])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
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
