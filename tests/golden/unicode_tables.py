#!/usr/bin/env python3
"""Writes src/tokenize/unicode_tables.h: the classes of code points that Hugging Face's `tokenizers` goes by, which
come from crates of several Unicode versions and so differ from those of any one library. All but the grapheme
breaks are asked of `tokenizers` itself, a code point at a time; those are read from the crate's table.
    unicode_tables.py TABLES_RS      needs tokenizers and regex; TABLES_RS is src/tables.rs of unicode-segmentation
"""
import pathlib
import re
import sys

import regex
from tokenizers import normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[2] / "src" / "tokenize" / "unicode_tables.h"
EVERY = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
GRAPHEME = {"Control": "CONTROL", "Extend": "EXTEND", "ZWJ": "ZWJ", "SpacingMark": "SPACING", "Prepend": "PREPEND",
            "L": "L", "V": "V", "T": "T", "Regional_Indicator": "FLAG", "Extended_Pictographic": "PICTURE",
            "InCB_Consonant": "CONSONANT"}


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def rows(items):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) > 116:
            lines.append(line.rstrip())
            line = ""
        line += item + " "
    return "\n".join("    " + one for one in lines + [line.rstrip()])


def table(name, comment, points):
    found = ranges(points)
    body = rows(f"{{0x{a:x}, 0x{b:x}}}," for a, b in found)
    return f"\n/* {comment} */\nstatic const uint32_t {name}[][2] = {{\n{body}\n}};\n"


def only(step, points):
    """Those that `step` leaves nothing of."""
    return [c for c in points if not step(chr(c))]


def recent():
    """Code points that Unicode has since given a combining class or a decomposition."""
    nfd, nfkd = normalizers.NFD().normalize_str, normalizers.NFKD().normalize_str
    plain = regex.compile(r"[\p{ccc=0}&&\p{dt=none}]", regex.V1)
    out = []
    for c in EVERY:
        s = chr(c)
        if plain.match(s) or 0xAC00 <= c <= 0xD7A3:
            continue
        moved = nfd("a\u0345" + s) != "a\u0345" + s or nfd("a" + s + "\u0334") != "a" + s + "\u0334"
        if not moved and nfkd(s) == s:
            out.append(c)
    return out


def graphemes(text):
    found = []
    body = text[text.index("const grapheme_cat_table"):]
    body = body[:body.index("];")]
    for a, b, kind in re.findall(r"'\\u\{([0-9a-f]+)\}',\s+'\\u\{([0-9a-f]+)\}',\s+GC_(\w+)\)", body):
        if kind not in ("LV", "LVT", "CR", "LF"):  # computed
            found.append([int(a, 16), int(b, 16), GRAPHEME[kind]])
    found.sort()
    merged = []
    for a, b, kind in found:
        if merged and merged[-1][1] == a - 1 and merged[-1][2] == kind:
            merged[-1][1] = b
        else:
            merged.append([a, b, kind])
    items = rows(f"{{0x{a:x}, 0x{b:x}, GRAPHEME_{kind}}}," for a, b, kind in merged)
    linkers = re.search(r"fn is_incb_linker.*?matches!\(c,([^)]*)\)", text, re.S).group(1)
    linkers = [int(c, 16) for c in re.findall(r"u\{([0-9A-Fa-f]+)\}", linkers)]
    return ("\nstatic const struct {\n    uint32_t first, last;\n    enum grapheme_class class;\n} graphemes[] = {\n"
            f"{items}\n}};\n" + table("linkers", "Indic_Conjunct_Break=Linker", linkers))


def main():
    bert = normalizers.BertNormalizer
    clean = bert(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    strip = bert(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    nfd = normalizers.NFD()
    text = ("/* unicode_tables.h: written by tests/golden/unicode_tables.py; ranges {first, last} in ascending order. "
            "*/\n/* clang-format off */\n#ifndef PEEL_TOKENIZE_UNICODE_TABLES_H\n#define PEEL_TOKENIZE_UNICODE_TABLES_H\n\n"
            "#include <stdint.h>\n\nenum grapheme_class {\n    GRAPHEME_OTHER,\n"
            + "".join(f"    GRAPHEME_{k},\n" for k in GRAPHEME.values()) + "    GRAPHEME_LV,\n    GRAPHEME_LVT\n};\n")
    text += table("spaces", "char::is_whitespace", only(pre_tokenizers.WhitespaceSplit().pre_tokenize_str, EVERY))
    text += table("punctuation", "is_punctuation, and ASCII's",
                  only(pre_tokenizers.Punctuation("removed").pre_tokenize_str, EVERY))
    text += table("controls", "what BertNormalizer's clean_text removes", only(clean.normalize_str, EVERY))
    text += table("nonspacing", "is_mark_nonspacing",
                  [c for c in only(strip.normalize_str, EVERY) if nfd.normalize_str(chr(c)) == chr(c)])
    text += table("marks", "is_combining_mark", only(normalizers.StripAccents().normalize_str, EVERY))
    text += table("recent", "without a combining class or a decomposition in tokenizers' Unicode, with one by now",
                  recent())
    text += graphemes(pathlib.Path(sys.argv[1]).read_text())
    OUT.write_text(text + "\n#endif\n/* clang-format on */\n")


main()
