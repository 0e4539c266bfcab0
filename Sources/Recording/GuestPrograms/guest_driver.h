/* The guest integrity driver: builds the protected-page tree, registers itself, and edits the tree in integrity mode.
 *
 *   driver_boot   vCPU 0, before the others start: builds, protects, registers, locks. It is these three:
 *   driver_build, driver_publish, driver_lock
 *   driver        any vCPU: RBX the operation (DRIVER_ below), RBP its operand; enters integrity mode, does it, leaves.
 *                 RAX is the status of the entry. Tree operations are for one vCPU at a time.
 *
 * The driver's code has pages of its own. Every change of the tree is published by one store of 8 bytes, after the pages it names
 * were protected; pages are unprotected only after the tree has stopped naming them.
 */
#include "guest.h"

#include "guest_tree.h"

MEMORY driver_data, DRIVER_DATA, PAGE
MEMORY driver_leaf, DRIVER_LEAF, 8
MEMORY driver_branch, DRIVER_BRANCH, 8
MEMORY node_base, NODE_BASE, PAGE
MEMORY node_first, NODE_FIRST, PAGE
MEMORY node_static, NODE_STATIC, PAGE
MEMORY node_leaf_a, NODE_LEAF_A, PAGE
MEMORY node_leaf_b, NODE_LEAF_B, PAGE
MEMORY node_branch_a, NODE_BRANCH_A, 2 * PAGE
MEMORY node_branch_b, NODE_BRANCH_B, 2 * PAGE
MEMORY static_deny, STATIC_DENY, PAGE
MEMORY static_range, STATIC_RANGE, PAGE
MEMORY static_count, STATIC_COUNT, PAGE
MEMORY dynamic, DYNAMIC, DYNAMIC_PAGES * PAGE
MEMORY far, FAR, PAGE

LABEL driver_boot
	call driver_build
	call driver_publish
	jmp driver_lock

LABEL driver_build
	NODE NODE_BASE, 2, 2, 0, GFN_LIMIT
	CHILD NODE_BASE, 0, 0, NODE_FIRST
	CHILD NODE_BASE, 1, (FAR >> 12), NODE_BRANCH_A
	NODE NODE_FIRST, 1, 2, 0, (FAR >> 12)
	CHILD NODE_FIRST, 0, 0, NODE_STATIC
	CHILD NODE_FIRST, 1, (DYNAMIC >> 12), NODE_LEAF_A
	NODE NODE_STATIC, 0, 3, 0, (DYNAMIC >> 12)
	MAPPING NODE_STATIC, 0, STATIC_DENY, 1, 0, 4096
	MAPPING NODE_STATIC, 1, STATIC_RANGE, 1, 1024, 2048
	MAPPING NODE_STATIC, 2, STATIC_COUNT, 1, 0, 64
	NODE NODE_LEAF_A, 0, DYNAMIC_PAGES, (DYNAMIC >> 12), (FAR >> 12)
	NODE NODE_BRANCH_A, 1, 1, (FAR >> 12), GFN_LIMIT
	CHILD NODE_BRANCH_A, 0, (FAR >> 12), (NODE_BRANCH_A + PAGE)
	NODE (NODE_BRANCH_A + PAGE), 0, 1, (FAR >> 12), GFN_LIMIT
	MAPPING (NODE_BRANCH_A + PAGE), 0, FAR, 1, 0, 4096
	/* The keys of the dynamic pages stay for good; an entry counts where its page count is not 0. */
	movl $(DYNAMIC >> 12), %eax
	movl $(NODE_LEAF_A + NODE_HEADER), %edi
1:	movq %rax, (%rdi)
	addl $LEAF_ENTRY, %edi
	incl %eax
	cmpl $((DYNAMIC >> 12) + DYNAMIC_PAGES), %eax
	jb 1b
	movq $NODE_LEAF_A, DRIVER_LEAF
	movq $NODE_BRANCH_A, DRIVER_BRANCH
	movq $0x5af2, STATIC_DENY

	leaq driver_entry(%rip), %rdi
	HYPERCALL PT_HC_REGISTER_ENTRY
	EXPECT_OK
	leaq driver_code(%rip), %rdi
	movl $((driver_code_end - driver_code) / PAGE), %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_REGISTER_PAGES
	EXPECT_OK
	movl $DRIVER_DATA, %edi
	movl $1, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_REGISTER_PAGES
	EXPECT_OK
	/* Base, first, static and leaf A are neighbours; then branch A and its leaf. */
	movl $NODE_BASE, %edi
	movl $4, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movl $NODE_BRANCH_A, %edi
	movl $2, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movl $STATIC, %edi
	movl $STATIC_PAGES, %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movl $FAR, %edi
	movl $1, %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	ret

LABEL driver_publish
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT_OK
	ret

LABEL driver_lock
	HYPERCALL PT_HC_LOCK
	EXPECT_OK
	ret
LABEL_END driver_boot_end

	.balign PAGE
