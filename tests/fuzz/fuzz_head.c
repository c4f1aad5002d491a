/* What a request's head is made of, part by part, each as any bytes: the target, who the client is, which page and
 * which trace it comes from. */
#include "base/utf8.h"
#include "http/cors.h"
#include "http/http_internal.h"
#include "http/site.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(const char *s, struct arena *a)
{
    struct http_request req = {.arena = a};
    struct error err;
    const char *value;
    int64_t number;
    if (http_parse_target(s, a, &req, &err) != OK) {
        if (!utf8_valid(err.message, strlen(err.message)) && utf8_valid(s, strlen(s)))
            abort();
        return;
    }
    if (req.path[0] != '/' || !utf8_valid(req.path, strlen(req.path)) || req.n_params > HTTP_MAX_PARAMS)
        abort();
    if (strstr(req.path, "/../") || strstr(req.path, "/./")) /* a folder above, or what becomes one */
        abort();
    for (size_t i = 0; i < req.n_params; i++) {
        const struct http_pair *p = &req.params[i];
        if (!utf8_valid(p->name, strlen(p->name)) || p->value[p->value_len])
            abort();
        if (http_param(&req, p->name, &value, &err) == OK && (value != p->value || strlen(value) != p->value_len))
            abort();
        if (http_param_int(&req, p->name, -5, 5, 0, &number, &err) == OK && (number < -5 || number > 5))
            abort();
    }
    static const struct http_route routes[] = {{.methods = HTTP_GET, .pattern = "/media/{filename}"},
                                               {.methods = HTTP_POST, .pattern = "/v1/{id...}/edit"},
                                               {.methods = HTTP_GET, .pattern = "/"}};
    const struct http_route *route;
    const char *param, *allow;
    enum http_match found = http_route_find(routes, 3, HTTP_GET, req.path, a, &route, &param, &allow);
    if (found == HTTP_MATCH && route == &routes[0] && (!*param || strchr(param, '/')))
        abort();
    if (found == HTTP_NO_METHOD && strcmp(allow, "POST") != 0)
        abort();
}

/* Whatever proxies and clients write, a client is a numeric address, and not one that a client without proxy says. */
static void check_client(const char *s)
{
    struct trusted_proxies all, none;
    char out[INET6_ADDRSTRLEN], network[CLIENT_NETWORK_SIZE];
    struct in6_addr address;
    if (trusted_proxies_parse("0.0.0.0/0, ::/0", &all, NULL) != OK || trusted_proxies_parse("", &none, NULL) != OK)
        abort();
    client_address(&all, "192.0.2.1", s, out);
    if (inet_pton(AF_INET, out, &address) != 1 && inet_pton(AF_INET6, out, &address) != 1)
        abort();
    client_network(out, network);
    client_address(&none, "192.0.2.1", s, out);
    if (strcmp(out, "192.0.2.1") != 0)
        abort();
    (void)client_over_tls(s);
    if (trusted_proxies_parse(s, &none, NULL) == OK && none.n > TRUSTED_PROXIES_MAX)
        abort();
}

static void check_fields(const char *s, struct arena *a)
{
    bool continued;
    const char *id = http_request_id(s, a), *trace = http_traceparent(s, a, &continued), *state = http_tracestate(s, a);
    if (!id || strlen(id) > 64 || strlen(trace) != 55 || (continued && strncmp(trace + 3, s + 3, 32) != 0))
        abort();
    if (state && strlen(state) > HTTP_TRACESTATE_MAX)
        abort();
    if (site_is_ours(s, "stickers.example.com", false) && strlen(s) > 300)
        abort();
    if (!site_is_foreign(NULL, s, "stickers.example.com") && !strcasestr(s, "://stickers.example.com"))
        abort();
    (void)site_is_simple_type(s);
    (void)http_parse_method(s);
    struct http_response res = {.arena = a};
    if (cors_check(s, NULL) == OK && *s && strcmp(s, "*") != 0)
        (void)cors_answer(s, "/api/search/", "https://a.example", &res);
    if (site_check_hosts(s, NULL) == OK)
        (void)site_is_ours("stickers.example.com", s, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, 4u << 20);
    char *s = size < 1u << 16 ? arena_strndup(&a, (const char *)data, size) : NULL;
    if (s) {
        check_target(s, &a);
        check_client(s);
        check_fields(s, &a);
    }
    arena_free(&a);
    return 0;
}
