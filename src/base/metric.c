#include "base/metric.h"

#include "base/os.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const int64_t bounds_us[METRIC_BOUNDS] = {100,   250,    500,    1000,   2500,    5000,    10000,   25000,
                                                 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

static _Thread_local int64_t parts[METRIC_PARTS];

void metric_observe(struct metric_times *t, int64_t us)
{
    size_t b = 0;
    while (b < METRIC_BOUNDS && us > bounds_us[b])
        b++;
    atomic_fetch_add_explicit(&t->bucket[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->sum_us, us > 0 ? (uint64_t)us : 0, memory_order_relaxed);
}

uint64_t metric_count(const struct metric_times *t)
{
    uint64_t n = 0;
    for (size_t b = 0; b <= METRIC_BOUNDS; b++)
        n += atomic_load_explicit(&t->bucket[b], memory_order_relaxed);
    return n;
}

int64_t metric_quantile_us(const struct metric_times *t, double q)
{
    double wanted = q * (double)metric_count(t), below = 0;
    for (size_t b = 0; b < METRIC_BOUNDS; b++) {
        double here = (double)atomic_load_explicit(&t->bucket[b], memory_order_relaxed);
        int64_t from = b ? bounds_us[b - 1] : 0;
        if (here > 0 && below + here >= wanted)
            return from + (int64_t)((wanted - below) / here * (double)(bounds_us[b] - from));
        below += here;
    }
    return wanted > 0 ? bounds_us[METRIC_BOUNDS - 1] : 0;
}

void metric_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_value(struct buf *out, const char *name, const char *labels, double value)
{
    buf_printf(out, "%s%s%s%s %.15g\n", name, *labels ? "{" : "", labels, *labels ? "}" : "", value);
}

void metric_histogram(struct buf *out, const char *name, const char *labels, const struct metric_times *t)
{
    uint64_t below = 0;
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    for (size_t b = 0; b <= METRIC_BOUNDS; b++) {
        below += atomic_load_explicit(&t->bucket[b], memory_order_relaxed);
        if (b < METRIC_BOUNDS)
            buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, (double)bounds_us[b] / 1e6,
                       (unsigned long long)below);
        else
            buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, (unsigned long long)below);
    }
    buf_printf(out, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %llu\n", name, open, labels, close,
               (double)atomic_load_explicit(&t->sum_us, memory_order_relaxed) / 1e6, name, open, labels, close,
               (unsigned long long)below);
}

void metric_one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    metric_family(out, name, type, help);
    metric_value(out, name, "", value);
}

void metric_label(struct buf *out, const char *value)
{
    for (; *value; value++)
        if (*value == '\n')
            buf_puts(out, "\\n");
        else {
            if (*value == '\\' || *value == '"')
                buf_putc(out, '\\');
            buf_putc(out, *value);
        }
}

/* --- the process --- */

static double open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = -3; /* ".", ".." and the folder itself */
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* The number at place `field` (from 1) of /proc/self/stat; the name, which may hold anything, is its second. */
static double own_stat(const char *text, int field)
{
    const char *at = strrchr(text, ')');
    double value = 0;
    for (int i = 2; at && i < field; i++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, " %lf", &value) == 1 ? value : 0;
}

static double boot_time(void)
{
    struct timespec since_boot;
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return (double)os_now_us() / 1e6 - (double)since_boot.tv_sec - (double)since_boot.tv_nsec / 1e9;
}

void metric_process(struct buf *out, const char *service, const char *version)
{
    struct buf text;
    struct rlimit files = {0};
    struct timespec cpu = {0};
    buf_init(&text, 4096);
    getrlimit(RLIMIT_NOFILE, &files);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    if (os_read_file("/proc/self/stat", &text, NULL) == OK) {
        metric_one(out, "process_start_time_seconds", "gauge", "When the process started, since 1970.",
                   boot_time() + own_stat(buf_str(&text), 22) / (double)sysconf(_SC_CLK_TCK));
        metric_one(out, "process_virtual_memory_bytes", "gauge", "Address space in use.", own_stat(buf_str(&text), 23));
        metric_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                   own_stat(buf_str(&text), 24) * (double)sysconf(_SC_PAGESIZE));
    }
    buf_free(&text);
    metric_one(out, "process_cpu_seconds_total", "counter", "Processor time, of all threads.",
               (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    metric_one(out, "process_open_fds", "gauge", "Open file descriptors.", open_descriptors());
    metric_one(out, "process_max_fds", "gauge", "The most file descriptors that may be open.", (double)files.rlim_cur);
    metric_family(out, "peel_build_info", "gauge", "Always 1; the program's version.");
    buf_printf(out, "peel_build_info{service=\"%s\",version=\"", service);
    metric_label(out, version ? version : "");
    buf_puts(out, "\"} 1\n");
}

/* --- one request --- */

void metric_parts_clear(void)
{
    memset(parts, 0, sizeof parts);
}

void metric_part_add(enum metric_part part, int64_t us)
{
    parts[part] += us;
}

void metric_parts_get(int64_t us[METRIC_PARTS])
{
    memcpy(us, parts, sizeof parts);
}
