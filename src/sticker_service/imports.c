/* The rules: `lock` guards the list and the state of each staged import. While a state is the worker's, all else of it
 * is too; otherwise it belongs to whoever has the lock. */
#include "sticker_service/imports.h"

#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "base/worker.h"
#include "import/packs.h"
#include "import/sticker_undo.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_STAGED 4
#define MEMORY     (128u << 20) /* bytes of names and words of one */
#define KEPT_US    (3600 * 1000000ll)
#define LOOK_MS    60000 /* for what is old */
#define SOURCE_MAX 500u  /* bytes of names, then no more are added */

struct imports {
    struct sticker_service *service;
    struct own_folder *folder;
    pthread_mutex_t lock;
    struct staged *items[MAX_STAGED]; /* NULL: free */
    struct worker *worker;
};

static bool is_working(const struct staged *s)
{
    return s->state == STAGED_READING || s->state == STAGED_STORING || s->state == STAGED_UNDOING;
}

static void staged_free(struct staged *s)
{
    if (!s)
        return;
    import_list_free(&s->list);
    if (*s->folder)
        own_folder_remove(s->folder);
    arena_free(&s->arena);
    free(s->leave);
    free(s->username);
    free(s->address);
    free(s->source);
    free(s);
}

/* --- what the worker does --- */

struct work {
    struct imports *imports;
    struct staged *staged;
};

static bool work_stopped(void *ctx)
{
    return worker_stopping(((struct work *)ctx)->imports->worker);
}

static void work_progress(void *ctx, size_t done, size_t total)
{
    struct staged *s = ((struct work *)ctx)->staged;
    atomic_store(&s->total, total);
    atomic_store(&s->done, done);
}

static void work_without(void *ctx, const char *title, const char *why)
{
    log_info("import: the keywords of %s are not used: %s", title, why);
    ((struct work *)ctx)->staged->without_words = true;
}

static struct import_run make_run(struct work *w)
{
    struct sticker_service *service = w->imports->service;
    return (struct import_run){.store = service->store,
                               .bucket = service->bucket,
                               .source = w->staged->source,
                               .update = w->staged->update,
                               .stopped = work_stopped,
                               .progress = work_progress,
                               .ctx = w};
}

/* Words of emoji come from what commands have downloaded: a service downloads nothing of its own accord. */
static enum status read_staged(struct work *w, struct error *err)
{
    struct staged *s = w->staged;
    struct import_run run = make_run(w);
    const struct pack_source words = {
        .cache_dir = w->imports->service->cfg->downloads, .stopped = work_stopped, .without = work_without, .ctx = w};
    char in[PATH_MAX];
    if (!os_join_path(in, s->folder, "in"))
        return err_set(err, ERR_INVALID, "the path of the folder for imports is too long");
    import_list_init(&s->list, &s->arena);
    s->list.unpack_into = s->folder;
    s->list.hidden = arena_strdup(&s->arena, in);
    enum status st = import_find(in, work_stopped, w, &s->list, err);
    if (st == OK && words.cache_dir)
        st = emoji_words_give_all(&words, &s->list, err);
    s->found_failed = s->list.failed;
    s->found_failures = s->list.n_failures;
    run.dry = true;
    return st == OK ? import_run_wide(&run, &s->list, err) : st;
}

/* The items that shall be stored, as if they had just been found. */
static void choose_items(struct staged *s)
{
    struct import_list *l = &s->list;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (!s->leave[i])
            l->items[n++] = l->items[i];
    l->n = n;
    l->added = l->skipped = l->updated = l->outdated = l->merged = l->n_duplicates = 0;
    l->failed = s->found_failed;
    l->n_failures = s->found_failures;
}

