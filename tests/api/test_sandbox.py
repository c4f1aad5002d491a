"""Hostile images, uploaded and asked for: what is too complex is refused, nobody else waits, and memory stays in bounds."""

import concurrent.futures
import os
import pathlib
import re
import signal
import struct
import sys
import threading
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from peel_testing import MODE, SLOW, main, png, request, wait_until  # noqa: E402
from test_admin_upload import SVG, UploadTest  # noqa: E402

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" viewBox="0 0 90 90">'
MIB = 1 << 20
BOUND = 640 + 128 + 128 + 128  # MiB: images, request bodies, passwords, and the service with its workers' programs


def slow_svg(seed):
    """Drawn for many minutes: each level draws the one before ten times, blurred."""
    levels = "".join(
        f'<g id="a{i}">' + f'<use x:href="#a{i - 1}" filter="url(#f)"/>' * 10 + "</g>" for i in range(1, 5)
    )
    return (
        f'{HEAD}<!-- {seed} --><filter id="f"><feGaussianBlur stdDeviation="20"/></filter>'
        f'<g id="a0"><rect width="80" height="80" filter="url(#f)"/></g>{levels}<use x:href="#a4"/></svg>'
    ).encode()


def large_svg(seed):
    """200 layers, each as large as the drawing."""
    layers = '<g opacity=".9">' * 200 + '<rect width="9" height="9"/>' + "</g>" * 200
    return f"{HEAD}<!-- {seed} -->{layers}</svg>".encode()


def large_png(side, seed):
    """side x side black pixels, in some kilobytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * ((side // 8 + 1) * side))
    text = chunk(b"tEXt", b"seed\0" + str(seed).encode())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def family(pid):
    """The process and those that it started."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            pids += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return pids


def resident(pid):
    try:
        found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


class Hostile(UploadTest):
    def service(self):
        return self.system.sticker.child.pid

    def put_past_the_check(self, name, data):
        """A picture that was taken at a time when nobody looked so closely."""
        self.assertEqual(self.upload((name, SVG + f"<!-- {name} -->".encode()), script=True).status, 200)
        [path] = self.system.folder.rglob(f"media/{name}")
        path.write_bytes(data)

    def test_references_are_refused(self):
        for i, inside in enumerate(
            (
                '<text><![CDATA[<!--]]></text><image href="data:image/png;base64,aaaa"/><!-- -->',
                '<?x <!-- ?><image href="#a"/><!-- -->',
                '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="data:image/svg+xml;base64,aaaa"/>',
                '<rect filter="url(data:image/svg+xml;base64,aaaa#t)"/>',
                "<style>@im\\70 ort url(data:text/css,a)</style>",
                '<use href="file:///etc/passwd#a"/>',
            )
        ):
            self.refused(f"bad{i}.svg", f"{HEAD}{inside}</svg>".encode(), "SVG: ")

    def test_slow_uploads_stop_nobody(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            slow = [pool.submit(self.upload, (f"slow{i}.svg", slow_svg(i)), script=True) for i in range(3)]
            time.sleep(1)
            for i in range(5):
                began = time.monotonic()
                answer = self.upload((f"quick{i}.png", png(9, 9, (i, 7, 7))), script=True)
                self.assertEqual(answer.status, 200, answer.text)
                self.assertLess(time.monotonic() - began, 4 * SLOW)
            for answer in (s.result() for s in slow):
                self.assertEqual(answer.status, 400, answer.text)
        wait_until(
            lambda: "too complex" in self.upload(("again.svg", slow_svg(0)), script=True).text, 90 * SLOW, "a refusal"
        )
        began = time.monotonic()
        self.refused("again.svg", slow_svg(0), "too complex")
        self.assertLess(time.monotonic() - began, 2 * SLOW, "what was too complex is not remembered")

    def test_slow_thumbnails_delay_nobody(self):
        names = [f"thumb{i}.png" for i in range(8)]
        for i, name in enumerate(names):
            self.assertEqual(self.upload((name, png(300, 30, (i, 9, 9))), script=True).status, 200)
        for i in range(6):
            self.put_past_the_check(f"dos{i}.svg", slow_svg(100 + i))
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            slow = [pool.submit(request, self.port, "GET", f"/media/dos{i}.svg?w=1024", timeout=90 * SLOW) for i in range(6)]
            time.sleep(1)
            for name in names:
                began = time.monotonic()
                answer = self.get(f"/media/{name}?w=64")
                took = time.monotonic() - began
                if answer.status == 503:
                    self.assertIn("Retry-After", answer.headers)
                else:
                    self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/webp"))
                self.assertLess(took, 6 * SLOW)
            for answer in (s.result() for s in slow):
                self.assertIn(answer.status, (200, 503))
                if answer.status == 503:
                    self.assertIn("Retry-After", answer.headers)
        for name in names:  # afterwards nobody is told to wait
            self.assertEqual(self.get(f"/media/{name}?w=64").headers["Content-Type"], "image/webp")

    def test_a_hundred_at_once(self):
        for i in range(3):
            self.put_past_the_check(f"crowd{i}.svg", (slow_svg, large_svg)[i % 2](200 + i))
            self.put_past_the_check(f"crowdp{i}.svg", large_png(8000, i))
        most, done = 0, threading.Event()

        def watch():
            nonlocal most
            while not done.wait(0.02):
                most = max(most, sum(resident(pid) for pid in family(self.service())))

        watcher = threading.Thread(target=watch)
        watcher.start()
        self.admin.get("/admin/stickers/upload/")
        csrf = self.admin.csrf

        def one(i):
            if i % 2:
                kind = (slow_svg, large_svg, lambda seed: large_png(8000, seed))[i % 3]
                name = f"many{i}.{'png' if i % 3 == 2 else 'svg'}"
                return self.upload((name, kind(1000 + i)), script=True, csrf=csrf, timeout=200).status
            width = (64, 128, 256, 512, 1024)[i % 5]
            name = ("crowd", "crowdp")[i // 2 % 2]
            return request(self.port, "GET", f"/media/{name}{i % 3}.svg?w={width}", timeout=200).status

        try:
            with concurrent.futures.ThreadPoolExecutor(100) as pool:
                statuses = list(pool.map(one, range(100)))
        finally:
            done.set()
            watcher.join()
        self.assertLessEqual(set(statuses), {200, 400, 503})
        print(f"100 hostile images at once: at most {most // MIB} MiB", file=sys.stderr)
        if MODE == "release":
            self.assertLess(most, BOUND * MIB)
        wait_until(lambda: self.upload(("after.png", png(7, 7, (1, 2, 3))), script=True).status == 200, 60 * SLOW, "an upload")

    def test_dead_workers_are_replaced(self):
        killed = 0
        for i in range(5):
            self.assertEqual(self.upload((f"dead{i}.png", png(11, 11, (i, 5, 5))), script=True).status, 200)
            for worker in family(self.service())[1:]:  # none, when the last image had a process of its own
                os.kill(worker, signal.SIGKILL)
                killed += 1
        self.assertGreater(killed, 0)
        metrics = self.get("/metrics").body.decode()
        self.assertIn("peel_sticker_images_decoded_total", metrics)


class Stops(UploadTest):
    def test_in_time_while_images_are_decoded(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for i in range(3):
                pool.submit(self.upload, (f"slow{i}.svg", slow_svg(i)), script=True)
            time.sleep(2)
            began = time.monotonic()
            self.assertEqual(self.system.sticker.stop(), 0)
            self.assertLess(time.monotonic() - began, 10 * SLOW)


if __name__ == "__main__":
    main()
