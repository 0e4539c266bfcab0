/* The privileged mode's handler of an image that brings none: it leaves at once. */
#include "guest.h"

GUEST_BEGIN default_handler, PT_REGION_BASE
LABEL default_handler
1:	HYPERCALL PT_HC_PRIVILEGED_LEAVE
	jmp 1b
GUEST_END default_handler
