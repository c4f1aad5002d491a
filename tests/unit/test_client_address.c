/* Whose request it is: networks, the walk over trusted proxies, and what liars write. */
#include "cm.h"

#include "http/client_address.h"

#include <string.h>

static void expect(const char *trusted, const char *peer, const char *list, const char *client)
{
    struct trusted_proxies t;
    char out[INET6_ADDRSTRLEN];
    assert_int_equal(trusted_proxies_parse(trusted, &t, NULL), OK);
    client_address(&t, peer, list, out);
    assert_string_equal(out, client);
}

static void walks_from_the_right(void **state)
{
    (void)state;
    static const char ours[] = "10.0.0.0/8, ::1,2001:db8::/33";
    expect(ours, "10.1.2.3", "192.0.2.1", "192.0.2.1");
    expect(ours, "10.1.2.3", "6.6.6.6, 192.0.2.1", "192.0.2.1");
    expect(ours, "10.1.2.3", "6.6.6.6,192.0.2.1 ,\t10.9.9.9", "192.0.2.1");
    expect(ours, "10.1.2.3", "10.0.0.1, 10.0.0.2", "10.0.0.1");
    expect(ours, "::1", "192.0.2.1:4711", "192.0.2.1");
    expect(ours, "::1", "[2001:DB8:8000::1]:4711", "2001:db8:8000::1");
    expect(ours, "::1", "192.0.2.7, 2001:db8:7fff::1", "192.0.2.7");
    expect(ours, "::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1");
    expect("fe80::/10", "fe80::1%eth0", "192.0.2.1", "192.0.2.1");
    expect("0.0.0.0/0", "192.0.2.1", "192.0.2.2", "192.0.2.2");
    expect("::/0", "192.0.2.1", "192.0.2.2", "192.0.2.2");
    expect("0.0.0.0/0", "2001:db8::1", "192.0.2.2", "2001:db8::1");
}

static void believes_nobody_else(void **state)
{
    (void)state;
    expect("", "192.0.2.1", "6.6.6.6", "192.0.2.1");
    expect("10.0.0.0/8", "11.0.0.1", "6.6.6.6", "11.0.0.1");
    expect("10.0.0.0/31", "10.0.0.2", "6.6.6.6", "10.0.0.2");
    expect("10.0.0.0/8", "10.0.0.1", NULL, "10.0.0.1");
    expect("10.0.0.0/8", "", "6.6.6.6", "");
    static const char *const garbage[] = {"",
                                          ",",
                                          "unknown",
                                          "6.6.6.6, ",
                                          "6.6.6.6, x",
                                          "1.2.3",
                                          "1.2.3.4.5",
                                          "[::1",
                                          "1.2.3.4:",
                                          "1.2.3.4:123456",
                                          "1.2.3.4:8x",
                                          "[::2]x",
                                          "_hidden",
                                          "\"::2\"",
                                          "01.2.3.4",
                                          "1.2.3.4/8",
                                          "%eth0",
                                          "[]",
                                          ":",
                                          "99999999999999999999999999999"
                                          "9999999999999999999999999999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        expect("10.0.0.0/8", "10.0.0.1", garbage[i], "10.0.0.1");
    expect("10.0.0.0/8", "10.0.0.1", "x, 10.0.0.2", "10.0.0.2");
}

static void looks_at_so_many(void **state)
{
    (void)state;
    char list[40 * 10 + 1] = "";
    for (int i = 0; i < 40; i++)
        strcat(list, i ? ",10.0.0.20" : "192.0.2.10");
    expect("10.0.0.0/8", "10.0.0.1", list, "10.0.0.20");
}

static void lists(void **state)
{
    (void)state;
    static const char *const wrong[] = {"10.0.0.0/33", "::/129",        "10.0.0.0/",   "10.0.0.0/-1",
                                        "10.0.0.0/8x", "localhost",     "10.0.0.1,",   ",",
                                        "10.0.0",      "10.0.0.0/0008", "fe80::1%eth0"};
    struct trusted_proxies t;
    struct error err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(trusted_proxies_parse(wrong[i], &t, &err), ERR_INVALID);
    assert_int_equal(trusted_proxies_parse("10.0.0.1, elsewhere", &t, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "\"elsewhere\""));
    char many[33 * 4 + 1] = "::1";
    for (int i = 1; i < 33; i++)
        strcat(many, ",::1");
    assert_int_equal(trusted_proxies_parse(many, &t, &err), ERR_INVALID);
    many[strlen(many) - 4] = '\0';
    assert_int_equal(trusted_proxies_parse(many, &t, &err), OK);
    assert_int_equal(t.n, 32);
    assert_int_equal(trusted_proxies_parse(" ", &t, &err), OK);
    assert_int_equal(t.n, 0);
}

static void public_addresses(void **state)
{
    (void)state;
    static const char *const public[] = {"8.8.8.8",      "172.32.0.1",           "100.63.255.255",  "::ffff:8.8.8.8",
                                         "2606:4700::1", "2001:4860:4860::8888", "64:ff9b::8.8.8.8"};
    static const char *const special[] = {"0.0.0.0",
                                          "10.1.2.3",
                                          "100.64.0.1",
                                          "127.0.0.1",
                                          "127.255.0.1",
                                          "169.254.169.254",
                                          "172.31.255.255",
                                          "192.168.0.1",
                                          "198.18.0.1",
                                          "203.0.113.9",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:127.0.0.1",
                                          "::127.0.0.1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd12::1",
                                          "ff02::1",
                                          "2001::1",
                                          "2001:db8::1",
                                          "2002:7f00:1::",
                                          "64:ff9b::10.0.0.1",
                                          "64:ff9b:1::8.8.8.8",
                                          "100::1",
                                          "3fff::1",
                                          "5f00::1"};
    struct address a;
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        if (!address_parse(public[i], strlen(public[i]), &a) || !address_is_public(&a))
            fail_msg("%s is public", public[i]);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (!address_parse(special[i], strlen(special[i]), &a) || address_is_public(&a))
            fail_msg("%s is not public", special[i]);
}

static void protocols(void **state)
{
    (void)state;
    assert_true(client_over_tls("https"));
    assert_true(client_over_tls("http, HTTPS "));
    assert_false(client_over_tls("https, http"));
    assert_false(client_over_tls("httpsx"));
    assert_false(client_over_tls(""));
    assert_false(client_over_tls(NULL));
}

static void networks(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
                                           {"2001:db8:1:2::", "2001:db8:1:2::/64"},
                                           {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
                                           {"", ""},
                                           {"nonsense", "nonsense"}};
    char out[CLIENT_NETWORK_SIZE];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        client_network(pairs[i][0], out);
        assert_string_equal(out, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(walks_from_the_right),
        cmocka_unit_test(believes_nobody_else),
        cmocka_unit_test(looks_at_so_many),
        cmocka_unit_test(lists),
        cmocka_unit_test(public_addresses),
        cmocka_unit_test(protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
