/* What every built-in guest shares: the memory map and a few macros. For .S files only; AT&T syntax, as clang assembles it.
 *
 * A guest is one stretch of bytes between two labels. It is loaded as it is at GUEST_BASE and never relocated: code and constants are
 * reached RIP-relative, memory by the absolute addresses below. The same goes for a handler, at PT_REGION_BASE. Both begin on a page
 * boundary, so that .balign inside them means in the guest what it says.
 *
 * Registers, by convention of all guests: R12 the vCPU's number, R13 the number of vCPUs, R14 the step it is at, R15 what went wrong so
 * far (0: nothing). Routines keep these, RBX and RBP, and clobber the rest.
 */
#ifndef PAGETAPE_GUEST_H
#define PAGETAPE_GUEST_H

#include "include/pagetape_abi.h"

#define PAGE 4096
#define GUEST_BASE 0x100000

/* Ordinary memory. What is an array has a page for each of up to 64 vCPUs, so that no two vCPUs share a page without meaning to. */
#define SHARED 0x200000        /* what vCPUs tell each other: */
#define SHARED_DONE (SHARED + 0)       /* vCPUs that have done their work */
#define SHARED_POKE (SHARED + 64)      /* the address to write to on VECTOR_POKE */
#define SHARED_POKED (SHARED + 128)    /* how many VECTOR_POKED vCPU 0 got */
#define IDT 0x201000
#define NUDGES 0x202000        /* IPIs counted, 64 bytes a vCPU */
#define HOT_ADD 0x203000       /* for vCPU 0's handler: a vCPU to start (0: none), and where. Only vCPU 0 touches it */
#define SCRATCH 0x210000       /* array: written by its own vCPU */
#define MAILBOX 0x250000       /* array: written by the vCPU before it, and by its own in the privileged mode */

/* The integrity driver's data, the tree's nodes and the pages that it protects (guest_driver.h). */
#define DRIVER_DATA 0x300000
#define DRIVER_LEAF (DRIVER_DATA + 4032)     /* address of the leaf in use */
#define DRIVER_BRANCH (DRIVER_DATA + 4040)   /* address of the second interior node in use */
#define NODE_BASE 0x310000     /* level 2: NODE_FIRST and a branch */
#define NODE_FIRST 0x311000    /* level 1: NODE_STATIC and a leaf */
#define NODE_STATIC 0x312000   /* level 0: the static pages; never edited */
#define NODE_LEAF_A 0x313000   /* level 0: the dynamic pages; one of the two is in use */
#define NODE_LEAF_B 0x314000
#define NODE_BRANCH_A 0x315000 /* level 1, and its leaf in the next page; one of the two pairs is in use */
#define NODE_BRANCH_B 0x317000
#define STATIC 0x400000        /* protected from boot on: */
#define STATIC_DENY (STATIC + 0)             /* the whole page */
#define STATIC_RANGE (STATIC + PAGE)         /* bytes 1024 to 2047 */
#define STATIC_COUNT (STATIC + 2 * PAGE)     /* bytes 0 to 63; counters behind them */
#define STATIC_PAGES 3
#define DYNAMIC 0x440000       /* 64 pages, protected for a while each */
#define DYNAMIC_PAGES 64
#define FAR 0x480000           /* a page under the branch */
#define GFN_LIMIT 0x100000     /* the tree covers 4 GiB */

/* What the driver can be asked for (RBX, with an operand in RBP). */
#define DRIVER_NOTE 0       /* counts a visit in the driver's data; any vCPU at any time */
#define DRIVER_PROTECT 1    /* RBP: dynamic page 0 to 63; even ones whole, odd ones bytes 512 to 1023 */
#define DRIVER_UNPROTECT 2  /* RBP: dynamic page */
#define DRIVER_MOVE_LEAF 3  /* goes on with a copy of the leaf of the dynamic pages */
#define DRIVER_MOVE_BRANCH 4 /* goes on with a copy of the branch, an interior node and its leaf */
#define DRIVER_PRIVILEGED 5 /* requests the privileged mode for its own vCPU, from inside integrity mode */
#define DRIVER_UNPROTECT_LINKED 6 /* asks to unprotect a page that the tree names: refused */
#define DRIVER_NUDGE 7      /* sends its own vCPU an interrupt */
#define DRIVER_NEST 8       /* enters once more from within: refused */
#define DRIVER_HALT 9       /* halts in the mode: the vCPU loses it */

#define PATTERN 0x500000       /* 16 pages a vCPU (writer.S) */
#define PATTERN_PAGES 16

