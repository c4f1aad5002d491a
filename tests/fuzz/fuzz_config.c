/* A command line, one argument a line, of which what follows a line "--" alone is the .env file and what follows the
 * next one a file with a secret. What is accepted is within its bounds, and no message gives the secret away. */
#include "base/os.h"
#include "base/utf8.h"
#include "config/config.h"
#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_ARGS 32

static int file_of(const char *text, char path[64])
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* Cuts the text behind the first line "--", which ends it; "" if there is none. */
static char *cut(char *text)
{
    char *line = strstr(text, "\n--\n");
    if (!line)
        return text + strlen(text);
    *line = '\0';
    return line + 4;
}

static void check(const struct config *cfg, const char *secret)
{
    struct arena a;
    struct config_setting *settings;
    struct error err;
    size_t n;
    arena_init(&a, 4u << 20);
    if (config_settings(cfg, &a, &settings, &n, &err) != OK)
        abort();
    for (size_t i = 0; i < n; i++)
        if (settings[i].secret && strlen(secret) > 12 && strstr(settings[i].value, secret))
            abort();
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (!option_taken_by(o, "serve") || (o->type != OPTION_INT && o->type != OPTION_BYTES))
            continue;
        if (config_is_set(cfg, o->name) &&
            ((double)config_int(cfg, o->name) < o->least || (double)config_int(cfg, o->name) > o->most))
            abort();
    }
    if (!config_environ(cfg, "search-service", (const char *const[]){"PEEL_SEARCH_URL=x", NULL}, &a))
        abort();
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char env_flag[] = "--env-file", secret_flag[] = "--search-token-file";
    char *argv[MAX_ARGS + 4] = {0}, env_path[64], secret_path[64], *rest = NULL;
    int argc = 0;
    struct config *cfg;
    struct error err = {.message = ""};
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    char *env = cut(text), *secret = cut(env);
    int env_fd = file_of(env, env_path), secret_fd = file_of(secret, secret_path);
    if (*env) {
        argv[argc++] = env_flag;
        argv[argc++] = env_path;
    }
    if (*secret) {
        argv[argc++] = secret_flag;
        argv[argc++] = secret_path;
    }
    for (char *arg = strtok_r(text, "\n", &rest); arg && argc < MAX_ARGS + 4; arg = strtok_r(NULL, "\n", &rest))
        argv[argc++] = arg;
    enum status st = config_load("serve", argc, argv, &cfg, &err);
    if (st == OK && !config_help_wanted(cfg))
        check(cfg, secret);
    else if (st != OK && (!err.message[0] || (strlen(secret) > 12 && strstr(err.message, secret))))
        abort();
    config_free(st == OK ? cfg : NULL);
    close(env_fd);
    close(secret_fd);
    free(text);
    return 0;
}
