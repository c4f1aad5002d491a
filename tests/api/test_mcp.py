"""The Model Context Protocol: `peel mcp` on standard input and output, and StickerService's /mcp over HTTP."""

import base64
import json
import os
import pathlib
import subprocess
import unittest

from peel_testing import PEEL, SLOW, ServiceTest, main, raw, request, wait_until, webp_size

OFFICIAL = os.environ.get("PEEL_TEST_MCP")  # a Python with the package mcp (2.3.0)


class Tools:
    """What an assistant may ask, whichever way it does; talk() gives the answers."""

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

class Stdio(Tools, ServiceTest):
    def talk(self, *lines):
        """The answers to lines of messages, in one session."""
        sent = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        done = subprocess.run(
            [PEEL, "mcp", f"http://127.0.0.1:{self.port}"], input=sent, capture_output=True, text=True, timeout=30 * SLOW
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

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


class Http(Tools, ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = json.loads(cls.system.run("key", "create", "bot", "--json").stdout)["key"]
        wait_until(lambda: cls.post(cls, {}).status == 400, 10, "the new key")

    def post(self, message, **headers):
        body = message if isinstance(message, (str, bytes)) else json.dumps(message)
        fields = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
        return request(self.port, "POST", "/mcp", body, {k: v for k, v in fields.items() if v is not None})

    def talk(self, *messages):
        answers = [self.post(message) for message in messages if message]
        for answer in answers:
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json") if answer.body else (202, None))
        return [answer.json() for answer in answers if answer.body]

    def test_only_with_a_key(self):
        for authorization in (None, "Bearer", "Bearer nonsense", "Basic eDp5", f"Token {self.key}"):
            refused = self.post(self.ask("ping"), Authorization=authorization)
            self.assertEqual((refused.status, refused.headers["WWW-Authenticate"]), (401, "Bearer"), authorization)
        self.assertEqual(self.post(self.ask("ping"), Authorization=None, **{"X-Api-Key": self.key}).status, 200)
        self.assertEqual(self.post(self.ask("ping"), Authorization=f"bearer  {self.key}").status, 200)

    def test_the_transport(self):
        ping = self.ask("ping")
        for method in ("GET", "DELETE", "PUT"):
            answer = request(self.port, method, "/mcp", headers={"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"})
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))
        for headers, status in (
            ({"Mcp-Protocol-Version": "2025-06-18"}, 200), ({"Mcp-Protocol-Version": "2025-03-26"}, 200), ({"Mcp-Protocol-Version": "1999-01-01"}, 400),
            ({"Origin": "https://evil.example"}, 403), ({"Origin": f"http://127.0.0.1:{self.port}"}, 200), ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/json; charset=utf-8"}, 200), ({"Host": "evil.example"}, 421), ({"Accept-Encoding": "gzip, zstd"}, 200),
        ):  # fmt: skip
            self.assertEqual(self.post(ping, **headers).status, status, headers)
        for wrong, code in (("nonsense", -32700), ([], -32600), ([ping, ping], -32600), ({}, -32600), (b"\xff", -32700)):
            answer = self.post(wrong)
            self.assertEqual((answer.status, answer.json()["error"]["code"]), (400, code), wrong)
        head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
        self.assertEqual(raw(self.port, f"{head}Content-Length: {(1 << 20) + 1}\r\n\r\n".encode()).status, 413)
        self.assertEqual(self.post(self.ask("no/method")).json()["error"]["code"], -32601)

    def test_fields_of_the_outer_request_do_not_reach_the_inner_one(self):
        headers = {"Accept-Encoding": "gzip", "Range": "bytes=0-3", "If-None-Match": "*", "Accept": "image/png", "Idempotency-Key": "x"}
        answer = self.post(self.ask("tools/call", {"name": "get_sticker", "arguments": {"filename": "cat.png"}}), **headers)
        sticker, image = answer.json()["result"]["content"]
        self.assertEqual((json.loads(sticker["text"])["title"], image["mimeType"]), ("Cat in a park", "image/webp"))

    @unittest.skipUnless(OFFICIAL, "PEEL_TEST_MCP names no Python with the package mcp")
    def test_the_official_client(self):
        script = pathlib.Path(__file__).with_name("mcp_client.py")
        done = subprocess.run([OFFICIAL, str(script), f"http://127.0.0.1:{self.port}/mcp", self.key], capture_output=True, text=True, timeout=60 * SLOW)
        self.assertEqual(done.stdout, "cat.png\n", done.stderr)


if __name__ == "__main__":
    main()
