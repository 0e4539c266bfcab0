/* One round of what a rendezvous can meet, and no more: each vCPU is interrupted for the privileged mode by itself and by the one before it,
 * sends an interrupt, and halts once. Whether any of that happens at the same time is a matter of luck, or of the schedule.
 */
#include "guest.h"

GUEST_BEGIN brief
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	leaq worker(%rip), %rbx
	call runtime_start_all
	call brief_round
	call runtime_wait_done
	FINISH_BY_R15 brief_good, brief_bad, brief_bad, brief_text_end

LABEL worker
	call runtime_adopt
	call brief_round
	call runtime_done
	jmp runtime_rest

LABEL brief_round
	sti
	call brief_write
	movq %r12, %rdi
	HYPERCALL PT_HC_PRIVILEGED
	EXPECT_OK
	call brief_write
	/* The next one may be offline, yet or again. */
	NEXT_VCPU
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	call brief_write
	NEXT_VCPU
	HYPERCALL PT_HC_PRIVILEGED
	call brief_write
	jmp runtime_nap

LABEL brief_write
	PAGE_OF SCRATCH, %r12, %rdi
	leaq 1(%r12), %rax
	PAGE_OF MAILBOX, %rax, %rsi
	movl $20000, %ecx
1:	movq %rcx, (%rdi)
	movq %rcx, 64(%rsi)
	decl %ecx
	jnz 1b
	ret

LABEL brief_good
	.ascii "brief: over\n"
LABEL brief_bad
	.ascii "brief: a request was not granted\n"
LABEL_END brief_text_end
GUEST_END brief