#define VECTOR_NUDGE 0x40      /* counts itself */
#define VECTOR_POKE 0x41       /* writes to the address at SHARED_POKE, then answers with VECTOR_POKED */
#define VECTOR_POKED 0x42

/* Opens and closes a stretch of guest bytes under the names that programs.c knows; `base` is where it is loaded. Beside it lie the names of what is in
 * it, put there by LABEL, LABEL_END and MEMORY: of each an address, a size (0: up to the next one), a letter as nm has it and a name that a zero ends. */
.macro GUEST_BEGIN name, base=GUEST_BASE
	.section .rodata.guest_names, "a", @progbits
	.globl pt_\name\()_names
	.hidden pt_\name\()_names
pt_\name\()_names:
	.section .rodata.\name, "a", @progbits
	.balign PAGE
	.globl pt_\name\()_start
	.hidden pt_\name\()_start
pt_\name\()_start:
guest_start:
	.set guest_base, \base
.endm

.macro GUEST_END name
	.globl pt_\name\()_end
	.hidden pt_\name\()_end
pt_\name\()_end:
	.section .rodata.guest_names, "a", @progbits
	.globl pt_\name\()_names_end
	.hidden pt_\name\()_names_end
pt_\name\()_names_end:
	.section .note.GNU-stack, "", @progbits
.endm

.macro NAME address, size, letter, name
	.pushsection .rodata.guest_names, "a", @progbits
	.quad \address, \size
	.ascii "\letter"
	.asciz "\name"
	.popsection
.endm

/* A label of code or of constants that has a name outside, too. */
.macro LABEL name
	NAME \name - guest_start + guest_base, 0, T, \name
\name:
.endm

/* A label where something ends, and what follows has no name. */
.macro LABEL_END name
	NAME \name - guest_start + guest_base, 0, T,
\name:
.endm

/* The name of memory beyond the image. */
.macro MEMORY name, address, size
	NAME \address, \size, B, \name
.endm

/* A hypercall whose arguments are in place. Clobbers RAX (status), RDX (port), R10 (value). */
.macro HYPERCALL number
	movl $\number, %eax
	movl $PT_PORT, %edx
	outl %eax, %dx
.endm

/* RDI, a vCPU's number, goes round to 0 where it is how many there are (R13). Destroys RAX. */
.macro WRAP_VCPU
	xorl %eax, %eax
	cmpq %r13, %rdi
	cmoveq %rax, %rdi
.endm

/* The vCPU after this one (R12), into RDI. */
.macro NEXT_VCPU
	leaq 1(%r12), %rdi
	WRAP_VCPU
.endm

/* Asks for the privileged mode for itself and the seven after it, or for everyone where there are no more than that. */
.macro REQUEST_PRIVILEGED_ALL
	movq %r12, %rdi
	movl $8, %ecx
	cmpq %rcx, %r13
	cmovbq %r13, %rcx
80:	HYPERCALL PT_HC_PRIVILEGED
	incq %rdi
	WRAP_VCPU
	decl %ecx
	jnz 80b
.endm

/* Notes in R15 that the last hypercall should have worked. */
.macro EXPECT_OK
	orq %rax, %r15
.endm

/* Notes in R15 that the last hypercall should have had this status. */
.macro EXPECT status
	xorq $\status, %rax
	orq %rax, %r15
.endm

/* Notes in R15 that the last hypercall should have been refused. */
.macro EXPECT_REFUSED
	EXPECT PT_E_REFUSED
.endm

/* Notes in R15 that 8 bytes of memory should be this. Clobbers RAX. */
.macro EXPECT_MEMORY address, value
	movabsq $\value, %rax
	xorq \address, %rax
	orq %rax, %r15
.endm

/* Prints the string constant between two labels. Clobbers RAX, RDX, RSI, RDI, R10. */
.macro PRINT from, to
	leaq \from(%rip), %rdi
	movl $(\to - \from), %esi
	HYPERCALL PT_HC_CONSOLE
.endm

/* Ends the session: with 0 and one text where R15 is 0, with 1 and the other text where it is not. */
.macro FINISH_BY_R15 good, good_end, bad, bad_end
	testq %r15, %r15
	jnz 90f
	PRINT \good, \good_end
	xorl %edi, %edi
	jmp 91f
90:	PRINT \bad, \bad_end
	movl $1, %edi
91:	HYPERCALL PT_HC_FINISH
92:	hlt
	jmp 92b
.endm

/* Puts the page of this vCPU (or the one in another register) in an array into a register. */
.macro PAGE_OF base, vcpu, into
	movq \vcpu, \into
	shlq $12, \into
	addq $\base, \into
.endm

#endif
