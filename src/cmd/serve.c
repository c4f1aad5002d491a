/* peel serve: both services as children of this process, which holds their listening sockets, so that a
 * service that dies is started again without a connection being refused. One thread, one poll loop. */
#include "base/log.h"
#include "base/os.h"
#include "cmd/admin.h"
#include "cmd/child.h"
#include "cmd/cmd.h"
#include "cmd/observe.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"
#include "http/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_MARGIN_US (3 * 1000000ll) /* beyond the services' own deadline */
#define LOOK_US        500000          /* between looks at the indexing */

enum { SEARCH, STICKER, SERVICES };

struct serve {
    const struct config *cfg;
    struct arena arena;
    int64_t began_us;
    int signal_fd;
    struct child child[SERVICES];
    struct runtime_file runtime[SERVICES];
    const char *url, *search_url;

    bool announced;
    bool indexing; /* progress is still shown */
    int64_t look_us;
    struct observer *observer;
    struct progress progress;

    bool stopping, killed;
    int64_t stopped_us, deadline_us;
    int code;
};

static enum status open_signals(struct serve *s, struct error *err)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&set, wanted[i]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd >= 0 ? OK : err_errno(err, "cannot wait for signals");
}

static enum status open_sockets(struct serve *s, struct error *err)
{
    static const char *const services[SERVICES] = {"search-service", "sticker-service"};
    static const char *const hosts[SERVICES] = {"search-host", "host"}, *const ports[SERVICES] = {"search-port",
                                                                                                  "port"};
    const char *urls[SERVICES];
    for (int i = 0; i < SERVICES; i++) {
        const char *host = config_string(s->cfg, hosts[i]);
        uint16_t port;
        int fd;
        enum status st = http_listen(host, (uint16_t)config_int(s->cfg, ports[i]), &fd, &port, err);
        if (st != OK)
            return st;
        child_init(&s->child[i], services[i], NULL, fd);
        urls[i] = observe_url(host, port, &s->arena);
    }
    s->url = urls[STICKER], s->search_url = urls[SEARCH];
    const char *search = arena_printf(&s->arena, "PEEL_SEARCH_URL=%s", s->search_url);
    /* All that .env says is in the environment already; a change of it must not meet half of the services. */
    const char *const extra[] = {"PEEL_ENV_FILE=/dev/null", search, NULL};
    for (int i = 0; i < SERVICES && search; i++)
        s->child[i].environment = config_environ(s->cfg, services[i], extra, &s->arena);
    if (!s->child[SEARCH].environment || !s->child[STICKER].environment)
        return err_no_memory(err, "the services' environment");
    return OK;
}

static enum status serve_ensure_admin(const struct config *cfg, struct error *err)
{
    struct sticker_store *store;
    enum status st = cmd_open_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = admin_ensure(store, cfg, true, err);
    sticker_store_close(store);
    return st;
}

static void serve_publish(struct serve *s)
{
    static const char *const services[SERVICES] = {RUNTIME_SEARCH, RUNTIME_STICKER};
    const char *const urls[SERVICES] = {s->search_url, s->url};
    struct error err;
    for (int i = 0; i < SERVICES; i++)
        if (runtime_publish(config_string(s->cfg, "data"), services[i], urls[i], &s->runtime[i], &err) != OK)
            log_warn("other commands will not find these services: %s", err.message);
}

/* --- what is shown --- */

static void stop_showing(struct serve *s)
{
    progress_clear(&s->progress);
    observer_close(s->observer);
    s->observer = NULL;
    s->indexing = false;
}

static void announce(struct serve *s)
{
    if (s->announced || !s->child[SEARCH].ever_ready || !s->child[STICKER].ever_ready)
        return;
    s->announced = true;
    printf("Gallery: %s/\nReady in %lld ms\n", s->url, (long long)(os_monotonic_us() - s->began_us) / 1000);
    fflush(stdout);
    s->indexing = !config_bool(s->cfg, "quiet") && observer_open(s->url, s->search_url, &s->observer, NULL) == OK;
    progress_start(&s->progress, "Indexing", false);
}

/* Words and images both count as one step; ends when nothing is ahead. */
static void show_indexing(struct serve *s)
{
    struct observed seen;
    s->look_us = os_monotonic_us() + LOOK_US;
    observer_look(s->observer, &seen);
    if (seen.sticker && seen.search) {
        int64_t ahead = seen.pending + seen.images_ahead;
        int64_t done = seen.documents + seen.images;
        if (ahead > 0) {
            progress_show(&s->progress, done, done + ahead);
        } else {
            bool shown = s->progress.first_done >= 0;
            progress_end(&s->progress);
            stop_showing(s);
            if (shown)
                printf("Indexed %lld stickers.\n", (long long)seen.documents);
            fflush(stdout);
        }
    }
    observed_free(&seen);
}

/* --- what happens --- */

static void stop(struct serve *s, int code)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->code = code;
    s->stopped_us = os_monotonic_us();
    s->deadline_us = s->stopped_us +
                     (config_int(s->cfg, "drain-ms") + config_int(s->cfg, "shutdown-timeout-ms")) * 1000 +
                     KILL_MARGIN_US;
    stop_showing(s);
    for (int i = 0; i < SERVICES; i++)
        if (s->child[i].pid)
            kill(s->child[i].pid, SIGTERM);
}

