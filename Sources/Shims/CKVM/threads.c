#define _GNU_SOURCE
#include "CKVM.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static void do_nothing(int number) { (void)number; }

int ckvm_install_kick_handler(void) {
  struct sigaction action = {.sa_handler = do_nothing};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGRTMIN, &action, NULL) < 0 ? -errno : 0;
}

int ckvm_prepare_vcpu_thread(const char *name) {
  sigset_t blocked;
  sigfillset(&blocked);
  /* Faults of our own must still be seen as what they are. */
  const int kept[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGRTMIN};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) sigdelset(&blocked, kept[i]);
  int error = pthread_sigmask(SIG_SETMASK, &blocked, NULL);
  if (error == 0) error = pthread_setname_np(pthread_self(), name);
  return -error;
}

int ckvm_kick(pthread_t thread) { return -pthread_kill(thread, SIGRTMIN); }

int ckvm_join(pthread_t thread, uint32_t seconds) {
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += seconds;
  return -pthread_timedjoin_np(thread, NULL, &limit);
}

int ckvm_event_new(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int ckvm_event_raise(int fd) {
  uint64_t one = 1;
  return write(fd, &one, sizeof one) < 0 ? -errno : 0;
}

int ckvm_event_clear(int fd) {
  uint64_t count;
  return read(fd, &count, sizeof count) < 0 ? -errno : 0;
}

int ckvm_event_wait(int first, int second, int milliseconds) {
  struct pollfd fds[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  int ready = poll(fds, 2, milliseconds);
  if (ready < 0) return errno == EINTR ? 0 : -errno;
  return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
}

static atomic_int interrupt_event = -1;
static _Atomic uint64_t first_interrupt;
static struct sigaction old_int, old_term, old_hangup;

static void on_interrupt(int number) {
  int saved = errno;
  int fd = atomic_load(&interrupt_event);
  if (fd >= 0) (void)ckvm_event_raise(fd);
  /* A second one is for somebody who does not want to wait; but not at once: timeout(1) signals the process and then its group.
     A terminal that is closed hangs up several times, and nobody waits there. */
  uint64_t now = ckvm_nanoseconds(), none = 0;
  if (!atomic_compare_exchange_strong(&first_interrupt, &none, now) && now - none > 1000000000u && number != SIGHUP) {
    sigaction(number, number == SIGINT ? &old_int : &old_term, NULL);
    raise(number);
  }
  errno = saved;
}

int ckvm_stop_on_interrupt(int fd) {
  if (fd < 0) {
    if (atomic_exchange(&interrupt_event, -1) < 0) return 0;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigaction(SIGHUP, &old_hangup, NULL);
    return 0;
  }
  int none = -1;
  if (!atomic_compare_exchange_strong(&interrupt_event, &none, fd)) return -EBUSY;
  atomic_store(&first_interrupt, 0);
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_int);
  sigaction(SIGTERM, &action, &old_term);
  /* nohup(1) has it ignored, for a recording that is to go on. */
  sigaction(SIGHUP, NULL, &old_hangup);
  if (old_hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);
  /* Whoever started this process may have had them blocked, and a mask is inherited. */
  sigset_t all;
  sigemptyset(&all);
  sigaddset(&all, SIGINT);
  sigaddset(&all, SIGTERM);
  sigaddset(&all, SIGHUP);
  return -pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

uint64_t ckvm_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
