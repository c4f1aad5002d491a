/* Bodies of HTTP_SPOOL routes: they go to a file without a name as they arrive, and are mapped when they are whole, so
 * that handlers read them like any other and the kernel may take their memory back. Writing is done on the thread that
 * moves bytes: it reaches the page cache only. */
#include "base/os.h"
#include "http/http_internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static void spool_fail(struct http_spool *s, int why)
{
    s->failed = why == ENOSPC || why == EDQUOT ? 507 : 503;
}

static void spool_begin(struct http_spool *s, const char *folder)
{
    s->fd = os_scratch_file(folder ? folder : "/tmp");
    if (s->fd < 0)
        spool_fail(s, errno);
    s->begun = true;
}

void http_spool_write(struct http_spool *s, const char *folder, const char *data, size_t len)
{
    if (!s->begun) {
        s->fd = -1;
        spool_begin(s, folder);
    }
    while (len && !s->failed) {
        ssize_t n = write(s->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            spool_fail(s, n ? errno : EIO);
            break;
        }
        data += n;
        len -= (size_t)n;
        s->len += (size_t)n;
    }
}

const char *http_spool_map(struct http_spool *s)
{
    if (!s->len || s->failed)
        return "";
    s->map = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, s->fd, 0);
    if (s->map != MAP_FAILED)
        return s->map;
    s->map = NULL;
    spool_fail(s, errno);
    return "";
}

void http_spool_free(struct http_spool *s)
{
    if (s->map)
        munmap(s->map, s->len);
    if (s->begun && s->fd >= 0)
        close(s->fd);
    *s = (struct http_spool){0};
}
