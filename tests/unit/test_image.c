#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "image/resize.h"
#include "noise.h"

#include <dirent.h>
#include <string.h>
#include <time.h>

#define COCO "../shared/coco-val2014"

/* tests/golden/resize.txt is made by resize.py beside it. */
static void resize_is_pillows(void **state)
{
    (void)state;
    FILE *f = fopen("tests/golden/resize.txt", "r");
    unsigned channels, w, h, nw, nh, filter, seen = 0;
    char want[65], got[65];
    assert_non_null(f);
    while (fscanf(f, "%u %u %u %u %u %u %64s", &channels, &w, &h, &nw, &nh, &filter, want) == 7) {
        struct image in = noise(w, h, channels), out;
        struct error err;
        const struct resize_kernels *const kernels[] = {&resize_plain, resize_best()};
        for (size_t k = 0; k < 2; k++) {
            enum image_filter f_of = (enum image_filter)filter;
            assert_int_equal(resize_with(kernels[k], &in, nw, nh, f_of, 0, 0, nw, nh, &out, &err), OK);
            os_sha256_hex(out.pixels, (size_t)nw * nh * channels, got);
            if (strcmp(got, want) != 0)
                fail_msg("%s: %u channels, %ux%u -> %ux%u, filter %u: other pixels than Pillow", kernels[k]->name,
                         channels, w, h, nw, nh, filter);
            image_free(&out);
        }
        image_free(&in);
        seen++;
    }
    fclose(f);
    assert_int_equal(seen, 60);
}

/* Sizes and parts at random: a part is that part of the whole, whoever computes it. */
static void parts_are_parts_of_the_whole(void **state)
{
    (void)state;
    uint32_t x = 7, r[10];
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < 10; i++)
            r[i] = (x = x * 1664525u + 1013904223u) >> 8;
        uint32_t nw = 1 + r[2] % 90, nh = 1 + r[3] % 90, channels = 3 + r[4] % 2, px = r[5] % nw, py = r[6] % nh;
        uint32_t pw = 1 + r[7] % (nw - px), ph = 1 + r[8] % (nh - py);
        enum image_filter filter = (enum image_filter)(1 + r[9] % 3);
        struct image in = noise(1 + r[0] % 90, 1 + r[1] % 90, channels), whole, cut;
        assert_int_equal(resize_with(&resize_plain, &in, nw, nh, filter, 0, 0, nw, nh, &whole, NULL), OK);
        assert_int_equal(image_resize_part(&in, nw, nh, filter, px, py, pw, ph, &cut, NULL), OK);
        assert_true(cut.width == pw && cut.height == ph && cut.channels == channels);
        for (uint32_t y = 0; y < ph; y++)
            assert_memory_equal(cut.pixels + (size_t)y * pw * channels,
                                whole.pixels + (((size_t)py + y) * nw + px) * channels, (size_t)pw * channels);
        image_free(&in);
        image_free(&whole);
        image_free(&cut);
    }
}

static enum status decode_text(const char *bytes, size_t len, struct image *out, struct error *err)
{
    return image_decode(bytes, len, 64, out, err);
}

/* Half opaque red, half half-transparent blue: lossy colours, exact alpha to within rounding. */
static void webp_round_trip(void **state)
{
    (void)state;
    struct image in = noise(40, 30, 4), out;
    struct error err;
    struct buf b;
    enum image_kind kind;
    uint32_t w, h;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < 40 * 30; i++)
        memcpy(in.pixels + 4 * i, i % 40 < 20 ? "\xff\x00\x00\xff" : "\x00\x00\xff\x80", 4);
    assert_int_equal(image_encode_webp(&in, 90, &b, &err), OK);
    assert_int_equal(image_probe(b.data, b.len, &kind, &w, &h, &err), OK);
    assert_true(kind == IMAGE_WEBP && w == 40 && h == 30);
    assert_int_equal(image_decode(b.data, b.len, 0, &out, &err), OK);
    assert_int_equal(out.channels, 4);
    assert_true(out.pixels[0] > 220 && out.pixels[2] < 40 && out.pixels[3] == 255);
    uint8_t *last = out.pixels + 4 * (40 * 30 - 1);
    assert_true(last[2] > 220 && last[0] < 40 && abs(last[3] - 0x80) < 3);
    image_flatten_white(&out);
    last = out.pixels + 3 * (40 * 30 - 1);
    assert_true(out.channels == 3 && abs(last[0] - 127) < 12 && last[2] > 220);
    for (size_t cut = 0; cut < b.len; cut += 7) { /* no truncation decodes or crashes */
        struct image none;
        assert_int_not_equal(image_decode(b.data, cut, 0, &none, &err), OK);
        assert_null(none.pixels);
    }
    image_free(&in);
    image_free(&out);
    buf_free(&b);
}

