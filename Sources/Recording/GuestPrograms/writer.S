/* Ordinary writes and hardly an exit: each vCPU fills 16 pages of its own, 16 + 640 / n times over.
 * What recording costs shows here. */
#include "guest.h"

GUEST_BEGIN writer
MEMORY pattern, PATTERN, 64 * PATTERN_PAGES * PAGE
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	leaq worker(%rip), %rbx
	call runtime_start_all
	call write_all
	call runtime_wait_done
	FINISH_BY_R15 writer_good, writer_bad, writer_bad, writer_text_end

LABEL worker
	call runtime_adopt
	call write_all
	call runtime_done
	jmp runtime_rest

/* Pass R14 writes the number of the pass into every eighth word of every page, beginning at word R14. */
LABEL write_all
	sti
	movl $640, %eax
	xorl %edx, %edx
	divl %r13d
	leal 16(%eax), %ebx
1:	movq %r12, %rdi
	shlq $16, %rdi
	addq $PATTERN, %rdi
	movl $PATTERN_PAGES, %edx
2:	movq %r14, %rax
	andl $7, %eax
	leaq (%rdi, %rax, 8), %rsi
	movl $64, %ecx
3:	movq %r14, (%rsi)
	addq $64, %rsi
	decl %ecx
	jnz 3b
	addq $PAGE, %rdi
	decl %edx
	jnz 2b
	HYPERCALL PT_HC_YIELD
	EXPECT_OK
	incq %r14
	cmpq %rbx, %r14
	jb 1b
	ret

LABEL writer_good
	.ascii "writer: over\n"
LABEL writer_bad
	.ascii "writer: something is not as it should be\n"
LABEL_END writer_text_end
GUEST_END writer