static enum status store_staged(struct work *w, struct error *err)
{
    struct staged *s = w->staged;
    struct sticker_service *service = w->imports->service;
    const char *data = service->cfg->data;
    struct import_run run = make_run(w);
    char batch[37];
    struct admin_who who = {.username = s->username, .address = s->address, .batch = batch};
    int fd = -1;
    os_uuid7(batch);
    run.who = &who;
    enum status st = data ? import_lock(data, &fd, err) : OK;
    if (st == OK) {
        choose_items(s);
        st = import_run_wide(&run, &s->list, err);
        s->number = s->list.number;
        sticker_written(service, false);
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static void undo_left(void *ctx, const char *filename)
{
    struct staged *s = ((struct work *)ctx)->staged;
    size_t i = 0;
    while (i < STAGED_LEFT && s->left[i])
        i++;
    if (i < STAGED_LEFT)
        s->left[i] = arena_strdup(&s->arena, filename);
}

static enum status undo_staged(struct work *w, struct error *err)
{
    struct staged *s = w->staged;
    struct sticker_service *service = w->imports->service;
    char batch[37];
    const struct admin_who who = {.username = s->username, .address = s->address, .batch = batch};
    struct sticker_undo undo = {.store = service->store,
                                .who = &who,
                                .stopped = work_stopped,
                                .progress = work_progress,
                                .left = undo_left,
                                .ctx = w};
    struct import_record record;
    int fd = -1;
    os_uuid7(batch);
    enum status st = sticker_store_import_get(service->store, s->number, &s->arena, &record, err);
    if (st == OK && service->cfg->data)
        st = import_lock(service->cfg->data, &fd, err);
    if (st == OK)
        st = sticker_undo_import(&undo, &record, err);
    if (fd >= 0)
        close(fd);
    s->removed = undo.removed;
    s->restored = undo.restored;
    s->n_left = undo.n_left;
    sticker_written(service, true);
    return st;
}

static void work_on(struct imports *im, struct staged *s)
{
    struct work w = {im, s};
    struct error err = {.code = OK};
    enum staged_state next = STAGED_READY;
    if (s->state == STAGED_READING) {
        (void)(read_staged(&w, &err) == OK);
    } else if (s->state == STAGED_STORING) {
        if (store_staged(&w, &err) == OK)
            next = STAGED_STORED;
    } else {
        (void)(undo_staged(&w, &err) == OK);
        next = STAGED_UNDONE;
    }
    pthread_mutex_lock(&im->lock);
    s->problem = err;
    s->state = next;
    s->used_us = os_monotonic_us();
    pthread_mutex_unlock(&im->lock);
    if (err.code != OK && err.code != ERR_CANCELLED)
        log_warn("import: %s", err.message);
}

/* The next one that waits; what nobody has looked at for an hour goes. */
static struct staged *next_staged(struct imports *im)
{
    struct staged *next = NULL;
    pthread_mutex_lock(&im->lock);
    for (size_t i = 0; i < MAX_STAGED; i++) {
        struct staged *s = im->items[i];
        if (s && is_working(s) && s->queued && (!next || strcmp(s->id, next->id) < 0))
            next = s;
        if (s && !is_working(s) && os_monotonic_us() - s->used_us > KEPT_US) {
            im->items[i] = NULL;
            staged_free(s);
        }
    }
    if (next)
        next->queued = false;
    pthread_mutex_unlock(&im->lock);
    return next;
}

static void run_imports(struct worker *w, void *arg)
{
    struct imports *im = arg;
    os_stand_back(); /* its threads and workers take over from this one */
    do {
        for (struct staged *s; !worker_stopping(w) && (s = next_staged(im));)
            work_on(im, s);
    } while (worker_rest(w, LOOK_MS));
}

enum status imports_open(struct sticker_service *s, struct imports **out, struct error *err)
{
    struct imports *im = *out = calloc(1, sizeof *im);
    if (!im)
        return err_no_memory(err, "imports");
    im->service = s;
    pthread_mutex_init(&im->lock, NULL);
    enum status st = own_folder_open(s->cfg->imports_dir ? s->cfg->imports_dir : "/tmp", &im->folder, err);
    return st == OK ? worker_open("imports", run_imports, im, &im->worker, err) : st;
}

void imports_close(struct imports *im)
{
    if (!im)
        return;
    worker_close(im->worker);
    for (size_t i = 0; i < MAX_STAGED; i++)
        staged_free(im->items[i]);
    own_folder_close(im->folder);
    pthread_mutex_destroy(&im->lock);
    free(im);
}

/* --- staging --- */

static enum status staged_new(const struct admin_who *who, enum staged_state state, struct staged **out,
                              struct error *err)
{
    struct staged *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "an import");
    os_uuid7(s->id);
    arena_init(&s->arena, MEMORY);
    s->state = state;
    s->queued = true;
    s->used_us = os_monotonic_us();
    s->username = strdup(who->username);
    s->address = strdup(who->address);
    return s->username && s->address ? OK : err_no_memory(err, "an import");
}

/* Takes it over, also when it fails. Of those that are not being worked on the longest unused makes room. */
static enum status enqueue(struct imports *im, struct staged *s, char id[37], struct error *err)
{
    size_t place = MAX_STAGED;
    memcpy(id, s->id, sizeof s->id);
    pthread_mutex_lock(&im->lock);
    for (size_t i = 0; i < MAX_STAGED; i++) {
        const struct staged *at = im->items[i], *best = place < MAX_STAGED ? im->items[place] : NULL;
        if (!at || (!is_working(at) && (place == MAX_STAGED || (best && at->used_us < best->used_us))))
            place = i;
    }
    if (place < MAX_STAGED) {
        staged_free(im->items[place]);
        im->items[place] = s;
    }
    pthread_mutex_unlock(&im->lock);
    if (place == MAX_STAGED) {
        staged_free(s);
        return err_set(err, ERR_CONFLICT, "%d other imports are under way: wait for one of them", MAX_STAGED);
    }
    worker_wake(im->worker);
    return OK;
}

/* The last part of the name that was sent. */
static enum status check_name(const struct import_file *f, const char **name, struct error *err)
{
    *name = f->name;
    for (const char *p = f->name; *p; p++)
        if (*p == '/' || *p == '\\')
            *name = p + 1;
    size_t len = strlen(*name);
    if (!len || len > 200 || **name == '.' || !utf8_valid(*name, len) || utf8_has_control(*name, len))
        return err_set(err, ERR_INVALID, "\"%.100s\" is no name of a file that can be imported", f->name);
    return OK;
}

static enum status write_file(const char *folder, const char *name, const struct import_file *f, struct error *err)
{
    char path[PATH_MAX];
    if (!os_join_path(path, folder, name))
        return err_set(err, ERR_INVALID, "the path of the folder for imports is too long");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INVALID, "there are two files named \"%s\"", name);
    if (fd < 0)
        return err_errno(err, "cannot keep %s", name);
    int why = 0;
    for (size_t at = 0; at < f->len && !why;) {
        ssize_t n = write(fd, f->data + at, f->len - at);
        why = n < 0 && errno != EINTR ? errno : 0;
        at += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    errno = why;
    if (why == ENOSPC || why == EDQUOT)
        return err_set(err, ERR_TOO_LARGE, "there is no room for %s on the disk of the server", name);
    return why ? err_errno(err, "cannot keep %s", name) : OK;
}

static enum status write_files(struct imports *im, struct staged *s, const struct import_file *files, size_t n,
                               struct error *err)
{
    char in[PATH_MAX];
    struct buf source;
    if (!os_join_path(s->folder, im->folder->path, s->id) || !os_join_path(in, s->folder, "in"))
        return err_set(err, ERR_INVALID, "the path of the folder for imports is too long");
    enum status st = os_mkdirs(in, err);
    buf_init(&source, 64u << 10);
    for (size_t i = 0; i < n && st == OK; i++) {
        const char *name;
        st = check_name(&files[i], &name, err);
        if (st == OK)
            st = write_file(in, name, &files[i], err);
        if (st == OK && source.len < SOURCE_MAX)
            buf_printf(&source, "%s%s", source.len ? ", " : "", name);
    }
    s->source = strdup(buf_str(&source));
    buf_free(&source);
    return st != OK || s->source ? st : err_no_memory(err, "an import");
}

enum status imports_stage(struct imports *im, const struct admin_who *who, const struct import_file *files, size_t n,
                          char id[37], struct error *err)
{
    struct staged *s;
    enum status st = staged_new(who, STAGED_READING, &s, err);
    if (st == OK)
        st = write_files(im, s, files, n, err);
    if (st == OK)
        return enqueue(im, s, id, err);
    staged_free(s);
    return st;
}

enum status imports_undo(struct imports *im, const struct admin_who *who, int64_t number, char id[37],
                         struct error *err)
{
    struct staged *s;
    enum status st = staged_new(who, STAGED_UNDOING, &s, err);
    if (st == OK) {
        s->number = number;
        return enqueue(im, s, id, err);
    }
    staged_free(s);
    return st;
}

struct staged *imports_hold(struct imports *im, const char *id, const char *username)
{
    pthread_mutex_lock(&im->lock);
    for (size_t i = 0; i < MAX_STAGED; i++) {
        struct staged *s = im->items[i];
        if (s && strcmp(s->id, id) == 0 && strcmp(s->username, username) == 0) {
            s->used_us = os_monotonic_us();
            return s;
        }
    }
    pthread_mutex_unlock(&im->lock);
    return NULL;
}

void imports_release(struct imports *im)
{
    pthread_mutex_unlock(&im->lock);
}

enum status imports_store(struct imports *im, struct staged *s, const size_t *leave, size_t n, bool update,
                          struct error *err)
{
    free(s->leave);
    s->leave = calloc(s->list.n + 1, sizeof *s->leave);
    if (!s->leave)
        return err_no_memory(err, "an import");
    for (size_t i = 0; i < n; i++)
        if (leave[i] < s->list.n)
            s->leave[leave[i]] = true;
    s->update = update;
    atomic_store(&s->done, 0);
    s->state = STAGED_STORING;
    s->queued = true;
    worker_wake(im->worker);
    return OK;
}

void imports_discard(struct imports *im, struct staged *s)
{
    for (size_t i = 0; i < MAX_STAGED; i++)
        if (im->items[i] == s && !is_working(s)) {
            im->items[i] = NULL;
            staged_free(s);
            return;
        }
}