driver_code:
LABEL driver
	pushfq
	cli
/* Also entered here by whoever wants to see what an entry with interrupts on is answered. */
LABEL driver_unguarded
	HYPERCALL PT_HC_ENTER
LABEL driver_entry
	testq %rax, %rax
	jnz 1f
	leaq driver_operations(%rip), %rax
	movslq (%rax, %rbx, 4), %rcx
	addq %rcx, %rax
	call *%rax
	HYPERCALL PT_HC_LEAVE
1:	popfq
	ret

LABEL driver_operations
	.long driver_note - driver_operations
	.long driver_protect - driver_operations
	.long driver_unprotect - driver_operations
	.long driver_move_leaf - driver_operations
	.long driver_move_branch - driver_operations
	.long driver_privileged - driver_operations
	.long driver_unprotect_linked - driver_operations
	.long driver_nudge - driver_operations
	.long driver_nest - driver_operations
	.long driver_halt - driver_operations

/* A 32-byte slot a vCPU, in the first half of the driver's data. */
LABEL driver_note
	movq %r12, %rdi
	shlq $5, %rdi
	incq DRIVER_DATA(%rdi)
	movq %r14, DRIVER_DATA + 8(%rdi)
	ret

/* RDI: address of the mapping's entry for dynamic page RBP, in the leaf in use. */
LABEL driver_find_entry
	movq %rbp, %rdi
	shlq $5, %rdi
	addq DRIVER_LEAF, %rdi
	addq $NODE_HEADER, %rdi
	ret

LABEL driver_protect
	call driver_note
	PAGE_OF DYNAMIC, %rbp, %rdi
	movl $1, %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	call driver_find_entry
	movabsq $(0 | 4096 << 16 | 1 << 32), %rax
	movabsq $(512 | 1024 << 16 | 1 << 32), %rcx
	testl $1, %ebp
	cmovnzq %rcx, %rax
	movq %rax, 16(%rdi)
	movq $1, 8(%rdi)
	ret

LABEL driver_unprotect
	call driver_find_entry
	movq $0, 8(%rdi)
	PAGE_OF DYNAMIC, %rbp, %rdi
	movl $1, %esi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_OK
	ret

LABEL driver_move_leaf
	movq DRIVER_LEAF, %rsi
	movl $(NODE_LEAF_A + NODE_LEAF_B), %edi
	subq %rsi, %rdi
	movq %rsi, %r8
	movq %rdi, %rcx
	pushq %rcx
	movl $((NODE_HEADER + DYNAMIC_PAGES * LEAF_ENTRY) / 8), %ecx
	rep movsq
	popq %rdi
	movq %rdi, %rcx
	movl $1, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movq %rcx, NODE_FIRST + NODE_HEADER + 16 + 8
	movq %rcx, DRIVER_LEAF
	movq %r8, %rdi
	movl $1, %esi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_OK
	ret

LABEL driver_move_branch
	movq DRIVER_BRANCH, %rsi
	movl $(NODE_BRANCH_A + NODE_BRANCH_B), %edi
	subq %rsi, %rdi
	xorl %ecx, %ecx
1:	movq (%rsi, %rcx), %rax
	movq %rax, (%rdi, %rcx)
	movq PAGE(%rsi, %rcx), %rax
	movq %rax, PAGE(%rdi, %rcx)
	addl $8, %ecx
	cmpl $(NODE_HEADER + LEAF_ENTRY), %ecx
	jb 1b
	leaq PAGE(%rdi), %rax
	movq %rax, NODE_HEADER + 8(%rdi)
	movq %rsi, %r8
	movl $2, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movq %rdi, NODE_BASE + NODE_HEADER + 16 + 8
	movq %rdi, DRIVER_BRANCH
	movq %r8, %rdi
	movl $2, %esi
	HYPERCALL PT_HC_UNPROTECT
	EXPECT_OK
	ret

LABEL driver_privileged
	movq %r12, %rdi
	HYPERCALL PT_HC_PRIVILEGED
	EXPECT_OK
	ret

LABEL driver_unprotect_linked
	movl $STATIC_DENY, %edi
	movl $1, %esi
	HYPERCALL PT_HC_UNPROTECT
	movq %rax, %rcx
	xorq $PT_E_BUSY, %rcx
	orq %rcx, %r15
	testq %rax, %rax
	jnz 1f
	/* Taken off after all: on again at once. */
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
1:	ret

/* The interrupt is held until the vCPU has left the mode. */
LABEL driver_nudge
	movq %r12, %rdi
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	EXPECT_OK
	ret

LABEL driver_nest
	movl $DRIVER_NOTE, %ebx
	leaq 1f(%rip), %rax
	pushq %rax
	pushfq
	jmp driver_unguarded
1:	EXPECT_REFUSED
	ret

/* What wakes it is held as long as it is in the mode. */
LABEL driver_halt
	call driver_nudge
	sti
	hlt
	cli
	ret
LABEL_END driver_halt_end
	.balign PAGE
driver_code_end:
