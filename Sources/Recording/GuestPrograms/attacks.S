/* What a guest can try against a hypervisor that works. Every attempt is denied or refused, and each raises its alert; the guest checks what
 * it can see of that: statuses, and memory that did not change. vCPU 0 also tries what can be tried before the lock only.
 */
#include "guest.h"
#include "guest_tree.h"

#define REGION_WORD (PT_REGION_BASE + 0x8000)
#define FLOOD 512

GUEST_BEGIN attacks
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	call driver_build
	call attack_base
	call driver_publish
	/* The entry point and the base pointer are set, once. */
	leaq driver_entry(%rip), %rdi
	HYPERCALL PT_HC_REGISTER_ENTRY
	EXPECT PT_E_EXISTS
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT PT_E_EXISTS
	call driver_lock
	leaq worker(%rip), %rbx
	call runtime_start_all
	call attack_all
	sti
	call runtime_wait_done
	orq SHARED_POKED, %r15
	FINISH_BY_R15 attacks_good, attacks_bad, attacks_bad, attacks_text_end

LABEL worker
	call runtime_adopt
	call attack_all
	/* What went wrong here is told by vCPU 0. */
	lock orq %r15, SHARED_POKED
	call runtime_done
	jmp runtime_rest

/* vCPU 0, before the base pointer is set: bases that are none, and trees that are none. The tree itself is as it was afterwards. */
LABEL attack_base
	/* No node; outside guest memory; not a page. */
	movl $DRIVER_DATA, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT PT_E_MALFORMED
	movl $PT_REGION_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT PT_E_INVALID
	movl $(NODE_BASE + 8), %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT PT_E_INVALID
	/* A cycle: the first child is the base itself. */
	movq $NODE_BASE, NODE_BASE + NODE_HEADER + 8
	call attack_tree
	/* A child outside guest memory. */
	movl $PT_REGION_BASE, NODE_BASE + NODE_HEADER + 8
	call attack_tree
	/* A page twice. */
	movq $NODE_BRANCH_A, NODE_BASE + NODE_HEADER + 8
	call attack_tree
	movq $NODE_FIRST, NODE_BASE + NODE_HEADER + 8
	/* Keys that overlap: of the base's children, and of a leaf's mappings. */
	movq $0, NODE_BASE + NODE_HEADER + 16
	call attack_tree
	movq $(FAR >> 12), NODE_BASE + NODE_HEADER + 16
	movq $2, NODE_STATIC + NODE_HEADER + 8
	call attack_tree
	movq $1, NODE_STATIC + NODE_HEADER + 8
	ret

LABEL attack_tree
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT PT_E_MALFORMED
	ret

/* Interrupts are off, but where one is waited for. */
LABEL attack_all
	call attack_pages
	call attack_calls
	call attack_driver
	call attack_region
	call attack_mode
	jmp attack_flood

/* Patches: a protected page, a protected byte, nodes, the driver's code and data. */
LABEL attack_pages
	movl $0x90909090, STATIC_DENY
	EXPECT_MEMORY STATIC_DENY, 0x5af2
	movb $0x90, STATIC_RANGE + 1500
	cmpb $0, STATIC_RANGE + 1500
	setne %al
	movzbl %al, %eax
	orq %rax, %r15
	/* The base node without its children; a child that is a page of the attacker's; a leaf that protects nothing. */
	movl $0, NODE_BASE + 8
	EXPECT_MEMORY (NODE_BASE + 8), 2
	movq $SCRATCH, NODE_FIRST + NODE_HEADER + 8
	EXPECT_MEMORY (NODE_FIRST + NODE_HEADER + 8), NODE_STATIC
	movq $0, NODE_STATIC + NODE_HEADER + 8
	EXPECT_MEMORY (NODE_STATIC + NODE_HEADER + 8), 1
	movl $SCRATCH, %eax
	lock xchgq %rax, NODE_BASE + NODE_HEADER + 8
	EXPECT_MEMORY (NODE_BASE + NODE_HEADER + 8), NODE_FIRST
	/* A loop in place of the driver's first instruction. */
	movw driver_code(%rip), %bx
	movw $0xfeeb, driver_code(%rip)
	xorw driver_code(%rip), %bx
	movzwl %bx, %eax
	orq %rax, %r15
	movq $-1, DRIVER_LEAF
	EXPECT_MEMORY DRIVER_LEAF, NODE_LEAF_A
	ret