/* A gradient with a transparent corner, as each kind of file and back: within what its colours allow. */
static void renditions_show_the_picture(void **state)
{
    (void)state;
    static const struct {
        enum image_kind kind;
        uint32_t channels;
        int tolerance;
    } kinds[] = {{IMAGE_PNG, 4, 0}, {IMAGE_WEBP, 4, 24}, {IMAGE_JPEG, 3, 24}, {IMAGE_GIF, 4, 16}, {IMAGE_AVIF, 4, 24}};
    enum { W = 120, H = 70 };
    struct image in = noise(W, H, 4);
    struct buf source;
    struct error err;
    for (size_t i = 0; i < W * H; i++) {
        const uint8_t x = (uint8_t)(i % W), y = (uint8_t)(i / W);
        memcpy(in.pixels + 4 * i, (uint8_t[]){(uint8_t)(2 * x), (uint8_t)(3 * y), 90, x < 30 && y < 30 ? 0 : 255}, 4);
    }
    buf_init(&source, 1 << 20);
    assert_int_equal(image_encode(&in, IMAGE_PNG, &source, &err), OK);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct image out;
        struct buf b;
        buf_init(&b, 1 << 20);
        assert_int_equal(image_rendition(source.data, source.len, W, kinds[k].kind, &b, &err), OK);
        assert_int_equal(image_sniff(b.data, b.len), kinds[k].kind);
        assert_int_equal(image_decode(b.data, b.len, 0, &out, &err), OK);
        assert_true(out.width == W && out.height == H && out.channels == kinds[k].channels);
        for (size_t i = 0; i < W * H; i++) {
            const uint8_t *was = in.pixels + 4 * i, *is = out.pixels + out.channels * i;
            size_t x = i % W, y = i / W;
            if ((x > 26 && x < 34 && y < 34) || (y > 26 && y < 34 && x < 34))
                continue; /* lossy files blur the edge of the corner */
            if (x < 30 && y < 30) {
                assert_true(out.channels == 4 ? is[3] == 0 : is[0] > 240 && is[1] > 240 && is[2] > 240);
                continue;
            }
            for (size_t c = 0; c < 3; c++)
                assert_in_range(abs(was[c] - is[c]), 0, kinds[k].tolerance);
        }
        image_free(&out);
        buf_free(&b);
    }
    assert_int_equal(image_rendition(source.data, source.len, W, IMAGE_SVG, &source, &err), ERR_UNSUPPORTED);
    image_free(&in);
    buf_free(&source);
}

/* A file that has no room is an error, whichever encoder runs out of it. */
static void renditions_are_bounded(void **state)
{
    (void)state;
    struct image in = noise(64, 64, 3);
    for (enum image_kind k = IMAGE_JPEG; k < IMAGE_KINDS; k++) {
        struct buf b;
        if (!image_can_encode(k))
            continue;
        struct error err;
        buf_init(&b, 100);
        assert_int_equal(image_encode(&in, k, &b, &err), ERR_TOO_LARGE);
        buf_free(&b);
    }
    image_free(&in);
}

