#define _GNU_SOURCE
#include "CKVM.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int ckvm_open(const char *path) { return result(open(path, O_RDWR | O_CLOEXEC)); }
int ckvm_close(int fd) { return result(close(fd)); }
int ckvm_get_api_version(int fd) { return result(ioctl(fd, KVM_GET_API_VERSION, 0)); }
int ckvm_check_extension(int fd, uint32_t capability) { return result(ioctl(fd, KVM_CHECK_EXTENSION, (unsigned long)capability)); }
int ckvm_create_vm(int fd) { return result(ioctl(fd, KVM_CREATE_VM, 0ul)); }
int ckvm_get_vcpu_mmap_size(int fd) { return result(ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0)); }

/* A kvm_cpuid2 with room for this many entries: more than any CPU has. */
enum { CPUID_ENTRIES = 256 };

struct ckvm_cpuid *ckvm_cpuid_new(void) {
  return calloc(1, sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
}

void ckvm_cpuid_free(struct ckvm_cpuid *table) { free(table); }

void ckvm_cpuid_set_apic_id(struct ckvm_cpuid *table, uint32_t id) {
  struct kvm_cpuid2 *list = (struct kvm_cpuid2 *)table;
  for (uint32_t i = 0; i < list->nent && i < CPUID_ENTRIES; i++) {
    struct kvm_cpuid_entry2 *entry = &list->entries[i];
    if (entry->function == 1) entry->ebx = (entry->ebx & 0x00ffffffu) | id << 24;
    if (entry->function == 0xb || entry->function == 0x1f) entry->edx = id;
    /* AMD's, where a kernel looks first: each a core of its own, with one thread (AMD APM volume 3, appendix E.4.17). */
    if (entry->function == 0x8000001e) {
      entry->eax = id;
      entry->ebx = id & 0xff;
    }
  }
}

int ckvm_get_supported_cpuid(int fd, struct ckvm_cpuid *table) {
  ((struct kvm_cpuid2 *)table)->nent = CPUID_ENTRIES;
  return result(ioctl(fd, KVM_GET_SUPPORTED_CPUID, table));
}

uint32_t ckvm_cpuid_count(const struct ckvm_cpuid *table) { return ((const struct kvm_cpuid2 *)table)->nent; }

struct kvm_cpuid_entry2 *ckvm_cpuid_entry(struct ckvm_cpuid *table, uint32_t index) { return &((struct kvm_cpuid2 *)table)->entries[index]; }

void ckvm_cpuid_remove(struct ckvm_cpuid *table, uint32_t index) {
  struct kvm_cpuid2 *list = (struct kvm_cpuid2 *)table;
  if (index >= list->nent) return;
  memmove(&list->entries[index], &list->entries[index + 1], (list->nent - index - 1) * sizeof *list->entries);
  list->nent--;
}

int ckvm_get_msr_list(int fd, uint32_t *out) {
  union {
    struct kvm_msr_list list;
    char room[sizeof(struct kvm_msr_list) + CKVM_MSR_LIMIT * sizeof(uint32_t)];
  } all = {.list = {.nmsrs = CKVM_MSR_LIMIT}};
  int status = result(ioctl(fd, KVM_GET_MSR_INDEX_LIST, &all));
  if (status < 0) return status;
  memcpy(out, all.list.indices, all.list.nmsrs * sizeof *out);
  return (int)all.list.nmsrs;
}

static int msrs(int vcpu, unsigned long request, struct kvm_msr_entry *entries, uint32_t count) {
  union {
    struct kvm_msrs list;
    char room[sizeof(struct kvm_msrs) + CKVM_MSR_LIMIT * sizeof(struct kvm_msr_entry)];
  } all = {.list = {.nmsrs = count}};
  if (count > CKVM_MSR_LIMIT) return -E2BIG;
  memcpy(all.list.entries, entries, count * sizeof *entries);
  int status = result(ioctl(vcpu, request, &all));
  if (status > 0) memcpy(entries, all.list.entries, (size_t)status * sizeof *entries);
  return status;
}

int ckvm_get_msrs(int vcpu, struct kvm_msr_entry *entries, uint32_t count) { return msrs(vcpu, KVM_GET_MSRS, entries, count); }
int ckvm_set_msrs(int vcpu, struct kvm_msr_entry *entries, uint32_t count) { return msrs(vcpu, KVM_SET_MSRS, entries, count); }

int ckvm_set_tss_address(int vm, uint64_t gpa) { return result(ioctl(vm, KVM_SET_TSS_ADDR, (unsigned long)gpa)); }
int ckvm_set_identity_map(int vm, uint64_t gpa) { return result(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &gpa)); }
int ckvm_create_irqchip(int vm) { return result(ioctl(vm, KVM_CREATE_IRQCHIP, 0)); }

