#include "config/config.h"

#include "base/os.h"
#include "config/env_file.h"
#include "config/options.h"
#include "config/value.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX   64u
#define SECRET_MAX 4096u
#define NAME_CAP   80u

extern char **environ;

struct setting {
    const char *text; /* NULL: unset and without default */
    double number;
    bool set;
    const char *where;  /* "--port", "PEEL_PORT", ".env: line 3: PEEL_PORT"; NULL: by default */
    const char **items; /* of a list: [n_items] */
    size_t n_items;
};

struct config {
    const char *command;
    struct arena arena;
    struct setting *settings; /* [config_options_count] */
    const char **args;
    size_t n_args;
    bool help;
    struct env_pair *env; /* the .env file */
    size_t n_env;
    const char *env_name;
};

/* "search-port" -> "PEEL_SEARCH_PORT" (+ suffix) */
static const char *env_name(const struct option *o, const char *suffix, char out[NAME_CAP])
{
    snprintf(out, NAME_CAP, "PEEL_%s%s", o->name, suffix);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return out;
}

/* --- setting one option --- */

static enum status set_list(struct config *cfg, const struct option *o, const char *where, const char *text,
                            struct error *err)
{
    struct setting *s = &cfg->settings[o - config_options];
    if (!s->items && !(s->items = arena_array(&cfg->arena, LIST_MAX, sizeof *s->items)))
        return err_no_memory(err, "options");
    if (s->n_items == LIST_MAX)
        return err_set(err, ERR_INVALID, "%s: given more than %u times", where, LIST_MAX);
    enum status st = value_parse(o, where, text, &s->number, err);
    if (st == OK &&
        (!(s->items[s->n_items++] = arena_strdup(&cfg->arena, text)) || !(s->where = arena_strdup(&cfg->arena, where))))
        st = err_no_memory(err, "options");
    s->set = true;
    return st;
}

static enum status set_value(struct config *cfg, const struct option *o, const char *where, const char *text,
                             struct error *err)
{
    struct setting *s = &cfg->settings[o - config_options];
    if (o->type == OPTION_LIST)
        return set_list(cfg, o, where, text, err);
    enum status st = value_parse(o, where, text, &s->number, err);
    if (st != OK)
        return st;
    s->set = true;
    s->text = arena_strdup(&cfg->arena, text);
    s->where = arena_strdup(&cfg->arena, where);
    return s->text && s->where ? OK : err_no_memory(err, "options");
}

/* A value of the environment or .env: a list's items are separated by commas there. */
static enum status set_from_env(struct config *cfg, const struct option *o, const char *where, const char *text,
                                struct error *err)
{
    if (o->type != OPTION_LIST)
        return set_value(cfg, o, where, text, err);
    char *copy = arena_strdup(&cfg->arena, text), *rest = NULL;
    if (!copy)
        return err_no_memory(err, "options");
    enum status st = OK;
    for (char *item = strtok_r(copy, ", ", &rest); item && st == OK; item = strtok_r(NULL, ", ", &rest))
        st = set_list(cfg, o, where, item, err);
    return st;
}

static enum status set_from_file(struct config *cfg, const struct option *o, const char *where, const char *path,
                                 struct error *err)
{
    struct buf text;
    buf_init(&text, SECRET_MAX);
    enum status st = os_read_file(path, &text, err);
    if (st != OK && err)
        err_prefix(err, "%s", where);
    if (st == OK) {
        size_t len = text.len;
        if (len && text.data[len - 1] == '\n')
            len--;
        if (len && text.data[len - 1] == '\r')
            len--;
        if (len == 0 || memchr(text.data, '\0', len)) {
            st = err_set(err, ERR_INVALID, "%s: expected a file with one line, %s is empty or binary", where, path);
        } else {
            text.data[len] = '\0';
            st = set_value(cfg, o, where, text.data, err);
        }
    }
    buf_free(&text);
    return st;
}

/* --- flags --- */

