/* Learning: build/release/bench/learn [events]
 * The CPU time and the memory of one pass over a log of so many events (1,000,000): 80% impressions, 10% clicks, 10%
 * votes, by 20,000 people, of 1,000 queries, some of them frequent, with 40 stickers each. The database is made in a
 * new folder under $TMPDIR (or .) and removed. */
#include "sticker_service/learn.h"
#include "base/os.h"
#include "blank_sticker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STICKERS 2000u
#define QUERIES  1000u
#define PEOPLE   20000u
#define SHOWN    10u
#define OF_QUERY 40u /* stickers that a query finds */
#define AT_ONCE  500u
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != OK) {                                                                                            \
            fprintf(stderr, "bench/learn: %s: %s\n", #call, err.message);                                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static unsigned char tags[STICKERS][STORE_TAG];
static unsigned seed = 1;

static unsigned next(unsigned below)
{
    return ((seed = seed * 1103515245u + 12345u) >> 8) % below;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void add_stickers(struct sticker_store *store)
{
    struct error err;
    struct arena a;
    arena_init(&a, 1u << 20);
    for (unsigned i = 0; i < STICKERS; i++) {
        char name[32];
        struct sticker_terms terms = {"", "", "", "", NULL, 0};
        struct sticker sticker = blank_sticker(name), stored;
        snprintf(name, sizeof name, "s%u.png", i);
        MUST(sticker_store_add(store, &sticker, &terms, 1, &err));
        MUST(sticker_store_get(store, name, &a, &stored, &err));
        store_tag(stored.id, tags[i]);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Searches with SHOWN stickers each, of which AT_ONCE events tell. */
static void add_events(struct sticker_store *store, size_t n)
{
    static unsigned char ids[AT_ONCE][STORE_EVENT_ID], searches[AT_ONCE][STORE_SEARCH_ID],
        shown[AT_ONCE][SHOWN * STORE_TAG];
    static char names[AT_ONCE][32], queries[AT_ONCE][32], people[AT_ONCE][32];
    struct search_row rows[AT_ONCE / SHOWN];
    struct event_row events[AT_ONCE];
    struct error err;
    struct arena a;
    unsigned query = 0;
    arena_init(&a, 64u << 20);
    for (size_t done = 0; done < n; done += AT_ONCE) {
        for (size_t i = 0; i < AT_ONCE; i++) {
            size_t s = i / SHOWN;
            if (i % SHOWN == 0) {
                os_random(searches[s], STORE_SEARCH_ID);
                query = next(next(QUERIES) + 1);
                snprintf(queries[s], sizeof queries[s], "Query %u", query);
                snprintf(people[s], sizeof people[s], "%016x", next(PEOPLE) * 7919u);
                rows[s] = (struct search_row){.id = searches[s],
                                              .made_us = os_now_us(),
                                              .query = queries[s],
                                              .language = "en",
                                              .ranking = "hybrid-1",
                                              .shown = shown[s],
                                              .n = SHOWN};
            }
            unsigned sticker = (37 * query + next(OF_QUERY)) % STICKERS, kind = next(10), person = next(PEOPLE);
            memcpy(shown[s] + i % SHOWN * STORE_TAG, tags[sticker], STORE_TAG);
            snprintf(names[i], sizeof names[i], "s%u.png", sticker);
            os_random(ids[i], STORE_EVENT_ID);
            events[i] = (struct event_row){.id = ids[i],
                                           .search = &rows[s],
                                           .sticker = names[i],
                                           .client = people[s],
                                           .action = kind < 8    ? EVENT_IMPRESSION
                                                     : kind == 8 ? EVENT_CLICK
                                                     : next(3)   ? EVENT_VOTE_UP
                                                                 : EVENT_VOTE_DOWN,
                                           .at_us = os_now_us(),
                                           .origin = {person + 1, person / 4 + 1, false}};
        }
        MUST(sticker_store_events_add(store, rows, AT_ONCE / SHOWN, events, AT_ONCE, &a, &err));
        arena_reset(&a);
    }
    arena_free(&a);
}

int main(int argc, char **argv)
{
    const struct learn_settings settings = {180};
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    const char *tmp = getenv("TMPDIR");
    char folder[256], file[300], command[300];
    struct sticker_store *store;
    struct learner *learner;
    struct rusage usage;
    struct error err;
    bool more = true;
    snprintf(folder, sizeof folder, "%s/peel-bench-XXXXXX", tmp ? tmp : ".");
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof file, "%s/sticker.db", folder);
    MUST(sticker_store_open(file, 2, &store, &err));
    add_stickers(store);
    add_events(store, n);
    MUST(learner_open(store, &settings, &learner, &err));
    double before = cpu_s();
    while (more)
        MUST(learner_read(learner, 5000, &more, &err));
    double read = cpu_s();
    for (more = true; more;)
        MUST(learner_teach(learner, 100, &more, &err));
    double taught = cpu_s();
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu events: %.1f s of CPU to add them up, %.1f s for the gains; at most %ld MiB in the whole program\n", n,
           read - before, taught - read, usage.ru_maxrss / 1024);
    learner_close(learner);
    sticker_store_close(store);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
