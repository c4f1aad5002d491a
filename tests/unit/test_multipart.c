/* Forms with files as browsers and other programs send them, and as they should not. */
#include "cm.h"

#include "base/buf.h"
#include "http/multipart.h"

#include <stdio.h>
#include <string.h>

#define TYPE     "multipart/form-data; boundary=xyz"
#define NAMED(n) "Content-Disposition: form-data; name=\"" n "\"\r\n"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum status parse(const char *type, const char *body, size_t len, struct multipart *out, struct error *err)
{
    assert_non_null(body);
    return multipart_parse(type, body, len, 4, &arena, out, err);
}

static void expect(const struct multipart_part *p, const char *name, const char *filename, const char *data)
{
    assert_string_equal(p->name, name);
    if (filename)
        assert_string_equal(p->filename, filename);
    else
        assert_null(p->filename);
    assert_int_equal(p->len, strlen(data));
    assert_memory_equal(p->data, data, p->len);
}

static void fields_and_files(void **state)
{
    (void)state;
    static const char body[] =
        "--xyz\r\n" NAMED("title") "\r\nCat\r\n"
                                   "--xyz\r\nContent-Type: image/png\r\ncontent-disposition: form-data; name=file;"
                                   " filename=\"c\xC3\xA4t \\\".png\"\r\n\r\n\r\n--xy\r\n--xyzz\r\n\r\n"
                                   "--xyz \t\r\n" NAMED("empty") "\r\n\r\n"
                                                                 "--xyz--\r\nepilogue\r\n--xyz\r\n";
    struct multipart m;
    struct error err;
    assert_int_equal(parse(TYPE, body, sizeof body - 1, &m, &err), OK);
    assert_int_equal(m.n, 3);
    expect(&m.parts[0], "title", NULL, "Cat");
    expect(&m.parts[1], "file", "c\xC3\xA4t \".png", "\r\n--xy\r\n--xyzz\r\n");
    expect(&m.parts[2], "empty", NULL, "");
}

static void any_bytes(void **state)
{
    (void)state;
    static const char body[] = "preamble\r\n--xyz\r\n" NAMED("f") "\r\na\0b\r\n\r\n--xyz--";
    struct multipart m;
    assert_int_equal(parse("Multipart/Form-Data; charset=utf-8; Boundary=\"xyz\"", body, sizeof body - 1, &m, NULL),
                     OK);
    assert_int_equal(m.n, 1);
    assert_int_equal(m.parts[0].len, 5);
    assert_memory_equal(m.parts[0].data, "a\0b\r\n", 5);
    assert_int_equal(parse(TYPE, "--xyz--", 7, &m, NULL), OK);
    assert_int_equal(m.n, 0);
}

/* What browsers make of names: only these three characters are escaped, and a backslash is none. */
static void names_of_files(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *name;
    } names[] = {{"\"a%22b.png\"", "a\"b.png"},
                 {"\"100%.png\"", "100%.png"},
                 {"\"a%41.png\"", "a%41.png"},
                 {"\"C:\\dir\\a.png\"", "C:\\dir\\a.png"},
                 {"\"../a.png\"", "../a.png"},
                 {"\"a;b.png\"", "a;b.png"},
                 {"\"\"", ""},
                 {"<b>.png", "<b>.png"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char body[256];
        struct multipart m;
        int n = snprintf(body, sizeof body,
                         "--xyz\r\nContent-Disposition: form-data; filename=%s; name=\"f\"\r\n\r\n1\r\n--xyz--\r\n",
                         names[i].sent);
        assert_int_equal(parse(TYPE, body, (size_t)n, &m, NULL), OK);
        expect(&m.parts[0], "f", names[i].name, "1");
    }
}

