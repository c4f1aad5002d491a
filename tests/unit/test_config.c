/* Options: ranks of their sources, bounds, messages, the table itself, .env files, what children get. */
#include "cm.h"

#include "cmd/cmd.h"
#include "config/config.h"
#include "config/env_file.h"
#include "config/options.h"
#include "config/value.h"

#include <string.h>
#include <unistd.h>

static char dir[64];

static struct config *load(const char *command, struct error *err, int argc, ...)
{
    char *argv[16];
    va_list args;
    va_start(args, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(args, char *);
    va_end(args);
    struct config *cfg = NULL;
    enum status st = config_load(command, argc, argv, &cfg, err);
    assert_true((st == OK) == (cfg != NULL));
    return cfg;
}
#define COUNT(...)         (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *))
#define LOAD(command, ...) load(command, &err, COUNT(__VA_ARGS__), __VA_ARGS__)

static void refused(const char *part, const char *command, const char *a, const char *b)
{
    struct error err = {OK, ""};
    struct config *cfg = b ? LOAD(command, a, b) : LOAD(command, a);
    if (cfg)
        fail_msg("%s %s was accepted", a, b ? b : "");
    if (!strstr(err.message, part))
        fail_msg("%s %s: \"%s\" does not say \"%s\"", a, b ? b : "", err.message, part);
    assert_true(err.code == ERR_INVALID || err.code == ERR_NOT_FOUND);
}

static void write_file(const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_table(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type == OPTION_GROUP)
            continue;
        double number;
        struct error err = {OK, ""};
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(o->name, config_options[j].name);
        if (o->fallback && value_parse(o, o->name, o->fallback, &number, &err) != OK && *o->fallback)
            fail_msg("default: %s", err.message);
        assert_true(o->help && *o->help);
        assert_true(o->least <= o->most);
        if (strcmp(o->commands, "*") == 0)
            continue;
        size_t len = strlen(o->commands);
        assert_true(o->commands[0] == ' ' && o->commands[len - 1] == ' ');
        char *rest, *names = arena_strdup(&a, o->commands);
        for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
            if (!command_find(name))
                fail_msg("--%s: there is no command %s", o->name, name);
    }
    for (size_t i = 1; i < commands_count; i++)
        assert_true(strcmp(commands[i - 1].name, commands[i].name) < 0);
    arena_free(&a);
}

static void test_defaults(void **state)
{
    (void)state;
    struct error err;
    struct config *cfg = LOAD("serve", "--data", "/x/y");
    assert_non_null(cfg);
    assert_string_equal(config_string(cfg, "sticker-db"), "/x/y/sticker.db");
    assert_int_equal(config_int(cfg, "port"), 8000);
    assert_int_equal(config_int(cfg, "search-port"), 8118);
    assert_int_equal(config_int(cfg, "cache-bytes"), 512 << 20);
    assert_null(config_string(cfg, "admin-password"));
    assert_false(config_is_set(cfg, "port"));
    assert_true(config_is_set(cfg, "data"));
    config_free(cfg);
}

static void test_ranks(void **state)
{
    (void)state;
    struct error err;
    char env[128], secret[128];
    write_file("ranks.env", "PEEL_PORT=1003\nADMIN_TOKEN=from-the-env-file-0\nPEEL_HOST=::1\n", env);
    write_file("token", "from-a-secret-file-0\n", secret);
    setenv("PEEL_ENV_FILE", env, 1);

    struct config *cfg = LOAD("serve", "--quiet");
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "port"), 1003); /* .env beats the default */
    assert_string_equal(config_string(cfg, "admin-token"), "from-the-env-file-0");
    config_free(cfg);

    setenv("ADMIN_TOKEN_FILE", secret, 1); /* a file beats .env, its last newline is dropped */
    cfg = LOAD("serve", "--quiet");
    assert_non_null(cfg);
    assert_string_equal(config_string(cfg, "admin-token"), "from-a-secret-file-0");
    config_free(cfg);

    setenv("PEEL_PORT", "1002", 1);
    setenv("ADMIN_TOKEN", "from-the-environment-0", 1);
    cfg = LOAD("serve", "--quiet");
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "port"), 1002); /* the environment beats .env */
    assert_string_equal(config_string(cfg, "admin-token"), "from-the-environment-0");
    config_free(cfg);

    setenv("PEEL_ADMIN_TOKEN", "own-name-beats-alias-0", 1);
    cfg = LOAD("serve", "--port", "1001");
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "port"), 1001); /* a flag beats all */
    assert_string_equal(config_string(cfg, "admin-token"), "own-name-beats-alias-0");
    assert_string_equal(config_string(cfg, "host"), "::1");
    config_free(cfg);

    cfg = LOAD("serve", "--admin-token-file", secret);
    assert_non_null(cfg);
    assert_string_equal(config_string(cfg, "admin-token"), "from-a-secret-file-0");
    config_free(cfg);

    setenv("PEEL_PORT", "", 1); /* empty: not set */
    cfg = LOAD("serve", "--quiet");
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "port"), 1003);
    config_free(cfg);

    unsetenv("PEEL_PORT"), unsetenv("ADMIN_TOKEN"), unsetenv("PEEL_ADMIN_TOKEN"), unsetenv("ADMIN_TOKEN_FILE");
    unsetenv("PEEL_ENV_FILE");
}

