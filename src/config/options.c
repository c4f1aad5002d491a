/* Columns: name, type, default, least, most, unit/choices/placeholder, commands, flags, second
 * environment name, second flag, help. Bounds of strings are lengths in bytes. */
#include "config/options.h"

#include "base/legs.h"

#include <string.h>

#define ALL      "*"
#define SERVICES " serve search-service sticker-service "
#define STICKER  " serve sticker-service "
#define SEARCH   " serve search-service "
#define DATABASE " serve sticker-service import status user token export migrate "
#define INDEX    SEARCH "model migrate "
#define BUCKET   SERVICES "import model words "
#define KIB      1024.0
#define MIB      (1024.0 * KIB)
#define GIB      (1024.0 * MIB)
#define HOUR_MS  3600e3
/* Those that most people write in online; each takes some 3 MB for 4,000 emoji. */
#define SENTENCE_LANGUAGES "en,es,pt,fr,de,it,ru,ar,hi,ja,ko,zh"

const struct option config_options[] = {
    {"Where things are kept", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"data", OPTION_STRING, "./data", 1, 4000, "DIR", ALL, 0, NULL, NULL,
     "Folder that everything below is in unless said otherwise"},
    {"sticker-db", OPTION_STRING, "DATA/sticker.db", 1, 4000, "PATH|URL", DATABASE, 0, NULL, NULL,
     "StickerService's database: a file for SQLite, or postgresql://user@host:port/name"},
    {"sticker-db-connections", OPTION_INT, "8", 1, 64, "", STICKER, 0, NULL, NULL,
     "Connections of StickerService to its database at most; on SQLite those that read"},
    {"search-db", OPTION_STRING, "DATA/search.db", 1, 4000, "PATH|URL", INDEX, 0, NULL, NULL,
     "SearchService's database: a file for SQLite, or postgresql://user@host:port/name"},
    {"search-db-connections", OPTION_INT, "0", 0, 64, "", SEARCH, 0, NULL, NULL,
     "Connections of SearchService to its database at most; 0 = one for each worker and two"},
    {"bucket", OPTION_STRING, "DATA/bucket", 1, 4000, "DIR|URL", BUCKET "tokenize embed ", 0, NULL, NULL,
     "Folder, or s3://bucket/prefix, that holds images (media/) and models (models/)"},
    {"models-dir", OPTION_STRING, "DATA/bucket/models", 1, 4000, "DIR", SEARCH "model tokenize embed ", 0, NULL, NULL,
     "Folder of models in the Hugging Face layout; unset with a bucket in S3: a copy of its models/"},
    {"words", OPTION_STRING, "DATA/bucket/words/english.words", 1, 4000, "FILE", SEARCH "words ", 0, NULL, NULL,
     "Lexicon of English words and their meaning; `peel words pull` makes it; unset with a bucket in S3: a copy of its "
     "words/"},
    {"cache-dir", OPTION_STRING, "DATA/cache", 1, 4000, "DIR", SERVICES "import model words tokenize embed ", 0, NULL,
     NULL, "Folder of what can be made again: thumbnails, index snapshots, downloads"},
    {"cache-bytes", OPTION_BYTES, "512M", MIB, 1024 * GIB, "bytes", STICKER, 0, NULL, NULL,
     "The most that thumbnails may take in the cache folder"},

    {"PostgreSQL, by its parts", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"sticker-db-host", OPTION_STRING, NULL, 1, 255, "HOST", DATABASE, 0, "STICKER_DB_HOST", NULL,
     "Server of StickerService's database; unset: the option sticker-db says where it is"},
    {"sticker-db-port", OPTION_INT, "5432", 1, 65535, "", DATABASE, 0, "STICKER_DB_PORT", NULL, "Its port"},
    {"sticker-db-name", OPTION_STRING, "peel_sticker", 1, 63, "NAME", DATABASE, 0, "STICKER_DB_NAME", NULL,
     "The database's name"},
    {"sticker-db-user", OPTION_STRING, "peel", 1, 63, "USER", DATABASE, 0, "STICKER_DB_USER", NULL, "Who logs in"},
    {"sticker-db-password", OPTION_STRING, NULL, 1, 1024, "PASSWORD", DATABASE, OPTION_SECRET, "STICKER_DB_PASSWORD",
     NULL, "The password; unset: none, or what libpq finds (PGPASSFILE)"},
    {"sticker-db-sslmode", OPTION_ENUM, "prefer", 0, 0, "disable|prefer|require|verify-ca|verify-full", DATABASE, 0,
     "STICKER_DB_SSLMODE", NULL, "Whether the connection is encrypted, and the server's certificate checked"},
    {"search-db-host", OPTION_STRING, NULL, 1, 255, "HOST", INDEX, 0, "SEARCH_DB_HOST", NULL,
     "Server of SearchService's database; unset: the option search-db says where it is"},
    {"search-db-port", OPTION_INT, "5432", 1, 65535, "", INDEX, 0, "SEARCH_DB_PORT", NULL, "Its port"},
    {"search-db-name", OPTION_STRING, "peel_search", 1, 63, "NAME", INDEX, 0, "SEARCH_DB_NAME", NULL,
     "The database's name"},
    {"search-db-user", OPTION_STRING, "peel", 1, 63, "USER", INDEX, 0, "SEARCH_DB_USER", NULL, "Who logs in"},
    {"search-db-password", OPTION_STRING, NULL, 1, 1024, "PASSWORD", INDEX, OPTION_SECRET, "SEARCH_DB_PASSWORD", NULL,
     "The password; unset: none, or what libpq finds (PGPASSFILE)"},
    {"search-db-sslmode", OPTION_ENUM, "prefer", 0, 0, "disable|prefer|require|verify-ca|verify-full", INDEX, 0,
     "SEARCH_DB_SSLMODE", NULL, "Whether the connection is encrypted, and the server's certificate checked"},

    {"A bucket in S3", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"s3-endpoint", OPTION_STRING, NULL, 8, 500, "URL", BUCKET, 0, "AWS_ENDPOINT_URL", NULL,
     "Store that speaks S3; unset: Amazon's, of the region"},
    {"s3-region", OPTION_STRING, "us-east-1", 1, 64, "REGION", BUCKET, 0, "AWS_REGION", NULL,
     "Region that requests are signed for"},
    {"s3-addressing", OPTION_ENUM, "auto", 0, 0, "auto|path|virtual", BUCKET, 0, NULL, NULL,
     "Where the bucket's name stands: in the path or before the host; auto: in the path where an endpoint is named"},
    {"s3-access-key", OPTION_STRING, NULL, 1, 256, "KEY", BUCKET, OPTION_SECRET, "AWS_ACCESS_KEY_ID", NULL,
     "Access key; unset, with the secret key: requests are not signed"},
    {"s3-secret-key", OPTION_STRING, NULL, 1, 1024, "KEY", BUCKET, OPTION_SECRET, "AWS_SECRET_ACCESS_KEY", NULL,
     "Secret key that signs requests"},
    {"s3-session-token", OPTION_STRING, NULL, 1, 4000, "TOKEN", BUCKET, OPTION_SECRET, "AWS_SESSION_TOKEN", NULL,
     "Token that belongs to temporary keys"},
    {"s3-timeout-ms", OPTION_DURATION, "5000", 1000, 600000, "ms", BUCKET, 0, NULL, NULL,
     "Connecting to the store, and a pause of it, may take this long"},
    {"bucket-cache-bytes", OPTION_BYTES, "2G", MIB, 1024 * GIB, "bytes", BUCKET, 0, NULL, NULL,
     "The most that copies of images from S3 may take in the cache folder"},

    {"Network", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"host", OPTION_STRING, "127.0.0.1", 1, 64, "ADDRESS", STICKER "status health ", 0, NULL, NULL,
     "Numeric address that StickerService listens on; 0.0.0.0 for all"},
    {"port", OPTION_INT, "8000", 0, 65535, "", STICKER "status health ", 0, NULL, NULL,
     "Port of StickerService; 0 takes any free one"},
    {"search-host", OPTION_STRING, "127.0.0.1", 1, 64, "ADDRESS", SEARCH, 0, NULL, "host",
     "Numeric address that SearchService listens on; it is internal"},
    {"search-port", OPTION_INT, "8118", 0, 65535, "", SEARCH, 0, NULL, "port",
     "Port of SearchService; 0 takes any free one"},
    {"search-url", OPTION_STRING, "http://127.0.0.1:8118", 1, 2000, "URL", " sticker-service status model import eval ",
     0, NULL, NULL, "SearchService, or the load balancer before several"},
    {"management-port", OPTION_INT, "0", 0, 65535, "", STICKER, 0, NULL, NULL,
     "Port on --host for health checks and metrics alone, which no load can keep from answering; 0 = none"},
    {"search-management-port", OPTION_INT, "0", 0, 65535, "", SEARCH, 0, NULL, NULL,
     "The same for SearchService, on --search-host"},
    {"hosts", OPTION_STRING, "", 0, 4000, "LIST", SERVICES, 0, NULL, NULL,
     "Host names that requests may ask for, between commas. Default: any; only local ones if it listens on 127.0.0.1 "
     "without --trusted-proxies"},
    {"workers", OPTION_INT, "0", 0, 256, "", SERVICES, 0, NULL, NULL,
     "Threads that handle requests, each service; 0 lets the service choose"},
    {"io-threads", OPTION_INT, "0", 0, 64, "", SERVICES, 0, NULL, NULL,
     "Threads that move bytes, each service; 0 lets the service choose"},
    {"max-connections", OPTION_INT, "1024", 1, 100000, "", SERVICES, 0, NULL, NULL, "Open connections, each service"},
    {"client-connections", OPTION_INT, "512", 0, 100000, "", SERVICES, 0, NULL, NULL,
     "Open connections of one address that is no trusted proxy, each service; 0 = any number"},
    {"max-queue", OPTION_INT, "1024", 1, 1000000, "", SERVICES, 0, NULL, NULL,
     "Requests that may wait before others are answered 503"},
    {"shed-wait-ms", OPTION_DURATION, "250", 0, 60000, "ms", SERVICES, 0, NULL, NULL,
     "While everybody waits longer than this, who has waited twice as long is answered 503; 0 = nobody"},
    {"request-timeout-s", OPTION_DURATION, "30", 1, 3600, "s", SERVICES, 0, NULL, NULL,
     "Idle and slow connections are closed after this time"},
    {"max-body-bytes", OPTION_BYTES, "12M", KIB, 256 * MIB, "bytes", SEARCH, 0, NULL, NULL,
     "The largest document that SearchService accepts, its image included"},
    {"shutdown-timeout-ms", OPTION_DURATION, "5000", 0, HOUR_MS, "ms", SERVICES, 0, NULL, NULL,
     "How long requests in flight may finish when a service is stopped"},
    {"slow-request-ms", OPTION_DURATION, "1000", 0, HOUR_MS, "ms", SERVICES, 0, NULL, NULL,
     "Requests that take longer are logged as warnings, with where their time went; 0: none are"},
    {"drain-ms", OPTION_DURATION, "0", 0, HOUR_MS, "ms", SERVICES, 0, NULL, NULL,
     "A service that is stopped says so in /readyz and serves on for this long, until balancers have seen it"},
    {"listen-fd", OPTION_INT, "-1", -1, 1e6, "", " search-service sticker-service ", OPTION_HIDDEN, NULL, NULL,
     "An already listening socket to use"},
    {"ready-fd", OPTION_INT, "-1", -1, 1e6, "", " search-service sticker-service ", OPTION_HIDDEN, NULL, NULL,
     "A pipe that gets a byte when requests are answered"},

    {"StickerService and its peer", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"search-timeout-ms", OPTION_DURATION, "2000", 10, 60000, "ms", STICKER, 0, NULL, NULL,
     "A search is answered within this time, by StickerService's own words if need be"},
    {"search-token", OPTION_STRING, NULL, 16, 256, "TOKEN", SERVICES "model ", OPTION_SECRET, NULL, NULL,
     "Shared secret: SearchService changes nothing without it. Default: what peel serve made, DATA/search.token"},
    {"connect-timeout-ms", OPTION_DURATION, "500", 1, 60000, "ms", STICKER, 0, NULL, NULL,
     "Connecting to SearchService may take this long"},
    {"breaker-failures", OPTION_INT, "5", 0, 1000000, "", STICKER, 0, NULL, NULL,
     "Failures in a row after which SearchService is left alone; 0 = never"},
    {"breaker-retry-ms", OPTION_DURATION, "1000", 1, HOUR_MS, "ms", STICKER, 0, NULL, NULL,
     "Time after which SearchService is tried again"},
    {"search-cache-ms", OPTION_DURATION, "1000", 0, HOUR_MS, "ms", STICKER, 0, NULL, NULL,
     "How long the answer of a repeated search is reused; 0 = never"},
    {"usage-flush-ms", OPTION_DURATION, "1000", 1, 60000, "ms", STICKER, 0, NULL, NULL,
     "Counts of searches are written at most this much later"},

    {"Searching", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"algorithm", OPTION_ENUM, "auto", 0, 0, "auto|lexical|words|vector|sentence|hybrid", SEARCH, 0, NULL, NULL,
     "Algorithm of searches that name none; auto: hybrid with a model, else lexical"},
#define LEG_OPTION(name, help) {#name "-weight", OPTION_NUMBER, "1", 0, 1000, "", SEARCH, 0, NULL, NULL, help},
    LEG_LIST(LEG_OPTION){"min-score", OPTION_NUMBER, "0", -1, 1000, "", SEARCH, 0, NULL, NULL,
                         "Results with a lower score are left out of searches that name none; 0 = all"},
    {"model", OPTION_STRING, NULL, 0, 4000, "ID", SEARCH "model tokenize embed ", 0, NULL, NULL,
     "The model to search with, an id in the models folder (or a folder); unset: the one chosen before, or the first"},
    {"precision", OPTION_ENUM, "auto", 0, 0, "auto|fp32|bf16|int8", SEARCH "model embed ", 0, NULL, NULL,
     "Numbers the model computes with; auto: the fastest that stays faithful"},
    {"sentence-languages", OPTION_STRING, SENTENCE_LANGUAGES, 0, 1000, "LIST", SEARCH, 0, NULL, NULL,
     "Languages, such as es,pt-BR, whose titles and keywords a model of sentences encodes; English always; * = all"},
    {"vectors", OPTION_ENUM, "memory", 0, 0, "memory|pgvector", SEARCH, 0, NULL, NULL,
     "Where vectors are searched: in memory, exactly, or by PostgreSQL with pgvector"},
    {"threads", OPTION_INT, "0", 0, 256, "", SEARCH "model embed ", 0, NULL, NULL,
     "Threads of the encoders and the scan; 0 = one per core"},
    {"query-cache-bytes", OPTION_BYTES, "16M", 0, 64 * GIB, "bytes", SEARCH, 0, NULL, NULL,
     "Memory for vectors of recent queries; 0 = none"},
    {"search-deadline-ms", OPTION_DURATION, "2000", 10, HOUR_MS, "ms", SEARCH, 0, NULL, NULL,
     "End a search after this long, with what was found by then"},
    {"embeddings-timeout-ms", OPTION_DURATION, "30000", 1, HOUR_MS, "ms", SEARCH, 0, NULL, NULL,
     "A request to /v1/embeddings that is not done after this time is given up"},

    {"Models from a hub", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"hf-endpoint", OPTION_STRING, NULL, 8, 250, "URL", " model ", 0, "HF_ENDPOINT", NULL,
     "Hub that models come from, or a mirror of it; unset: Hugging Face"},
    {"hf-token", OPTION_STRING, NULL, 1, 1024, "TOKEN", " model ", OPTION_SECRET, "HF_TOKEN", NULL,
     "Token for models that are not public"},
    {"revision", OPTION_STRING, NULL, 1, 120, "REV", " model ", 0, NULL, NULL,
     "Branch, tag or commit of the model to pull; unset: main"},
    {"text", OPTION_STRING, NULL, 0, 8192, "TEXT", " embed ", 0, NULL, NULL, "The text to embed"},
    {"image", OPTION_STRING, NULL, 1, 4000, "FILE", " embed ", 0, NULL, NULL, "The image file to embed"},

    {"Users and tokens", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"admin-username", OPTION_STRING, "admin", 1, 150, "NAME", STICKER, 0, "ADMIN_USERNAME", NULL,
     "Admin who is created at start if absent"},
    {"admin-password", OPTION_STRING, NULL, 8, 1024, "PASSWORD", STICKER, OPTION_SECRET, "ADMIN_PASSWORD", NULL,
     "The admin's password when created; unset: a random one, printed once"},
    {"admin-token", OPTION_STRING, NULL, 16, 128, "TOKEN", STICKER, OPTION_SECRET, "ADMIN_TOKEN", NULL,
     "The admin's API token, added if absent; unset: a random one when the admin is created, printed once"},
    {"session-idle-s", OPTION_DURATION, "3600", 10, 2592000, "s", STICKER, 0, NULL, NULL,
     "Who did nothing on the admin pages for this long is logged out"},
    {"session-most-s", OPTION_DURATION, "43200", 10, 2592000, "s", STICKER, 0, NULL, NULL,
     "Who logged in to the admin pages this long ago is logged out"},
    {"secure-cookies", OPTION_ENUM, "auto", 0, 0, "auto|always|never", STICKER, 0, NULL, NULL,
     "Cookies of the admin pages only over TLS; auto: where a trusted proxy's X-Forwarded-Proto says so"},
    {"trusted-proxies", OPTION_STRING, "", 0, 2000, "LIST", STICKER, 0, NULL, NULL,
     "Proxies in front, such as 10.0.0.0/8,::1: whose X-Forwarded-For and X-Forwarded-Proto are believed"},
    {"rate-limit", OPTION_INT, "0", 0, 1000000, "", STICKER, 0, NULL, NULL,
     "Requests a second of a client, and of a token; logins, analytics and exports count ten; 0 = any number"},
    {"rate-burst", OPTION_INT, "200", 10, 1000000, "", STICKER, 0, NULL, NULL,
     "Requests that a client may send at once before --rate-limit is felt"},
    {"cors-origins", OPTION_STRING, "", 0, 4000, "LIST", STICKER, 0, NULL, NULL,
     "Origins whose pages may use /api/ in a browser, such as https://a.example,https://b.example; * = all"},
    {"password", OPTION_STRING, NULL, 8, 1024, "PASSWORD", " user ", OPTION_SECRET, NULL, NULL,
     "Password of the user; unset: asked for, or the first line of standard input"},
    {"staff", OPTION_BOOL, "false", 0, 0, "", " user ", 0, NULL, NULL,
     "The user may read analytics, upload and change stickers, and use the admin pages"},
    {"analytics", OPTION_BOOL, "false", 0, 0, "", " user ", 0, NULL, NULL,
     "The user may read analytics, by the API and on the admin pages, and nothing else"},
    {"superuser", OPTION_BOOL, "false", 0, 0, "", " user ", 0, NULL, NULL, "The user may do everything (and is staff)"},
    {"label", OPTION_STRING, "", 0, 200, "TEXT", " token ", 0, NULL, NULL, "What the token is for"},

    {"Commands", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"pack", OPTION_LIST, NULL, 1, 200, "NAME", " import ", 0, NULL, NULL,
     "A sticker pack to download and import, with words from Unicode CLDR, emojilib and emojibase: openmoji or "
     "fluent3d; may be given several times"},
    {"update", OPTION_BOOL, "false", 0, 0, "", " import ", 0, NULL, NULL,
     "Change stickers that are already there to what stickers.csv says"},
    {"npm-registry", OPTION_STRING, NULL, 8, 250, "URL", " import words ", 0, "npm_config_registry", NULL,
     "Registry that packs come from where the npm command is absent"},
    {"format", OPTION_ENUM, "csv", 0, 0, "csv|ndjson", " export ", 0, NULL, NULL, "Format of the export"},
    {"since", OPTION_STRING, NULL, 1, 64, "TIME", " export ", 0, NULL, NULL,
     "Only feedback changed at or after this ISO 8601 time"},
    {"split", OPTION_STRING, NULL, 1, 64, "NAME", " eval ", 0, NULL, NULL,
     "Only the judged queries of this split, such as dev; unset: all"},
    {"qrels", OPTION_STRING, NULL, 1, 4000, "FILE", " eval ", 0, NULL, NULL,
     "Judgements in TREC's form; FILE then has lines of an id, a tab and a query"},
    {"digit", OPTION_STRING, "7", 1, 16, "DIGIT", " counter ", 0, NULL, NULL, "The digit to count, 0 to 9"},
    {"n", OPTION_STRING, NULL, 1, 2000, "N", " counter ", 0, NULL, NULL, "Count in 1..N; a whole number up to 10^1000"},
    {"json", OPTION_BOOL, "false", 0, 0, "", " status eval ", 0, NULL, NULL, "Print JSON"},
    {"watch", OPTION_BOOL, "false", 0, 0, "", " status ", 0, NULL, NULL, "Show progress until nothing is pending"},
    {"markdown", OPTION_BOOL, "false", 0, 0, "", " help ", 0, NULL, NULL,
     "Print the reference of all commands and options as Markdown"},

    {"Everywhere", OPTION_GROUP, NULL, 0, 0, "", "", 0, NULL, NULL, ""},
    {"env-file", OPTION_STRING, NULL, 1, 4000, "PATH", ALL, 0, NULL, NULL,
     "File of KEY=VALUE lines read after the environment; unset: .env if there is one"},
    {"log-level", OPTION_ENUM, "info", 0, 0, "debug|info|warn|error", ALL, 0, NULL, NULL, "The least that is logged"},
    {"log-format", OPTION_ENUM, "text", 0, 0, "text|json", ALL, 0, NULL, NULL, "Log lines for people or for machines"},
    {"quiet", OPTION_BOOL, "false", 0, 0, "", ALL, 0, NULL, NULL, "No progress"},
};

const size_t config_options_count = sizeof config_options / sizeof *config_options;

bool option_taken_by(const struct option *o, const char *command)
{
    if (o->type == OPTION_GROUP)
        return false;
    if (strcmp(o->commands, ALL) == 0)
        return true;
    size_t len = strlen(command);
    for (const char *at = o->commands; (at = strstr(at, command)); at++)
        if (at > o->commands && at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}
