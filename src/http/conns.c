/* The connections of a server: who may have one, and which are ended because they only hold it. One client can neither
 * take all of them, nor keep one by sending a byte now and then, nor by not reading its answer. */
#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"
#include "http/http_internal.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define IDLE_LONG_US 500000 /* a connection idle for less may be about to send a request */
#define LEAST_RATE   1024   /* bytes a second that a client must take of its answer, over half the time-out */

/* IPv4 addresses are one each; of IPv6 the /64, which is what one customer has. */
static uint64_t key_of(const struct sockaddr *address)
{
    uint8_t bytes[8] = {0, 0, 0xff, 0xff};
    uint64_t key = 0;
    if (address->sa_family == AF_INET) {
        memcpy(bytes + 4, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        memcpy(IN6_IS_ADDR_V4MAPPED(a) ? bytes + 4 : bytes, a->s6_addr + (IN6_IS_ADDR_V4MAPPED(a) ? 12 : 0),
               IN6_IS_ADDR_V4MAPPED(a) ? 4 : 8);
    }
    memcpy(&key, bytes, sizeof key);
    return key;
}

bool http_address_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN])
{
    *out = '\0';
    return address && (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
           getnameinfo(address,
                       address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), out,
                       INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) == 0;
}

/* The lock is held. MHD sees the end of the connection and does the rest. */
static void conn_end(struct http_link *link, _Atomic uint64_t *count)
{
    link->ended = true;
    shutdown(link->fd, SHUT_RDWR);
    atomic_fetch_add(count, 1);
}

/* --- coming and going --- */

static bool has_enough(const struct http_server *s, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    unsigned most = s->options.client_connections, n = 0;
    uint64_t key = key_of(address);
    for (const struct http_link *link = s->conns; link && most; link = link->next)
        n += !link->ended && link->key == key;
    return most && n >= most && !(http_address_text(address, text) && trusted_proxies_has(&s->proxies, text));
}

/* The one that has waited for a request the longest, or sends it the slowest, makes room. */
static bool make_room(struct http_server *s)
{
    struct http_link *oldest = NULL;
    unsigned n = 0;
    int64_t since = INT64_MAX;
    for (struct http_link *link = s->conns; link; link = link->next) {
        int64_t head_since = atomic_load_explicit(&link->head_since_us, memory_order_relaxed);
        n += !link->ended;
        if (!link->ended && head_since && head_since < since) {
            since = head_since;
            oldest = link;
        }
    }
    if (n < s->options.max_connections)
        return true;
    if (oldest)
        conn_end(oldest, &s->conns_ended[HTTP_ENDED_IDLE]);
    return oldest != NULL;
}

enum MHD_Result http_on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
    struct http_server *s = cls;
    (void)len;
    pthread_mutex_lock(&s->lock);
    bool enough = has_enough(s, address), room = !enough && make_room(s);
    pthread_mutex_unlock(&s->lock);
    if (!room)
        atomic_fetch_add(&s->conns_ended[enough ? HTTP_REFUSED_CLIENT : HTTP_REFUSED_FULL], 1);
    return room ? MHD_YES : MHD_NO;
}

void http_link_add(struct http_server *s, struct http_link *link, const struct sockaddr *peer)
{
    link->head_since_us = os_monotonic_us();
    link->key = peer ? key_of(peer) : 0;
    unsigned unacked_ms = s->options.timeout_s * 1000;
    setsockopt(link->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms); /* also once it is closed */
    pthread_mutex_lock(&s->lock);
    link->next = s->conns;
    if (link->next)
        link->next->prev = link;
    s->conns = link;
    pthread_mutex_unlock(&s->lock);
}

void http_link_remove(struct http_server *s, struct http_link *link)
{
    pthread_mutex_lock(&s->lock);
    if (link->prev)
        link->prev->next = link->next;
    else
        s->conns = link->next;
    if (link->next)
        link->next->prev = link->prev;
    pthread_mutex_unlock(&s->lock);
}

