/* What the subcommands have in common: errors, signals, logging, and the sticker database. */
#include "base/log.h"
#include "base/os.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "web/html.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cmd_failed(const struct error *err)
{
    fprintf(stderr, "peel: %s\n", err->message);
    return EXIT_FAILED;
}

int cmd_usage(const char *fmt, ...)
{
    va_list args;
    fputs("peel: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

enum status cmd_print_json(json_t *json, struct error *err)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text)
        return err_no_memory(err, "the result");
    puts(text);
    free(text);
    return OK;
}

static volatile sig_atomic_t stopped;

static void common_on_signal(int number)
{
    (void)number;
    stopped = 1;
}

void cmd_stop_on_signals(void)
{
    struct sigaction sa = {.sa_handler = common_on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

bool cmd_stopped(void)
{
    return stopped;
}

void cmd_log_setup(const struct config *cfg, const char *service)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *level = config_string(cfg, "log-level");
    enum log_level least = LOG_INFO;
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(level, levels[i]) == 0)
            least = (enum log_level)i;
    log_setup(least, strcmp(config_string(cfg, "log-format"), "json") == 0 ? LOG_JSON : LOG_TEXT, service);
}

enum status cmd_make_data(const struct config *cfg, struct error *err)
{
    const char *data = config_string(cfg, "data");
    struct stat sb;
    bool fresh = stat(data, &sb) != 0;
    enum status st = os_mkdirs(data, err);
    if (st == OK && fresh && chmod(data, 0750) != 0) /* password hashes will be in it */
        st = err_errno(err, "cannot set the mode of %s", data);
    return st;
}

#define SECRET_LEN 48u /* 240 random bits */

static enum status make_secret_file(const char *path, struct error *err)
{
    char text[SECRET_LEN + 1];
    secret_random_text(text, SECRET_LEN);
    return os_write_private(path, text, SECRET_LEN, err);
}

static enum status read_secret_file(const char *path, struct arena *a, const char **secret, struct error *err)
{
    char *text = arena_alloc(a, SECRET_LEN + 2);
    *secret = NULL;
    if (!text)
        return err_no_memory(err, "%s", path);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? OK : err_errno(err, "cannot read %s", path);
    size_t n = fread(text, 1, SECRET_LEN + 1, f);
    fclose(f);
    text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (strlen(text) != SECRET_LEN)
        return err_set(err, ERR_INVALID,
                       "%s: expected a secret of %u characters; restore it, or remove it to have a new one made", path,
                       SECRET_LEN);
    *secret = text;
    return OK;
}

static enum status secret_path(const struct config *cfg, const char *file, struct arena *a, const char **path,
                               struct error *err)
{
    *path = arena_printf(a, "%s/%s", config_string(cfg, "data"), file);
    return *path ? OK : err_no_memory(err, "the path of %s", file);
}

enum status cmd_secret_file(const struct config *cfg, const char *file, struct arena *a, const char **secret,
                            struct error *err)
{
    const char *path;
    enum status st = secret_path(cfg, file, a, &path, err);
    return st == OK ? read_secret_file(path, a, secret, err) : st;
}

static enum status read_secret(const struct config *cfg, const char *option, const char *file, bool make,
                               struct arena *a, const char **secret, struct error *err)
{
    const char *path;
    *secret = NULL;
    if (config_is_set(cfg, option)) {
        *secret = config_string(cfg, option);
        return OK;
    }
    enum status st = secret_path(cfg, file, a, &path, err);
    if (st == OK && make && access(path, F_OK) != 0)
        st = make_secret_file(path, err);
    return st == OK ? read_secret_file(path, a, secret, err) : st;
}

enum status cmd_search_token(const struct config *cfg, bool make, struct arena *a, const char **token,
                             struct error *err)
{
    return read_secret(cfg, "search-token", "search.token", make, a, token, err);
}

enum status cmd_totp_key(const struct config *cfg, bool make, struct arena *a, const char **key, struct error *err)
{
    return read_secret(cfg, "totp-key", "totp.key", make, a, key, err);
}

enum status cmd_database(const struct config *cfg, const char *which, struct arena *a, const char **url,
                         struct error *err)
{
    static const char *const parts[] = {"user", "password", "host", "name", "port", "sslmode"};
    enum { USER, PASSWORD, HOST, NAME, PORT, SSLMODE, PARTS };
    char option[PARTS][32], database[16];
    struct buf out;
    snprintf(database, sizeof database, "%s-db", which);
    for (size_t i = 0; i < PARTS; i++)
        snprintf(option[i], sizeof option[i], "%s-%s", database, parts[i]);
    if (config_is_set(cfg, database) || !config_is_set(cfg, option[HOST])) {
        *url = config_string(cfg, database);
        return OK;
    }
    buf_init(&out, 16u << 10);
    buf_puts(&out, "postgresql://");
    html_url_part(&out, config_string(cfg, option[USER]));
    if (config_is_set(cfg, option[PASSWORD])) {
        buf_puts(&out, ":");
        html_url_part(&out, config_string(cfg, option[PASSWORD]));
    }
    buf_puts(&out, "@");
    html_url_part(&out, config_string(cfg, option[HOST])); /* also an IPv6 address, or a socket's folder */
    buf_printf(&out, ":%lld/", (long long)config_int(cfg, option[PORT]));
    html_url_part(&out, config_string(cfg, option[NAME]));
    buf_printf(&out, "?sslmode=%s", config_string(cfg, option[SSLMODE]));
    *url = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return *url ? OK : err_no_memory(err, "a database's address");
}

const struct admin_who *cmd_who(void)
{
    static char user[64];
    static const struct admin_who who = {.username = CMD_USERNAME, .address = user};
    char memory[4096];
    struct passwd entry, *found = NULL;
    if (!user[0]) {
        (void)getpwuid_r(getuid(), &entry, memory, sizeof memory, &found);
        if (found)
            snprintf(user, sizeof user, "%s", found->pw_name);
        else
            snprintf(user, sizeof user, "user %u", (unsigned)getuid());
    }
    return &who;
}

enum status cmd_open_stickers(const struct config *cfg, unsigned connections, struct sticker_store **out,
                              struct error *err)
{
    struct arena a;
    const char *url;
    *out = NULL;
    arena_init(&a, 1u << 16);
    enum status st = cmd_make_data(cfg, err);
    if (st == OK)
        st = cmd_database(cfg, "sticker", &a, &url, err);
    if (st == OK)
        st = sticker_store_open(url, connections, out, err);
    if (st == OK)
        sticker_store_act_as(*out, cmd_who());
    arena_free(&a);
    return st;
}

bool cmd_has_stickers(const struct config *cfg)
{
    const char *path = config_string(cfg, "sticker-db");
    return config_is_set(cfg, "sticker-db-host") || strstr(path, "://") || access(path, F_OK) == 0;
}

enum status cmd_find_stickers(const struct config *cfg, unsigned connections, struct sticker_store **out,
                              struct error *err)
{
    *out = NULL;
    return cmd_has_stickers(cfg)
               ? cmd_open_stickers(cfg, connections, out, err)
               : err_set(err, ERR_NOT_FOUND,
                         "there is no sticker database at %s; --data or --sticker-db says where it is",
                         config_string(cfg, "sticker-db"));
}
