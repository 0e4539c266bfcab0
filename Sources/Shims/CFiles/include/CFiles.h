/* What Swift's importer cannot see of Linux's calls on files, and on the threads that read them. Each function returns 0 or -errno. */
#ifndef CFILES_H
#define CFILES_H

#include <stdint.h>

/* Sets bytes of the disk aside for a file, without changing its size. */
int cfiles_reserve(int fd, uint64_t offset, uint64_t count);

/* The most bytes that this process may let a file grow to; UINT64_MAX for no limit. */
uint64_t cfiles_size_limit(void);

/* How many CPUs this thread may run on; 1 where that cannot be told. */
int cfiles_cpu_count(void);

/* Gives this thread a name, of at most 15 bytes. */
int cfiles_name_thread(const char *name);

/* Moves a file to a name that must not be there: -EEXIST where it is. */
int cfiles_move_new(const char *from, const char *to);

/* A file that is to be gone where SIGHUP, SIGINT, SIGQUIT or SIGTERM ends the process. Returns a number for `cfiles_keep`, -ENOSPC past 64 at a time, or -ENOMEM.
   The first call sets a handler for each of these signals that has none and is not ignored. */
int cfiles_remove_on_signal(const char *path);

/* The file stays from here on. A negative number names none. */
void cfiles_keep(int number);

#endif
