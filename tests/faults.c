/* Lets system calls fail on files of a place, from a certain one on: for LD_PRELOAD.

   FAULT_CALL   write, fsync or rename
   FAULT_WHERE  what stands in the path of the files
   FAULT_ERRNO  number of the error
   FAULT_AFTER  how many calls go well before
   FAULT_LOG    a file that grows by a byte with each fault */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls;

static void tell(void) {
    const char *log = getenv("FAULT_LOG");
    int file = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file >= 0) {
        ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        real(file, "x", 1);
        close(file);
    }
}

static int strikes(const char *call, const char *path) {
    const char *which = getenv("FAULT_CALL"), *where = getenv("FAULT_WHERE");
    if (!which || !where || strcmp(which, call) || !path || !strstr(path, where)) return 0;
    if (__sync_fetch_and_add(&calls, 1) < atol(getenv("FAULT_AFTER"))) return 0;
    tell();
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int strikes_file(const char *call, int file) {
    char link[64], path[PATH_MAX];
    if (!getenv("FAULT_CALL")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return strikes(call, path);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, name)

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return strikes_file("write", file) ? -1 : real(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t place) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return strikes_file("write", file) ? -1 : real(file, data, size, place);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t place) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return strikes_file("write", file) ? -1 : real(file, data, size, place);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return strikes_file("write", file) ? -1 : real(file, parts, count);
}

ssize_t copy_file_range(int from, off_t *a, int to, off_t *b, size_t size, unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off_t *, int, off_t *, size_t, unsigned);
    return strikes_file("write", to) ? -1 : real(from, a, to, b, size, flags);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *);
    return strikes_file("write", fileno(stream)) ? 0 : real(data, size, count, stream);
}

int fsync(int file) {
    REAL(int, "fsync", int);
    return strikes_file("fsync", file) ? -1 : real(file);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return strikes("rename", to) ? -1 : real(from, to);
}
