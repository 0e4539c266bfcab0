/* The privileged mode's handler of the built-in guests. It works on pages of its own vCPU only, as several vCPUs may be in the mode at
 * once: one in the region, and its mailbox in guest memory, which the vCPU before it writes all the time outside the mode. That is safe
 * while every vCPU outside the mode is stopped, and a race as soon as one is not.
 *
 * vCPU 0's handler also starts a vCPU where HOT_ADD says so, and stays long enough for it to come online meanwhile. */
#include "guest.h"

#define REGION_DATA (PT_REGION_BASE + 0x10000)

GUEST_BEGIN handler, PT_REGION_BASE
MEMORY region_data, REGION_DATA, 64 * PAGE
LABEL handler
	movq %rdi, %r12
	PAGE_OF REGION_DATA, %rdi, %rbx
	PAGE_OF MAILBOX, %rdi, %rbp
	incq (%rbx)
	movl $64, %ecx
1:	movq (%rbp), %rax
	pushq %rax
	addq %rax, 8(%rbx)
	movq (%rbx), %rax
	movq %rax, 64(%rbp)
	movq %rcx, (%rbp)
	popq %rax
	decl %ecx
	jnz 1b
	testq %r12, %r12
	jnz 3f
	movq HOT_ADD, %rdi
	testq %rdi, %rdi
	jz 3f
	movq HOT_ADD + 8, %rsi
	movq $0, HOT_ADD
	xorl %r9d, %r9d
	HYPERCALL PT_HC_START_VCPU
	movl $256, %ecx
2:	HYPERCALL PT_HC_YIELD
	decl %ecx
	jnz 2b
3:	HYPERCALL PT_HC_PRIVILEGED_LEAVE
	jmp 3b
GUEST_END handler
