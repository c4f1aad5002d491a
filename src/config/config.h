/* config.h: what the caller asked for: flags > environment > X_FILE > .env > defaults, checked against
 * the table in options.h. The room reads and checks options for src/cmd, which hands their values to the services in
 * structs; it sees base only, and no service sees it.
 *
 *     struct config *cfg;
 *     if (config_load("serve", argc - 2, argv + 2, &cfg, &err) != OK) ...   // "--port: expected ..."
 *     uint16_t port = (uint16_t)config_int(cfg, "port");
 *
 * The getters assert that the option exists, has that type and is taken by the command: a wrong name
 * is our bug. Strings live as long as the config. An empty environment value counts as not set. */
#ifndef PEEL_CONFIG_CONFIG_H
#define PEEL_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct config;

/* `argv` [argc]: what stands after the command's name; borrowed. ERR_INVALID names the option, what
 * was expected and what was found (never a secret's value). */
enum status config_load(const char *command, int argc, char *const *argv, struct config **out,
                        struct error *err) MUST_CHECK;
void config_free(struct config *cfg); /* NULL is fine */

bool config_help_wanted(const struct config *cfg); /* -h or --help was given; nothing else was checked */

const char *config_string(const struct config *cfg, const char *name); /* strings and enums; NULL when unset */
int64_t config_int(const struct config *cfg, const char *name);        /* int, bytes, duration in its unit */
double config_number(const struct config *cfg, const char *name);
bool config_bool(const struct config *cfg, const char *name);
size_t config_list(const struct config *cfg, const char *name, const char *const **items);
bool config_is_set(const struct config *cfg, const char *name); /* by anything but the default */

/* What a person may see of the options of the command: a secret's value is "(set)" or "(not set)", and passwords in
 * addresses are left out. `source`: "--port", "PEEL_PORT", ".env: line 3: PEEL_PORT" or "default", also in a process
 * that got its values by config_environ. Strings live as long as the arena and the config. */
struct config_setting {
    const char *group, *name, *value, *source, *help;
    bool secret;
};
enum status config_settings(const struct config *cfg, struct arena *a, struct config_setting **out, size_t *n,
                            struct error *err) MUST_CHECK;

/* What is no option: the operands, in order. */
size_t config_args(const struct config *cfg, const char *const **args);

/* An environment for running another command of this program with the same settings: this process's,
 * with PEEL_X for every option that `command` takes and that was set, `extra` ("PEEL_SEARCH_URL=...",
 * NULL-terminated) last, and without secrets that `command` does not take. NULL: no memory. */
char **config_environ(const struct config *cfg, const char *command, const char *const *extra,
                      struct arena *a) MUST_CHECK;

/* What was set, as a .env file that sets it again: for backups. Without `secrets` those are named in comments only, as
 * are addresses with a password in them. */
void config_env_file(const struct config *cfg, bool secrets, struct buf *out);

/* The options of one command, for a terminal; `only`: NULL, or the names of those that are wanted, "password staff". */
void config_help(const char *command, const char *only, struct buf *out);
/* The same as sections of a manual page, in roff's macros "man". */
void config_roff(const char *command, struct buf *out);
void config_roff_text(const char *s, struct buf *out); /* any text, so that roff takes it for nothing else */
/* All options, as Markdown tables. */
void config_markdown(struct buf *out);

/* The word of `words` [n] (NULLs are passed over) that `found` was perhaps meant to be, or NULL. */
const char *config_suggest(const char *found, const char *const *words, size_t n);

#endif
