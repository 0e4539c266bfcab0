/* Locked instructions on a traced page, by all vCPUs at once: each traps, and none may be lost. A vCPU does 8 + 512 / n rounds; vCPU 0
 * compares the totals with what they must be. */
#include "guest.h"
#include "guest_tree.h"

#define BY_XADD (STATIC_COUNT + 64)
#define BY_INC (STATIC_COUNT + 128)
#define BY_CMPXCHG (STATIC_COUNT + 192)
#define BY_LOCK (STATIC_COUNT + 256)   /* raised under LOCK_WORD */
#define BY_ADD (STATIC_COUNT + 320)    /* plus 3, then minus 1 */
#define LOCK_WORD (STATIC_COUNT + 384) /* a spin lock by xchg */
#define LOCK_BIT (STATIC_COUNT + 448)  /* a spin lock by bts, in bit 5 */
#define BY_BIT (STATIC_COUNT + 512)    /* raised under LOCK_BIT */
#define BY_BYTE (STATIC_COUNT + 576)

GUEST_BEGIN atomics
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	/* A tree of one leaf: it names the page, and protects its first 64 bytes only. */
	NODE NODE_BASE, 0, 1, 0, GFN_LIMIT
	MAPPING NODE_BASE, 0, STATIC_COUNT, 1, 0, 64
	leaq entry_point(%rip), %rdi
	HYPERCALL PT_HC_REGISTER_ENTRY
	EXPECT_OK
	movl $NODE_BASE, %edi
	movl $1, %esi
	movl $1, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movl $STATIC_COUNT, %edi
	movl $1, %esi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_PROTECT
	EXPECT_OK
	movl $NODE_BASE, %edi
	HYPERCALL PT_HC_SET_BASE
	EXPECT_OK
	HYPERCALL PT_HC_LOCK
	EXPECT_OK
	leaq worker(%rip), %rbx
	call runtime_start_all
	call count
	call runtime_wait_done
	call compare
	FINISH_BY_R15 atomics_good, atomics_bad, atomics_bad, atomics_text_end

LABEL worker
	call runtime_adopt
	call count
	call runtime_done
	jmp runtime_rest

LABEL count
	sti
	call rounds
	movq %rax, %rbx
1:	movl $1, %eax
	lock xaddq %rax, BY_XADD
	lock incl BY_INC
	lock addq $3, BY_ADD
	lock decq BY_ADD
	lock incb BY_BYTE
	/* cmpxchg until it takes. */
	movq BY_CMPXCHG, %rax
2:	leaq 1(%rax), %rcx
	lock cmpxchgq %rcx, BY_CMPXCHG
	jne 2b
	/* Under a lock by xchg, then under one by bts, a plain increment. */
3:	cmpl $0, LOCK_WORD
	jne 3b
	movl $1, %eax
	xchgl %eax, LOCK_WORD
	testl %eax, %eax
	jnz 3b
	incq BY_LOCK
	movl $0, LOCK_WORD
4:	testl $32, LOCK_BIT
	jnz 4b
	lock btsl $5, LOCK_BIT
	jc 4b
	incq BY_BIT
	lock btrl $5, LOCK_BIT
	incq %r14
	cmpq %rbx, %r14
	jb 1b
	ret

/* RAX: how many rounds each vCPU does. */
LABEL rounds
	movl $512, %eax
	xorl %edx, %edx
	divl %r13d
	leal 8(%eax), %eax
	ret

/* Every total must be n times the rounds (twice that by addition; the last 8 bits of it in the byte). */
LABEL compare
	call rounds
	movq %rax, %rcx
	imulq %r13, %rcx
	movq BY_XADD, %rax
	xorq %rcx, %rax
	orq %rax, %r15
	movl BY_INC, %eax
	xorq %rcx, %rax
	orq %rax, %r15
	movq BY_CMPXCHG, %rax
	xorq %rcx, %rax
	orq %rax, %r15
	movq BY_LOCK, %rax
	xorq %rcx, %rax
	orq %rax, %r15
	movq BY_BIT, %rax
	xorq %rcx, %rax
	orq %rax, %r15
	movzbl BY_BYTE, %eax
	movzbl %cl, %edx
	xorq %rdx, %rax
	orq %rax, %r15
	leaq (%rcx, %rcx), %rdx
	xorq BY_ADD, %rdx
	orq %rdx, %r15
	ret

/* The lock needs an entry point; nobody uses it. */
	HYPERCALL PT_HC_ENTER
LABEL entry_point
	HYPERCALL PT_HC_LEAVE
	ret

LABEL atomics_good
	.ascii "atomics: PASS\n"
LABEL atomics_bad
	.ascii "atomics: FAIL\n"
LABEL_END atomics_text_end
GUEST_END atomics
