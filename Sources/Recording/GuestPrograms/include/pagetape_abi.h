/* The interface between a guest and the pagetape hypervisor, for guest authors. C and assembly alike.
 *
 * Start: 64-bit long mode, guest-physical memory identity-mapped from 0 to 4 GiB with 2 MiB pages, interrupts off, no IDT, flat segments
 * (CS 0x08, SS/DS/ES 0x10). vCPU 0 starts at the image's entry point with RDI = 0 (its number), RSI = the number of vCPUs,
 * RDX = bytes of guest memory, RSP = a 16 KiB stack of its own. The others are offline until PT_HC_START_VCPU.
 * vCPUs started later get the same, with RDX = the argument of PT_HC_START_VCPU.
 *
 * Hypercall: a 4-byte OUT to PT_PORT (`outl %eax, %dx`) with RAX = the number and arguments 0 to 4 in RDI, RSI, R9, RCX, R8 (RDX holds
 * the port). RAX returns the status: 0, or one of the negative errors below; R10 returns the value. All other registers are kept.
 * "Call address" is the address that the hypercall returns to: of the instruction after the OUT.
 *
 * To build a guest with a handler in a section named .region:
 *     clang -c -I<here> guest.S && ld -static -Ttext=0x100000 --section-start=.region=0x70000000 guest.o -o guest.elf
 */
#ifndef PAGETAPE_ABI_H
#define PAGETAPE_ABI_H

#define PT_ABI_VERSION 1
#define PT_PORT 0x5054

/* Memory map at the start. Guest memory is RAM from 0 up; 16 MiB unless the user asks for another size.
 *
 *     0x00001000  page tables, 6 pages: accessed and dirty bits are set already, so the CPU never writes to them by itself
 *     0x00007000  GDT: null, code 0x08, data 0x10
 *     0x00008000  free for the guest; an ELF segment may be loaded here too
 *     0x00100000  images: a flat binary is loaded and entered here; ELF segments go to their physical addresses, here or above
 *     end of RAM  stacks, 16 KiB a vCPU, downwards: vCPU n's RSP is the end of RAM - n * 16 KiB
 *     0x70000000  the special region, not RAM
 *
 * The special region holds the privileged mode's code: an ELF segment loaded at PT_REGION_BASE is put in it. Execution
 * enters at PT_REGION_BASE with RDI = the vCPU's number and RSP = the end of the vCPU's own 4 KiB stack, the stacks taking the last
 * 256 KiB of the region. An image that brings no such segment gets a handler that leaves at once. */
#define PT_REGION_BASE 0x70000000
#define PT_REGION_SIZE 0x00100000
#define PT_REGION_STACK_SIZE 0x1000

/* Hypercalls: number, (arguments) -> value. Those marked I need integrity mode, those marked B only work before PT_HC_LOCK. "pages" is 1 to
 * 4096 pages of guest memory from a page's address on. */
#define PT_HC_VERSION 0         /* () -> PT_ABI_VERSION */
#define PT_HC_REGISTER_ENTRY 1  /* B (call address of the one PT_HC_ENTER) */
#define PT_HC_REGISTER_PAGES 2  /* B (gpa, pages, 0 code | 1 data): driver pages; traced from here on */
#define PT_HC_SET_BASE 3        /* B (gpa of the base node), once; traced, and what it leads to is a tree */
#define PT_HC_LOCK 4            /* () registration is over; needs an entry point */
#define PT_HC_ENTER 5           /* () enter integrity mode; from the registered entry point, interrupts off */
#define PT_HC_LEAVE 6           /* I () leave it */
#define PT_HC_PROTECT 7         /* I (gpa, pages, 0 page | 1 node): put write traces on, before the tree names them. B: without I */
#define PT_HC_UNPROTECT 8       /* I (gpa, pages): take them off, after the tree no longer names them */
#define PT_HC_PRIVILEGED 9      /* (vCPU) send that vCPU the interrupt for the privileged mode; itself too */
#define PT_HC_PRIVILEGED_LEAVE 10 /* () leave the privileged mode, like RSM; in the mode only, does not return there */
#define PT_HC_IPI 11            /* (vCPU, vector 32 to 255) send an ordinary interrupt */
#define PT_HC_START_VCPU 12     /* (vCPU, rip, argument for RDX): bring it online */
#define PT_HC_OFFLINE 13        /* () this vCPU goes offline for good; does not return */
#define PT_HC_CONSOLE 14        /* (gpa, bytes up to 4096) print */
#define PT_HC_FINISH 15         /* (exit code) the guest is done; ends the session */
#define PT_HC_YIELD 16          /* () does nothing: a VM exit on purpose */

/* Errors, the status in RAX. REFUSED ones also perform an alert action, and so do BUSY of PT_HC_UNPROTECT, EXISTS of PT_HC_REGISTER_ENTRY
 * and PT_HC_SET_BASE, and MALFORMED. */
#define PT_OK 0
#define PT_E_UNKNOWN (-1)    /* no such hypercall */
#define PT_E_INVALID (-2)    /* an argument is out of range, misaligned, or outside guest memory */
#define PT_E_REFUSED (-3)    /* refused: not in integrity mode, wrong entry point, after the lock, before registration */
#define PT_E_EXISTS (-4)     /* already so: traced, online, registered */
#define PT_E_MISSING (-5)    /* not so: not traced, offline */
#define PT_E_BUSY (-6)       /* the tree still names it; an interrupt is latched */
#define PT_E_MALFORMED (-7)  /* no valid node, or it does not lead to a tree */

#endif