int ckvm_create_pit(int vm) {
  struct kvm_pit_config request = {.flags = KVM_PIT_SPEAKER_DUMMY};
  return result(ioctl(vm, KVM_CREATE_PIT2, &request));
}

int ckvm_set_irq_line(int vm, uint32_t line, int level) {
  struct kvm_irq_level request = {.irq = line, .level = level != 0};
  return result(ioctl(vm, KVM_IRQ_LINE, &request));
}

int ckvm_get_irqchip(int vm, struct kvm_irqchip *state) { return result(ioctl(vm, KVM_GET_IRQCHIP, state)); }
int ckvm_set_irqchip(int vm, struct kvm_irqchip *state) { return result(ioctl(vm, KVM_SET_IRQCHIP, state)); }
int ckvm_get_pit(int vm, struct kvm_pit_state2 *state) { return result(ioctl(vm, KVM_GET_PIT2, state)); }
int ckvm_set_pit(int vm, const struct kvm_pit_state2 *state) { return result(ioctl(vm, KVM_SET_PIT2, state)); }
int ckvm_get_clock(int vm, struct kvm_clock_data *state) { return result(ioctl(vm, KVM_GET_CLOCK, state)); }

int ckvm_set_clock(int vm, const struct kvm_clock_data *state) {
  /* Flags that a read gives are not all taken back. */
  struct kvm_clock_data request = {.clock = state->clock};
  return result(ioctl(vm, KVM_SET_CLOCK, &request));
}

int ckvm_get_tsc_khz(int vcpu) { return result(ioctl(vcpu, KVM_GET_TSC_KHZ, 0)); }
int ckvm_get_xsave(int vcpu, struct kvm_xsave *state) { return result(ioctl(vcpu, KVM_GET_XSAVE, state)); }
int ckvm_set_xsave(int vcpu, const struct kvm_xsave *state) { return result(ioctl(vcpu, KVM_SET_XSAVE, state)); }
int ckvm_get_xcrs(int vcpu, struct kvm_xcrs *state) { return result(ioctl(vcpu, KVM_GET_XCRS, state)); }
int ckvm_set_xcrs(int vcpu, const struct kvm_xcrs *state) { return result(ioctl(vcpu, KVM_SET_XCRS, state)); }
int ckvm_get_lapic(int vcpu, struct kvm_lapic_state *state) { return result(ioctl(vcpu, KVM_GET_LAPIC, state)); }
int ckvm_set_lapic(int vcpu, const struct kvm_lapic_state *state) { return result(ioctl(vcpu, KVM_SET_LAPIC, state)); }
int ckvm_get_debugregs(int vcpu, struct kvm_debugregs *state) { return result(ioctl(vcpu, KVM_GET_DEBUGREGS, state)); }
int ckvm_set_debugregs(int vcpu, const struct kvm_debugregs *state) { return result(ioctl(vcpu, KVM_SET_DEBUGREGS, state)); }

int ckvm_get_mp_state(int vcpu, uint32_t *state) {
  struct kvm_mp_state request = {0};
  int status = result(ioctl(vcpu, KVM_GET_MP_STATE, &request));
  *state = request.mp_state;
  return status;
}

int ckvm_set_mp_state(int vcpu, uint32_t state) {
  struct kvm_mp_state request = {.mp_state = state};
  return result(ioctl(vcpu, KVM_SET_MP_STATE, &request));
}

int ckvm_enable_cap(int vm, uint32_t capability, uint64_t argument) {
  struct kvm_enable_cap request = {.cap = capability, .args = {argument}};
  return result(ioctl(vm, KVM_ENABLE_CAP, &request));
}