static void svg_is_drawn_and_stays_alone(void **state)
{
    (void)state;
#define SVG "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xlink' width='20' height='10'>"
    static const char svg[] = "<?xml version='1.0' encoding=\"UTF-8\"?><!-- <image/> -->" SVG
                              "<style>.a { clip-path: url( \"#none\" ) } /* url(#c) */</style><rect width='10' "
                              "height='10' fill='#0f0'/><use x:href='#a' x='10'/><use href='' x='10'/></svg>";
    struct image im;
    struct error err;
    assert_int_equal(decode_text(svg, strlen(svg), &im, &err), OK);
    assert_true(im.width == 64 && im.height == 32 && im.channels == 4 && im.kind == IMAGE_SVG);
    assert_memory_equal(im.pixels + (16 * 64 + 8) * 4, "\x00\xff\x00\xff", 4);
    assert_memory_equal(im.pixels + (16 * 64 + 60) * 4, "\x00\x00\x00\x00", 4);
    image_free(&im);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"<svg xmlns='http://www.w3.org/2000/svg' width='0' height='10'/>", "SVG"},
        {"<svg xmlns='x'/>", "SVG"},
        {"<svg", "not a JPEG"},
        {"<html><svg xmlns='http://www.w3.org/2000/svg'/></html>", "not a JPEG"},
        {"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", "declares entities"},
        {"<svg viewBox='0 0 9 9'/>", "lacks xmlns="},
        {"<s:svg xmlns:s='urn:x'/>", "lacks xmlns="},
        {"<svg:x xmlns:svg='http://www.w3.org/2000/svg'/>", "not a JPEG"},
        {"\x1f\x8b\x08\x01", "compressed with gzip"},
        {"\xff\xfe<", "not a JPEG"},
        {SVG "<!-- ", "SVG"},
        {SVG "<image href='data:image/png;base64,aaaa'/></svg>", "<image>"},
        {SVG "<s:image\nxmlns:s='http://www.w3.org/2000/svg'/></svg>", "<image>"},
        {SVG "<filter><feTurbulence numOctaves='1000000000'/></filter></svg>", "<feTurbulence>"},
        {"<?xml version='1.0' encoding='UTF-7'?>" SVG "</svg>", "expected UTF-8"},
        {"<?xml version='1.0' encoding = \"utf-16\" ?>" SVG "</svg>", "expected UTF-8"},
        {"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-7'?>" SVG "</svg>", "expected UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(decode_text(bad[i].text, strlen(bad[i].text), &im, &err), OK);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%s: \"%s\"", bad[i].text, err.message);
    }
}

