"""Images and thumbnails: caching, ranges, and names that try to get out of the folder."""

import hashlib
import threading

from peel_testing import ROOT, ServiceTest, main, png, raw, request, webp_size

VIDEOS = ROOT / "tests" / "fuzz" / "corpus" / "webm"
LOTTIE = ROOT / "tests" / "fuzz" / "corpus" / "lottie"
IMAGES = ROOT / "tests" / "fuzz" / "corpus" / "image"


class Media(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.system.folder / "pictures"
        folder.mkdir()
        (folder / "wide.png").write_bytes(png(900, 300, (10, 200, 30)))
        (folder / "tall.png").write_bytes(png(4, 900, (10, 20, 230)))
        (folder / "drawing.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="20"><script>alert(1)</script>'
            '<rect width="10" height="20" fill="red"/></svg>'
        )
        frame = b"\x2c\0\0\0\0\x02\0\x02\0\0\x02\x02\x84\x51\0"
        other = b"\x2c\0\0\0\0\x02\0\x02\0\x80\0\xff\0\xff\0\0\x02\x02\x84\x51\0"  # colours of its own
        cls.moving = b"GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff" + frame + other + b";"
        (folder / "moving.gif").write_bytes(cls.moving)
        for name in ("walk.tgs", "walk.lottie", "walk.json"):
            (folder / name).write_bytes((LOTTIE / name).read_bytes())
        for name in ("clear.avif", "clear.heic"):
            (folder / name).write_bytes((IMAGES / name).read_bytes())
        (folder / "video.webm").write_bytes((VIDEOS / "clear.webm").read_bytes())
        (folder / "short.webm").write_bytes((VIDEOS / "clear.webm").read_bytes()[:900])
        (folder / "old.webm").write_bytes((VIDEOS / "vp8.webm").read_bytes())
        (folder / "phone.heif").write_bytes((IMAGES / "opaque.heic").read_bytes())
        (folder / "half.avif").write_bytes((IMAGES / "opaque.avif").read_bytes()[:200])
        (folder / "other.json").write_text('{"layers": 3}')
        cls.wide = (folder / "wide.png").read_bytes()
        imported = cls.system.run("import", str(folder), check=False)
        cls.imported = imported.stdout + imported.stderr

    def test_whole_image_and_caching(self):
        answer = self.get("/media/wide.png")
        self.assertEqual((answer.status, answer.body), (200, self.wide))
        self.assertEqual(answer.headers["Content-Type"], "image/png")
        sha = hashlib.sha256(self.wide).hexdigest()
        self.assertEqual(answer.headers["ETag"], f'"{sha}"')
        self.assertNotIn("immutable", answer.headers["Cache-Control"])
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("immutable", self.get(f"/media/wide.png?v={sha}").headers["Cache-Control"])
        self.assertIn("immutable", self.get(f"/media/wide.png?v={sha[:16]}").headers["Cache-Control"])
        for wrong in (sha[:4], "0" * 64, sha + "0", ""):
            self.assertNotIn("immutable", self.get(f"/media/wide.png?v={wrong}").headers["Cache-Control"])
        for tag in (f'"{sha}"', f'W/"{sha}"', f'"x", "{sha}"', "*"):
            answer = self.get("/media/wide.png", **{"If-None-Match": tag})
            self.assertEqual((answer.status, answer.body, answer.headers["ETag"]), (304, b"", f'"{sha}"'))
        self.assertEqual(self.get("/media/wide.png", **{"If-None-Match": f'"{sha[:-1]}"'}).status, 200)

    def test_head(self):
        answer = request(self.port, "HEAD", "/media/wide.png")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(int(answer.headers["Content-Length"]), len(self.wide))

    def test_ranges(self):
        size = len(self.wide)
        self.assertEqual(self.get("/media/wide.png").headers["Accept-Ranges"], "bytes")
        for header, first, last in (
            ("bytes=0-0", 0, 0),
            ("bytes=5-9", 5, 9),
            ("bytes=100-", 100, size - 1),
            ("bytes=-7", size - 7, size - 1),
            ("bytes=-999999999", 0, size - 1),
            (f"bytes=10-{size + 50}", 10, size - 1),
        ):
            answer = self.get("/media/wide.png", Range=header)
            self.assertEqual(answer.status, 206, header)
            self.assertEqual(answer.headers["Content-Range"], f"bytes {first}-{last}/{size}")
            self.assertEqual(answer.body, self.wide[first : last + 1])
        for header in (f"bytes={size}-", "bytes=-0", "bytes=999999999999-"):
            answer = self.get("/media/wide.png", Range=header)
            self.assert_problem(answer, 416)
            self.assertEqual(answer.headers["Content-Range"], f"bytes */{size}")
        for header in ("bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "bytes=", "bytes=--1", "bytes=" + "9" * 40 + "-"):
            answer = self.get("/media/wide.png", Range=header)
            self.assertEqual((answer.status, answer.body), (200, self.wide), header)
        self.assertEqual(self.get("/media/wide.png", Range="bytes=0-0", **{"If-Range": '"other"'}).status, 200)

    def test_thumbnails(self):
        for asked, made in ((1, 64), (64, 64), (65, 128), (256, 256), (300, 512), (1024, 900)):
            answer = self.get(f"/media/wide.png?w={asked}")
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/webp"))
            width, height = webp_size(answer.body)
            self.assertEqual(width, made)
            self.assertAlmostEqual(height, made / 3, delta=1)
        self.assertEqual(webp_size(self.get("/media/tall.png?w=64").body), (1, 256))
        self.assertEqual(webp_size(self.get("/media/drawing.svg?w=64").body), (64, 128))
        first = self.get("/media/wide.png?w=256")
        again = self.get("/media/wide.png?w=200")
        self.assertEqual((first.headers["ETag"], first.body), (again.headers["ETag"], again.body))
        self.assertNotEqual(first.headers["ETag"], self.get("/media/wide.png").headers["ETag"])
        self.assertEqual(self.get("/media/wide.png?w=256", **{"If-None-Match": first.headers["ETag"]}).status, 304)
        self.assertEqual(self.get("/media/wide.png?w=256", Range="bytes=0-3").body, b"RIFF")

    def test_renditions(self):
        kinds = {"webp": b"RIFF", "png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "gif": b"GIF89a", "avif": b"\0\0\0\x1cftypavif"}
        plain = self.get("/media/wide.png?w=256")
        for name, magic in kinds.items():
            answer = self.get(f"/media/wide.png?w=200&format={name}")
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, f"image/{name}"))
            self.assertEqual(answer.headers["Rendition"], f"{name};w=256")
            self.assertEqual((answer.body[: len(magic)], answer.headers["Vary"]), (magic, None))
            self.assertEqual(answer.headers["ETag"] == plain.headers["ETag"], name == "webp")
            again = self.get(f"/media/wide.png?w=256&format={name}", **{"If-None-Match": answer.headers["ETag"]})
            self.assertEqual(again.status, 304)
        self.assertEqual(self.get("/media/wide.png?format=png").body, self.wide)
        drawn = self.get("/media/drawing.svg?format=png")
        self.assertEqual((drawn.body[:4], drawn.headers["Rendition"]), (b"\x89PNG", "png;w=1024"))
        self.assertEqual(drawn.body[16:24], (1024).to_bytes(4, "big") + (2048).to_bytes(4, "big"))
        for wrong in ("heic", "svg", "PNG", ""):
            self.assert_problem(
                self.get(f"/media/wide.png?format={wrong}"), 400, f'format must be webp, png, jpeg, gif, avif or original, found "{wrong}"'
            )
        self.assert_problem(self.get("/media/wide.png?still=maybe"), 400)

    def test_what_a_client_takes(self):
        for accept, kind in (
            (None, "webp"),
            ("*/*", "webp"),
            ("image/avif,image/webp,*/*;q=0.8", "webp"),
            ("image/png,image/*;q=0.1", "webp"),
            ("image/png;q=0.5, image/jpeg", "jpeg"),
            ("image/*, image/webp;q=0", "png"),
            ("image/avif", "avif"),
            ("text/html", "webp"),
        ):
            answer = self.get("/media/wide.png?w=64", **({"Accept": accept} if accept else {}))
            self.assertEqual((answer.headers["Content-Type"], answer.headers["Vary"]), (f"image/{kind}", "Accept"), accept)
        whole = self.get("/media/wide.png", Accept="image/gif")
        self.assertEqual((whole.body, whole.headers["Vary"], whole.headers["Rendition"]), (self.wide, None, None))

    def test_lottie(self):
        for name, mime in (("walk.tgs", "application/x-tgsticker"), ("walk.lottie", "application/zip+dotlottie"), ("walk.json", "video/lottie+json")):
            answer = self.get(f"/media/{name}")
            self.assertEqual((answer.headers["Content-Type"], answer.headers["Rendition"]), ("image/webp", "webp;w=512"))
            self.assertGreater(answer.body.count(b"ANMF"), 5)
            answer = self.get(f"/media/{name}?format=original")
            self.assertEqual((answer.headers["Content-Type"], answer.body), (mime, (LOTTIE / name).read_bytes()))
            self.assertEqual(self.get(f"/media/{name}?w=64&still=1").body.count(b"ANMF"), 0)
        found = self.found("walk")
        self.assertEqual((found["mime"], found["animated"], found["width"]), ("image/webp", True, 512))
        self.assertIn("format=original", self.get("/sticker/walk.tgs").body.decode())

    def test_video(self):
        content = (VIDEOS / "clear.webm").read_bytes()
        answer = self.get("/media/video.webm")
        self.assertEqual((answer.headers["Content-Type"], answer.headers["Rendition"], webp_size(answer.body)), ("image/webp", "webp;w=64", (32, 24)))
        self.assertEqual(answer.body.count(b"ANMF"), 6)
        answer = self.get("/media/video.webm?format=original")
        self.assertEqual((answer.headers["Content-Type"], answer.body), ("video/webm", content))
        self.assertEqual(self.get("/media/video.webm?w=64&still=1").body.count(b"ANMF"), 0)
        found = self.get("/api/stickers/video.webm").json()
        self.assertEqual((found["mime"], found["animated"], found["width"], found["height"]), ("image/webp", True, 32, 24))
        self.assertIn("WebM", self.get("/sticker/video.webm").body.decode())
        self.assertRegex(self.imported, r"short\.webm: WebM: cut off")
        self.assertRegex(self.imported, r"old\.webm: WebM with video that is not VP9")

    def test_avif_and_heic(self):
        avif = self.get("/media/clear.avif")
        self.assertEqual((avif.headers["Content-Type"], avif.headers["Rendition"], avif.body), ("image/avif", None, (IMAGES / "clear.avif").read_bytes()))
        self.assertEqual(self.get("/media/clear.avif?format=avif").body, avif.body)
        for name, file in (("clear.heic", "clear.heic"), ("phone.heif", "opaque.heic")):
            answer = self.get(f"/media/{name}")  # which browsers do not show
            self.assertEqual((answer.headers["Content-Type"], answer.headers["Rendition"], webp_size(answer.body)), ("image/webp", "webp;w=64", (48, 32)))
            answer = self.get(f"/media/{name}?format=original")
            self.assertEqual((answer.headers["Content-Type"], answer.body), ("image/heic", (IMAGES / file).read_bytes()))
        self.assertEqual(self.get("/media/clear.heic?format=avif").body[4:12], b"ftypavif")
        for query, mime in (("clear.avif", "image/avif"), ("clear.heic", "image/webp")):
            found = self.get(f"/api/stickers/{query}").json()
            self.assertEqual((found["mime"], found["animated"], found["width"], found["height"]), (mime, False, 48, 32))
        poster = self.get("/media/walk.tgs?format=avif&w=64")
        self.assertEqual((poster.headers["Rendition"], poster.body[4:12]), ("avif;w=64;still", b"ftypavif"))
        self.assertEqual(self.get("/media/half.avif").status, 404)  # it was named when the others were imported
        self.assertIn("half.avif: AVIF: ", self.imported)

    def found(self, query):
        return self.get(f"/api/search/?query={query}").json()["results"][0]

    def test_what_moves(self):
        for target in ("", "?format=gif", "?still=0"):
            answer = self.get(f"/media/moving.gif{target}")
            self.assertEqual((answer.body, answer.headers["Rendition"]), (self.moving, None), target)
        still = self.get("/media/moving.gif?still=1&format=gif")
        self.assertEqual((still.status, still.headers["Rendition"]), (200, "gif;w=1024;still"))
        self.assertEqual((still.body.count(b"\x2c\0\0\0\0"), self.moving.count(b"\x2c\0\0\0\0")), (1, 2))
        for target, rendition, frames in (
            ("w=64", "webp;w=64", 2),
            ("format=webp", "webp;w=1024", 2),
            ("w=64&still=1", "webp;w=64;still", 0),
            ("w=64&format=png", "png;w=64;still", 0),
        ):
            answer = self.get(f"/media/moving.gif?{target}")
            self.assertEqual((answer.headers["Rendition"], answer.body.count(b"ANMF")), (rendition, frames))
            again = self.get(f"/media/moving.gif?{target}", **{"If-None-Match": answer.headers["ETag"]})
            self.assertEqual(again.status, 304)
        small = self.get("/media/moving.gif?w=64&format=gif")
        self.assertEqual((small.body[:4], small.headers["Rendition"]), (b"GIF8", "gif;w=64"))
        self.assertEqual(small.body.count(b"\x21\xf9\x04"), 2)
        moving, still = (self.get(f"/media/moving.gif?w=64{more}").headers["ETag"] for more in ("", "&still=1"))
        self.assertNotEqual(moving, still)
        self.assertEqual(self.found("moving")["frames"], 2)
        self.assertEqual(self.found("moving")["duration_ms"], 200)
        self.assertNotIn("frames", self.found("wide"))
        page = self.get("/sticker/moving.gif").body.decode()
        self.assertRegex(page, r'<picture><source srcset="/media/moving.gif\?w=\d+&amp;still=1&amp;v=\w+" media="\(prefers-reduced-motion: reduce\)">')
        self.assertNotIn("<source", self.get("/sticker/wide.png").body.decode())
        self.assertEqual(self.get("/media/wide.png?still=1").body, self.wide)

    def test_a_crowd_gets_one_thumbnail(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.get("/media/wide.png?w=128"))) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual(len({a.body for a in answers}), 1)

    def test_drawings_cannot_run_scripts(self):
        answer = self.get("/media/drawing.svg")
        self.assertEqual(answer.headers["Content-Type"], "image/svg+xml")
        policy = answer.headers["Content-Security-Policy"]
        self.assertIn("sandbox", policy)
        self.assertIn("default-src 'none'", policy)

    def test_nothing_outside_is_reached(self):
        secret = self.system.data.parent / "secret.png"
        secret.write_bytes(b"secret")
        for path in (
            "/media/../secret.png",
            "/media/..%2f..%2fsecret.png",
            "/media/%2e%2e/%2e%2e/secret.png",
            "/media/..%5c..%5csecret.png",
            "/media/%252e%252e%252fsecret.png",
            "/media//etc/passwd",
            "/media/%2fetc%2fpasswd",
            "/media/wide.png%00.svg",
            "/media/wide.png/",
            "/media/./wide.png/../../../etc/passwd",
            "/media/.hidden",
            "/media/",
            "/media/%ff.png",
            "/media/" + "a" * 300,
        ):
            answer = raw(self.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertIsNotNone(answer, path)
            if path == "/media/wide.png/":  # with the trailing slash it is the same path
                self.assertEqual(answer.status, 200)
                continue
            self.assertIn(answer.status, (400, 404), path)
            self.assertNotIn(b"secret", answer.body)
            self.assertNotIn(b"root:", answer.body)

    def test_photos(self):
        photos = sorted((ROOT.parent / "shared" / "coco-val2014").glob("*.jpg"))[:5]
        if not photos:
            self.skipTest("no photos in ../shared/coco-val2014")
        self.system.run("import", *map(str, photos))
        for photo in photos:
            answer = self.get(f"/media/{photo.name}")
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/jpeg"))
            self.assertEqual(answer.body, photo.read_bytes())
            self.assertLessEqual(webp_size(self.get(f"/media/{photo.name}?w=256").body)[0], 256)


if __name__ == "__main__":
    main()
