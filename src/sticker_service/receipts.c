/* receipts.c: the keys are in an array that a worker replaces, under a lock held for a copy only. */
#include "sticker_service/receipts.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"
#include "http/client_address.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define VERSION   1
#define TRYING    2  /* the version of those that say what was tried, */
#define TRIED     10 /* in so many bytes, and with a team's two bits for each sticker */
#define HEAD      17 /* bytes before what was drafted */
#define MAC       16
#define MAX       (RECEIPT_MAX / 4 * 3) /* bytes, before base64 */
#define KEYS_MAX  8
#define RENEW_MS  (3600u * 1000)
#define RELOAD_US 1000000 /* at most this often for a key that is not known yet */
#define DAYS_US   (RECEIPT_DAYS * STORE_DAY_US)
#define SKEW_US   (300 * INT64_C(1000000)) /* that instances' clocks may differ */
#define ID        STORE_SEARCH_ID          /* seconds and random, as they stand in the head */
#define ID_AT     5

_Static_assert(HEAD + RECEIPT_DRAFT_MAX + MAC <= MAX, "a receipt fits into its text");
_Static_assert(crypto_auth_hmacsha256_KEYBYTES == STORE_KEY_BYTES, "libsodium's keys are as long as the store's");

struct receipts {
    struct sticker_store *store;
    struct worker *worker;
    unsigned char people[STORE_KEY_BYTES], clients[crypto_shorthash_KEYBYTES];
    pthread_mutex_t mutex;           /* guards what follows */
    struct store_key keys[KEYS_MAX]; /* the newest first */
    size_t n;
    unsigned char places[STORE_KEY_BYTES]; /* by which addresses are hashed */
    int64_t reloaded_us;
};

static enum status load_keys(struct receipts *r, const char *purpose, int64_t newer_than_us, int64_t replaced_us,
                             struct store_key keys[KEYS_MAX], size_t *n, struct error *err)
{
    struct arena a;
    struct store_key *all;
    unsigned char fresh[STORE_KEY_BYTES];
    os_random(fresh, sizeof fresh);
    arena_init(&a, 1u << 20);
    enum status st = sticker_store_keys(r->store, purpose, fresh, newer_than_us, replaced_us, &a, &all, n, err);
    if (st == OK) {
        *n = *n < KEYS_MAX ? *n : KEYS_MAX;
        memcpy(keys, all, *n * sizeof *keys);
    }
    arena_free(&a);
    return st;
}

static enum status renew(struct receipts *r, struct error *err)
{
    struct store_key keys[KEYS_MAX], places[KEYS_MAX];
    size_t n, n_places;
    int64_t now = os_now_us();
    enum status st = load_keys(r, "receipts", now - DAYS_US, now - DAYS_US, keys, &n, err);
    if (st == OK)
        st = load_keys(r, "places", now - DAYS_US, INT64_MAX, places, &n_places, err);
    if (st != OK)
        return st;
    pthread_mutex_lock(&r->mutex);
    memcpy(r->places, places[0].secret, sizeof r->places);
    memcpy(r->keys, keys, n * sizeof *keys);
    r->n = n;
    pthread_mutex_unlock(&r->mutex);
    return OK;
}

static void run_receipts(struct worker *w, void *arg)
{
    struct error err;
    while (worker_rest(w, RENEW_MS))
        if (renew(arg, &err) != OK)
            log_warn("the keys of receipts could not be renewed, which is tried again in an hour: %s", err.message);
}

enum status receipts_open(struct sticker_store *store, struct receipts **out, struct error *err)
{
    struct store_key keys[KEYS_MAX];
    size_t n;
    struct receipts *r = *out = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(err, "receipts");
    r->store = store;
    pthread_mutex_init(&r->mutex, NULL);
    enum status st = load_keys(r, "people", 0, 0, keys, &n, err);
    if (st == OK)
        memcpy(r->people, keys[n - 1].secret, sizeof r->people);
    crypto_generichash(r->clients, sizeof r->clients, (const unsigned char *)"clients", 7, r->people, sizeof r->people);
    if (st == OK)
        st = renew(r, err);
    return st == OK ? worker_open("receipts", run_receipts, r, &r->worker, err) : st;
}

