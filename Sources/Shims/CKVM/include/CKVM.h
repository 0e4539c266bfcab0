/* What Swift's importer cannot see of <linux/kvm.h>: the _IO*() request numbers, the unions of kvm_run, flags made by _BITUL, SIGRTMIN.
 *
 * One function per ioctl. Each returns the ioctl's result (>= 0), or -errno. None allocates, logs or retries: what to do about a
 * failure is the caller's business. */
#ifndef CKVM_H
#define CKVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Fallbacks for headers older than the kernel that runs (Debian 12 ships 6.1). */
#ifndef KVM_CAP_DIRTY_LOG_RING_ACQ_REL
#define KVM_CAP_DIRTY_LOG_RING_ACQ_REL 223
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif

_Static_assert(sizeof(struct kvm_userspace_memory_region) == 32, "layout of kvm_userspace_memory_region");
_Static_assert(sizeof(struct kvm_dirty_gfn) == 16, "layout of kvm_dirty_gfn");
_Static_assert(sizeof(struct kvm_regs) == 144, "layout of kvm_regs");
_Static_assert(sizeof(struct kvm_sregs) == 312, "layout of kvm_sregs");
_Static_assert(sizeof(struct kvm_fpu) == 416, "layout of kvm_fpu");
_Static_assert(sizeof(struct kvm_vcpu_events) == 64, "layout of kvm_vcpu_events");
_Static_assert(sizeof(struct kvm_enable_cap) == 104, "layout of kvm_enable_cap");
_Static_assert(sizeof(struct kvm_translation) == 24, "layout of kvm_translation");
_Static_assert(sizeof(struct kvm_xsave) == 4096, "layout of kvm_xsave");
_Static_assert(sizeof(struct kvm_xcrs) == 392, "layout of kvm_xcrs");
_Static_assert(sizeof(struct kvm_lapic_state) == 1024, "layout of kvm_lapic_state");
_Static_assert(sizeof(struct kvm_debugregs) == 128, "layout of kvm_debugregs");
_Static_assert(sizeof(struct kvm_irqchip) == 520, "layout of kvm_irqchip");
_Static_assert(sizeof(struct kvm_pit_state2) == 112, "layout of kvm_pit_state2");
_Static_assert(sizeof(struct kvm_clock_data) == 48, "layout of kvm_clock_data");
_Static_assert(sizeof(struct kvm_msr_entry) == 16, "layout of kvm_msr_entry");
_Static_assert(offsetof(struct kvm_run, s) == 304, "layout of kvm_run");

/* --- /dev/kvm --- */
int ckvm_open(const char *path);
int ckvm_close(int fd);
int ckvm_get_api_version(int fd);
int ckvm_check_extension(int fd, uint32_t capability);
int ckvm_create_vm(int fd);
int ckvm_get_vcpu_mmap_size(int fd);

/* The CPUID table that KVM supports, to be handed to a vCPU. */
struct ckvm_cpuid;
struct ckvm_cpuid *ckvm_cpuid_new(void);
void ckvm_cpuid_free(struct ckvm_cpuid *table);
void ckvm_cpuid_set_apic_id(struct ckvm_cpuid *table, uint32_t id);
int ckvm_get_supported_cpuid(int fd, struct ckvm_cpuid *table);
uint32_t ckvm_cpuid_count(const struct ckvm_cpuid *table);
/* `index` is below the count. */
struct kvm_cpuid_entry2 *ckvm_cpuid_entry(struct ckvm_cpuid *table, uint32_t index);
void ckvm_cpuid_remove(struct ckvm_cpuid *table, uint32_t index);

/* The model-specific registers that make up a vCPU's state: how many, and their numbers in `out`, which has room for CKVM_MSR_LIMIT. */
#define CKVM_MSR_LIMIT 512
int ckvm_get_msr_list(int fd, uint32_t *out);