#define SUGGEST_MAX 40

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Typing errors between two words: letters changed, missing, added, or two of them swapped. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t d[SUGGEST_MAX + 1][SUGGEST_MAX + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            size_t changed = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least(changed, least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *config_suggest(const char *found, const char *const *words, size_t n)
{
    size_t len = strlen(found), best = 3; /* more than two errors are no typing error */
    const char *word = NULL, *longer = NULL;
    if (len == 0 || len > SUGGEST_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = words[i] ? strlen(words[i]) : 0;
        if (m == 0 || m > SUGGEST_MAX)
            continue;
        size_t d = distance(found, len, words[i], m);
        if (d < best && d * 2 < (len > m ? len : m)) {
            best = d;
            word = words[i];
        }
        if (!longer && len >= 4 && strncmp(found, words[i], len) == 0)
            longer = words[i];
    }
    return word ? word : longer;
}

static enum status unknown_flag(const struct config *cfg, const char *name, struct error *err)
{
    const char *words[256];
    size_t n = 0;
    for (size_t i = 0; i < config_options_count && n < 256; i++)
        if (option_taken_by(&config_options[i], cfg->command) && !(config_options[i].flags & OPTION_HIDDEN))
            words[n++] = config_options[i].name;
    const char *near = config_suggest(name, words, n);
    if (near)
        return err_set(err, ERR_INVALID, "--%s: peel %s has no such option; did you mean --%s?", name, cfg->command,
                       near);
    return err_set(err, ERR_INVALID, "--%s: peel %s has no such option; `peel help %s` lists them", name, cfg->command,
                   cfg->command);
}

struct flag {
    const struct option *option;
    bool negated, file; /* --no-x, --x-file */
};

static bool find_flag(const char *command, const char *name, struct flag *out)
{
    size_t len = strlen(name);
    for (int alias = 0; alias <= 1; alias++) { /* real names win over second ones */
        for (size_t i = 0; i < config_options_count; i++) {
            const struct option *o = &config_options[i];
            const char *own = alias ? o->flag : o->name;
            if (!own || !option_taken_by(o, command))
                continue;
            size_t n = strlen(own);
            *out = (struct flag){.option = o};
            if (strcmp(name, own) == 0)
                return true;
            out->negated = o->type == OPTION_BOOL && strncmp(name, "no-", 3) == 0 && strcmp(name + 3, own) == 0;
            out->file = (o->flags & OPTION_SECRET) && len == n + 5 && strncmp(name, own, n) == 0 &&
                        strcmp(name + n, "-file") == 0;
            if (out->negated || out->file)
                return true;
        }
    }
    return false;
}

/* Takes the flag at argv[*i] and, if it needs one, the value after it. */
static enum status take_flag(struct config *cfg, int argc, char *const *argv, int *i, struct error *err)
{
    char name[NAME_CAP], where[NAME_CAP + 4];
    const char *arg = argv[*i] + 2, *value = strchr(arg, '=');
    size_t len = value ? (size_t)(value - arg) : strlen(arg);
    if (len >= sizeof name)
        return err_set(err, ERR_INVALID, "option of %zu bytes: there is none so long", len);
    snprintf(name, sizeof name, "%.*s", (int)len, arg);
    snprintf(where, sizeof where, "--%s", name);
    struct flag flag;
    if (!find_flag(cfg->command, name, &flag))
        return unknown_flag(cfg, name, err);
    const struct option *o = flag.option;
    struct setting *s = &cfg->settings[o - config_options];
    if (s->set && o->type != OPTION_LIST)
        return err_set(err, ERR_INVALID, "%s: given twice", where);
    if (value)
        value++;
    if (o->type == OPTION_BOOL) {
        if (flag.negated && value)
            return err_set(err, ERR_INVALID, "%s: takes no value", where);
        return set_value(cfg, o, where, flag.negated ? "false" : value ? value : "true", err);
    }
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value) {
        struct arena a;
        arena_init(&a, 4096);
        err_set(err, ERR_INVALID, "%s: expected %s, found nothing", where,
                flag.file ? "a file" : value_expected(o, &a));
        arena_free(&a);
        return ERR_INVALID;
    }
    return flag.file ? set_from_file(cfg, o, where, value, err) : set_value(cfg, o, where, value, err);
}

static bool asks_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static enum status take_flags(struct config *cfg, int argc, char *const *argv, struct error *err)
{
    cfg->args = arena_array(&cfg->arena, (size_t)argc + 1, sizeof *cfg->args);
    if (!cfg->args)
        return err_no_memory(err, "options");
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (asks_help(argv[i])) {
            cfg->help = true;
            return OK;
        }
    bool operands = false; /* "--" was met */
    for (int i = 0; i < argc; i++) {
        enum status st = OK;
        if (!operands && strcmp(argv[i], "--") == 0)
            operands = true;
        else if (!operands && strncmp(argv[i], "--", 2) == 0)
            st = take_flag(cfg, argc, argv, &i, err);
        else if (!operands && argv[i][0] == '-' && argv[i][1])
            st = err_set(err, ERR_INVALID, "%s: options are written with two dashes; `peel help %s` lists them",
                         argv[i], cfg->command);
        else
            cfg->args[cfg->n_args++] = argv[i];
        if (st != OK)
            return st;
    }
    return OK;
}

/* --- environment and .env --- */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static const struct env_pair *from_file(const struct config *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->n_env; i++)
        if (strcmp(cfg->env[i].key, name) == 0 && cfg->env[i].value[0])
            return &cfg->env[i];
    return NULL;
}

