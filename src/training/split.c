#include "training/split.h"

#include "base/os.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *const split_names[SPLITS] = {[SPLIT_TRAIN] = "train", [SPLIT_DEV] = "dev", [SPLIT_TEST] = "test"};

static unsigned tenth(const char *text)
{
    char hex[65];
    os_sha256_hex(text, strlen(text), hex);
    hex[16] = '\0';
    return (unsigned)(strtoull(hex, NULL, 16) % 10);
}

enum split split_of(const char *folded_query)
{
    unsigned n = tenth(folded_query);
    return n == 0 ? SPLIT_TEST : n == 1 ? SPLIT_DEV : SPLIT_TRAIN;
}

bool split_holds_out(const char *voter)
{
    return *voter && tenth(voter) == 0;
}
