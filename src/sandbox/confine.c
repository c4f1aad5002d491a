#include "sandbox/confine.h"

#include "base/sanitized.h"
#include "sandbox/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FILES 64

/* --- limits --- */

/* Bytes that this process has mapped. */
static uint64_t mapped_bytes(void)
{
    char line[128] = "";
    unsigned long long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0 || sscanf(line, "%llu", &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool set_limit(int resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

static enum status set_limits(unsigned memory_mib, unsigned cpu_s, struct error *err)
{
    uint64_t mapped = mapped_bytes(), memory = mapped + ((uint64_t)memory_mib << 20);
    if (!mapped)
        return err_errno(err, "cannot read /proc/self/statm");
    signal(SIGXFSZ, SIG_IGN); /* fontconfig would like to keep a cache: it cannot, and goes on */
    /* Sanitizers map more memory than any limit would allow. */
    if ((!SANITIZED && !set_limit(RLIMIT_AS, memory, memory)) || !set_limit(RLIMIT_CPU, cpu_s, cpu_s) ||
        !set_limit(RLIMIT_NOFILE, MAX_FILES, MAX_FILES) || !set_limit(RLIMIT_FSIZE, 0, 0) ||
        !set_limit(RLIMIT_CORE, 0, 0))
        return err_errno(err, "cannot set limits");
    return OK;
}

/* --- files --- */

/* Where fontconfig and fonts are read from. */
static const char *const font_folders[] = {"/etc/fonts",
                                           "/usr/share/fonts",
                                           "/usr/local/share/fonts",
                                           "/usr/share/fontconfig",
                                           "/usr/share/xml/fontconfig",
                                           "/var/cache/fontconfig"};

static bool allow_reading(int rules, const char *folder)
{
    struct landlock_path_beneath_attr rule = {.allowed_access =
                                                  LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR};
    rule.parent_fd = open(folder, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT; /* nothing to allow */
    long failed = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return failed == 0;
}

/* True: from now on nothing can be opened but fonts, to be read. */
static bool guard_files(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return false;
    struct landlock_ruleset_attr attr = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0)
        return false;
    bool guarded = true;
    for (size_t i = 0; i < sizeof font_folders / sizeof *font_folders && guarded; i++)
        guarded = allow_reading(rules, font_folders[i]);
    guarded = guarded && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return guarded;
}

/* --- system calls --- */

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
/* Memory, time, threads of its own, and the open descriptors. */
static const int allowed_calls[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_sendto,
    SYS_close,
    SYS_fstat,
    SYS_lseek,
    SYS_pread64,
    SYS_fcntl,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrusage,
    SYS_setitimer,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_uname,
    SYS_sysinfo,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_exit,
    SYS_exit_group,
    SYS_newfstatat,
    SYS_statx,
};

/* Where Landlock says what they may reach. */
static const int file_calls[] = {
    SYS_openat, SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_statfs, SYS_fstatfs,
#ifdef SYS_open
    SYS_open,   SYS_stat,      SYS_lstat,      SYS_access,     SYS_readlink,
#endif
};

enum { MAX_FILTER = 2 * (sizeof allowed_calls + sizeof file_calls) / sizeof(int) + 16 };

struct filter {
    struct sock_filter code[MAX_FILTER];
    unsigned short n;
};

static void put(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    f->code[f->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void put_load(struct filter *f, size_t offset)
{
    put(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct filter *f, uint32_t what)
{
    put(f, BPF_RET | BPF_K, what, 0, 0);
}

static void put_allowed(struct filter *f, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
        put_return(f, SECCOMP_RET_ALLOW);
    }
}

/* What is not allowed fails with EPERM, so that libraries may do without it. */
static enum status filter_calls(bool files, struct error *err)
{
    struct filter f = {.n = 0};
    put_load(&f, offsetof(struct seccomp_data, arch));
    put(&f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    put_return(&f, SECCOMP_RET_KILL_PROCESS);
    put_load(&f, offsetof(struct seccomp_data, nr));
    put_allowed(&f, allowed_calls, sizeof allowed_calls / sizeof *allowed_calls);
    if (files)
        put_allowed(&f, file_calls, sizeof file_calls / sizeof *file_calls);
    put(&f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1); /* its flags cannot be seen: libraries then use clone */
    put_return(&f, SECCOMP_RET_ERRNO | ENOSYS);
    put(&f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    put_load(&f, offsetof(struct seccomp_data, args)); /* the lower half, where the flags are */
    put(&f, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
    put_return(&f, SECCOMP_RET_ALLOW);
    put_return(&f, SECCOMP_RET_ERRNO | EPERM);
    const struct sock_fprog program = {.len = f.n, .filter = f.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return err_errno(err, "cannot filter system calls");
    return OK;
}
#else
static enum status filter_calls(bool files, struct error *err)
{
    (void)files, (void)err;
    return OK; /* other processors have the limits and Landlock */
}
#endif

enum status sandbox_confine(unsigned memory_mib, unsigned cpu_s, void (*warm_up)(void), struct error *err)
{
    enum status st = set_limits(memory_mib, cpu_s, err);
    if (st != OK)
        return st;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_errno(err, "cannot give up new privileges");
    bool guarded = guard_files();
    if (!guarded && warm_up)
        warm_up();
    if (SANITIZED)
        return OK;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_errno(err, "cannot forbid to be traced");
    return filter_calls(guarded, err);
}
