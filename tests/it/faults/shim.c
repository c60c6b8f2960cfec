/*
 * Makes a file system fail: a library for LD_PRELOAD that lets chosen calls on files of one folder fail.
 *
 * FAULT_FOLDER names the folder, FAULT_PLAN a file of eight 32-bit numbers that the test writes while the program runs.
 * Only calls through libc are seen, which are those of SQLite and of Rust's standard library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, READ = 4, RENAME = 8, RESIZE = 16 };

struct plan {
    _Atomic uint32_t armed;
    /* Matching calls that still succeed. */
    _Atomic int32_t skip;
    /* The error that the others give. */
    _Atomic int32_t error;
    /* The kinds that match, as a set. */
    _Atomic uint32_t kinds;
    /* How many fail. */
    _Atomic int32_t times;
    /* Matching calls so far, armed or not. */
    _Atomic uint32_t seen;
    /* Calls that were made to fail. */
    _Atomic uint32_t failed;
    _Atomic uint32_t unused;
};

static struct plan *plan;
static char folder[PATH_MAX];
static size_t folder_length;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULT_FOLDER"), *file = getenv("FAULT_PLAN");
    if (!name || !file || !realpath(name, folder)) return;
    folder_length = strlen(folder);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) plan = memory;
    close(fd);
}

static int lies_within(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

static int is_ours(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return lies_within(path);
}

static int fails(enum kind kind) {
    if (!(plan->kinds & kind)) return 0;
    plan->seen++;
    if (!plan->armed || plan->skip-- > 0 || plan->times-- <= 0) return 0;
    plan->failed++;
    errno = plan->error;
    return 1;
}

static int file_fails(enum kind kind, int fd) {
    if (!plan) return 0;
    int before = errno;
    if (is_ours(fd) && fails(kind)) return 1;
    errno = before;
    return 0;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define ON_FILE(kind, type, name, parameters, arguments, ...) \
    type name parameters { \
        REAL(type, name, __VA_ARGS__); \
        return file_fails(kind, fd) ? -1 : real arguments; \
    }

ON_FILE(WRITE, ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), int, const void *, size_t)
ON_FILE(WRITE, ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), int, const void *, size_t, off_t)
ON_FILE(WRITE, ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), int, const void *, size_t, off64_t)
ON_FILE(WRITE, ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), int, const struct iovec *, int)
ON_FILE(READ, ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), int, void *, size_t)
ON_FILE(READ, ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at), int, void *, size_t, off_t)
ON_FILE(READ, ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at), int, void *, size_t, off64_t)
ON_FILE(SYNC, int, fsync, (int fd), (fd), int)
ON_FILE(SYNC, int, fdatasync, (int fd), (fd), int)
ON_FILE(RESIZE, int, ftruncate, (int fd, off_t size), (fd, size), int, off_t)
ON_FILE(RESIZE, int, ftruncate64, (int fd, off64_t size), (fd, size), int, off64_t)

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    if (plan && lies_within(to) && fails(RENAME)) return -1;
    return real(from, to);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    if (plan && lies_within(to) && fails(RENAME)) return -1;
    return real(from, to);
}
