/* Any body of PUT /api/documents/: refused with a reason, or a document whose terms can be stored. */
#include "base/utf8.h"
#include "sandbox/sandbox.h"
#include "search_service/document.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sandbox *sandbox;
    struct arena a;
    struct error err = {OK, ""};
    if (!sandbox && sandbox_open(1, &sandbox, &err) != OK)
        abort();
    struct document_in in = {0};
    struct sticker_terms terms;
    arena_init(&a, 8u << 20);
    const char *body = (const char *)data;
    if (document_parse("cat.png", body, size, &a, &in, &err) != OK) {
        if (!err.message[0])
            abort();
    } else {
        if (!utf8_valid(in.doc.title, strlen(in.doc.title)) || (*in.sha256 && strlen(in.sha256) != 64))
            abort();
        if (in.image && document_check_image(&in, sandbox, &err) == OK && strlen(in.sha256) != 64)
            abort();
        if (document_analyze(&in, &a, &terms, &err) != OK && err.code != ERR_TOO_LARGE && err.code != ERR_NO_MEMORY)
            abort();
        /* What was accepted once is accepted again, as the words of an image's document. */
        struct document before = in.doc;
        struct document_in again;
        if (document_from_image("cat.png", &before, data, size, &a, &again, &err) == OK)
            document_free(&again);
        else if (err.code != ERR_NO_MEMORY)
            abort();
        document_free(&in);
    }
    arena_free(&a);
    return 0;
}