bool http_end_idle(struct http_server *s, int64_t before_us)
{
    pthread_mutex_lock(&s->lock);
    for (struct http_link *link = s->conns; link; link = link->next) {
        int64_t since = atomic_load_explicit(&link->head_since_us, memory_order_relaxed);
        if (since && since < before_us)
            shutdown(link->fd, SHUT_RD); /* what arrived before is read and answered, and then there is the end */
    }
    bool any = s->conns != NULL;
    pthread_mutex_unlock(&s->lock);
    return any;
}

/* --- watching --- */

/* Does a client not take what is there for it? MHD's time-out alone is satisfied with a byte, and a large answer lies
 * in the kernel when MHD is done with it. */
static bool reads_too_slowly(struct http_link *link, int64_t now_us, int64_t window_us)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int waiting = 0;
    if (ioctl(link->fd, SIOCOUTQ, &waiting) != 0 || waiting == 0 ||
        getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        link->window_us = 0;
        return false;
    }
    if (link->window_us && now_us - link->window_us < window_us)
        return false;
    bool slow = link->window_us &&
                (int64_t)(info.tcpi_bytes_acked - link->taken) < LEAST_RATE * ((now_us - link->window_us) / 1000000);
    link->window_us = now_us;
    link->taken = info.tcpi_bytes_acked;
    return slow;
}

static void cut_slow(struct http_server *s)
{
    int64_t now_us = os_monotonic_us(), timeout_us = (int64_t)s->options.timeout_s * 1000000;
    pthread_mutex_lock(&s->lock);
    for (struct http_link *link = s->conns; link; link = link->next) {
        int64_t since = atomic_load_explicit(&link->head_since_us, memory_order_relaxed);
        if (link->ended)
            continue;
        if (since && since < now_us - timeout_us * HTTP_PATIENCE)
            conn_end(link, &s->conns_ended[HTTP_ENDED_SLOW_HEAD]);
        else if (reads_too_slowly(link, now_us, timeout_us / 2)) {
            struct linger at_once = {.l_onoff = 1}; /* else the kernel would go on in our place */
            setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            conn_end(link, &s->conns_ended[HTTP_ENDED_SLOW_READER]);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static const char *const ended_names[HTTP_ENDED] = {"client_has_enough", "full", "idle", "slow_head", "slow_reader"};

/* What was refused since the last look, in one line. */
static void tell_refused(struct http_server *s, struct http_refused *before)
{
    struct buf text;
    struct http_refused now = {.requests = atomic_load(&s->rejected)};
    buf_init(&text, 512);
    if (now.requests > before->requests)
        buf_printf(&text, "%llu requests, as too many were waiting",
                   (unsigned long long)(now.requests - before->requests));
    for (int i = 0; i < HTTP_ENDED; i++) {
        now.conns[i] = atomic_load(&s->conns_ended[i]);
        if (now.conns[i] > before->conns[i])
            buf_printf(&text, "%s%llu connections (%s)", text.len ? ", " : "",
                       (unsigned long long)(now.conns[i] - before->conns[i]), ended_names[i]);
    }
    if (text.len)
        log_warn("http: refused or ended in the last second: %s", buf_str(&text));
    buf_free(&text);
    *before = now;
}

void http_watch(struct worker *w, void *arg)
{
    struct http_server *s = arg;
    struct http_refused refused = {0};
    while (worker_rest(w, 1000)) {
        cut_slow(s);
        if (http_is_starved(s))
            (void)http_end_idle(s, os_monotonic_us() - IDLE_LONG_US);
        tell_refused(s, &refused);
    }
}

void http_conns_metrics(struct http_server *s, struct buf *out)
{
    char name[128];
    unsigned n = 0;
    pthread_mutex_lock(&s->lock);
    for (const struct http_link *link = s->conns; link; link = link->next)
        n += !link->ended;
    pthread_mutex_unlock(&s->lock);
    snprintf(name, sizeof name, "%s_http_connections", s->metrics_prefix);
    metric_one(out, name, "gauge", "Open connections.", n);
    snprintf(name, sizeof name, "%s_http_connections_ended_total", s->metrics_prefix);
    metric_family(out, name, "counter", "Connections refused or ended by the service, by reason.");
    for (int i = 0; i < HTTP_ENDED; i++)
        buf_printf(out, "%s{reason=\"%s\"} %llu\n", name, ended_names[i],
                   (unsigned long long)atomic_load(&s->conns_ended[i]));
}
