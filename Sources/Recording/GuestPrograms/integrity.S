/* The demonstration: an integrity driver on vCPU 0 protects and unprotects pages and edits its tree, while every vCPU writes ordinary,
 * denied and partly protected pages, requests the privileged mode for itself and for others, and sends interrupts. Any number of vCPUs
 * from 1 to 64; with one, vCPU 0 does everything.
 *
 * No rule is broken: every attempt that is refused or denied is meant to be, and is checked to have been.
 */
#include "guest.h"

GUEST_BEGIN integrity
LABEL entry
	jmp start
#include "guest_runtime.h"
#include "guest_work.h"

LABEL start
	call runtime_prepare
	HYPERCALL PT_HC_VERSION
	EXPECT_OK
	xorq $PT_ABI_VERSION, %r10
	orq %r10, %r15
	call driver_boot
	call work_try_registration
	leaq worker(%rip), %rbx
	call runtime_start_hot
	sti

	/* 32 + 256 / n rounds: as many as keep the run short with 64 vCPUs and long enough with one. */
	movl $256, %eax
	xorl %edx, %edx
	divl %r13d
	leal 32(%eax), %eax
	pushq %rax
1:	call round
	call work_step
	incq %r14
	cmpq (%rsp), %r14
	jb 1b
	popq %rax
	call runtime_wait_done
	call work_check
	FINISH_BY_R15 integrity_good, integrity_bad, integrity_bad, integrity_text_end

LABEL worker
	call runtime_adopt
	sti
	/* 16 + 1024 / n steps. */
	movl $1024, %eax
	xorl %edx, %edx
	divl %r13d
	leal 16(%eax), %eax
	pushq %rax
1:	call work_step
	incq %r14
	cmpq (%rsp), %r14
	jb 1b
	popq %rax
	call runtime_done
	jmp runtime_rest

/* One round of the driver's work on vCPU 0; R14 says which. */
LABEL round
	movq %r14, %rbp
	andl $(DYNAMIC_PAGES - 1), %ebp
	movl $DRIVER_PROTECT, %ebx
	call driver
	EXPECT_OK
	/* Denied. Then, where only some bytes are protected, a write beside them, which is not. */
	PAGE_OF DYNAMIC, %rbp, %rdi
	movq %r14, 520(%rdi)
	testl $1, %ebp
	jz 1f
	movq %r14, 2048(%rdi)
1:	call round_poke
	movl %r14d, %eax
	andl $7, %eax
	cmpl $7, %eax
	jne 2f
	movl $DRIVER_MOVE_LEAF, %ebx
	call driver
	EXPECT_OK
2:	movl %r14d, %eax
	andl $15, %eax
	cmpl $9, %eax
	jne 3f
	movl $DRIVER_MOVE_BRANCH, %ebx
	call driver
	EXPECT_OK
3:	movl %r14d, %eax
	andl $15, %eax
	cmpl $5, %eax
	jne 6f
	movl $DRIVER_UNPROTECT_LINKED, %ebx
	call driver
	EXPECT_OK
6:	movl %r14d, %eax
	andl $3, %eax
	cmpl $1, %eax
	jne 4f
	movl $DRIVER_PRIVILEGED, %ebx
	call driver
	EXPECT_OK
4:	cmpl $4, %r14d
	jb 5f
	leaq -4(%r14), %rbp
	andl $(DYNAMIC_PAGES - 1), %ebp
	movl $DRIVER_UNPROTECT, %ebx
	call driver
	EXPECT_OK
	/* An ordinary write now. */
	PAGE_OF DYNAMIC, %rbp, %rdi
	movq %r14, 520(%rdi)
5:	ret

/* Every eighth round vCPU 1 or 2, where it is online, is asked to write to the page just protected, and has answered before it is unprotected. */
LABEL round_poke
	movl %r14d, %eax
	andl $7, %eax
	cmpl $2, %eax
	jne 3f
	cmpl $1, %r13d
	je 3f
	addq $528, %rdi
	movq %rdi, SHARED_POKE
	movl $1, %edi
	cmpl $2, %r13d
	je 1f
	movl %r14d, %eax
	shrl $3, %eax
	andl $1, %eax
	addl %eax, %edi
1:	movq SHARED_POKED, %rbx
	movl $VECTOR_POKE, %esi
	HYPERCALL PT_HC_IPI
	/* It may not be online yet. */
	cmpq $PT_E_MISSING, %rax
	je 3f
	EXPECT_OK
2:	cli
	cmpq SHARED_POKED, %rbx
	jne 3f
	sti
	hlt
	jmp 2b
3:	sti
	ret

LABEL integrity_good
	.ascii "integrity: all as it should be\n"
LABEL integrity_bad
	.ascii "integrity: something is not as it should be\n"
LABEL_END integrity_text_end

#include "guest_driver.h"
GUEST_END integrity
