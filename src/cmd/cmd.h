/* cmd.h: the commands. To add one: a file cmd/NAME.c with cmd_NAME, a row in commands.c, and the
 * command's name in the rows of config/options.c that it takes.
 * The room turns options into calls of the rooms below and is the only one that may print to standard output and exit.
 * It sees every room but db, fts, and the inner rooms of StickerService; no room sees it. */
#ifndef PEEL_CMD_CMD_H
#define PEEL_CMD_CMD_H

#include "base/status.h"
#include "bucket/bucket.h"
#include "config/config.h"
#include "sticker_store/sticker_admin.h"
#include <jansson.h>
#include <limits.h>
#include <stddef.h>

#define PEEL_VERSION "0.2.0"

#define CMD_USERNAME "command line" /* who changes something, in the history */
#define CMD_TWICE_US 1000000 /* a second signal within this time is the same wish to stop: some wrappers send two */

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WORSE = 3 /* peel replay */ };

struct example {
    const char *what, *command; /* "Import a folder", "peel import ~/stickers" */
};

/* What the first operand of some commands may be: "create" of `peel user create ann`. */
struct subcommand {
    const char *name;
    const char *args;           /* the operands after the name, "USERNAME", for the usage line */
    unsigned least, most;       /* how many of them */
    const char *summary;        /* one line that begins with a verb */
    const char *options;        /* the most useful ones, "password staff", which its own help shows */
    struct example examples[3]; /* ended by NULL */
};

struct command {
    const char *name;
    const char *args;                     /* NULL: none; "[FILE|DIR]...", for the usage line */
    unsigned least_args, most_args;       /* operands; not used where there are subcommands */
    int (*run)(const struct config *cfg); /* returns the exit status; the operands were checked */
    const char *summary;                  /* one line that begins with a verb */
    const struct subcommand *subcommands; /* NULL, or ended by a name NULL */
    struct example examples[4];           /* ended by NULL; of a command with subcommands they have them */
};

extern const struct command commands[]; /* sorted by name */
extern const size_t commands_count;
const struct command *command_find(const char *name);                                      /* NULL if there is none */
const struct subcommand *subcommand_find(const struct command *command, const char *name); /* likewise */

int cmd_backup(const struct config *cfg);
int cmd_completion(const struct config *cfg);
int cmd_counter(const struct config *cfg);
int cmd_audit(const struct config *cfg);
int cmd_forget(const struct config *cfg);
int cmd_delete(const struct config *cfg);
int cmd_duplicates(const struct config *cfg);
int cmd_doctor(const struct config *cfg);
int cmd_embed(const struct config *cfg);
int cmd_eval(const struct config *cfg);
int cmd_experiment(const struct config *cfg);
int cmd_explain(const struct config *cfg);
int cmd_export(const struct config *cfg);
int cmd_health(const struct config *cfg);
int cmd_help(const struct config *cfg);
int cmd_import(const struct config *cfg);
int cmd_learn(const struct config *cfg);
int cmd_mcp(const struct config *cfg);
int cmd_migrate(const struct config *cfg);
int cmd_key(const struct config *cfg);
int cmd_model(const struct config *cfg);
int cmd_ocr(const struct config *cfg);
int cmd_pack(const struct config *cfg);
int cmd_replay(const struct config *cfg);
int cmd_reindex(const struct config *cfg);
int cmd_restore(const struct config *cfg);
int cmd_search_service(const struct config *cfg);
int cmd_serve(const struct config *cfg);
int cmd_status(const struct config *cfg);
int cmd_sticker_service(const struct config *cfg);
int cmd_store(const struct config *cfg);
int cmd_token(const struct config *cfg);
int cmd_tokenize(const struct config *cfg);
int cmd_undo(const struct config *cfg);
int cmd_user(const struct config *cfg);
int cmd_version(const struct config *cfg);
int cmd_webhook(const struct config *cfg);
int cmd_words(const struct config *cfg);

