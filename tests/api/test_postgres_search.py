#!/usr/bin/env python3
"""SearchService's database on a real PostgreSQL: the store suite, two services that follow each other, a server that goes
away and comes back, and many that start at once on a database that is not there yet."""

import json
import re
import urllib.parse

from peel_testing import Process, System, main, request, wait_until
from postgres_testing import PostgresTest


class SearchOnPostgres(PostgresTest):
    def test_store_suite(self):
        self.unit("test_store_search", 16)

    def test_services_follow_each_other(self):
        output = self.unit("test_search_service_models", 1, PEEL_TEST_ONLY="services_on_one_database_follow_each_other")
        print(re.search(r"found at the other service.*", output)[0])

    def test_services_share_the_vectors_of_phrases(self):
        self.unit("test_search_service_phrases", 1, PEEL_TEST_ONLY="services_on_one_database_share_vectors")

    def start(self, system, name, url):
        arguments = ["search-service", "--search-port", "0", "--search-db", url]
        process = Process([*arguments, "--data", str(system.data / name)], system.folder / f"{name}.log", None)
        system.processes.append(process)
        return process

    def port(self, process):
        return int(process.wait_for(r"listening on \S+ port (\d+)")[1])

    def put(self, port, name, title):
        body = json.dumps({"title": title, "words": []})
        return request(port, "PUT", "/api/documents/" + name, body).status

    def find(self, port, query):
        answer = request(port, "GET", "/api/search/?algorithm=lexical&query=" + urllib.parse.quote(query))
        return answer.json()["filenames"] if answer.status == 200 else answer.status

    def test_server_goes_away_and_comes_back(self):
        system = System()
        self.addCleanup(system.close)
        port = self.port(self.start(system, "one", self.server.url("away")))
        self.assertEqual(self.put(port, "cat.png", "Cat in a park"), 200)
        self.assertEqual(self.put(port, "bird.png", "Bird"), 200)
        self.assertEqual(self.find(port, "cat"), ["cat.png"])
        self.server.stop()
        try:
            self.assertEqual(self.find(port, "cat"), ["cat.png"])  # whose name it has read
            self.assertEqual(self.find(port, "bird"), 503)
            self.assertEqual(self.put(port, "dog.png", "Dog"), 503)
            self.assertEqual(request(port, "GET", "/readyz").status, 503)
            self.assertEqual(request(port, "GET", "/healthz").status, 200)
        finally:
            self.server.start()
        wait_until(lambda: self.put(port, "dog.png", "Dog") == 200, 10, "a change again")
        self.assertEqual(self.find(port, "dogs"), ["dog.png"])

    def test_many_start_at_once(self):
        system = System()
        self.addCleanup(system.close)
        services = [self.start(system, f"s{i}", self.server.url("together")) for i in range(3)]
        ports = [self.port(service) for service in services]
        self.assertEqual(self.put(ports[0], "cat.png", "Cat"), 200)
        self.assertEqual(self.find(ports[0], "cat"), ["cat.png"])
        for port in ports[1:]:
            wait_until(lambda port=port: self.find(port, "cat") == ["cat.png"], 10, "the document at another service")

    def test_messages_name_what_is_wrong(self):
        system = System()
        self.addCleanup(system.close)
        secret = "postgresql://nobody:much-too-secret@127.0.0.1:1/none"
        done = system.run("search-service", "--search-port", "0", "--search-db", secret, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("127.0.0.1:1/none", done.stderr)
        self.assertNotIn("much-too-secret", done.stdout + done.stderr)


if __name__ == "__main__":
    main()
