/* peel store copy FROM TO: a database into a new one, SQLite's or PostgreSQL's. */
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "store_copy/store_copy.h"

#include <inttypes.h>
#include <stdio.h>

static bool copy_on_progress(void *ctx, int64_t done, int64_t total)
{
    progress_show(ctx, done, total);
    return !cmd_stopped();
}

static json_t *copied_json(const struct store_copied *copied)
{
    json_t *tables = json_array();
    for (size_t i = 0; i < copied->n; i++)
        json_array_append_new(tables,
                              json_pack("{s:s, s:I, s:s}", "name", copied->tables[i].name, "rows",
                                        (json_int_t)copied->tables[i].rows, "sha256", copied->tables[i].sha256));
    return json_pack("{s:s, s:o}", "database", copied->what, "tables", tables);
}

int cmd_store(const struct config *cfg)
{
    struct progress bar;
    struct store_copied copied;
    struct error err;
    const char *const *args;
    (void)config_args(cfg, &args);
    cmd_stop_on_signals();
    progress_start(&bar, "Copying rows", config_bool(cfg, "quiet"));
    enum status st = store_copy(args[1], args[2], copy_on_progress, &bar, &copied, &err);
    st == OK ? progress_end(&bar) : progress_clear(&bar);
    if (st == ERR_CANCELLED) {
        fputs("peel: stopped; run the same command again to continue\n", stderr);
        return EXIT_FAILED;
    }
    if (st != OK)
        return cmd_failed(&err);
    if (config_bool(cfg, "json"))
        return cmd_print_json(copied_json(&copied), &err) == OK ? EXIT_OK : cmd_failed(&err);
    int64_t rows = 0;
    printf("%-16s %12s  SHA-256 of the rows (equal in both)\n", "table", "rows");
    for (size_t i = 0; i < copied.n; i++) {
        printf("%-16s %12" PRId64 "  %.16s\n", copied.tables[i].name, copied.tables[i].rows, copied.tables[i].sha256);
        rows += copied.tables[i].rows;
    }
    printf("Copied the %s: %" PRId64 " rows.\n", copied.what, rows);
    return EXIT_OK;
}
