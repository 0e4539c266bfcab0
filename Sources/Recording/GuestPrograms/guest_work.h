/* The work of every vCPU: ordinary writes for a while, then one or two of the things that the hypervisor must judge.
 *
 *   work_step              one step; R14 says which. Interrupts on
 *   work_try_registration  vCPU 0, after the lock: every request to register is refused
 *   work_check             vCPU 0, at the end: denied writes have not landed, and no locked increment was lost
 */
#include "guest.h"

#define WORK_WRITES 300

#define COUNT_ADDED (STATIC_COUNT + 64)    /* by lock xadd */
#define COUNT_RAISED (STATIC_COUNT + 128)  /* by lock inc */
#define COUNT_EXPECTED (SHARED + 192)      /* what both must be, counted in ordinary memory */

LABEL work_step
	PAGE_OF SCRATCH, %r12, %rdi
	leaq 1(%r12), %r8
	xorl %eax, %eax
	cmpq %r13, %r8
	cmoveq %rax, %r8
	PAGE_OF MAILBOX, %r8, %rsi
	movl $WORK_WRITES, %ecx
1:	movl %ecx, %eax
	andl $31, %eax
	movq %r14, (%rdi, %rax, 8)
	movq %rcx, 128(%rsi)
	addl %ecx, 64(%rsi)
	decl %ecx
	jnz 1b

	movl %r14d, %eax
	andl $15, %eax
	leaq work_table(%rip), %rcx
	movslq (%rcx, %rax, 4), %rax
	addq %rcx, %rax
	jmp *%rax

	.balign 4
LABEL work_table
	.long work_denied - work_table
	.long work_beside - work_table
	.long work_counters - work_table
	.long work_privileged_self - work_table
	.long work_edge - work_table
	.long work_nap - work_table
	.long work_denied_driver - work_table
	.long work_wrong_entry - work_table
	.long work_denied_node - work_table
	.long work_note - work_table
	.long work_counters - work_table
	.long work_privileged_next - work_table
	.long work_wide - work_table
	.long work_refused - work_table
	.long work_nudge - work_table
	.long work_privileged_all - work_table

/* A write to a page that is protected as a whole. */
LABEL work_denied
	movq %r14, STATIC_DENY + 8(, %r12, 8)
	ret

/* A write to the page of which some bytes are protected, not to those. */
LABEL work_beside
	movq %r14, STATIC_RANGE + 2048(, %r12, 8)
	ret

/* Two bytes of which the second is protected: denied. The byte before: not. */
LABEL work_edge
	movw $0x1234, STATIC_RANGE + 1023
	movb %r14b, STATIC_RANGE + 1022
	ret

/* A node of the tree, with the bytes that it holds already: harmless where it is not traced, denied where it is. */
LABEL work_denied_node
	movl $0x444e5450, NODE_STATIC
	ret

/* The driver's data and its code: denied, as this is not integrity mode. The code gets the byte that it holds already. */
LABEL work_denied_driver
	movq %r12, %rdi
	shlq $5, %rdi
	movq %r13, DRIVER_DATA + 16(%rdi)
	movb driver_code(%rip), %al
	movb %al, driver_code(%rip)
	ret

/* 16 bytes at once: they trap as two writes. */
LABEL work_wide
	PAGE_OF SCRATCH, %r12, %rdi
	movups (%rdi), %xmm0
	movq %r12, %rdi
	shlq $4, %rdi
	movups %xmm0, STATIC_RANGE + 3072(%rdi)
	ret

/* Locked instructions on a traced page that all vCPUs share. */
LABEL work_counters
	movl $1, %eax
	lock xaddq %rax, COUNT_ADDED
	lock incl COUNT_RAISED
	lock incq COUNT_EXPECTED
	ret

LABEL work_privileged_self
	movq %r12, %rdi
	HYPERCALL PT_HC_PRIVILEGED
	EXPECT_OK
	ret

LABEL work_privileged_next
	NEXT_VCPU
	HYPERCALL PT_HC_PRIVILEGED
	ret

/* Itself and the seven after it, or everyone where there are no more than that: some of the requests meet a rendezvous that is under way.
 * Offline ones are no error here. */
LABEL work_privileged_all
	REQUEST_PRIVILEGED_ALL
	ret

LABEL work_nap
	jmp runtime_nap

LABEL work_nudge
	NEXT_VCPU
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	HYPERCALL PT_HC_YIELD
	EXPECT_OK
	ret

/* In and out of integrity mode, for a note in the driver's data. */
LABEL work_note
	pushq %rbx
	movl $DRIVER_NOTE, %ebx
	call driver
	EXPECT_OK
	popq %rbx
	ret

/* The right request from the wrong place, interrupts off as it should be. Whoever lets it in is left again at once. */
LABEL work_wrong_entry
	cli
	HYPERCALL PT_HC_ENTER
	testq %rax, %rax
	jz 1f
	EXPECT_REFUSED
	sti
	ret
1:	HYPERCALL PT_HC_LEAVE
	orq $1, %r15
	sti
	ret

/* What only integrity mode may ask for, asked outside it; and the right entry with interrupts on. */
LABEL work_refused
	pushq %rbx
	movl $(DYNAMIC + 63 * PAGE), %edi
	movl $1, %esi
	xorl %r9d, %r9d
	testl $16, %r14d
	jz 1f
	movl $STATIC, %edi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_REFUSED
	/* What "call driver" pushes, but for its turning interrupts off. Whoever lets it in has an interrupt to hold. */
	movl $DRIVER_NUDGE, %ebx
	leaq 2f(%rip), %rax
	pushq %rax
	pushfq
	jmp driver_unguarded
2:	EXPECT_REFUSED
	popq %rbx
	ret
1:	HYPERCALL PT_HC_PROTECT
	EXPECT_REFUSED
	HYPERCALL PT_HC_LEAVE
	EXPECT_REFUSED
	popq %rbx
	ret

LABEL work_try_registration
	leaq driver_entry(%rip), %rdi
	HYPERCALL PT_HC_REGISTER_ENTRY
	EXPECT_REFUSED
	movl $DRIVER_DATA, %edi
	movl $1, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_REGISTER_PAGES
	EXPECT_REFUSED
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT_REFUSED
	ret

LABEL work_check
	movl $0x5af2, %eax
	xorq STATIC_DENY, %rax
	orq %rax, %r15
	xorl %ecx, %ecx
1:	movq STATIC_DENY + 8(, %rcx, 8), %rax
	orq %rax, %r15
	incl %ecx
	cmpl $64, %ecx
	jb 1b
	xorl %ecx, %ecx
2:	movq DRIVER_DATA + 16(%rcx), %rax
	orq %rax, %r15
	addl $32, %ecx
	cmpl $2048, %ecx
	jb 2b
	movzbl STATIC_RANGE + 1024, %eax
	orq %rax, %r15
	movq COUNT_EXPECTED, %rax
	xorq COUNT_ADDED, %rax
	orq %rax, %r15
	movl COUNT_RAISED, %eax
	xorq COUNT_EXPECTED, %rax
	orq %rax, %r15
	ret
