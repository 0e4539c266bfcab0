#define _GNU_SOURCE
#include "CFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

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