/* Prints "peel: MESSAGE" on standard error. Returns EXIT_FAILED. */
int cmd_failed(const struct error *err);
/* As cmd_failed, for a wrong call: returns EXIT_USAGE. */
int cmd_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* From now on SIGINT and SIGTERM only set what cmd_stopped tells, for commands that end at a place of their own. */
void cmd_stop_on_signals(void);
bool cmd_stopped(void);
/* Prints a result as indented JSON on standard output and drops it. `json` NULL: there was no memory for it. */
enum status cmd_print_json(json_t *json, struct error *err) MUST_CHECK;
/* The manual page peel(1), or of a command, peel-COMMAND(1). */
void cmd_print_man(const struct command *command, struct buf *out);
/* The help page of a command, or of one of its subcommands (NULL: of all). */
void cmd_print_help(const struct command *command, const struct subcommand *subcommand, struct buf *out);
/* Where a service's database is, by `--sticker-db` ("sticker") or `--search-db` ("search"), or else by the options for
 * its host, port, name, user, password. In the arena. */
enum status cmd_database(const struct config *cfg, const char *which, struct arena *a, const char **url,
                         struct error *err) MUST_CHECK;
/* Whose changes are in the history when a command makes them: "command line", with the system's user for an address.
 * Static. */
const struct admin_who *cmd_who(void);
/* Makes the data folder, which others may not read into, and opens the sticker database, to act as cmd_who. */
enum status cmd_open_stickers(const struct config *cfg, unsigned connections, struct sticker_store **out,
                              struct error *err) MUST_CHECK;
/* The same for commands that are of no use without what is in it: a database that does not exist is not made, since a
 * folder's name was probably mistyped. */
enum status cmd_find_stickers(const struct config *cfg, unsigned connections, struct sticker_store **out,
                              struct error *err) MUST_CHECK;
bool cmd_has_stickers(const struct config *cfg); /* on PostgreSQL it is not looked for */
enum status cmd_make_data(const struct config *cfg, struct error *err) MUST_CHECK;
/* The token that SearchService wants to see of those who change something: --search-token, else what is in the file
 * search.token of the data folder, which `peel serve` made (with `make`: makes it). NULL: none. In the arena. */
enum status cmd_search_token(const struct config *cfg, bool make, struct arena *a, const char **token,
                             struct error *err) MUST_CHECK;
/* In the same way, the key that encrypts secrets of two-factor authentication: --totp-key, or the file totp.key. */
enum status cmd_totp_key(const struct config *cfg, bool make, struct arena *a, const char **key,
                         struct error *err) MUST_CHECK;
/* What is in a file of the data folder that such a secret is kept in ("search.token"), whatever the options say. NULL:
 * there is none. In the arena. */
enum status cmd_secret_file(const struct config *cfg, const char *file, struct arena *a, const char **secret,
                            struct error *err) MUST_CHECK;
/* How the options say that S3 is reached. Strings live as long as the config and the arena. */
enum status cmd_bucket_s3(const struct config *cfg, struct arena *a, struct bucket_s3 *out,
                          struct error *err) MUST_CHECK;
/* With a bucket in S3 and no --models-dir the models are in the bucket, and used from a copy in the cache. */
bool cmd_models_mirrored(const struct config *cfg);
enum status cmd_models_dir(const struct config *cfg, char out[PATH_MAX], struct error *err) MUST_CHECK;
/* Puts the files of the folder <models>/<name> into the bucket's models/. */
enum status cmd_bucket_put_model(const struct config *cfg, const char *models, const char *name,
                                 struct error *err) MUST_CHECK;
/* With a bucket in S3 and no --words the lexicon is in the bucket, below words/, and used from a copy in the cache. */
bool cmd_words_mirrored(const struct config *cfg);
/* Where the lexicon is on this machine. In the arena; ERR_NO_MEMORY. */
enum status cmd_words_file(const struct config *cfg, struct arena *a, const char **out, struct error *err) MUST_CHECK;
/* Puts it into the bucket where cmd_words_mirrored, unless one is there and is not to be replaced. */
enum status cmd_bucket_put_words(const struct config *cfg, bool replace, struct error *err) MUST_CHECK;
/* Sets the logger up as --log-level and --log-format say. */
void cmd_log_setup(const struct config *cfg, const char *service);

#endif
