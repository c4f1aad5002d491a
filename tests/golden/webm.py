#!/usr/bin/env python3
"""Writes the small WebM videos of tests/fuzz/corpus/webm with ffmpeg (5.1.9 made those that are there; any will do).

A red square wanders to the right over nothing, or over white; in the last third it is blue. Its left half is half
transparent where there is alpha."""
import pathlib
import subprocess

FILES = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus" / "webm"
RED, BLUE = (220, 30, 40), (20, 60, 210)


def frame(i, n, width, height, blank):
    square = height // 2
    left = (width - square) * i // n // 2 * 2
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            inside = left <= x < left + square and height // 4 <= y < height // 4 + square and i >= blank
            colour = (RED if i < n - n // 3 else BLUE) if inside else (255, 255, 255)
            pixels += bytes(colour + ((128 if x < left + square // 2 else 255) if inside else 0,))
    return bytes(pixels)


def write(name, *options, n=6, width=32, height=24, rate=30, blank=0, form="yuva420p", codec="libvpx-vp9", more=(), pipe=False, scale="scale"):
    video = b"".join(frame(i, n, width, height, blank) for i in range(n))
    source = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}", "-r", str(rate), "-i", "pipe:0"]
    if not form.startswith("yuva"):  # on white, as a player without alpha has it
        white = "geq=r='255+(r(X,Y)-255)*alpha(X,Y)/255':g='255+(g(X,Y)-255)*alpha(X,Y)/255':b='255+(b(X,Y)-255)*alpha(X,Y)/255':a=255"
        options = ("-vf", f"{white},{scale}", *options)
    target = ["-f", "webm", "pipe:1"] if pipe else ["-f", "webm", str(FILES / name)]
    command = ["ffmpeg", "-v", "error", "-y", *source, *more, "-c:v", codec, "-pix_fmt", form, "-b:v", "0", "-crf", "10", "-g", "100",
               "-auto-alt-ref", "0", "-threads", "1", "-bitexact", "-fflags", "+bitexact", "-map_metadata", "-1", *options, *target]
    out = subprocess.run(command, input=video, check=True, capture_output=pipe).stdout
    if pipe:
        (FILES / name).write_bytes(out)


def main():
    FILES.mkdir(parents=True, exist_ok=True)
    write("clear.webm")
    write("opaque.webm", form="yuv420p")
    write("odd.webm", width=33, height=25, rate=10)
    write("blank.webm", blank=3)
    write("still.webm", n=1)
    write("live.webm", pipe=True)
    write("full.webm", "-color_range", "pc", "-colorspace", "bt709", form="yuv444p", scale="scale=out_range=full:out_color_matrix=bt709")
    write("sound.webm", "-c:a", "libopus", "-b:a", "6k", "-shortest", more=("-f", "lavfi", "-i", "sine=duration=0.2"))
    write("vp8.webm", codec="libvpx")
    write("ten_bits.webm", form="yuv420p10le")


if __name__ == "__main__":
    main()
