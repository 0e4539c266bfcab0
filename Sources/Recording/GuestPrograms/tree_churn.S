/* The protected-page tree and little else: the driver on vCPU 0 protects, unprotects and moves nodes as fast as it can, while the others
 * write pages that are denied to them. */
#include "guest.h"

GUEST_BEGIN tree_churn
LABEL entry
	jmp start
#include "guest_runtime.h"

LABEL start
	call runtime_prepare
	call driver_boot
	leaq worker(%rip), %rbx
	call runtime_start_all
	sti
1:	movq %r14, %rbp
	andl $(DYNAMIC_PAGES - 1), %ebp
	movl $DRIVER_PROTECT, %ebx
	call churn_edit
	testl $3, %r14d
	jnz 2f
	movl $DRIVER_MOVE_LEAF, %ebx
	call churn_edit
2:	testl $7, %r14d
	jnz 3f
	movl $DRIVER_MOVE_BRANCH, %ebx
	call churn_edit
3:	cmpl $8, %r14d
	jb 4f
	leaq -8(%r14), %rbp
	andl $(DYNAMIC_PAGES - 1), %ebp
	movl $DRIVER_UNPROTECT, %ebx
	call churn_edit
4:	incq %r14
	cmpl $160, %r14d
	jb 1b
	call runtime_wait_done
	movl $0x5af2, %eax
	xorq STATIC_DENY, %rax
	orq %rax, %r15
	FINISH_BY_R15 churn_good, churn_bad, churn_bad, churn_text_end

LABEL churn_edit
	call driver
	EXPECT_OK
	ret

/* 16 + 1024 / n denied writes each, the first bytes of the page among them. */
LABEL worker
	call runtime_adopt
	sti
	movl $1024, %eax
	xorl %edx, %edx
	divl %r13d
	leal 16(%eax), %ebx
1:	movq %r14, STATIC_DENY
	movl %r14d, STATIC_DENY + 2048(, %r12, 8)
	movb %r14b, STATIC_RANGE + 1024(%r12)
	movq %r14, STATIC_RANGE + 2048(, %r12, 8)
	movq %r14, FAR(, %r12, 8)
	movl $0x444e5450, NODE_STATIC
	movl $200, %ecx
2:	decl %ecx
	jnz 2b
	incq %r14
	decl %ebx
	jnz 1b
	call runtime_done
	jmp runtime_rest

LABEL churn_good
	.ascii "tree-churn: over\n"
LABEL churn_bad
	.ascii "tree-churn: something is not as it should be\n"
LABEL_END churn_text_end

#include "guest_driver.h"
GUEST_END tree_churn
