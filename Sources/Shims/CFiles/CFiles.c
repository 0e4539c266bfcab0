#define _GNU_SOURCE
#include "CFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int cfiles_reserve(int fd, uint64_t offset, uint64_t count) {
  return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)count) < 0 ? -errno : 0;
}

uint64_t cfiles_size_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

int cfiles_cpu_count(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : CPU_COUNT(&set);
}

int cfiles_name_thread(const char *name) { return -pthread_setname_np(pthread_self(), name); }

int cfiles_move_new(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -errno;
  /* File systems that cannot do that in one step (NFS) know links. */
  if (link(from, to) < 0) return -errno;
  unlink(from);
  return 0;
}

enum { REMOVED_AT_MOST = 64 };
static char *_Atomic removed[REMOVED_AT_MOST];
static pthread_once_t handled = PTHREAD_ONCE_INIT;

/* Whoever takes a name out of the table owns it: the handler, or who keeps the file. */
static void remove_all(int number) {
  for (int at = 0; at < REMOVED_AT_MOST; at++) {
    char *path = atomic_exchange(&removed[at], NULL);
    if (path) unlink(path);
  }
  signal(number, SIG_DFL);
  raise(number);
}

static void handle(void) {
  static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++) {
    struct sigaction action;
    if (sigaction(numbers[at], NULL, &action) < 0 || action.sa_handler != SIG_DFL) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = remove_all;
    sigfillset(&action.sa_mask);
    sigaction(numbers[at], &action, NULL);
  }
}

int cfiles_remove_on_signal(const char *path) {
  pthread_once(&handled, handle);
  char *copy = strdup(path);
  if (!copy) return -ENOMEM;
  for (int at = 0; at < REMOVED_AT_MOST; at++) {
    char *expected = NULL;
    if (atomic_compare_exchange_strong(&removed[at], &expected, copy)) return at;
  }
  free(copy);
  return -ENOSPC;
}

void cfiles_keep(int number) {
  if (number >= 0 && number < REMOVED_AT_MOST) free(atomic_exchange(&removed[number], NULL));
}