/* Whatever an XML reader and a reader of CSS take for a reference to something else. */
static void svg_names_nothing_but_its_own_parts(void **state)
{
    (void)state;
    static const struct {
        const char *inside, *says;
    } bad[] = {
        /* what a search for "<!--" and "<" takes for a comment, or does not see */
        {"<text><![CDATA[<!--]]></text><image href='data:image/png;base64,aaaa'/><!-- -->", "<image>"},
        {"<?x <!-- ?><image href='#a'/><!-- -->", "<image>"},
        {"<desc a='<!--'/><image/>", "SVG"},
        {"<a b='&lt;!--'/><image/><!-- -->", "<image>"},
        /* documents and pictures */
        {"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='data:image/svg+xml;base64,aaaa'/>", "<include>"},
        {"<include xmlns='http://www.w3.org/2001/XInclude' href='#a'/>", "<include>"},
        {"<q:feImage xmlns:q='http://www.w3.org/2000/svg'/>", "<feImage>"},
        {"<svg:image xmlns:svg='urn:x'/>", "<image>"},
        /* references */
        {"<use x:href='file:///etc/hosts#a'/>", "\"file:///etc/hosts#a\""},
        {"<use href='other.svg#a'/>", "\"other.svg#a\""},
        {"<use href=' #a'/>", "is not a part"},
        {"<use href='data:image/svg+xml,%3Csvg/%3E#a'/>", "data:image/svg+xml"},
        {"<use href='dat&#97;:x#a'/>", "data:x"},
        {"<use y:href='http://x.example/' xmlns:y='http://www.w3.org/1999/xlink'/>", "http://x.example/"},
        {"<g xml:base='http://x.example/'/>", "xml:base"},
        {"<rect filter='url(data:image/svg+xml;base64,aaaa#t)'/>", "url(data:"},
        {"<rect filter='url(#a) URL( \"http://x.example/#b\")'/>", "url(http://x.example/"},
        {"<rect style='fill:url(x.svg#a)'/>", "url(x.svg#a)"},
        {"<rect style='fill:ur\\6c(x.svg#a)'/>", "url(x.svg#a)"},
        {"<rect style='fill:\\000075 rl(x.svg#a)'/>", "url(x.svg#a)"},
        {"<rect style='fill:\\75&#13;&#10;rl(x.svg#a)'/>", "url(x.svg#a)"},
        {"<rect style='fill:u\\rl(x.svg#a)'/>", "url(x.svg#a)"},
        {"<rect style='fill:url(&quot;\\64 ata:x&quot;)'/>", "url(data:x"},
        {"<rect style='a:\"/*\";fill:url(x.svg);b:\"*/\"'/>", "url(x.svg"},
        {"<rect mask='url(&#10;x.svg#a)'/>", "url(x.svg#a)"},
        /* style sheets */
        {"<style>@import url(data:text/css,a);</style>", "imports"},
        {"<style>@import 'a.css';</style>", "imports"},
        {"<style>@IM\\70 ort 'a.css';</style>", "imports"},
        {"<style><![CDATA[@im]]><!-- --><![CDATA[port 'a.css';]]></style>", "imports"},
        {"<style>@im<?x y?>port 'a.css';</style>", "imports"},
        {"<style>@im<g>x</g>port 'a.css';</style>", "in a <style>"},
        {"<style>a { fill: url(x.svg#a) }</style>", "url(x.svg#a)"},
        {"<style>@font-face { src: url(data:font/woff2;base64,aaaa) }</style>", "url(data:"},
    };
    static const char *const before[] = {
        "<?xml-stylesheet href='data:text/css,a' type='text/css'?>",
        "<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/hosts'>]>",
        "<!DOCTYPE svg [<!ENTITY % a 'b'> %a;]>",
        "<!DOCTYPE svg [<!NOTATION n SYSTEM 'n'><!ENTITY a SYSTEM 'x' NDATA n>]>",
        "<!DOCTYPE svg [<!ATTLIST use href CDATA 'file:///etc/hosts#a'>]>",
    };
    struct image im;
    struct error err;
    char text[1024];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, SVG "%s</svg>", bad[i].inside);
        if (decode_text(text, strlen(text), &im, &err) == OK || !strstr(err.message, bad[i].says))
            fail_msg("%s: \"%s\"", bad[i].inside, err.message);
    }
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        snprintf(text, sizeof text, "<?xml version='1.0'?>%s" SVG "</svg>", before[i]);
        if (decode_text(text, strlen(text), &im, &err) == OK)
            fail_msg("%s was drawn", before[i]);
    }
    static const char harmless[] = "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://x.example/svg11.dtd'>" SVG
                                   "<metadata a='@import'>url(x) @import</metadata><style>/* <!-- url(x) --> */ .a { "
                                   "fill: url( '#a' ) }</style></svg>";
    if (decode_text(harmless, strlen(harmless), &im, &err) != OK)
        fail_msg("%s", err.message);
    image_free(&im);
}

/* Each level uses the one before ten times: ten to the eighth squares. */
static void svg_bombs_go_off_outside(void **state)
{
    (void)state;
    struct image im;
    struct error err;
    struct buf b;
    buf_init(&b, 8u << 20);
    buf_puts(&b, SVG "<defs><g id='l0'><rect width='1' height='1'/></g>");
    for (int level = 1; level < 9; level++) {
        buf_printf(&b, "<g id='l%d'>", level);
        for (int i = 0; i < 10; i++)
            buf_printf(&b, "<use x:href='#l%d'/>", level - 1);
        buf_puts(&b, "</g>");
    }
    buf_puts(&b, "</defs><use x:href='#l8'/></svg>");
    clock_t begun = clock();
    assert_int_not_equal(decode_text(b.data, b.len, &im, &err), OK);
    if (clock() - begun > 60 * CLOCKS_PER_SEC)
        fail_msg("repeated use took %ld s of processor time", (clock() - begun) / CLOCKS_PER_SEC);

    buf_reset(&b);
    buf_puts(&b, SVG);
    for (int i = 0; i < 60000; i++)
        buf_puts(&b, "<rect/>");
    buf_puts(&b, "</svg>");
    assert_int_equal(decode_text(b.data, b.len, &im, &err), ERR_TOO_LARGE);

    buf_reset(&b);
    buf_puts(&b, SVG);
    for (int i = 0; i < 40000; i++)
        buf_puts(&b, "<g>");
    assert_int_not_equal(decode_text(b.data, b.len, &im, &err), OK);
    buf_free(&b);
#undef SVG
}

