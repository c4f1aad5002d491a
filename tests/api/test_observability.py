"""What both services say about themselves: /metrics by the letter of its format, and everything that deploy/ and docs/
say of it."""

import json
import pathlib
import re
import shutil
import subprocess

from peel_testing import ServiceTest, main, request

ROOT = pathlib.Path(__file__).parents[2]
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)")


def parse(text):
    """{family: type}, {(sample, labels): value}; anything against the text format 0.0.4 is an AssertionError."""
    kinds, helped, samples, family, closed = {}, set(), {}, None, set()
    assert text.endswith("\n"), "the last line ends"
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert name not in helped and words, line
            helped.add(name)
            closed.add(family)
            family = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == family and name not in kinds and name not in closed, line
            assert kind in ("counter", "gauge", "histogram"), line
            assert kind != "counter" or name.endswith("_total"), line
            assert kind != "histogram" or name.endswith("_seconds"), line
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            name, labels = match[1], tuple(re.findall(LABEL, match[2] or ""))
            ends = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert any(name == family + end for end in ends), f"{name} among {family}"
            assert len({label for label, _ in labels}) == len(labels), line
            assert (name, labels) not in samples, f"twice: {line}"
            samples[name, labels] = float(match[match.lastindex])
            assert kinds[family] != "counter" or samples[name, labels] >= 0
    assert helped == set(kinds), "HELP and TYPE come together"
    buckets = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            assert labels[-1][0] == "le", name
            buckets.setdefault((name[:-7], labels[:-1]), []).append((float(labels[-1][1]), value))
    for (name, labels), row in buckets.items():
        assert row == sorted(row) and [n for _, n in row] == sorted(n for _, n in row), (name, row)
        assert row[-1][0] == float("inf") and row[-1][1] == samples[name + "_count", labels], (name, labels)
        assert (name + "_sum", labels) in samples, name
    return kinds, samples


def exported(kinds):
    """Every name a query may use."""
    for name, kind in kinds.items():
        yield from [name + end for end in ("_bucket", "_sum", "_count")] if kind == "histogram" else [name]


class Observability(ServiceTest):
    def metrics(self, port):
        answer = request(port, "GET", "/metrics")
        self.assertEqual(answer.status, 200)
        self.assertIn("version=0.0.4", answer.headers["Content-Type"])
        return parse(answer.body.decode())

    def both(self):
        return self.metrics(self.port), self.metrics(self.system.search_port)

    def test_format_and_counts(self):
        (_, before), _ = self.both()
        for _ in range(3):
            self.search("cat")
        self.get("/media/cat.png?w=64")
        self.get("/media/cat.png?w=64")
        self.get("/no/such/path/" + "x" * 40)
        request(self.port, "POST", "/admin/login", "nothing")
        self.get("/admin/login")
        (kinds, after), (peer_kinds, peer) = self.both()

        def grown(name, **labels):
            def total(samples):
                return sum(v for (n, found), v in samples.items() if n == name and labels.items() <= dict(found).items())

            return total(after) - total(before)

        self.assertEqual(grown("peel_sticker_http_requests_total", route="search", method="GET", status="200"), 3)
        self.assertEqual(grown("peel_sticker_http_request_duration_seconds_count", route="search", status="2xx"), 3)
        self.assertEqual(grown("peel_sticker_http_requests_total", route="none", status="404"), 1)
        self.assertGreaterEqual(grown("peel_sticker_search_peer_duration_seconds_count"), 1)
        self.assertGreaterEqual(grown("peel_sticker_database_duration_seconds_count", kind="read"), 1)
        self.assertGreaterEqual(grown("peel_sticker_http_queue_duration_seconds_count"), 3)
        self.assertEqual(grown("peel_sticker_thumbnail_misses_total"), 1)
        self.assertEqual(grown("peel_sticker_thumbnail_hits_total"), 1)
        self.assertNotIn("x" * 40, str(after))
        for samples, service in ((after, "sticker"), (peer, "search")):
            info = [dict(labels) for (name, labels) in samples if name == "peel_build_info"]
            self.assertEqual([i["service"] for i in info], [service])
            self.assertRegex(info[0]["version"], r"^\d+\.\d+")
            self.assertGreater(samples["process_start_time_seconds", ()], 1.6e9)
            self.assertGreater(samples["process_resident_memory_bytes", ()], 1e6)
            self.assertGreater(samples["process_cpu_seconds_total", ()], 0)
            self.assertGreater(samples["process_max_fds", ()], samples["process_open_fds", ()])
            self.assertGreater(samples["process_open_fds", ()], 3)
            self.assertEqual(samples[f"peel_{service}_database_up", ()], 1)
        self.assertEqual(after["peel_sticker_outbox_oldest_seconds", ()], 0)
        self.assertEqual(peer["peel_search_documents", ()], 6)

    def test_documentation_names_what_is_exported(self):
        (kinds, _), (peer_kinds, _) = self.both()
        text = (ROOT / "docs/OBSERVABILITY.md").read_text(encoding="utf-8")
        told = dict(re.findall(r"^\| `(\w+)`[^|]*\| (counter|gauge|histogram) \|", text, re.M))
        self.assertEqual(told, {**kinds, **peer_kinds})

    def test_dashboard_alerts_and_runbook_fit(self):
        (kinds, _), (peer_kinds, _) = self.both()
        known = {*exported(kinds), *exported(peer_kinds)}
        rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
        alerts = dict(re.findall(r"- alert: (\w+)\n +expr: >-\n +(.*)\n", rules))
        self.assertEqual(len(alerts), rules.count("- alert:"))
        board = json.loads((ROOT / "deploy/grafana/peel.json").read_text())
        queries = {target["expr"]: panel["title"] for panel in board["panels"] for target in panel["targets"]}
        for query, where in [*((query, name) for name, query in alerts.items()), *queries.items()]:
            names = set(re.findall(r"\b(?:peel|process)_[a-z_]+", re.sub(r'"[^"]*"', "", query)))
            self.assertLessEqual(names, known, where)
            self.assertTrue(names or where in ("PeelDown", "DiskFull"), where)
        runbook = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"^## (\w+)$", runbook, re.M), list(alerts))
        tested = re.findall(r"alertname: (\w+)", (ROOT / "deploy/prometheus/alerts_test.yml").read_text())
        self.assertEqual(set(tested), set(alerts))
        self.assertEqual(rules.count("runbook: docs/RUNBOOK.md#"), len(alerts))
        if shutil.which("promtool"):
            for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
                done = subprocess.run(
                    ["promtool", *command], cwd=ROOT / "deploy/prometheus", capture_output=True, text=True, timeout=60
                )
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for port in (self.port, self.system.search_port):
                text = request(port, "GET", "/metrics").body
                done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