int ckvm_set_user_memory_region(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t address) {
  struct kvm_userspace_memory_region region = {
      .slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = address};
  return result(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
}

int ckvm_create_vcpu(int vm, uint32_t id) { return result(ioctl(vm, KVM_CREATE_VCPU, (unsigned long)id)); }
int ckvm_reset_dirty_rings(int vm) { return result(ioctl(vm, KVM_RESET_DIRTY_RINGS, 0)); }

int ckvm_run(int vcpu) { return result(ioctl(vcpu, KVM_RUN, 0)); }
int ckvm_set_cpuid2(int vcpu, struct ckvm_cpuid *table) { return result(ioctl(vcpu, KVM_SET_CPUID2, table)); }
int ckvm_get_regs(int vcpu, struct kvm_regs *out) { return result(ioctl(vcpu, KVM_GET_REGS, out)); }
int ckvm_set_regs(int vcpu, const struct kvm_regs *in) { return result(ioctl(vcpu, KVM_SET_REGS, in)); }
int ckvm_get_sregs(int vcpu, struct kvm_sregs *out) { return result(ioctl(vcpu, KVM_GET_SREGS, out)); }
int ckvm_set_sregs(int vcpu, const struct kvm_sregs *in) { return result(ioctl(vcpu, KVM_SET_SREGS, in)); }
int ckvm_get_fpu(int vcpu, struct kvm_fpu *out) { return result(ioctl(vcpu, KVM_GET_FPU, out)); }
int ckvm_set_fpu(int vcpu, const struct kvm_fpu *in) { return result(ioctl(vcpu, KVM_SET_FPU, in)); }
int ckvm_get_vcpu_events(int vcpu, struct kvm_vcpu_events *out) { return result(ioctl(vcpu, KVM_GET_VCPU_EVENTS, out)); }
int ckvm_set_vcpu_events(int vcpu, const struct kvm_vcpu_events *in) { return result(ioctl(vcpu, KVM_SET_VCPU_EVENTS, in)); }

int ckvm_set_guest_debug(int vcpu, int steps, const uint64_t *breakpoints, uint32_t count) {
  struct kvm_guest_debug request = {0};
  if (count > CKVM_BREAKPOINT_LIMIT) return -EINVAL;
  if (steps) request.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  if (count > 0) {
    request.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
    request.arch.debugreg[7] = 0x400;
  }
  for (uint32_t i = 0; i < count; i++) {
    request.arch.debugreg[i] = breakpoints[i];
    /* For all tasks, on execution. */
    request.arch.debugreg[7] |= 2ull << 2 * i;
  }
  return result(ioctl(vcpu, KVM_SET_GUEST_DEBUG, &request));
}

int ckvm_interrupt(int vcpu, uint32_t vector) {
  struct kvm_interrupt request = {.irq = vector};
  return result(ioctl(vcpu, KVM_INTERRUPT, &request));
}

int ckvm_translate(int vcpu, uint64_t linear, uint64_t *physical) {
  struct kvm_translation request = {.linear_address = linear};
  int status = result(ioctl(vcpu, KVM_TRANSLATE, &request));
  if (status < 0) return status;
  if (!request.valid) return -EFAULT;
  *physical = request.physical_address;
  return 0;
}

static int mapped(void *address, void **out) {
  if (address == MAP_FAILED) return -errno;
  *out = address;
  return 0;
}

int ckvm_map_memory(size_t size, void **out) {
  return mapped(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), out);
}

int ckvm_map_fd(int fd, size_t size, size_t offset, void **out) {
  return mapped(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset), out);
}

int ckvm_unmap(void *address, size_t size) { return result(munmap(address, size)); }

static void read_io(const struct kvm_run *run, struct ckvm_exit *out) {
  out->address = run->io.port;
  out->length = run->io.size;
  out->count = run->io.count;
  out->is_write = run->io.direction == KVM_EXIT_IO_OUT;
  if (out->is_write && run->io.size <= sizeof out->data) memcpy(&out->data, (const char *)run + run->io.data_offset, run->io.size);
}

static void read_internal_error(const struct kvm_run *run, struct ckvm_exit *out) {
  out->detail = run->internal.suberror;
  if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION || run->internal.ndata < 1) return;
  if (!(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) return;
  uint8_t size = run->emulation_failure.insn_size;
  out->instruction_size = size > 15 ? 15 : size;
  memcpy(out->instruction, run->emulation_failure.insn_bytes, out->instruction_size);
}

void ckvm_read_exit(const struct kvm_run *run, struct ckvm_exit *out) {
  memset(out, 0, sizeof *out);
  out->reason = run->exit_reason;
  switch (run->exit_reason) {
  case KVM_EXIT_MMIO:
    out->address = run->mmio.phys_addr;
    out->length = run->mmio.len > 8 ? 8 : run->mmio.len;
    out->is_write = run->mmio.is_write;
    if (out->is_write) memcpy(&out->data, run->mmio.data, out->length);
    break;
  case KVM_EXIT_IO: read_io(run, out); break;
  case KVM_EXIT_INTERNAL_ERROR: read_internal_error(run, out); break;
  case KVM_EXIT_FAIL_ENTRY: out->detail = run->fail_entry.hardware_entry_failure_reason; break;
  case KVM_EXIT_SYSTEM_EVENT: out->detail = run->system_event.type; break;
  default: break;
  }
}

void ckvm_answer_read(struct kvm_run *run, uint64_t value) {
  if (run->exit_reason == KVM_EXIT_MMIO) {
    memcpy(run->mmio.data, &value, sizeof run->mmio.data);
  } else if (run->exit_reason == KVM_EXIT_IO && run->io.size <= sizeof value) {
    for (uint32_t i = 0; i < run->io.count; i++) memcpy((char *)run + run->io.data_offset + i * run->io.size, &value, run->io.size);
  }
}
