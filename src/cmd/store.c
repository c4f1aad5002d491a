/* peel store copy FROM TO: a database into a new one, SQLite's or PostgreSQL's. */
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "store/store_copy.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static bool on_progress(void *ctx, const char *table, int64_t done, int64_t total)
{
    (void)table;
    progress_show(ctx, done, total);
    return !stopped;
}

int cmd_store(const struct config *cfg)
{
    struct sigaction sa = {.sa_handler = on_signal};
    struct progress bar;
    struct store_copied copied;
    struct error err;
    const char *const *args;
    (void)config_args(cfg, &args);
    if (strcmp(args[0], "copy") != 0)
        return cmd_usage("store: expected copy, found \"%s\"", args[0]);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    progress_start(&bar, "Copying rows", config_bool(cfg, "quiet"));
    enum status st = store_copy(args[1], args[2], on_progress, &bar, &copied, &err);
    progress_clear(&bar);
    if (st == ERR_CANCELLED) {
        fputs("peel: stopped; the same command goes on from here\n", stderr);
        return EXIT_FAILED;
    }
    if (st != OK)
        return cmd_failed(&err);
    int64_t rows = 0;
    printf("%-16s %12s  SHA-256 of the rows, the same in both\n", "table", "rows");
    for (size_t i = 0; i < copied.n; i++) {
        printf("%-16s %12" PRId64 "  %.16s\n", copied.tables[i].name, copied.tables[i].rows, copied.tables[i].sha256);
        rows += copied.tables[i].rows;
    }
    printf("The %s was copied: %" PRId64 " rows.\n", copied.what, rows);
    return EXIT_OK;
}
