/* Escaping, forms, cookies, embedded files, and the API's reference page. */
#include "cm.h"

#include "base/os.h"
#include "web/apidocs.h"
#include "web/assets.h"
#include "web/compress.h"
#include "web/cookie.h"
#include "web/form.h"
#include "web/html.h"
#include "web/messages.h"
#include "web/session.h"
#include "web/templates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

typedef void (*writer)(struct buf *out, const char *s);

static void expect(writer w, const char *in, const char *out)
{
    struct buf b;
    buf_init(&b, 4096);
    w(&b, in);
    assert_string_equal(buf_str(&b), out);
    buf_free(&b);
}

static void test_text(void **state)
{
    (void)state;
    expect(html_text, "plain ünïcødé 🐱", "plain ünïcødé 🐱");
    expect(html_text, "<script>alert('1' & \"2\")</script>",
           "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;");
    expect(html_text, "a\x01\x1f\x7f z\n\t.", "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD z\n\t.");
    expect(html_text, NULL, "");
    expect(html_text, "&amp;", "&amp;amp;");
}

static void test_url(void **state)
{
    (void)state;
    static const char *const good[] = {"/a?b=1",    "a/b",          "#x",     "",     "http://x/",
                                       "HTTPS://x", "mailto:a@b.c", "?q=a:b", "./a:b"};
    static const char *const bad[] = {"javascript:alert(1)",
                                      "JaVaScRiPt:x",
                                      " javascript:x",
                                      "java\nscript:x",
                                      "\x01javascript:x",
                                      "data:text/html,x",
                                      "vbscript:x",
                                      "file:///etc/passwd",
                                      "blob:x",
                                      "://x",
                                      "//evil/x",
                                      "/\\evil/x",
                                      "\\/evil",
                                      "\\\\evil"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!html_url_is_safe(good[i]))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (html_url_is_safe(bad[i]))
            fail_msg("%s was let through", bad[i]);
        expect(html_url, bad[i], "#");
    }
    expect(html_url, "/a?b=1&c=\"'", "/a?b=1&amp;c=&quot;&#39;");
    expect(html_url_part, "a b/ü?&\"'%.svg", "a%20b%2F%C3%BC%3F%26%22%27%25.svg");
    expect(html_url_part, "A-Z_a.z~09", "A-Z_a.z~09");
}

static void test_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    html_int(&b, INT64_MIN);
    buf_putc(&b, ' ');
    html_number(&b, 0.25);
    buf_putc(&b, ' ');
    html_number(&b, (double)NAN);
    assert_string_equal(buf_str(&b), "-9223372036854775808 0.25 –");
    buf_free(&b);
    assert_false(html_is(NULL));
    assert_false(html_is(""));
    assert_true(html_is("x"));
    assert_true(html_equal(NULL, ""));
    assert_false(html_equal("a", "b"));
}

static enum status parse(const char *body, struct arena *a, struct form *f, struct error *err)
{
    return form_parse(body, strlen(body), 4, a, f, err);
}

static void test_form(void **state)
{
    (void)state;
    struct arena a;
    struct form f;
    struct error err;
    const char *value;
    arena_init(&a, 1 << 16);
    assert_true(form_is("application/x-www-form-urlencoded"));
    assert_true(form_is("Application/X-WWW-Form-Urlencoded; charset=UTF-8"));
    assert_false(form_is("application/x-www-form-urlencodedx"));
    assert_false(form_is("application/json"));
    assert_false(form_is(NULL));

    assert_int_equal(parse("q=cat+in%20a%2bpark&empty=&bare&%C3%BC=%E2%9C%93", &a, &f, &err), OK);
    assert_int_equal(f.count, 4);
    assert_int_equal(form_get(&f, "q", &value, &err), OK);
    assert_string_equal(value, "cat in a+park");
    assert_int_equal(form_get(&f, "empty", &value, &err), OK);
    assert_string_equal(value, "");
    assert_int_equal(form_get(&f, "bare", &value, &err), OK);
    assert_string_equal(value, "");
    assert_int_equal(form_get(&f, "ü", &value, &err), OK);
    assert_string_equal(value, "✓");
    assert_int_equal(form_get(&f, "none", &value, &err), ERR_NOT_FOUND);
    assert_string_equal(err.message, "form field none is missing");
    assert_null(value);

    assert_int_equal(parse("", &a, &f, &err), OK);
    assert_int_equal(f.count, 0);
    assert_int_equal(parse("&&a=1&", &a, &f, &err), OK);
    assert_int_equal(f.count, 1);
    assert_int_equal(parse("a=1&a=2", &a, &f, &err), OK);
    assert_int_equal(form_get(&f, "a", &value, &err), ERR_INVALID);
    assert_string_equal(err.message, "form field a is given twice");
    assert_int_equal(parse("a=1&b=2&c=3&d=4&e=5", &a, &f, &err), ERR_TOO_LARGE);
    static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%FF", "a=%C3", "%00=1", "a=%ED%A0%80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i], &a, &f, &err) != ERR_INVALID)
            fail_msg("%s was accepted", bad[i]);
    arena_free(&a);
}

