/* The smallest guest: one line on the console, then the end. */
#include "guest.h"

GUEST_BEGIN hello
LABEL start
	PRINT hello_text, hello_text_end
	xorl %edi, %edi
	HYPERCALL PT_HC_FINISH
1:	hlt
	jmp 1b
LABEL hello_text
	.ascii "hello from a guest\n"
LABEL_END hello_text_end
GUEST_END hello
