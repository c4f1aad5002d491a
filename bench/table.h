/* table.h: times of several runtimes in files of one folder, NAME.txt with lines "key milliseconds", of which the least
 * of each key counts; so that runtimes can take turns. */
#ifndef PEEL_BENCH_TABLE_H
#define PEEL_BENCH_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least of the numbers that a file has for a key, 0 where it has none. */
static inline double least_of(const char *dir, const char *name, const char *key)
{
    char path[1000], line[200];
    double least = 0;
    snprintf(path, sizeof path, "%s/%s.txt", dir, name);
    FILE *f = fopen(path, "r");
    size_t len = strlen(key);
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, len) == 0 && line[len] == ' ') {
            double v = strtod(line + len, NULL);
            least = least == 0 || v < least ? v : least;
        }
    if (f)
        fclose(f);
    return least;
}

/* A row of `names`, a NULL-terminated list; with a floor, each time is also given as a multiple of it. key NULL: the
 * names themselves. */
static inline void print_row(const char *dir, const char *const *names, const char *title, const char *key,
                             const char *floor_key)
{
    printf("%-22s", title);
    for (; *names; names++) {
        double v = key ? least_of(dir, *names, key) : 0, least = floor_key ? least_of(dir, *names, floor_key) : 0;
        char cell[40] = "-";
        if (v > 0 && least > 0)
            snprintf(cell, sizeof cell, "%.2f (%.2f)", v, v / least);
        else if (v > 0)
            snprintf(cell, sizeof cell, "%.2f", v);
        printf(" %17s", key ? cell : *names);
    }
    printf("\n");
}

#endif
