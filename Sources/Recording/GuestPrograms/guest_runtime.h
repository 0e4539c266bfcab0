/* Routines for guests with several vCPUs. Included once by a guest, where they are to lie.
 *
 *   runtime_prepare     vCPU 0, first: keeps RDI and RSI in R12 and R13, builds the IDT and loads it
 *   runtime_adopt       any other vCPU, first: the same without the building
 *   runtime_start_all   vCPU 0: starts all others at RBX
 *   runtime_start_hot   vCPU 0: the same, but the last one is started by vCPU 0's handler: it comes online during a rendezvous
 *   runtime_done        any vCPU: counts itself as done and tells vCPU 0
 *   runtime_wait_done   vCPU 0: halts until all others are done
 *   runtime_rest        any other vCPU, last: halts for good (or goes offline, vCPUs 3, 5, 7, ...); interrupts go on being served
 *   runtime_nap         sends itself an IPI and halts until it comes
 */
#include "guest.h"

MEMORY shared, SHARED, PAGE
MEMORY shared_done, SHARED_DONE, 8
MEMORY shared_poke, SHARED_POKE, 8
MEMORY shared_poked, SHARED_POKED, 8
MEMORY idt, IDT, PAGE
MEMORY nudges, NUDGES, PAGE
MEMORY hot_add, HOT_ADD, 16
MEMORY scratch, SCRATCH, 64 * PAGE
MEMORY mailbox, MAILBOX, 64 * PAGE

LABEL runtime_prepare
	movq %rdi, %r12
	movq %rsi, %r13
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	xorl %ecx, %ecx
	leaq runtime_exceptions(%rip), %rdi
1:	movq %rdi, %rax
	call runtime_set_gate
	addq $8, %rdi
	incl %ecx
	cmpl $32, %ecx
	jb 1b
	movl $VECTOR_NUDGE, %ecx
	leaq runtime_on_nudge(%rip), %rax
	call runtime_set_gate
	movl $VECTOR_POKE, %ecx
	leaq runtime_on_poke(%rip), %rax
	call runtime_set_gate
	movl $VECTOR_POKED, %ecx
	leaq runtime_on_poked(%rip), %rax
	call runtime_set_gate
	jmp runtime_load_idt

LABEL runtime_adopt
	movq %rdi, %r12
	movq %rsi, %r13
	xorl %r14d, %r14d
	xorl %r15d, %r15d
LABEL runtime_load_idt
	subq $16, %rsp
	movw $4095, (%rsp)
	movq $IDT, 2(%rsp)
	lidt (%rsp)
	addq $16, %rsp
	ret

/* ECX: vector, RAX: handler. An interrupt gate of ring 0. Keeps RCX and RDI. */
LABEL runtime_set_gate
	movl %ecx, %edx
	shll $4, %edx
	movw %ax, IDT(%rdx)
	movw $0x08, IDT + 2(%rdx)
	movw $0x8e00, IDT + 4(%rdx)
	shrq $16, %rax
	movw %ax, IDT + 6(%rdx)
	shrq $16, %rax
	movl %eax, IDT + 8(%rdx)
	movl $0, IDT + 12(%rdx)
	ret

/* An exception is the end: the exit code is 64 and the vector. */
	.balign 8
LABEL runtime_exceptions
	.set vector, 0
	.rept 32
	.balign 8
	pushq $vector
	jmp runtime_panic
	.set vector, vector + 1
	.endr
LABEL runtime_panic
	popq %rdi
	addq $64, %rdi
	HYPERCALL PT_HC_FINISH
1:	hlt
	jmp 1b

LABEL runtime_on_nudge
	pushq %rax
	movq %r12, %rax
	shlq $6, %rax
	incq NUDGES(%rax)
	popq %rax
	iretq

LABEL runtime_on_poke
	pushq %rax
	pushq %rdx
	pushq %rdi
	pushq %rsi
	pushq %r10
	movq SHARED_POKE, %rax
	movq %r12, (%rax)
	xorl %edi, %edi
	movl $VECTOR_POKED, %esi
	HYPERCALL PT_HC_IPI
	popq %r10
	popq %rsi
	popq %rdi
	popq %rdx
	popq %rax
	iretq

LABEL runtime_on_poked
	incq SHARED_POKED
	iretq

LABEL runtime_start_hot
	cmpl $1, %r13d
	je 1f
	leaq -1(%r13), %r8
	call runtime_start_below
	movq %rbx, HOT_ADD + 8
	leaq -1(%r13), %rdi
	movq %rdi, HOT_ADD
	xorl %edi, %edi
	HYPERCALL PT_HC_PRIVILEGED
	EXPECT_OK
1:	ret

LABEL runtime_start_all
	movq %r13, %r8
LABEL runtime_start_below
	movl $1, %ebp
1:	cmpq %r8, %rbp
	jae 2f
	movq %rbp, %rdi
	movq %rbx, %rsi
	xorl %r9d, %r9d
	HYPERCALL PT_HC_START_VCPU
	EXPECT_OK
	incl %ebp
	jmp 1b
2:	ret

LABEL runtime_done
	lock incq SHARED_DONE
	xorl %edi, %edi
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	ret

LABEL runtime_wait_done
	leaq -1(%r13), %rax
1:	cli
	cmpq %rax, SHARED_DONE
	jae 2f
	sti
	hlt
	jmp 1b
2:	sti
	ret

LABEL runtime_rest
	sti
	cmpl $3, %r12d
	jb 1f
	testl $1, %r12d
	jz 1f
	HYPERCALL PT_HC_OFFLINE
	jmp runtime_rest
1:	hlt
	jmp 1b

LABEL runtime_nap
	cli
	movq %r12, %rdi
	movl $VECTOR_NUDGE, %esi
	HYPERCALL PT_HC_IPI
	sti
	hlt
	ret