/* tests/golden/decode.txt and the files are made by decode.py beside it. */
static void files_are_decoded_as_pillow_does(void **state)
{
    (void)state;
    FILE *f = fopen("tests/golden/decode.txt", "r");
    char name[64], path[128], want[65], got[65];
    unsigned w, h, channels, seen = 0;
    assert_non_null(f);
    while (fscanf(f, "%63s %u %u %u %64s", name, &w, &h, &channels, want) == 5) {
        struct buf b;
        struct image im;
        struct error err;
        enum image_kind kind;
        uint32_t pw, ph;
        snprintf(path, sizeof path, "tests/fuzz/corpus/image/%s", name);
        buf_init(&b, 1 << 20);
        assert_int_equal(os_read_file(path, &b, &err), OK);
        if (image_decode(b.data, b.len, 0, &im, &err) != OK)
            fail_msg("%s: %s", name, err.message);
        assert_int_equal(image_probe(b.data, b.len, &kind, &pw, &ph, &err), OK);
        if (im.width != w || im.height != h || im.channels != channels || pw != w || ph != h)
            fail_msg("%s: %ux%u with %u channels", name, im.width, im.height, im.channels);
        /* What lies under transparent pixels is nobody's business. */
        for (size_t i = 0; channels == 4 && i < (size_t)w * h; i++)
            if (im.pixels[4 * i + 3] == 0)
                memset(im.pixels + 4 * i, 0, 4);
        os_sha256_hex(im.pixels, (size_t)w * h * channels, got);
        if (strcmp(got, want) != 0)
            fail_msg("%s: other pixels than Pillow", name);
        image_free(&im);
        for (size_t cut = 0; cut < b.len; cut++) { /* every truncation is an error, or harmless */
            char *part = malloc(cut ? cut : 1);
            memcpy(part, b.data, cut);
            if (image_decode(part, cut, 0, &im, &err) == OK)
                image_free(&im);
            free(part);
        }
        buf_free(&b);
        seen++;
    }
    fclose(f);
    assert_int_equal(seen, 27);
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum status expected;
        const char *names;
    } cases[] = {
        {"", 0, ERR_UNSUPPORTED, "not a JPEG"},
        {"hello, world", 12, ERR_UNSUPPORTED, "not a JPEG"},
        {"MZ\x90\0", 4, ERR_UNSUPPORTED, "not a JPEG"},
        {"\xff\xd8\xff\xd9", 4, ERR_CORRUPT, "JPEG"},
        {"\xff\xd8\xff\xe1\xff\xff", 6, ERR_CORRUPT, "JPEG"},
        /* 60000 x 60000 baseline frame header and nothing else */
        {"\xff\xd8\xff\xc0\0\x11\x08\xea\x60\xea\x60\x03\x01\x11\0\x02\x11\x01\x03\x11\x01\xff\xda\0\x0c\x03\x01\0\x02"
         "\x11\x03\x11\0\x3f\0",
         37, ERR_TOO_LARGE, "60000 x 60000"},
        {"\x89PNG\r\n\x1a\n", 8, ERR_CORRUPT, "PNG"},
        {"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0\0\0\0\0", 33, ERR_TOO_LARGE,
         "30000 x 30000"},
        {"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\x01\x08\x02\0\0\0\0\0\0\0", 33, ERR_CORRUPT, "0 x 1"},
        {"GIF89a\xff\xff\xff\xff\0\0\0", 13, ERR_TOO_LARGE, "65535 x 65535"},
        {"GIF89a\0\0\0\0\0\0\0", 13, ERR_CORRUPT, ""},
        {"GIF89a\x01\0\x01\0\0\0\0;", 14, ERR_CORRUPT, "GIF"},
        {"RIFF\xff\xff\xff\xffWEBPVP8 ", 16, ERR_CORRUPT, "WebP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image im;
        struct error err = {0};
        enum status st = image_decode(cases[i].bytes, cases[i].len, 64, &im, &err);
        if (st != cases[i].expected || !strstr(err.message, cases[i].names))
            fail_msg("case %zu: status %s, \"%s\"", i, status_name(st), err.message);
        assert_null(im.pixels);
    }
}

