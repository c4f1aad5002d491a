/* peel export: all feedback, as CSV or NDJSON on standard output; or, in a folder, data to train models with. */
#include "sticker_service/export.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/export_training.h"
#include "sticker_service/audit.h"
#include "training/training.h"

#include <stdio.h>

static enum status write_all(struct feedback_export *x, struct error *err)
{
    char chunk[65536];
    ssize_t n;
    while ((n = feedback_export_read(x, chunk, sizeof chunk, err)) > 0)
        if (fwrite(chunk, 1, (size_t)n, stdout) != (size_t)n)
            return err_errno(err, "cannot write to standard output");
    return n == 0 ? OK : err->code;
}

/* Before the first byte, as the API does. */
static enum status note(struct sticker_store *store, enum export_format format, const char *since, struct error *err)
{
    char after[128] = "";
    if (since)
        snprintf(after, sizeof after, "{\"since\":\"%.80s\"}", since); /* a time, by its characters */
    return audit_note(store, cmd_who()->username, cmd_who()->address, CHANGE_EXPORT, "scores", export_extension(format),
                      after, err);
}

int cmd_export(const struct config *cfg)
{
    struct error err;
    enum export_format format;
    int64_t since_us = 0;
    const char *since = config_string(cfg, "since");
    if (training_is_kind(config_string(cfg, "format")))
        return export_training(cfg);
    if (config_string(cfg, "out"))
        return cmd_usage("the votes are written to standard output: leave --out away, or name another --format");
    if (export_format_parse(config_bool(cfg, "json") ? "ndjson" : config_string(cfg, "format"), &format, &err) != OK)
        return cmd_usage("--format: %s", err.message);
    if (since && os_parse_time(since, &since_us, &err) != OK)
        return cmd_usage("--since: %s", err.message);

    struct sticker_store *store;
    struct feedback_export *x = NULL;
    enum status st = cmd_find_stickers(cfg, 1, &store, &err);
    if (st == OK)
        st = feedback_export_open(store, format, since_us, &x, &err);
    if (st == OK)
        st = note(store, format, since, &err);
    if (st == OK)
        st = write_all(x, &err);
    feedback_export_close(x);
    sticker_store_close(store);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
