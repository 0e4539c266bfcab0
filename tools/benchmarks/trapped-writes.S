/* A guest that does nothing but write, WRITES times, for tools/benchmarks/record; see pagetape_abi.h. */
#include "pagetape_abi.h"

	.globl _start
_start:
	movl $0x400000, %ebx
	movl $WRITES, %ecx
1:	movq %rcx, (%rbx)
	decl %ecx
	jnz 1b
	xorl %edi, %edi
	movl $PT_HC_FINISH, %eax
	movl $PT_PORT, %edx
	outl %eax, %dx