/* --- a virtual machine --- */
int ckvm_enable_cap(int vm, uint32_t capability, uint64_t argument);
int ckvm_set_user_memory_region(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t address);
int ckvm_create_vcpu(int vm, uint32_t id);
int ckvm_reset_dirty_rings(int vm);
/* Three pages, and one, that KVM uses on some Intel CPUs: where the guest has no memory. */
int ckvm_set_tss_address(int vm, uint64_t gpa);
int ckvm_set_identity_map(int vm, uint64_t gpa);
int ckvm_create_irqchip(int vm);
int ckvm_create_pit(int vm);
int ckvm_set_irq_line(int vm, uint32_t line, int level);
/* `chip_id` of the state says which one. */
int ckvm_get_irqchip(int vm, struct kvm_irqchip *state);
int ckvm_set_irqchip(int vm, struct kvm_irqchip *state);
int ckvm_get_pit(int vm, struct kvm_pit_state2 *state);
int ckvm_set_pit(int vm, const struct kvm_pit_state2 *state);
int ckvm_get_clock(int vm, struct kvm_clock_data *state);
int ckvm_set_clock(int vm, const struct kvm_clock_data *state);

/* --- a vCPU --- */
int ckvm_run(int vcpu);
int ckvm_set_cpuid2(int vcpu, struct ckvm_cpuid *table);
int ckvm_get_regs(int vcpu, struct kvm_regs *out);
int ckvm_set_regs(int vcpu, const struct kvm_regs *in);
int ckvm_get_sregs(int vcpu, struct kvm_sregs *out);
int ckvm_set_sregs(int vcpu, const struct kvm_sregs *in);
int ckvm_get_fpu(int vcpu, struct kvm_fpu *out);
int ckvm_set_fpu(int vcpu, const struct kvm_fpu *in);
int ckvm_get_vcpu_events(int vcpu, struct kvm_vcpu_events *out);
int ckvm_set_vcpu_events(int vcpu, const struct kvm_vcpu_events *in);
/* KVM_SET_GUEST_DEBUG: an exit after each instruction, and one before each of the instructions at guest-virtual addresses, at most
   CKVM_BREAKPOINT_LIMIT: as many as a CPU has debug registers for. */
#define CKVM_BREAKPOINT_LIMIT 4
int ckvm_set_guest_debug(int vcpu, int steps, const uint64_t *breakpoints, uint32_t count);
/* How many of them were read or set: KVM stops at the first that it does not know. At most CKVM_MSR_LIMIT. */
int ckvm_get_msrs(int vcpu, struct kvm_msr_entry *entries, uint32_t count);
int ckvm_set_msrs(int vcpu, struct kvm_msr_entry *entries, uint32_t count);
int ckvm_get_tsc_khz(int vcpu);
int ckvm_get_xsave(int vcpu, struct kvm_xsave *state);
int ckvm_set_xsave(int vcpu, const struct kvm_xsave *state);
int ckvm_get_xcrs(int vcpu, struct kvm_xcrs *state);
int ckvm_set_xcrs(int vcpu, const struct kvm_xcrs *state);
int ckvm_get_lapic(int vcpu, struct kvm_lapic_state *state);
int ckvm_set_lapic(int vcpu, const struct kvm_lapic_state *state);
int ckvm_get_debugregs(int vcpu, struct kvm_debugregs *state);
int ckvm_set_debugregs(int vcpu, const struct kvm_debugregs *state);
int ckvm_get_mp_state(int vcpu, uint32_t *state);
int ckvm_set_mp_state(int vcpu, uint32_t state);
int ckvm_interrupt(int vcpu, uint32_t vector);
/* Guest-virtual to guest-physical; -EFAULT where nothing is mapped there. */
int ckvm_translate(int vcpu, uint64_t linear, uint64_t *physical);

