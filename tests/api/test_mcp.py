"""`peel mcp`: a Model Context Protocol server on standard input and output."""

import base64
import json
import os
import pathlib
import subprocess
import unittest

from peel_testing import PEEL, SLOW, ServiceTest, main, webp_size

OFFICIAL = os.environ.get("PEEL_TEST_MCP")  # a Python with the package mcp (2.3.0)


class Mcp(ServiceTest):
    def talk(self, *lines):
        """The answers to lines of messages, in one session."""
        sent = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        done = subprocess.run(
            [PEEL, "mcp", f"http://127.0.0.1:{self.port}"], input=sent, capture_output=True, text=True, timeout=30 * SLOW
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, method, params=None, id=1):
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}

    def call(self, tool, **arguments):
        [answer] = self.talk(self.ask("tools/call", {"name": tool, "arguments": arguments}))
        return answer["result"]

    def test_a_session_begins(self):
        for wanted, revision in (("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"), ("2024-01-01", "2025-06-18")):
            first, pong = self.talk(
                self.ask("initialize", {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}),
                {"jsonrpc": "2.0", "method": "notifications/initialized"},
                "",
                self.ask("ping", id="two"),
            )
            self.assertEqual(first["result"]["protocolVersion"], revision)
            self.assertEqual(first["result"]["capabilities"], {"tools": {}})
            self.assertEqual(pong, {"jsonrpc": "2.0", "id": "two", "result": {}})

    def test_tools_say_what_they_take(self):
        [answer] = self.talk(self.ask("tools/list"))
        tools = {tool["name"]: tool["inputSchema"] for tool in answer["result"]["tools"]}
        self.assertEqual({name: schema["required"] for name, schema in tools.items()},
                         {"search_stickers": ["query"], "suggest": ["prefix"], "get_sticker": ["filename"]})  # fmt: skip
        self.assertEqual(tools["search_stickers"]["properties"]["animated"]["type"], "boolean")

    def test_search_and_suggest(self):
        found = self.call("search_stickers", query="cat", limit=1, animated=False)
        self.assertFalse(found["isError"])
        [sticker] = found["structuredContent"]["results"]
        self.assertEqual(sticker["filename"], "cat.png")
        self.assertTrue(sticker["url"].startswith(f"http://127.0.0.1:{self.port}/media/cat.png"))
        self.assertEqual(json.loads(found["content"][0]["text"]), found["structuredContent"])
        self.assertNotIn("query_id", found["structuredContent"])
        self.assertEqual([s["text"] for s in self.call("suggest", prefix="kit")["structuredContent"]["suggestions"]], ["kitten"])

    def test_a_sticker_comes_with_its_image(self):
        for filename in ("cat.png", "sun & rain, 100%.png", "grüße.png"):
            text, image = self.call("get_sticker", filename=filename)["content"]
            self.assertEqual(json.loads(text["text"])["filename"], filename)
            self.assertEqual((image["type"], image["mimeType"]), ("image", "image/webp"))
            self.assertGreater(webp_size(base64.b64decode(image["data"], validate=True))[0], 0)

    def test_what_goes_wrong_in_a_tool_is_for_the_assistant(self):
        wrong = (
            ("get_sticker", {"filename": "nowhere.png"}, "Sticker not found."),
            ("get_sticker", {"filename": "../search/"}, "is not allowed"),
            ("search_stickers", {"query": ""}, "Please provide a query."),
            ("search_stickers", {}, "query must be a string"),
            ("search_stickers", {"query": "cat", "limit": "3"}, "limit must be a whole number"),
            ("search_stickers", {"query": "cat", "limit": 1000}, "limit"),
            ("search_stickers", {"query": "cat", "animated": 1}, "animated must be true or false"),
            ("search_stickers", {"query": "cat", "fields": "x"}, 'search_stickers has no argument "fields"'),
        )
        answers = self.talk(*(self.ask("tools/call", {"name": tool, "arguments": arguments}) for tool, arguments, _ in wrong))
        for (_, _, message), answer in zip(wrong, answers, strict=True):
            self.assertTrue(answer["result"]["isError"], answer)
            self.assertIn(message, answer["result"]["content"][0]["text"])

    def test_wrong_messages(self):
        wrong = (
            ("nonsense", -32700), ("[]", -32600), ("{}", -32600), ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
            (self.ask("no/method"), -32601), (self.ask("tools/call", {"name": "no_tool"}), -32602),
            (self.ask("tools/call", {"name": "suggest", "arguments": []}), -32602), ('"' + "x" * (1 << 20) + '"', -32600),
        )  # fmt: skip
        *answers, pong = self.talk(*(line for line, _ in wrong), self.ask("ping"))
        self.assertEqual([answer["error"]["code"] for answer in answers], [code for _, code in wrong])
        self.assertEqual(pong["result"], {})
        batch, = self.talk(json.dumps([self.ask("ping", id=1), {"jsonrpc": "2.0", "method": "x"}, self.ask("ping", id=2)]))
        self.assertEqual([answer["id"] for answer in batch], [1, 2])

    def test_without_a_service(self):
        done = subprocess.run([PEEL, "mcp", "http://127.0.0.1:9"], input=json.dumps(self.ask("tools/call", {"name": "suggest", "arguments": {"prefix": "a"}})),
                              capture_output=True, text=True, timeout=30 * SLOW)  # fmt: skip
        self.assertTrue(json.loads(done.stdout)["result"]["isError"])

    @unittest.skipUnless(OFFICIAL, "PEEL_TEST_MCP names no Python with the package mcp")
    def test_the_official_client(self):
        script = pathlib.Path(__file__).with_name("mcp_client.py")
        done = subprocess.run([OFFICIAL, str(script), PEEL, f"http://127.0.0.1:{self.port}"], capture_output=True, text=True, timeout=60 * SLOW)
        self.assertEqual(done.stdout, "cat.png\n", done.stderr)


if __name__ == "__main__":
    main()
