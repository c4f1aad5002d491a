/* peel counter --digit 7 --n 1000 */
#include "sticker_service/counter.h"
#include "cmd/cmd.h"

#include <stdio.h>

int cmd_counter(const struct config *cfg)
{
    struct error err;
    struct counter_result result;
    const char *n = config_string(cfg, "n");
    if (!n)
        return cmd_usage("--n: expected a whole number from 0 to 10^1000, found nothing");
    if (counter_count(config_string(cfg, "digit"), n, &result, &err) != OK)
        return cmd_usage("%s", err.message);
    struct buf out;
    buf_init(&out, 16u << 10);
    counter_json(&result, &out);
    puts(buf_str(&out));
    buf_free(&out);
    return EXIT_OK;
}
