#!/usr/bin/env python3
"""What votes and clicks teach, on stickers and searches that are real: people who know what they want (the judged
queries of one split) search, look, click and vote, as a click model has it, through the API; then `peel eval` says what
became of the ranking.

    python3 bench/taught.py --url http://127.0.0.1:8000 --search-url http://127.0.0.1:8118 --token TOKEN

The services must have the starter packs. TOKEN is an API token, which vouches for the people. Use a copy of the data:
what was learnt stays. People look at rank k with a probability of 1 / k^0.7, click what fits with 0.8 and anything else
with 0.05, and vote on one in `--votes` of what they look at; 2% do the opposite of all that."""

import argparse
import csv
import json
import pathlib
import random
import subprocess
import time
import urllib.parse
import urllib.request

EVENTS_AT_ONCE = 500
ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_queries(split):
    """Queries with their language and what fits them."""
    with open(ROOT / "eval" / "starter.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [(row["query"], row["language"], {name.partition(":")[0] for name in row["relevant"].split()}) for row in rows]


class Crowd:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.events = []
        self.sent = 0

    def ask(self, path, body=None):
        headers = {"Authorization": "Token " + self.options.token, "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self.options.url + path, data, headers)) as answer:
            return json.loads(answer.read())

    def tell(self, action, found, result, person):
        self.sent += 1
        self.events.append({"event_id": f"taught-{self.options.seed}-{self.sent}", "action_name": action, "query_id": found["query_id"],
                            "object_id": result["filename"], "position": result["rank"], "client_id": person})  # fmt: skip
        if len(self.events) >= EVENTS_AT_ONCE:
            self.flush()

    def flush(self):
        if self.events:
            failed = self.ask("/api/events/", {"events": self.events})["failed"]
            assert not failed, failed[0]
        self.events = []

    def search(self, query, language, fits):
        number = self.random.randrange(self.options.people)
        against = number % 50 == 0
        found = self.ask("/api/search/?" + urllib.parse.urlencode({"query": query, "lang": language}))
        for result in found["results"]:
            if self.random.random() >= 1 / result["rank"] ** 0.7:
                continue
            good = (result["filename"] in fits) != against
            person = f"person-{number}"
            self.tell("impression", found, result, person)
            if self.random.random() < (0.8 if good else 0.05):
                self.tell("click", found, result, person)
            if self.random.random() < 1 / self.options.votes:
                self.tell("vote_up" if good else "vote_down", found, result, person)


def ndcg(options):
    """Of the algorithm, over all queries of the split, with its 95% confidence interval."""
    done = subprocess.run([options.peel, "eval", str(ROOT / "eval" / "starter.csv"), options.algorithm, "--split", options.split,
                           "--search-url", options.search_url, "--json"], capture_output=True, text=True, check=True)  # fmt: skip
    value = json.loads(done.stdout)[0]["nDCG@10"]
    return f"nDCG@10 {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--search-url", default="http://127.0.0.1:8118")
    parser.add_argument("--token", required=True)
    parser.add_argument("--peel", default=str(ROOT / "peel"))
    parser.add_argument("--split", default="dev")
    parser.add_argument("--algorithm", default="hybrid", help="that the services search by")
    parser.add_argument("--searches", type=int, default=20000)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--votes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    crowd, queries = Crowd(options), read_queries(options.split)
    print("before:", ndcg(options))
    began = time.monotonic()
    for _ in range(options.searches):
        crowd.search(*crowd.random.choice(queries))
    crowd.flush()
    print(f"{options.searches} searches, {crowd.sent} events in {time.monotonic() - began:.0f} s")
    time.sleep(10)  # until it has been learnt
    print("after:", ndcg(options))


if __name__ == "__main__":
    main()