/* --- memory --- */
/* Anonymous memory, zero, not reserved; -errno, or 0 and the address. */
int ckvm_map_memory(size_t size, void **out);
/* The shared pages of a KVM descriptor; the same. */
int ckvm_map_fd(int fd, size_t size, size_t offset, void **out);
int ckvm_unmap(void *address, size_t size);

/* --- kvm_run --- */
#define CKVM_SYNC_REGS 1u
#define CKVM_SYNC_SREGS 2u
#define CKVM_SYNC_EVENTS 4u

/* What an exit says, without the unions. Fields that the reason does not have are 0. */
struct ckvm_exit {
  uint32_t reason;
  /* MMIO: the address; IO: the port. */
  uint64_t address;
  /* MMIO and IO: the bytes, little-endian (of a write). */
  uint64_t data;
  uint32_t length;
  uint32_t count;
  uint8_t is_write;
  /* Internal error: its sub-error; fail entry: the hardware's reason. */
  uint64_t detail;
  uint8_t instruction_size;
  uint64_t instruction[2];
};

void ckvm_read_exit(const struct kvm_run *run, struct ckvm_exit *out);
/* Answers a read exit (MMIO, or port input) with `value`'s low bytes, repeated for each element. */
void ckvm_answer_read(struct kvm_run *run, uint64_t value);

static inline struct kvm_regs *ckvm_sync_regs(struct kvm_run *run) { return &run->s.regs.regs; }
static inline struct kvm_sregs *ckvm_sync_sregs(struct kvm_run *run) { return &run->s.regs.sregs; }
static inline struct kvm_vcpu_events *ckvm_sync_events(struct kvm_run *run) { return &run->s.regs.events; }
static inline void ckvm_set_valid_regs(struct kvm_run *run, uint64_t mask) { run->kvm_valid_regs = mask; }
static inline uint64_t ckvm_dirty_regs(const struct kvm_run *run) { return run->kvm_dirty_regs; }
static inline void ckvm_mark_dirty_regs(struct kvm_run *run, uint64_t mask) { run->kvm_dirty_regs |= mask; }
static inline void ckvm_request_interrupt_window(struct kvm_run *run, uint8_t wanted) { run->request_interrupt_window = wanted; }
static inline uint8_t ckvm_ready_for_interrupt(const struct kvm_run *run) { return run->ready_for_interrupt_injection; }

/* Sets or clears immediate_exit; setting is ordered before the signal that follows. */
static inline void ckvm_set_immediate_exit(struct kvm_run *run, uint8_t value) {
  __atomic_store_n(&run->immediate_exit, value, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* --- the dirty ring --- */
static inline uint32_t ckvm_gfn_flags(const struct kvm_dirty_gfn *entry) { return __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE); }
static inline void ckvm_gfn_mark_harvested(struct kvm_dirty_gfn *entry) { __atomic_store_n(&entry->flags, 2u, __ATOMIC_RELEASE); }

/* --- threads and signals --- */
/* Gives the kick signal a handler that does nothing, without SA_RESTART, so that it makes KVM_RUN return. */
int ckvm_install_kick_handler(void);
/* Lets the calling thread receive the kick signal, and no other that a user or a terminal sends. */
int ckvm_prepare_vcpu_thread(const char *name);
int ckvm_kick(pthread_t thread);
/* Joins, waiting at most `seconds`: 0, or -ETIMEDOUT. */
int ckvm_join(pthread_t thread, uint32_t seconds);

/* An event counter to wait on, safe to raise in a signal handler. */
int ckvm_event_new(void);
int ckvm_event_raise(int fd);
int ckvm_event_clear(int fd);
/* Waits until one of two events is raised: bit 0 and bit 1; 0 at the time limit. */
int ckvm_event_wait(int first, int second, int milliseconds);
/* From here SIGINT, SIGTERM and, unless it is ignored, SIGHUP raise the event, once; the next one of the first two does what it did before.
   -1: back to what it was before. */
int ckvm_stop_on_interrupt(int fd);

uint64_t ckvm_nanoseconds(void);

#endif
