/* The smallest guest: one line on the console, then the end. */
#include "guest.h"

GUEST_BEGIN hello
	PRINT hello_text, hello_text_end
	xorl %edi, %edi
	HYPERCALL PT_HC_FINISH
1:	hlt
	jmp 1b
hello_text:
	.ascii "hello from a guest\n"
hello_text_end:
GUEST_END hello