/* The four names that may hold one option, in order of rank: PEEL_X, its second name, and for secrets
 * both with _FILE. */
#define NAMES 4
static size_t env_names(const struct option *o, char out[NAMES][NAME_CAP], bool file[NAMES])
{
    size_t n = 0;
    for (int f = 0; f <= ((o->flags & OPTION_SECRET) ? 1 : 0); f++) {
        const char *suffix = f ? "_FILE" : "";
        file[n] = f;
        env_name(o, suffix, out[n++]);
        if (o->env) {
            file[n] = f;
            snprintf(out[n++], NAME_CAP, "%s%s", o->env, suffix);
        }
    }
    return n;
}

static enum status take_environment(struct config *cfg, const struct option *o, struct error *err)
{
    char names[NAMES][NAME_CAP];
    bool file[NAMES];
    size_t n = env_names(o, names, file);
    for (size_t i = 0; i < n; i++) {
        const char *value = from_environment(names[i]);
        if (value)
            return file[i] ? set_from_file(cfg, o, names[i], value, err) : set_from_env(cfg, o, names[i], value, err);
    }
    for (size_t i = 0; i < n; i++) {
        const struct env_pair *pair = from_file(cfg, names[i]);
        if (pair) {
            char where[PATH_MAX + NAME_CAP];
            snprintf(where, sizeof where, "%s: line %u: %s", cfg->env_name, pair->line, names[i]);
            return file[i] ? set_from_file(cfg, o, where, pair->value, err)
                           : set_from_env(cfg, o, where, pair->value, err);
        }
    }
    return OK;
}

/* A PEEL_ name in a .env file that no option has is a typing error. */
static enum status check_env_names(const struct config *cfg, struct error *err)
{
    for (size_t p = 0; p < cfg->n_env; p++) {
        bool known = strncmp(cfg->env[p].key, "PEEL_", 5) != 0;
        for (size_t i = 0; i < config_options_count && !known; i++) {
            char names[NAMES][NAME_CAP];
            bool file[NAMES];
            if (config_options[i].type == OPTION_GROUP)
                continue;
            for (size_t n = env_names(&config_options[i], names, file); n-- && !known;)
                known = strcmp(names[n], cfg->env[p].key) == 0;
        }
        if (!known)
            return err_set(err, ERR_INVALID,
                           "%s: line %u: %s: there is no such option; `peel help --markdown` lists all", cfg->env_name,
                           cfg->env[p].line, cfg->env[p].key);
    }
    return OK;
}

static enum status read_env_file(struct config *cfg, struct error *err)
{
    const char *path = config_string(cfg, "env-file");
    cfg->env_name = path ? path : ".env";
    if (!path && access(cfg->env_name, F_OK) != 0)
        return OK;
    struct buf text;
    buf_init(&text, ENV_FILE_MAX_BYTES);
    enum status st = os_read_file(cfg->env_name, &text, err);
    if (st == OK)
        st = env_file_parse(cfg->env_name, buf_str(&text), text.len, &cfg->arena, &cfg->env, &cfg->n_env, err);
    if (st == OK)
        st = check_env_names(cfg, err);
    buf_free(&text);
    return st;
}

/* --- defaults --- */

static enum status take_default(struct config *cfg, const struct option *o, struct error *err)
{
    struct setting *s = &cfg->settings[o - config_options];
    if (!o->fallback)
        return OK;
    const char *text = o->fallback;
    if (strncmp(text, "DATA/", 5) == 0)
        text = arena_printf(&cfg->arena, "%s/%s", config_string(cfg, "data"), text + 5);
    if (!text)
        return err_no_memory(err, "options");
    s->text = text;
    return value_parse(o, o->name, text, &s->number, err);
}

