/* image_sandbox.h: images of the fuzzers' corpora, and a sandbox with one worker as the state of a group of tests. */
#ifndef PEEL_TESTS_IMAGE_SANDBOX_H
#define PEEL_TESTS_IMAGE_SANDBOX_H

#include "cm.h"

#include "base/os.h"
#include "sandbox/sandbox.h"

#include <stdio.h>

/* The caller frees it. */
static inline void read_seed(const char *corpus, const char *name, struct buf *out)
{
    char path[320];
    snprintf(path, sizeof path, "tests/fuzz/corpus/%s/%s", corpus, name);
    buf_init(out, 1 << 20);
    assert_int_equal(os_read_file(path, out, NULL), OK);
}

static inline struct sandbox_image as_file(const struct buf *b)
{
    return (struct sandbox_image){.data = buf_str(b), .len = b->len, .wait_ms = 60000};
}

static inline int open_sandbox(void **state)
{
    struct sandbox *s;
    int failed = sandbox_open(1, &s, NULL) != OK;
    *state = s;
    return failed;
}

static inline int close_sandbox(void **state)
{
    sandbox_close(*state);
    return 0;
}

#endif
