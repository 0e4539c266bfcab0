/* The stop protocol and little else: every vCPU requests the privileged mode for everyone at once, again and again, and is running, halted
 * or in the middle of a hypercall when its own turn comes. */
#include "guest.h"

GUEST_BEGIN stop_storm
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	leaq worker(%rip), %rbx
	call runtime_start_hot
	call storm
	call runtime_wait_done
	FINISH_BY_R15 storm_good, storm_bad, storm_bad, storm_text_end

LABEL worker
	call runtime_adopt
	call storm
	call runtime_done
	jmp runtime_rest

/* 8 + 128 / n times. */
LABEL storm
	sti
	movl $128, %eax
	xorl %edx, %edx
	divl %r13d
	leal 8(%eax), %ebx
1:	call storm_request
	/* Writes that the handler must not see changing. */
	PAGE_OF SCRATCH, %r12, %rdi
	leaq 1(%r12), %rsi
	xorl %eax, %eax
	cmpq %r13, %rsi
	cmoveq %rax, %rsi
	PAGE_OF MAILBOX, %rsi, %rsi
	movl $400, %ecx
2:	incq (%rdi)
	movq %rcx, 64(%rsi)
	decl %ecx
	jnz 2b
	/* Every other time round halted, and with an interrupt for the neighbour, who may be halted too. */
	testl $1, %r14d
	jz 3f
	call runtime_nap
	jmp 4f
3:	NEXT_VCPU
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	HYPERCALL PT_HC_YIELD
4:	incq %r14
	decl %ebx
	jnz 1b
	ret

/* Itself, and those after it. */
LABEL storm_request
	REQUEST_PRIVILEGED_ALL
	ret

LABEL storm_good
	.ascii "stop-storm: over\n"
LABEL storm_bad
	.ascii "stop-storm: something is not as it should be\n"
LABEL_END storm_text_end
GUEST_END stop_storm