static const struct option *named(const char *name)
{
    for (size_t i = 0; i < config_options_count; i++)
        if (config_options[i].type != OPTION_GROUP && strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
    assert(false && "no such option");
    return NULL;
}

enum status config_load(const char *command, int argc, char *const *argv, struct config **out, struct error *err)
{
    struct config *cfg = calloc(1, sizeof *cfg);
    *out = NULL;
    if (!cfg)
        return err_no_memory(err, "options");
    cfg->command = command;
    arena_init(&cfg->arena, 16u << 20);
    cfg->settings = arena_array(&cfg->arena, config_options_count, sizeof *cfg->settings);
    enum status st = cfg->settings ? take_flags(cfg, argc, argv, err) : err_no_memory(err, "options");
    if (st != OK || cfg->help)
        goto out;
    if (!config_is_set(cfg, "env-file"))
        st = take_environment(cfg, named("env-file"), err);
    if (st == OK)
        st = read_env_file(cfg, err);
    for (size_t i = 0; i < config_options_count && st == OK; i++)
        if (option_taken_by(&config_options[i], command) && !cfg->settings[i].set)
            st = take_environment(cfg, &config_options[i], err);
    for (size_t i = 0; i < config_options_count && st == OK; i++)
        if (option_taken_by(&config_options[i], command) && !cfg->settings[i].set)
            st = take_default(cfg, &config_options[i], err);
out:
    if (st != OK)
        config_free(cfg);
    else
        *out = cfg;
    return st;
}

void config_free(struct config *cfg)
{
    if (!cfg)
        return;
    arena_free(&cfg->arena);
    free(cfg);
}

/* --- asking --- */

static const struct setting *setting(const struct config *cfg, const char *name, unsigned types)
{
    const struct option *o = named(name);
    assert(option_taken_by(o, cfg->command));
    assert((1u << o->type) & types);
    (void)types;
    return &cfg->settings[o - config_options];
}

const char *config_string(const struct config *cfg, const char *name)
{
    return setting(cfg, name, 1u << OPTION_STRING | 1u << OPTION_ENUM)->text;
}

int64_t config_int(const struct config *cfg, const char *name)
{
    return (int64_t)setting(cfg, name, 1u << OPTION_INT | 1u << OPTION_BYTES | 1u << OPTION_DURATION)->number;
}

double config_number(const struct config *cfg, const char *name)
{
    return setting(cfg, name, 1u << OPTION_NUMBER)->number;
}

bool config_bool(const struct config *cfg, const char *name)
{
    return setting(cfg, name, 1u << OPTION_BOOL)->number != 0;
}

size_t config_list(const struct config *cfg, const char *name, const char *const **items)
{
    const struct setting *s = setting(cfg, name, 1u << OPTION_LIST);
    *items = s->items;
    return s->n_items;
}

bool config_is_set(const struct config *cfg, const char *name)
{
    return setting(cfg, name, ~0u)->set;
}

bool config_help_wanted(const struct config *cfg)
{
    return cfg->help;
}

size_t config_args(const struct config *cfg, const char *const **args)
{
    *args = cfg->args;
    return cfg->n_args;
}

/* --- showing --- */

/* What config_environ says of where the parent found its values, a line each: "port=--port". */
#define SOURCES "PEEL_SETTING_SOURCES"

static const char *source_of(const struct config *cfg, size_t i, struct arena *a)
{
    const char *inherited = getenv(SOURCES), *name = config_options[i].name;
    size_t len = strlen(name);
    for (const char *at = inherited ? inherited : ""; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_strndup(a, at + len + 1, strcspn(at + len + 1, "\n"));
    return cfg->settings[i].where ? cfg->settings[i].where : "default";
}

/* Passwords in an address: "postgresql://peel:***@host/db?password=***". */
static const char *without_passwords(const char *text, struct arena *a)
{
    char *out = arena_strdup(a, text);
    const char *authority = strstr(text, "://"), *query = strstr(text, "password=");
    size_t end = authority ? strcspn(authority + 3, "/?") : 0;
    const char *at = authority ? memchr(authority + 3, '@', end) : NULL;
    const char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
    if (out && query)
        out = arena_printf(a, "%.*s***%s", (int)(query + 9 - text), text, query + 9 + strcspn(query + 9, "&"));
    if (out && colon)
        out = arena_printf(a, "%.*s***%s", (int)(colon + 1 - text), out, out + (at - text));
    return out;
}

static const char *value_shown(const struct config *cfg, size_t i, struct arena *a)
{
    const struct setting *s = &cfg->settings[i];
    const char *out = s->text ? s->text : "";
    if (config_options[i].flags & OPTION_SECRET)
        return s->set ? "(set)" : "(not set)";
    for (size_t k = 0; out && k < s->n_items; k++)
        out = arena_printf(a, "%s%s%s", out, k ? ", " : "", s->items[k]);
    return out ? without_passwords(out, a) : NULL;
}

enum status config_settings(const struct config *cfg, struct arena *a, struct config_setting **out, size_t *n,
                            struct error *err)
{
    const char *group = "";
    struct config_setting *rows = arena_array(a, config_options_count, sizeof *rows);
    *n = 0;
    *out = rows;
    if (!rows)
        return err_no_memory(err, "options");
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type == OPTION_GROUP)
            group = o->name;
        if (o->type == OPTION_GROUP || (o->flags & OPTION_HIDDEN) || !option_taken_by(o, cfg->command))
            continue;
        rows[*n] = (struct config_setting){.group = group,
                                           .name = o->name,
                                           .value = value_shown(cfg, i, a),
                                           .source = source_of(cfg, i, a),
                                           .help = o->help,
                                           .secret = o->flags & OPTION_SECRET};
        if (!rows[*n].value || !rows[*n].source)
            return err_no_memory(err, "options");
        (*n)++;
    }
    return OK;
}