/* Requests for which one must be in integrity mode, or before the lock. */
LABEL attack_calls
	movl $(DYNAMIC + 8 * PAGE), %edi
	movl $1, %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_REFUSED
	movl $STATIC, %edi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_REFUSED
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_REFUSED
	leaq attack_calls(%rip), %rdi
	HYPERCALL PT_HC_REGISTER_ENTRY
	EXPECT_REFUSED
	movl $DYNAMIC, %edi
	movl $1, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_REGISTER_PAGES
	EXPECT_REFUSED
	movl $SCRATCH, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT_REFUSED
	HYPERCALL PT_HC_LOCK
	EXPECT_REFUSED
	HYPERCALL PT_HC_LEAVE
	EXPECT_REFUSED
	HYPERCALL PT_HC_PRIVILEGED_LEAVE
	EXPECT_REFUSED
	ret

/* Into the driver from wrong places: a call of its own, and its code without its entry. */
LABEL attack_driver
	HYPERCALL PT_HC_ENTER
	EXPECT_REFUSED
	/* Behind the entry, as if it had been answered with 0: what the driver asks for then is refused, and what it writes is denied. */
	pushq %r15
	movl $DRIVER_PROTECT, %ebx
	movl $9, %ebp
	leaq 1f(%rip), %rax
	pushq %rax
	pushfq
	xorl %eax, %eax
	jmp driver_entry
1:	popq %r15
	/* The status of its leaving. */
	EXPECT_REFUSED
	/* With interrupts on. */
	sti
	movl $DRIVER_NOTE, %ebx
	leaq 2f(%rip), %rax
	pushq %rax
	pushfq
	jmp driver_unguarded
2:	EXPECT_REFUSED
	cli
	ret

/* The region while it is not in the view: nothing is there. */
LABEL attack_region
	movq REGION_WORD, %rax
	xorq $-1, %rax
	orq %rax, %r15
	movq %r12, REGION_WORD
	movb $0, PT_REGION_BASE
	movq REGION_WORD, %rax
	xorq $-1, %rax
	orq %rax, %r15
	ret

/* From within: once more into the mode, and a halt in it, which ends it: the leaving that follows is refused. */
LABEL attack_mode
	movl $DRIVER_NEST, %ebx
	call driver
	EXPECT_OK
	movl $DRIVER_HALT, %ebx
	call driver
	EXPECT_REFUSED
	ret

/* Hypercalls made of garbage: numbers that mean nothing, then numbers that mean something, with arguments that do not. */
LABEL attack_flood
	leaq 12345(%r12), %rbx
	movl $FLOOD, %ebp
1:	call attack_random
	movq %rbx, %rax
	orq $64, %rax
	movl $PT_PORT, %edx
	outl %eax, %dx
	EXPECT PT_E_UNKNOWN
	decl %ebp
	jnz 1b
	movl $FLOOD, %ebp
2:	call attack_random
	movl %ebp, %eax
	xorl %edx, %edx
	movl $(attack_numbers_end - attack_numbers), %esi
	divl %esi
	leaq attack_numbers(%rip), %rax
	movzbl (%rax, %rdx), %eax
	call attack_arguments
	movl $PT_PORT, %edx
	outl %eax, %dx
	/* Whatever it is, it is no success. */
	testq %rax, %rax
	sets %al
	xorb $1, %al
	movzbl %al, %eax
	orq %rax, %r15
	decl %ebp
	jnz 2b
	ret

/* RBX: the next number (Knuth's MMIX). Clobbers RAX. */
LABEL attack_random
	movabsq $6364136223846793005, %rax
	imulq %rax, %rbx
	movabsq $1442695040888963407, %rax
	addq %rax, %rbx
	ret

/* Large ones, so that none names a vCPU or a page of memory by chance. */
LABEL attack_arguments
	movabsq $0x8000000000000000, %rdi
	orq %rbx, %rdi
	movq %rdi, %rsi
	rorq $7, %rsi
	movq %rdi, %r9
	movq %rsi, %rcx
	movq %rdi, %r8
	ret

/* All but those that cannot fail, and FINISH and OFFLINE. */
LABEL attack_numbers
	.byte PT_HC_REGISTER_ENTRY, PT_HC_REGISTER_PAGES, PT_HC_SET_BASE, PT_HC_LOCK, PT_HC_ENTER, PT_HC_LEAVE, PT_HC_PROTECT, PT_HC_UNPROTECT
	.byte PT_HC_PRIVILEGED, PT_HC_PRIVILEGED_LEAVE, PT_HC_IPI, PT_HC_START_VCPU, PT_HC_CONSOLE
LABEL_END attack_numbers_end

LABEL attacks_good
	.ascii "attacks: all of them failed\n"
LABEL attacks_bad
	.ascii "attacks: one of them worked, or was answered wrongly\n"
LABEL_END attacks_text_end

#include "guest_driver.h"
GUEST_END attacks