static void test_cookie(void **state)
{
    (void)state;
    struct arena a;
    struct error err;
    const char *value = NULL;
    arena_init(&a, 1 << 12);
    const char *header = "xsession=no; session=abc123 ;theme=\"dark\"; empty=; session=second";
    assert_int_equal(cookie_get(header, "session", &a, &value, &err), OK);
    assert_string_equal(value, "abc123");
    assert_int_equal(cookie_get(header, "theme", &a, &value, &err), OK);
    assert_string_equal(value, "dark");
    assert_int_equal(cookie_get(header, "empty", &a, &value, &err), OK);
    assert_string_equal(value, "");
    assert_int_equal(cookie_get(header, "sess", &a, &value, &err), ERR_NOT_FOUND);
    assert_int_equal(cookie_get(NULL, "session", &a, &value, &err), ERR_NOT_FOUND);
    assert_int_equal(cookie_get(";;= ;", "session", &a, &value, &err), ERR_NOT_FOUND);
    struct buf b;
    buf_init(&b, 4096);
    cookie_write(&b, &(struct cookie){.name = "s", .value = "v", .path = "/admin/", .max_age_s = 60, .secure = true});
    assert_string_equal(buf_str(&b), "s=v; Path=/admin/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
    buf_reset(&b);
    cookie_write(&b, &(struct cookie){.name = "s", .value = "", .path = "/", .max_age_s = -1});
    assert_string_equal(buf_str(&b), "s=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    buf_free(&b);
    arena_free(&a);
}

static void test_assets(void **state)
{
    (void)state;
    const struct asset *css = asset_by_name("gallery.css");
    assert_non_null(css);
    assert_string_equal(css->type, "text/css; charset=utf-8");
    assert_ptr_equal(asset_by_file(css->file), css);
    assert_null(asset_by_file("gallery.css"));
    assert_null(asset_by_file("../openapi.json"));
    char hash[65];
    os_sha256_hex(css->data, css->len, hash);
    assert_memory_equal(css->file + strlen("gallery."), hash, 12);
    assert_memory_equal(css->etag + 1, hash, 12);
    assert_true(css->gzip_len > 0 && css->gzip_len < css->len);
    assert_int_equal(css->gzip[0], 0x1f);
    assert_int_equal(css->gzip[1], 0x8b);
}

static void what_is_compressed_is_the_same(void **state)
{
    (void)state;
    const struct asset *css = asset_by_name("gallery.css");
    struct buf packed;
    struct error err;
    buf_init(&packed, css->len);
    assert_int_equal(compress_zstd((const char *)css->data, css->len, &packed, &err), OK);
    assert_true(packed.len < css->len / 2);
    char *again = malloc(css->len);
    assert_int_equal(ZSTD_decompress(again, css->len, packed.data, packed.len), css->len);
    assert_memory_equal(again, css->data, css->len);
    free(again);
    buf_free(&packed);
    buf_init(&packed, 10);
    assert_int_equal(compress_zstd((const char *)css->data, css->len, &packed, &err), ERR_TOO_LARGE);
    buf_free(&packed);
}

/* What people can type stays text in every place of a card. */
static void test_card_is_harmless(void **state)
{
    (void)state;
    static const char attack[] = "\"><img src=x onerror=alert(1)>'</a>";
    struct buf b;
    buf_init(&b, 1 << 16);
    tpl_card(&b,
             &(struct tpl_card){.filename = attack,
                                .title = attack,
                                .thumbnail = "javascript:alert(1)",
                                .author = attack,
                                .license = attack,
                                .query = attack,
                                .voted = attack},
             messages_at(0));
    const char *html = buf_str(&b);
    assert_null(strstr(html, "<img src=x"));
    assert_null(strstr(html, "javascript:"));
    assert_non_null(strstr(html, "href=\"/sticker/%22%3E%3Cimg%20src%3Dx"));
    assert_non_null(strstr(html, "&quot;&gt;&lt;img src=x"));
    buf_free(&b);
}

/* Memory that a page may not have shows in the buffer's state, not in a half page. */
static void test_page_is_bounded(void **state)
{
    (void)state;
    struct buf b;
    struct error err;
    buf_init(&b, 100);
    tpl_message(&b, &(struct tpl_message){.layout = {.title = "t"}, .heading = "h", .text_shown = "x"}, messages_at(0));
    assert_int_equal(buf_status(&b, &err), ERR_TOO_LARGE);
    buf_free(&b);
}

static void test_docs(void **state)
{
    (void)state;
    struct arena a;
    struct error err;
    struct buf b;
    const struct asset *doc = asset_by_name("openapi.json");
    assert_non_null(doc);
    arena_init(&a, 1 << 22);
    buf_init(&b, 1 << 22);
    assert_int_equal(apidocs_page((const char *)doc->data, doc->len, "http://h", &a, &b, &err), OK);
    const char *html = buf_str(&b);
    static const char *const expected[] = {"id=\"search\"",
                                           "id=\"feedback\"",
                                           "id=\"export\"",
                                           "curl &#39;http://h/api/search?query=cat%20in%20a%20park&amp;limit=2&#39;",
                                           "Authorization: Token $PEEL_TOKEN",
                                           "Query not found.",
                                           "integer, 1 to 100, default 10",
                                           "curl &#39;http://127.0.0.1:8118/v1/embeddings&#39;",
                                           "/media/1F408.svg?w=256"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(html, expected[i]))
            fail_msg("the reference lacks %s", expected[i]);
    buf_reset(&b);
    assert_int_equal(apidocs_page("{", 1, "http://h", &a, &b, &err), ERR_INVALID);
    static const char odd[] =
        "{\"tags\":[{\"name\":\"T\"}],\"paths\":{\"/x\":{\"get\":{\"tags\":[\"T\"],\"parameters\":"
        "[{\"$ref\":\"#/nowhere\"}],\"responses\":{\"200\":{\"$ref\":\"#/a/b\"}}}}}}";
    assert_int_equal(apidocs_page(odd, sizeof odd - 1, "h'", &a, &b, &err), OK);
    assert_non_null(strstr(buf_str(&b), "curl &#39;h&#39;\\&#39;&#39;/x&#39;"));
    arena_free(&a);
    arena_init(&a, 2048);
    buf_reset(&b);
    assert_int_equal(apidocs_page((const char *)doc->data, doc->len, "h", &a, &b, &err), ERR_NO_MEMORY);
    arena_free(&a);
    buf_free(&b);
}

static void devices_are_known_again(void **state)
{
    (void)state;
    char device[SESSION_DEVICE_SIZE], other[SESSION_DEVICE_SIZE], key[SESSION_TOKEN_SIZE];
    session_device_new("owner", "$argon2id$a", device);
    session_device_new("owner", "$argon2id$a", other);
    assert_string_not_equal(device, other);
    assert_true(session_device_ok(device, "owner", "$argon2id$a"));
    assert_false(session_device_ok(device, "owner", "$argon2id$b")); /* a new password */
    assert_false(session_device_ok(device, "other", "$argon2id$a"));
    assert_false(session_device_ok("", "owner", "$argon2id$a"));
    assert_false(session_device_ok("x.y", "owner", "$argon2id$a"));
    session_device_key(device, key);
    assert_memory_equal(key, device, SESSION_TOKEN_SIZE - 1);
    for (size_t i = 0; i < SESSION_DEVICE_SIZE - 1; i++) {
        char forged[SESSION_DEVICE_SIZE];
        strcpy(forged, device);
        forged[i] = forged[i] == 'a' ? 'b' : 'a';
        assert_false(session_device_ok(forged, "owner", "$argon2id$a"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_known_again),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_assets),
        cmocka_unit_test(what_is_compressed_is_the_same),
        cmocka_unit_test(test_docs),
        cmocka_unit_test(test_card_is_harmless),
        cmocka_unit_test(test_page_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