static void refused(void **state)
{
    (void)state;
    static const char good[] = "--xyz\r\n" NAMED("f") "\r\n1\r\n--xyz--";
    static const struct {
        const char *type, *body, *why;
    } table[] = {
        {NULL, good, "multipart/form-data"},
        {"multipart/mixed; boundary=xyz", good, "multipart/form-data"},
        {"multipart/form-data", good, "expected a boundary"},
        {"multipart/form-data; boundary=", good, "expected a boundary"},
        {"multipart/form-data; boundary=\"xyz", good, "expected a boundary"},
        {"multipart/form-data; boundary=x\"yz", good, "expected a boundary"},
        {"multipart/form-data; boundary=xyz; boundary=xyz", good, "once"},
        {"multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890x", good,
         "1 to 70"},
        {TYPE, "", "does not occur"},
        {TYPE, "--xyz", "does not occur"},
        {TYPE, "--xy\r\n\r\n--xyzz--", "does not occur"},
        {TYPE, "--xyz\r\n", "cut off"},
        {TYPE, "--xyz\r\n" NAMED("f") "\r\n1\r\n--xyz\r\n", "cut off"},
        {TYPE, "--xyz\r\n" NAMED("f") "\r\n1--xyz--", "cut off"},
        {TYPE, "--xyz\r\n" NAMED("f") "\r\n--xyz--", "empty line"},
        {TYPE, "--xyz\r\n\r\n1\r\n--xyz--", "no Content-Disposition"},
        {TYPE, "--xyz\r\nContent-Disposition: attachment; name=f\r\n\r\n1\r\n--xyz--", "form-data"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xyz--", "form-data"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"f\r\n\r\n1\r\n--xyz--", "form-data"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data; name\r\n\r\n1\r\n--xyz--", "form-data"},
        {TYPE, "--xyz\r\n" NAMED("f") NAMED("g") "\r\n1\r\n--xyz--", "form-data"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data; name=f; name=g\r\n\r\n1\r\n--xyz--", "once"},
        {TYPE, "--xyz\r\n" NAMED("\xff") "\r\n1\r\n--xyz--", "UTF-8"},
        {TYPE, "--xyz\r\n" NAMED("a%0ab") "\r\n1\r\n--xyz--", "one line"},
        {TYPE, "--xyz\r\nnonsense\r\n\r\n1\r\n--xyz--", "\"name: value\""},
        {TYPE, "--xyz\r\n" NAMED("f") " folded: x\r\n\r\n1\r\n--xyz--", "\"name: value\""},
        {TYPE, "--xyz\r\n" NAMED("f") "Content-Transfer-Encoding: base64\r\n\r\n1\r\n--xyz--", "transfer encoding"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct multipart m;
        struct error err;
        enum status st = parse(table[i].type, table[i].body, strlen(table[i].body), &m, &err);
        if (st != ERR_INVALID || !strstr(err.message, table[i].why))
            fail_msg("case %zu: %s, \"%s\"; expected \"%s\"", i, status_name(st), st ? err.message : "", table[i].why);
    }
}

static void bounded(void **state)
{
    (void)state;
    struct buf b;
    struct multipart m;
    struct error err;
    buf_init(&b, 1u << 16);
    for (int i = 0; i < 4; i++)
        buf_puts(&b, "--xyz\r\n" NAMED("f") "\r\n1\r\n");
    size_t four = b.len;
    buf_puts(&b, "--xyz--");
    assert_int_equal(parse(TYPE, b.data, b.len, &m, &err), OK);
    assert_int_equal(m.n, 4);
    b.len = four;
    buf_puts(&b, "--xyz\r\n" NAMED("f") "\r\n1\r\n--xyz--");
    assert_int_equal(parse(TYPE, b.data, b.len, &m, &err), ERR_TOO_LARGE);
    buf_reset(&b);
    buf_puts(&b, "--xyz\r\n" NAMED("f"));
    for (int i = 0; i < 1000; i++)
        buf_puts(&b, "X-Long: 0123456789\r\n");
    buf_puts(&b, "\r\n1\r\n--xyz--");
    assert_int_equal(parse(TYPE, b.data, b.len, &m, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "8192"));
    buf_free(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(fields_and_files), T(any_bytes), T(names_of_files), T(refused), T(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