void receipts_close(struct receipts *r)
{
    if (!r)
        return;
    worker_close(r->worker);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

/* --- writing --- */

static void put_number(struct buf *out, uint32_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(out, (char)(n >> 8 * i & 255));
}

static void put_word(struct buf *out, const char *s)
{
    size_t len = strlen(s) < RECEIPT_WORD_MAX ? strlen(s) : RECEIPT_WORD_MAX;
    put_number(out, (uint32_t)len, 1);
    buf_append(out, s, len);
}

static size_t teams_size(size_t n)
{
    return (n + 3) / 4;
}

static void put_teams(const struct receipt_draft *d, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i += 4) {
        uint32_t four = 0;
        for (size_t k = i; k < n && k < i + 4; k++)
            four |= (uint32_t)(d->teams ? d->teams[k] & 3 : d->arm) << 2 * (k - i);
        put_number(out, four, 1);
    }
}

void receipt_draft(const struct receipt_draft *d, struct buf *out)
{
    size_t began = out->len, n = d->n < RECEIPT_SHOWN_MAX ? d->n : RECEIPT_SHOWN_MAX, query = strlen(d->query);
    bool trying = d->experiment || d->tried;
    put_number(out, trying ? TRYING : VERSION, 1);
    put_number(out, (uint32_t)d->offset, 4);
    put_word(out, d->language);
    put_word(out, d->ranking);
    size_t room = RECEIPT_DRAFT_MAX - (out->len - began) - 1 - (trying ? TRIED : 0);
    room = query < room ? room - query : 0;
    while (n * STORE_TAG + (trying ? teams_size(n) : 0) > room)
        n--;
    put_number(out, (uint32_t)n, 1);
    if (trying) {
        put_number(out, (uint32_t)d->experiment, 4);
        put_number(out, d->tried > d->offset && d->tried - d->offset <= n ? (uint32_t)(d->tried - d->offset) : 0, 2);
        put_number(out, (uint32_t)d->propensity, 4);
        put_teams(d, n, out);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char tag[STORE_TAG] = {0};
        store_tag(d->ids[i], tag);
        buf_append(out, tag, sizeof tag);
    }
    buf_append(out, d->query, query);
}