static void drawings_have_the_size_that_browsers_give_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t width, height;
    } cases[] = {
        {"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>", 64, 32},
        {"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 20'/>", 32, 64},
        {"<?made by='hand'?><s:svg xmlns:s='http://www.w3.org/2000/svg' width='2' height='1'/>", 64, 32},
        {"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'svg11.dtd' [<!ELEMENT x (#PCDATA)>]>\n"
         "<svg xmlns='http://www.w3.org/2000/svg' width='20' height='10'/>",
         64, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image im;
        struct error err;
        if (decode_text(cases[i].text, strlen(cases[i].text), &im, &err) != OK)
            fail_msg("%s: %s", cases[i].text, err.message);
        if (im.width != cases[i].width || im.height != cases[i].height)
            fail_msg("%s: %u x %u", cases[i].text, im.width, im.height);
        image_free(&im);
    }
    struct image im;
    struct error err;
    static const char wide[] = "\xff\xfe<\0s\0v\0g\0";
    assert_int_equal(image_decode(wide, sizeof wide - 1, 64, &im, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "UTF-16"));
}

/* The screen is 2 x 2, the frame as well, one pixel to the right and two below. */
static void gif_screens_grow_with_their_first_frame(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff"
                              ",\x01\0\x02\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0;";
    struct image im;
    struct error err;
    enum image_kind kind;
    uint32_t width, height;
    assert_int_equal(image_decode(gif, sizeof gif - 1, 0, &im, &err), OK);
    assert_true(im.width == 3 && im.height == 4 && im.channels == 4);
    assert_int_equal(im.pixels[3], 0); /* nothing was drawn there */
    assert_int_equal(im.pixels[(2 * 3 + 1) * 4 + 3], 255);
    image_free(&im);
    assert_int_equal(image_probe(gif, sizeof gif - 1, &kind, &width, &height, &err), OK);
    assert_true(width == 3 && height == 4);
}

static void gif_first_frame(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\x01\0"
                              ",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0;";
    struct image im;
    struct error err;
    assert_int_equal(image_decode(gif, sizeof gif - 1, 0, &im, &err), OK);
    assert_true(im.width == 2 && im.height == 2 && im.channels == 4);
    image_free(&im);
}

/* Appends `n` bytes. */
#define PUT(b, bytes) buf_append(b, bytes, sizeof(bytes) - 1)

static bool moves(const struct buf *b)
{
    bool whole = image_is_animated(b->data, b->len);
    for (size_t len = 0; len < b->len; len++) { /* cut off anywhere, in memory of its own */
        char *part = malloc(len ? len : 1);
        assert_non_null(part);
        memcpy(part, b->data, len);
        if (image_is_animated(part, len))
            assert_true(whole);
        free(part);
    }
    return whole;
}

