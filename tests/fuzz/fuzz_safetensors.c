/* Weights and configurations: the first byte chooses what the rest is. Whatever is accepted must also be
 * readable from end to end. */
#include "model/clip_config.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct safetensors *s)
{
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_at(s, i);
        if (safetensors_find(s, t->name) != t)
            abort();
        size_t n = tensor_count(t);
        float some[64];
        for (size_t from = 0; t->type != TENSOR_OTHER && from < n; from += 64)
            tensor_read(t, from, n - from < 64 ? n - from : 64, some);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    if (size < 1)
        return 0;
    if (data[0] & 1) {
        struct clip_config c;
        if (clip_config_parse("config.json", (const char *)data + 1, size - 1, &c, &err) == OK &&
            (c.text.width % c.text.heads || c.vision.width % c.vision.heads || clip_config_grid(&c) < 1 || c.dim < 1))
            abort();
        return 0;
    }
    struct safetensors *s;
    if (safetensors_open_memory("model.safetensors", data + 1, size - 1, &s, &err) == OK) {
        read_all(s);
        safetensors_close(s);
    }
    return 0;
}
