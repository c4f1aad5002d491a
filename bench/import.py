"""How long `peel import` takes a file, by format: N files of each (100), made here with ffmpeg. Stills and animations have
512 x 512 pixels; an animation lasts three seconds. Run by bench/import.sh;
with arguments, only for formats whose names begin so.

Held against: what the cores could do if nothing but decoding and encoding took time, so the processor time is what counts;
files a second are those of this machine just now."""
import gzip
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

PEEL = pathlib.Path("build/release/peel").resolve()
N = int(os.environ.get("N", "100"))
SIDE = 512


def ffmpeg(source, *options):
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *options]
    subprocess.run(list(map(str, command)), check=True)


def stills(folder, ending, *options):
    ffmpeg(f"mandelbrot=s={SIDE}x{SIDE}", "-frames:v", N, *options, folder / f"%04d.{ending}")


def animation(path, seed, rate, *options):
    """A disc that wanders over nothing and changes its colour."""
    disc = f"lt(hypot(X-256-150*cos(2*PI*T/3+{seed})\\,Y-256-150*sin(4*PI*T/3))\\,{40 + seed % 60})"
    source = f"color=s={SIDE}x{SIDE}:r={rate}:d=3,format=rgba,geq=r='128+127*sin(T+{seed})':g='X/2':b='Y/2':a='255*{disc}'"
    ffmpeg(source, *options, path)


def drawing(seed):
    shapes = "".join(f'<circle cx="{(seed * 37 + i * 61) % SIDE}" cy="{i * 97 % SIDE}" r="{20 + i}" fill="#{(seed * 7919 + i * 65537) % 0xFFFFFF:06x}"/>' for i in range(40))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">{shapes}</svg>'


def lottie(seed):
    def layer(i):
        ease = {"i": {"x": [0.5], "y": [1]}, "o": {"x": [0.5], "y": [0]}}
        way = {"a": 1, "k": [{"t": 0, "s": [80, 60 + 30 * i], "e": [430, 60 + 30 * i], **ease}, {"t": 180, "s": [430, 60]}]}
        shape = [
            {"ty": "el", "p": {"k": [0, 0]}, "s": {"k": [90 + 8 * i, 60 + seed % 40]}},
            {"ty": "st", "c": {"k": [0, 0, 0, 1]}, "o": {"k": 100}, "w": {"k": 6}},
            {"ty": "fl", "c": {"k": [1, seed % N / N, 0.2, 1]}, "o": {"k": 100}},
            {"ty": "tr"},
        ]
        return {"ty": 4, "ip": 0, "op": 180, "ks": {"p": way}, "shapes": [{"ty": "gr", "it": shape}]}

    return {"tgs": 1, "v": "5.5.2", "fr": 60, "ip": 0, "op": 180, "w": SIDE, "h": SIDE, "layers": [layer(i) for i in range(12)]}


def write_texts(folder, ending, text):
    for i in range(N):
        (folder / f"{i}.{ending}").write_bytes(text(i))


def write_animations(folder, ending, rate, *options):
    """Every fifth is encoded; the others have a byte more behind the last, or a comment, and so another hash."""
    for i in range(N):
        path = folder / f"{i}.{ending}"
        if i % 5 == 0:
            animation(path, i, rate, *options)
        else:
            path.write_bytes((folder / f"{i - i % 5}.{ending}").read_bytes() + (b"\xec\x81" + bytes([i % 5]) if ending == "webm" else bytes(i % 5)))


FORMATS = {
    "JPEG": lambda f: stills(f, "jpg", "-q:v", 4),
    "PNG": lambda f: stills(f, "png"),
    "WebP": lambda f: stills(f, "webp", "-f", "image2", "-c:v", "libwebp", "-quality", 80),
    "SVG": lambda f: write_texts(f, "svg", lambda i: drawing(i).encode()),
    "GIF, 60 frames": lambda f: write_animations(f, "gif", 20),
    "WebP, 60 frames": lambda f: write_animations(f, "webp", 20, "-c:v", "libwebp_anim", "-quality", 75, "-loop", 0),
    "TGS, 90 frames": lambda f: write_texts(f, "tgs", lambda i: gzip.compress(json.dumps(lottie(i)).encode(), mtime=0)),
    "WebM, 90 frames": lambda f: write_animations(f, "webm", 30, "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-b:v", "250k", "-deadline", "realtime", "-cpu-used", 8),
}


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(name, make, tmp):
    folder = tmp / name.replace(", ", "-").replace(" ", "-")
    folder.mkdir()
    make(folder)
    size = sum(path.stat().st_size for path in folder.iterdir()) / N / 1000
    cpu, began = cpu_s(), time.monotonic()
    done = subprocess.run([PEEL, "import", folder, "--data", tmp / "data", "--quiet"], capture_output=True, text=True)
    wall, cpu = time.monotonic() - began, cpu_s() - cpu
    if f"{N} added" not in done.stdout:
        sys.exit(f"{name}: {done.stdout}{done.stderr}")
    print(f"{name:16} {size:6.1f} KB a file, {1000 * cpu / N:6.1f} ms of processor time, {N / wall:6.1f} files a second", flush=True)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        for name, make in FORMATS.items():
            if name.startswith(tuple(sys.argv[1:] or [""])):
                measure(name, make, pathlib.Path(tmp))


main()