static void what_moves_is_known_by_its_headers(void **state)
{
    (void)state;
    static const char frame[] = "!\xf9\x04\x01\0\0\x01\0,\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0";
    static const char framed[] = ",\0\0\0\0\x02\0\x02\0\x80\0\0\0\xff\xff\xff\x02\x03\x44\x02\x05\0"; /* own colours */
    struct buf b;
    buf_init(&b, 4096);
    PUT(&b, "GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff");
    PUT(&b, "!\xff\x0bNETSCAPE2.0\x03\x01,,\0"); /* its commas are no frames */
    PUT(&b, frame);
    size_t one = b.len;
    PUT(&b, ";");
    assert_false(moves(&b));
    b.len = one;
    PUT(&b, framed);
    PUT(&b, ";");
    assert_true(moves(&b));
    buf_reset(&b);
    static const char anmf[] = "ANMF\x10\0\0\0\0\0\0\0\0\0\x01\0\0\x01\0\0\x64\0\0\0";
    PUT(&b, "RIFF\x4e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x01\0\0\x01\0\0");
    PUT(&b, anmf);
    PUT(&b, anmf);
    assert_false(moves(&b));
    b.data[20] = 0x12;
    assert_true(moves(&b));
    buf_reset(&b);
    PUT(&b, "RIFF\x1e\0\0\0WEBPVP8 \x0a\0\0\0\x12\0\0\0\x01\0\0\x01\0\0");
    assert_false(moves(&b));
    buf_reset(&b);
    PUT(&b, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0crc1");
    size_t head = b.len;
    PUT(&b, "\0\0\0\x08"
            "acTL\0\0\0\x02\0\0\0\0crc2");
    static const char fctl[] = "\0\0\0\x1a"
                               "fcTL\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\x01\0\x0a\0\0crc4";
    PUT(&b, fctl);
    PUT(&b, "\0\0\0\0IDATcrc3");
    PUT(&b, fctl);
    assert_true(moves(&b));
    b.data[head + 11] = 1; /* one frame */
    assert_false(moves(&b));
    b.len = head;
    PUT(&b, "\0\0\0\0IDATcrc3\0\0\0\x08"
            "acTL\0\0\0\x02\0\0\0\0crc2"); /* too late to count */
    assert_false(moves(&b));
    b.len = head;
    PUT(&b, "\xff\xff\xff\xf0tEXtcrc2");
    assert_false(moves(&b));
    buf_free(&b);
}

static void photos_decode(void **state)
{
    (void)state;
    DIR *d = opendir(COCO);
    if (!d) {
        print_message("skipped: %s is absent\n", COCO);
        skip();
    }
    struct dirent *e;
    size_t seen = 0;
    while ((e = readdir(d)) && seen < 40) {
        char path[600];
        struct buf b;
        struct error err;
        struct image im;
        enum image_kind kind;
        uint32_t w, h;
        if (!strstr(e->d_name, ".jpg"))
            continue;
        snprintf(path, sizeof path, COCO "/%s", e->d_name);
        buf_init(&b, 4 << 20);
        assert_int_equal(os_read_file(path, &b, &err), OK);
        assert_int_equal(image_decode(b.data, b.len, 0, &im, &err), OK);
        assert_int_equal(image_probe(b.data, b.len, &kind, &w, &h, &err), OK);
        assert_true(kind == IMAGE_JPEG && im.width == w && im.height == h && im.channels == 3);
        image_free(&im);
        assert_int_equal(image_decode(b.data, b.len / 2, 0, &im, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.message, "JPEG"));
        buf_free(&b);
        seen++;
    }
    closedir(d);
    assert_true(seen > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_is_pillows),
        cmocka_unit_test(parts_are_parts_of_the_whole),
        cmocka_unit_test(webp_round_trip),
        cmocka_unit_test(renditions_show_the_picture),
        cmocka_unit_test(renditions_are_bounded),
        cmocka_unit_test(svg_is_drawn_and_stays_alone),
        cmocka_unit_test(svg_names_nothing_but_its_own_parts),
        cmocka_unit_test(svg_bombs_go_off_outside),
        cmocka_unit_test(files_are_decoded_as_pillow_does),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(gif_first_frame),
        cmocka_unit_test(gif_screens_grow_with_their_first_frame),
        cmocka_unit_test(drawings_have_the_size_that_browsers_give_them),
        cmocka_unit_test(what_moves_is_known_by_its_headers),
        cmocka_unit_test(photos_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