static void test_values(void **state)
{
    (void)state;
    struct error err;
    struct config *cfg = LOAD("serve", "--search-timeout-ms=3s", "--cache-bytes=2GiB", "--quiet", "--min-score=-0.5",
                              "--request-timeout-s", "2m", "--log-format=json", "--no-quiet=");
    assert_null(cfg); /* --no-x takes no value */
    cfg = LOAD("serve", "--search-timeout-ms=3s", "--cache-bytes=2GiB", "--quiet=off", "--min-score=-0.5",
               "--request-timeout-s", "2m", "--log-format=json");
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "search-timeout-ms"), 3000);
    assert_int_equal(config_int(cfg, "cache-bytes"), 2ll << 30);
    assert_int_equal(config_int(cfg, "request-timeout-s"), 120);
    assert_true(config_number(cfg, "min-score") == -0.5);
    assert_false(config_bool(cfg, "quiet"));
    assert_string_equal(config_string(cfg, "log-format"), "json");
    config_free(cfg);

    cfg = LOAD("search-service", "--port", "9", "--host", "0.0.0.0"); /* second names where the first are not taken */
    assert_non_null(cfg);
    assert_int_equal(config_int(cfg, "search-port"), 9);
    assert_string_equal(config_string(cfg, "search-host"), "0.0.0.0");
    config_free(cfg);

    const char *const *list;
    cfg = LOAD("user", "create", "--staff", "--", "--bob");
    assert_non_null(cfg);
    assert_int_equal(config_args(cfg, &list), 2);
    assert_string_equal(list[0], "create");
    assert_string_equal(list[1], "--bob");
    assert_true(config_bool(cfg, "staff"));
    config_free(cfg);

    cfg = LOAD("import", "--pack", "openmoji", "--pack=fluent3d", "folder");
    assert_non_null(cfg);
    assert_int_equal(config_list(cfg, "pack", &list), 2);
    assert_string_equal(list[1], "fluent3d");
    config_free(cfg);

    cfg = LOAD("serve", "--nonsense", "-h");
    assert_non_null(cfg);
    assert_true(config_help_wanted(cfg));
    config_free(cfg);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *part, *command, *a, *b;
    } rows[] = {
        {"--port: expected a whole number from 0 to 65535, found \"abc\"", "serve", "--port", "abc"},
        {"--port: expected a whole number from 0 to 65535, found \"65536\"", "serve", "--port", "65536"},
        {"found \"-1\"", "serve", "--port", "-1"},
        {"found \"1.5\"", "serve", "--port", "1.5"},
        {"found \"0x10\"", "serve", "--port", "0x10"},
        {"found \" 1\"", "serve", "--port", " 1"},
        {"found \"\"", "serve", "--port=", NULL},
        {"found nothing", "serve", "--port", NULL},
        {"99999999999999999999", "serve", "--port", "99999999999999999999"},
        {"given twice", "serve", "--port=1", "--port=2"},
        {"did you mean --port", "serve", "--prot", "1"},
        {"did you mean --search-timeout-ms", "serve", "--search-timeout", "1"},
        {"no such option", "serve", "--xyzzy", "1"},
        {"two dashes", "serve", "-p", "1"},
        {"one of text|json", "serve", "--log-format", "xml"},
        {"one of text|json", "serve", "--log-format", "text|json"},
        {"true or false", "serve", "--quiet=maybe", NULL},
        {"takes no value", "serve", "--no-quiet=1", NULL},
        {"found \"1e3\"", "serve", "--search-timeout-ms", "1e3"},
        {"from 10 to 60000", "serve", "--search-timeout-ms", "2h"},
        {"from 1 to 3600", "serve", "--request-timeout-s", "1500ms"},
        {"K, M and G", "serve", "--cache-bytes", "5T"},
        {"from 1048576", "serve", "--cache-bytes", "5K"},
        {"a number from -1 to 1000", "serve", "--min-score", "nan"},
        {"a number from -1 to 1000", "serve", "--min-score", "inf"},
        {"a number from -1 to 1000", "serve", "--min-score", "1x"},
        {"1 to 4000 bytes", "serve", "--data", ""},
        {"control characters", "serve", "--data", "a\nb"},
        {"not UTF-8", "serve", "--data", "a\xff"},
        {"not shown", "serve", "--admin-password", "short"},
        {"--admin-token-file: /nonexistent/x does not exist", "serve", "--admin-token-file", "/nonexistent/x"},
        {"/nonexistent/.env does not exist", "serve", "--env-file", "/nonexistent/.env"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(rows[i].part, rows[i].command, rows[i].a, rows[i].b);

    char env[128], empty[128];
    struct error err;
    write_file("bad.env", "# one\nPEEL_PORT=no\n", env);
    refused("bad.env: line 2: PEEL_PORT: expected", "serve", "--env-file", env);
    write_file("typo.env", "PEEL_PROT=1\n", env);
    refused("typo.env: line 1: PEEL_PROT: there is no such option", "serve", "--env-file", env);
    write_file("other.env", "SOMETHING_ELSE=1\n", env);
    struct config *cfg = LOAD("serve", "--env-file", env);
    assert_non_null(cfg);
    config_free(cfg);
    write_file("empty", "\n", empty);
    refused("is empty or binary", "serve", "--admin-token-file", empty);

    write_file("pw.env", "ADMIN_PASSWORD=hunter2\n", env); /* too short, and a secret: not in the message */
    assert_null(LOAD("serve", "--env-file", env));
    assert_null(strstr(err.message, "hunter2"));
    assert_non_null(strstr(err.message, "ADMIN_PASSWORD"));
}

static void test_environ(void **state)
{
    (void)state;
    struct error err;
    struct arena a;
    arena_init(&a, 1 << 20);
    setenv("PEEL_PORT", "1", 1);
    setenv("ADMIN_PASSWORD", "a secret password", 1);
    setenv("PEEL_SEARCH_URL", "http://old", 1);
    struct config *cfg = LOAD("serve", "--port", "2", "--search-port", "3", "--data", "/d");
    assert_non_null(cfg);
    const char *const extra[] = {"PEEL_SEARCH_URL=http://new", NULL};
    char **env = config_environ(cfg, "search-service", extra, &a);
    int ports = 0, urls = 0;
    assert_non_null(env);
    for (char **e = env; *e; e++) {
        assert_null(strstr(*e, "a secret password")); /* SearchService has no business with it */
        ports += strcmp(*e, "PEEL_SEARCH_PORT=3") == 0 || strcmp(*e, "PEEL_DATA=/d") == 0;
        urls += strncmp(*e, "PEEL_SEARCH_URL=", 16) == 0;
    }
    assert_int_equal(ports, 2);
    assert_int_equal(urls, 1);
    env = config_environ(cfg, "sticker-service", extra, &a);
    ports = 0;
    for (char **e = env; *e; e++)
        if (strncmp(*e, "PEEL_PORT=", 10) == 0) {
            assert_string_equal(*e, "PEEL_PORT=2");
            ports++;
        }
    assert_int_equal(ports, 1);
    config_free(cfg);
    arena_free(&a);
    unsetenv("PEEL_PORT"), unsetenv("ADMIN_PASSWORD"), unsetenv("PEEL_SEARCH_URL");
}

static void test_env_file(void **state)
{
    (void)state;
    struct arena a;
    struct env_pair *pairs;
    struct error err;
    size_t n;
    static const char good[] = "\xef\xbb\xbf"
                               "A=1\r\n"
                               "  export B = two words   # comment\n"
                               "C=\"x\\n\\\"\\$y\\\\\" # after\n"
                               "D='as $it \"is\" \\n'\n"
                               "\n# nothing\n"
                               "E=\n"
                               "F=a#b\n"
                               "exported=1\n"
                               "G=\xc3\xa9"; /* no newline at the end */
    static const char *const values[] = {"1", "two words", "x\n\"$y\\", "as $it \"is\" \\n",
                                         "",  "a#b",       "1",         "\xc3\xa9"};
    arena_init(&a, 4 << 20);
    assert_int_equal(env_file_parse("t", good, sizeof good - 1, &a, &pairs, &n, &err), OK);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(pairs[i].value, values[i]);
    assert_string_equal(pairs[1].key, "B");
    assert_int_equal(pairs[6].line, 9);
    assert_string_equal(pairs[6].key, "exported");

    static const struct {
        const char *text, *part;
    } bad[] = {
        {"A", "line 1: expected = after the key"},
        {"\n\n=1", "line 3: expected KEY=VALUE"},
        {"1A=1", "expected KEY=VALUE"},
        {"A-B=1", "expected ="},
        {"A=\"x", "closing \" is missing"},
        {"A='x\nB=1", "line 1: the closing ' is missing"},
        {"A=\"x\" y", "after the closing quote"},
        {"A=\"\\x\"", "unknown escape"},
        {"A=\"\\", "unknown escape"},
        {"A=1\nB=1\nA=2", "line 3: A was already set on line 1"},
        {"A=\x01", "control character"},
        {"A=\xff", "not UTF-8"},
        {"export", "expected ="},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(env_file_parse("t", bad[i].text, strlen(bad[i].text), &a, &pairs, &n, &err), ERR_INVALID);
        if (!strstr(err.message, bad[i].part))
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].text, err.message, bad[i].part);
    }
    struct buf written;
    buf_init(&written, 1000);
    buf_puts(&written, "A=");
    env_file_quote(&written, "a'\"\\$ # \n\t\r.");
    assert_int_equal(env_file_parse("t", buf_str(&written), written.len, &a, &pairs, &n, &err), OK);
    assert_string_equal(pairs[0].value, "a'\"\\$ # \n\t\r.");
    buf_free(&written);
    assert_int_equal(env_file_parse("t", "A=\0", 3, &a, &pairs, &n, &err), ERR_INVALID);
    assert_int_equal(env_file_parse("t", good, ENV_FILE_MAX_BYTES + 1, &a, &pairs, &n, &err), ERR_TOO_LARGE);
    arena_free(&a);
}