static void kill_all(struct serve *s, const char *why)
{
    for (int i = 0; i < SERVICES; i++)
        if (s->child[i].pid && !s->killed) {
            log_warn("killing %s (process %d): %s", s->child[i].command, (int)s->child[i].pid, why);
            kill(s->child[i].pid, SIGKILL);
        }
    s->killed = true;
}

static void reap(struct serve *s)
{
    for (int i = 0; i < SERVICES; i++) {
        struct child *c = &s->child[i];
        int status;
        char why[128];
        pid_t pid = c->pid;
        if (!child_reap(c, &status, why, sizeof why))
            continue;
        if (s->stopping) {
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                log_warn("%s (process %d) %s", c->command, (int)pid, why);
        } else if (!c->ever_ready && WIFEXITED(status)) {
            log_error("%s (process %d) %s before it was ready; see its message above", c->command, (int)pid, why);
            stop(s, EXIT_FAILED);
        } else {
            log_warn("%s (process %d) %s; restarting it in %lld ms", c->command, (int)pid, why,
                     (long long)(c->restart_us - os_monotonic_us() + 999) / 1000);
        }
    }
}

static void take_signals(struct serve *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (!s->stopping)
            log_info("%s: stopping", strsignal((int)info.ssi_signo));
        else if (os_monotonic_us() - s->stopped_us > CMD_TWICE_US)
            kill_all(s, "asked twice to stop");
        stop(s, EXIT_OK);
    }
    reap(s);
}

static void start_due(struct serve *s)
{
    struct error err;
    for (int i = 0; i < SERVICES && !s->stopping; i++) {
        struct child *c = &s->child[i];
        if (c->pid || os_monotonic_us() < c->restart_us)
            continue;
        if (child_start(c, &err) != OK) {
            log_error("%s", err.message);
            c->restart_us = os_monotonic_us() + 1000000;
        } else {
            log_info("started %s as process %d", c->command, (int)c->pid);
        }
    }
}

static int next_timeout_ms(const struct serve *s)
{
    int64_t now = os_monotonic_us(), next = INT64_MAX;
    if (s->stopping)
        next = s->deadline_us;
    for (int i = 0; i < SERVICES && !s->stopping; i++)
        if (!s->child[i].pid && s->child[i].restart_us < next)
            next = s->child[i].restart_us;
    if (s->indexing && s->look_us < next)
        next = s->look_us;
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

static void wait_for_events(struct serve *s)
{
    struct pollfd fds[1 + SERVICES] = {{.fd = s->signal_fd, .events = POLLIN}};
    for (int i = 0; i < SERVICES; i++)
        fds[1 + i] = (struct pollfd){.fd = s->child[i].ready_fd, .events = POLLIN}; /* -1 is passed over */
    if (poll(fds, 1 + SERVICES, next_timeout_ms(s)) <= 0)
        return;
    for (int i = 0; i < SERVICES; i++)
        if (fds[1 + i].revents && child_read_ready(&s->child[i]))
            announce(s);
    take_signals(s);
}

static bool anything_runs(const struct serve *s)
{
    return s->child[SEARCH].pid || s->child[STICKER].pid;
}

int cmd_serve(const struct config *cfg)
{
    struct error err;
    struct serve s = {.cfg = cfg, .began_us = os_monotonic_us(), .signal_fd = -1};
    s.runtime[SEARCH].fd = s.runtime[STICKER].fd = -1;
    arena_init(&s.arena, 4u << 20);
    child_init(&s.child[SEARCH], "search-service", NULL, -1);
    child_init(&s.child[STICKER], "sticker-service", NULL, -1);
    enum status st = open_sockets(&s, &err);
    if (st == OK)
        st = serve_ensure_admin(cfg, &err); /* before the signals are blocked: it starts threads of its own, briefly */
    if (st == OK)
        st = cmd_search_token(cfg, true, &s.arena, &(const char *){NULL}, &err); /* the services read it from there */
    if (st == OK)
        st = cmd_totp_key(cfg, true, &s.arena, &(const char *){NULL}, &err);
    if (st == OK)
        st = open_signals(&s, &err);
    if (st == OK)
        serve_publish(&s);
    while (st == OK && (!s.stopping || anything_runs(&s))) {
        start_due(&s);
        if (s.indexing && os_monotonic_us() >= s.look_us)
            show_indexing(&s);
        wait_for_events(&s);
        if (s.stopping && os_monotonic_us() >= s.deadline_us)
            kill_all(&s, "it did not stop in time");
    }
    if (st != OK) {
        log_error("%s", err.message);
        s.code = EXIT_FAILED;
    }
    for (int i = 0; i < SERVICES; i++) {
        runtime_withdraw(&s.runtime[i]);
        if (s.child[i].listen_fd >= 0)
            close(s.child[i].listen_fd);
    }
    if (s.signal_fd >= 0)
        close(s.signal_fd);
    arena_free(&s.arena);
    return s.code;
}
