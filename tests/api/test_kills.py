#!/usr/bin/env python3
"""Some dozens of kill -9 at random moments on either database; tests/kills.py says what is counted."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from kills import Run  # noqa: E402
from peel_testing import figures, main  # noqa: E402
from postgres_testing import unavailable  # noqa: E402

KILLS = int(os.environ.get("KILLS", "25"))


class Kills(unittest.TestCase):
    def check(self, database):
        with Run(database) as run:
            said = run.run(KILLS, seconds=60)
        self.assertEqual(run.problems, [])
        self.assertGreater(min(worker.acknowledged for worker in run.workers), 0, said)
        figures(said)

    def test_on_sqlite(self):
        self.check("sqlite")

    @unittest.skipIf(unavailable(), unavailable())
    def test_on_postgresql(self):
        self.check("postgresql")


if __name__ == "__main__":
    main()