/* --- handing on --- */

static bool same_name(const char *pair, const char *name)
{
    size_t n = strlen(name);
    return strncmp(pair, name, n) == 0 && pair[n] == '=';
}

/* True when `pair` ("NAME=value") sets an option that will be set anew, or a secret that must not go on. */
static bool is_replaced(const struct config *cfg, const char *command, const char *const *extra, const char *pair)
{
    for (; extra && *extra; extra++)
        if (strncmp(*extra, pair, strcspn(pair, "=") + 1) == 0)
            return true;
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        char names[NAMES][NAME_CAP];
        bool file[NAMES];
        bool taken = option_taken_by(o, command);
        if (o->type == OPTION_GROUP || !((o->flags & OPTION_SECRET) || (taken && cfg->settings[i].set)))
            continue;
        for (size_t n = env_names(o, names, file); n--;)
            if (same_name(pair, names[n]))
                return true;
    }
    return false;
}

char **config_environ(const struct config *cfg, const char *command, const char *const *extra, struct arena *a)
{
    size_t have = 0, n = 0, n_extra = 0;
    while (environ[have])
        have++;
    while (extra && extra[n_extra])
        n_extra++;
    char **out = arena_array(a, have + config_options_count + n_extra + 2, sizeof *out);
    const char *sources = SOURCES "=";
    if (!out)
        return NULL;
    for (size_t i = 0; i < have; i++)
        if (!is_replaced(cfg, command, extra, environ[i]) && !same_name(environ[i], SOURCES))
            out[n++] = environ[i];
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        const struct setting *s = &cfg->settings[i];
        char name[NAME_CAP];
        if (!s->set || !s->text || !option_taken_by(o, command))
            continue;
        out[n] = arena_printf(a, "%s=%s", env_name(o, "", name), s->text);
        if (!out[n++] || !(sources = arena_printf(a, "%s%s=%s\n", sources, o->name, s->where)))
            return NULL;
    }
    if (!(out[n++] = arena_strdup(a, sources)))
        return NULL;
    for (size_t i = 0; i < n_extra; i++)
        if (!(out[n++] = arena_strdup(a, extra[i])))
            return NULL;
    return out;
}

void config_env_file(const struct config *cfg, bool secrets, struct buf *out)
{
    struct arena a;
    arena_init(&a, 1u << 20);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        const struct setting *s = &cfg->settings[i];
        char name[NAME_CAP];
        if (!s->set || !s->text || !option_taken_by(o, cfg->command) || (o->flags & OPTION_HIDDEN) ||
            strcmp(o->name, "env-file") == 0)
            continue;
        const char *shown = value_shown(cfg, i, &a);
        env_name(o, "", name);
        if (!secrets && (!shown || strcmp(shown, s->text) != 0)) {
            buf_printf(out, "# %s is set, but secrets are not in this file\n", name);
            continue;
        }
        buf_printf(out, "%s=", name);
        env_file_quote(out, s->text);
        buf_putc(out, '\n');
    }
    arena_free(&a);
}