static void sign(const unsigned char *secret, const unsigned char *bytes, size_t len, unsigned char mac[MAC])
{
    unsigned char full[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256(full, bytes, len, secret);
    memcpy(mac, full, MAC);
}

void receipts_sign(struct receipts *r, const void *draft, size_t len, struct buf *out)
{
    char text[RECEIPT_MAX + 1];
    unsigned char random[8], mac[MAC];
    struct store_key key;
    struct buf bytes;
    pthread_mutex_lock(&r->mutex);
    key = r->keys[0];
    pthread_mutex_unlock(&r->mutex);
    os_random(random, sizeof random);
    buf_init(&bytes, MAX);
    buf_append(&bytes, draft, 1); /* its version */
    put_number(&bytes, (uint32_t)key.id, 4);
    put_number(&bytes, (uint32_t)(os_now_us() / 1000000), 4);
    buf_append(&bytes, random, sizeof random);
    buf_append(&bytes, (const char *)draft + 1, (len < RECEIPT_DRAFT_MAX ? len : RECEIPT_DRAFT_MAX) - 1);
    sign(key.secret, (const unsigned char *)buf_str(&bytes), bytes.len, mac);
    buf_append(&bytes, mac, sizeof mac);
    sodium_bin2base64(text, sizeof text, (const unsigned char *)buf_str(&bytes), bytes.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_puts(out, text);
    buf_free(&bytes);
}

/* --- reading --- */

static uint32_t get_number(const unsigned char *p, int bytes)
{
    uint32_t n = 0;
    for (int i = 0; i < bytes; i++)
        n |= (uint32_t)p[i] << 8 * i;
    return n;
}

static bool find_key(struct receipts *r, uint32_t id, unsigned char secret[STORE_KEY_BYTES])
{
    bool found = false;
    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; i < r->n && !found; i++)
        if ((found = (uint32_t)r->keys[i].id == id))
            memcpy(secret, r->keys[i].secret, STORE_KEY_BYTES);
    pthread_mutex_unlock(&r->mutex);
    return found;
}

/* Another instance may have made a key since. */
static bool may_reload(struct receipts *r)
{
    int64_t now = os_monotonic_us();
    pthread_mutex_lock(&r->mutex);
    bool may = !r->reloaded_us || now - r->reloaded_us > RELOAD_US;
    if (may)
        r->reloaded_us = now;
    pthread_mutex_unlock(&r->mutex);
    return may;
}

static enum status check(struct receipts *r, const unsigned char *bytes, size_t len, struct error *err)
{
    unsigned char secret[STORE_KEY_BYTES], mac[MAC];
    struct error reload;
    if (len < HEAD + MAC || (bytes[0] != VERSION && bytes[0] != TRYING))
        return err_set(err, ERR_INVALID, "is not a receipt of a search");
    uint32_t id = get_number(bytes + 1, 4);
    bool known = find_key(r, id, secret);
    if (!known && may_reload(r) && renew(r, &reload) == OK)
        known = find_key(r, id, secret);
    if (known)
        sign(secret, bytes, len - MAC, mac);
    if (!known || sodium_memcmp(mac, bytes + len - MAC, MAC) != 0)
        return err_set(err, ERR_INVALID, "is not a receipt of this installation, or is older than %d days",
                       RECEIPT_DAYS);
    int64_t age = os_now_us() - (int64_t)get_number(bytes + ID_AT, 4) * 1000000;
    if (age > DAYS_US)
        return err_set(err, ERR_INVALID, "has expired: receipts are good for %d days", RECEIPT_DAYS);
    return age < -SKEW_US ? err_set(err, ERR_INVALID, "is of a time that has not come yet") : OK;
}

/* A word and what is behind it; NULL: it does not fit. */
static const unsigned char *get_word(const unsigned char *p, const unsigned char *end, struct arena *a,
                                     const char **out)
{
    if (!p || p >= end || *p > end - p - 1)
        return NULL;
    *out = arena_strndup(a, (const char *)p + 1, *p);
    return *out ? p + 1 + *p : NULL;
}

/* What was tried, in front of the stickers; and what is behind it. NULL: it does not fit, or there is no memory. */
static const unsigned char *get_tried(const unsigned char *p, const unsigned char *end, struct arena *a,
                                      struct search_row *out)
{
    if (!p || (size_t)(end - p) < TRIED + teams_size(out->n))
        return NULL;
    unsigned char *teams = arena_alloc(a, out->n + 1);
    uint32_t tried = get_number(p + 4, 2);
    out->experiment = get_number(p, 4);
    out->tried = tried ? out->offset + tried : 0;
    out->propensity = get_number(p + 6, 4);
    for (size_t i = 0; i < out->n && teams; i++)
        teams[i] = p[TRIED + i / 4] >> 2 * (i % 4) & 3;
    out->teams = teams;
    return teams ? p + TRIED + teams_size(out->n) : NULL;
}

enum status receipts_read(struct receipts *r, const char *text, size_t len, struct arena *a, struct search_row *out,
                          struct error *err)
{
    unsigned char bytes[MAX];
    size_t n;
    *out = (struct search_row){0};
    if (len > RECEIPT_MAX || sodium_base642bin(bytes, sizeof bytes, text, len, NULL, &n, NULL,
                                               sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return err_set(err, ERR_INVALID, "is not a receipt of a search");
    enum status st = check(r, bytes, n, err);
    if (st != OK)
        return st;
    /* What comes now was written by us. */
    const unsigned char *p = bytes + HEAD, *end = bytes + n - MAC;
    out->made_us = (int64_t)get_number(bytes + ID_AT, 4) * 1000000;
    out->offset = end - p >= 4 ? (int64_t)get_number(p, 4) : 0;
    p = get_word(end - p >= 4 ? p + 4 : NULL, end, a, &out->language);
    p = get_word(p, end, a, &out->ranking);
    p = p && p < end ? p : NULL;
    out->n = p ? *p++ : 0;
    if (bytes[0] == TRYING)
        p = get_tried(p, end, a, out);
    if (!p || out->n * STORE_TAG > (size_t)(end - p))
        return err_set(err, ERR_INVALID, "is not a receipt that this version can read");
    unsigned char *kept = arena_alloc(a, ID + out->n * STORE_TAG);
    out->query = arena_strndup(a, (const char *)p + out->n * STORE_TAG, (size_t)(end - p) - out->n * STORE_TAG);
    if (!kept || !out->query)
        return err_no_memory(err, "a receipt");
    memcpy(kept, bytes + ID_AT, ID);
    memcpy(kept + ID, p, out->n * STORE_TAG);
    out->id = kept;
    out->shown = kept + ID;
    return OK;
}

const char *receipts_person(struct receipts *r, const char *id, bool vouched, struct arena *a)
{
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, r->people, sizeof r->people);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)id, strlen(id) + vouched); /* with its NUL, or not */
    crypto_auth_hmacsha256_final(&state, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return arena_strdup(a, hex);
}

uint32_t receipts_client(const struct receipts *r, const char *address)
{
    char network[CLIENT_NETWORK_SIZE];
    unsigned char hash[crypto_shorthash_BYTES];
    uint32_t out;
    client_network(address, network);
    crypto_shorthash(hash, (const unsigned char *)network, strlen(network), r->clients);
    memcpy(&out, hash, sizeof out);
    return out;
}

uint64_t receipts_draw(struct receipts *r, const char *text)
{
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    uint64_t out = 0;
    crypto_auth_hmacsha256(hash, (const unsigned char *)text, strlen(text), r->people);
    for (size_t i = 0; i < sizeof out; i++)
        out |= (uint64_t)hash[i] << 8 * i;
    return out;
}

static int64_t hash_place(const unsigned char *secret, const void *bytes, size_t len)
{
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    int64_t n;
    crypto_auth_hmacsha256(hash, bytes, len, secret);
    memcpy(&n, hash, sizeof n);
    n &= INT64_MAX;
    return n ? n : 1;
}

struct origin receipts_origin(struct receipts *r, const char *address)
{
    static const unsigned char ipv4[12] = {[10] = 0xff, [11] = 0xff};
    unsigned char secret[STORE_KEY_BYTES];
    struct {
        struct address address;
        int64_t day;
    } who = {.day = os_now_us() / STORE_DAY_US};
    if (!address_parse(address, strlen(address), &who.address))
        return (struct origin){.client = receipts_client(r, address)};
    pthread_mutex_lock(&r->mutex);
    memcpy(secret, r->places, sizeof secret);
    pthread_mutex_unlock(&r->mutex);
    size_t network = memcmp(who.address.bytes, ipv4, sizeof ipv4) == 0 ? 15 : 6; /* bytes of a /24, and of a /48 */
    if (network == 6)
        memset(who.address.bytes + 8, 0, 8); /* one customer has a /64 at least, and can get a /48 for nothing */
    return (struct origin){.client = receipts_client(r, address),
                           .person = hash_place(secret, &who, sizeof who),
                           .network = hash_place(secret, who.address.bytes, network)};
}