static void test_suggest(void **state)
{
    (void)state;
    static const char *const words[] = {"serve", "search-service", "status", "user", NULL};
    assert_string_equal(config_suggest("sevre", words, 5), "serve");
    assert_string_equal(config_suggest("stats", words, 5), "status");
    assert_null(config_suggest("frobnicate", words, 5));
    assert_null(config_suggest("", words, 5));
    assert_null(config_suggest("a-very-long-word-that-nobody-would-ever-type-here", words, 5));
}

static void test_help(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    config_help("serve", NULL, &out);
    assert_non_null(strstr(buf_str(&out), "--port N"));
    assert_non_null(strstr(buf_str(&out), "default 8000; 0 to 65535; PEEL_PORT"));
    assert_non_null(strstr(buf_str(&out), "PEEL_ADMIN_TOKEN, ADMIN_TOKEN; secret"));
    assert_null(strstr(buf_str(&out), "listen-fd"));
    assert_null(strstr(buf_str(&out), "--digit"));
    buf_reset(&out);
    config_help("user", "password staff", &out);
    assert_non_null(strstr(buf_str(&out), "--data DIR"));
    assert_non_null(strstr(buf_str(&out), "--password PASSWORD"));
    assert_non_null(strstr(buf_str(&out), "--staff"));
    assert_null(strstr(buf_str(&out), "--superuser"));
    assert_null(strstr(buf_str(&out), "--sticker-db-password")); /* ends like one that is wanted */
    buf_free(&out);
}

static int make_dir(void **state)
{
    (void)state;
    tmp_make(dir, sizeof dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    tmp_remove(dir);
    return 0;
}

/* Settings of the developer's own are not what is tested. */
static void forget_settings(void)
{
    static const char *const prefixes[] = {"PEEL_", "STICKER_DB_", "SEARCH_DB_", "ADMIN_", "AWS_", "HF_"};
    for (char **e = environ; *e;) {
        char name[256];
        bool ours = false;
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            ours |= strncmp(*e, prefixes[i], strlen(prefixes[i])) == 0;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
        if (ours && unsetenv(name) == 0)
            continue; /* the next one has taken its place */
        e++;
    }
}

int main(void)
{
    forget_settings();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    cmocka_unit_test(test_defaults), cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_values),   cmocka_unit_test(test_refused),  cmocka_unit_test(test_environ),
        cmocka_unit_test(test_env_file), cmocka_unit_test(test_suggest),  cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
