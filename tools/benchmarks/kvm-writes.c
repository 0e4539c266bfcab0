/* The least that a trapped write can cost: a guest that writes to a read-only memslot in a loop, and a loop around KVM_RUN that counts the
 * exits and does nothing else. Prints exits, CPU seconds and wall seconds.
 *     kvm-writes EXITS GUEST      GUEST: the flat image of trapped-writes.S; its count of writes does not matter here */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RAM = 16 << 20, ENTRY = 0x100000, TARGET = 0x400000, TABLES = 0x1000 };

static long check(long result, const char *what) {
	if (result < 0) {
		perror(what);
		exit(4);
	}
	return result;
}

static double now(clockid_t clock) {
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Long mode with the first GiB mapped one to one, as pagetape starts its guests. */
static void start(int vcpu, uint8_t *ram) {
	uint64_t *tables = (uint64_t *)(ram + TABLES);
	tables[0] = (TABLES + 0x1000) | 0x23;
	tables[512] = (TABLES + 0x2000) | 0x23;
	for (uint64_t page = 0; page < 512; page++) tables[1024 + page] = page << 21 | 0xE3;
	struct kvm_sregs system;
	check(ioctl(vcpu, KVM_GET_SREGS, &system), "KVM_GET_SREGS");
	struct kvm_segment code = {.limit = 0xFFFFFFFF, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {.limit = 0xFFFFFFFF, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	system.cs = code;
	system.ds = system.es = system.ss = system.fs = system.gs = data;
	system.cr3 = TABLES;
	system.cr4 = 0x20;
	system.cr0 = 0x80000011;
	system.efer = 0x500;
	check(ioctl(vcpu, KVM_SET_SREGS, &system), "KVM_SET_SREGS");
	struct kvm_regs registers = {.rip = ENTRY, .rsp = RAM, .rflags = 2};
	check(ioctl(vcpu, KVM_SET_REGS, &registers), "KVM_SET_REGS");
}

int main(int count, char **arguments) {
	if (count != 3) {
		fprintf(stderr, "usage: kvm-writes EXITS GUEST\n");
		return 2;
	}
	long exits = atol(arguments[1]);
	uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(ram == MAP_FAILED ? -1 : 0, "mmap");
	int image = check(open(arguments[2], O_RDONLY), arguments[2]);
	check(read(image, ram + ENTRY, 0x10000), arguments[2]);
	int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	int machine = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	struct kvm_userspace_memory_region low = {0, 0, 0, TARGET, (uintptr_t)ram};
	struct kvm_userspace_memory_region high = {1, KVM_MEM_READONLY, TARGET, RAM - TARGET, (uintptr_t)ram + TARGET};
	check(ioctl(machine, KVM_SET_USER_MEMORY_REGION, &low), "memory");
	check(ioctl(machine, KVM_SET_USER_MEMORY_REGION, &high), "read-only memory");
	int vcpu = check(ioctl(machine, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	size_t size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	check(run == MAP_FAILED ? -1 : 0, "mmap");
	start(vcpu, ram);
	double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
	for (long exit = 0; exit < exits; exit++) {
		check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
		if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write) {
			fprintf(stderr, "exit %ld: reason %u\n", exit, run->exit_reason);
			return 3;
		}
	}
	printf("%ld %f %f\n", exits, now(CLOCK_PROCESS_CPUTIME_ID) - cpu, now(CLOCK_MONOTONIC) - wall);
	return 0;
}
