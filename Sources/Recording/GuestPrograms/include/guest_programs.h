/* The guests that the package assembles, as bytes. */
#ifndef PAGETAPE_GUEST_PROGRAMS_H
#define PAGETAPE_GUEST_PROGRAMS_H

#include <stddef.h>
#include <stdint.h>

struct pt_guest_program {
	const char *name;
	const char *description;      /* one line */
	const uint8_t *image;         /* loaded at load_address, entered at its first byte */
	const uint8_t *image_end;
	const uint8_t *region;        /* loaded at PT_REGION_BASE; NULL where it brings no handler */
	const uint8_t *region_end;
	uint64_t load_address;
	uint64_t memory_end;          /* end of the memory that it uses, the stacks aside */
	/* Names of what is in the image, and in the region where it brings no handler the default one's: of each 8 bytes of address, 8 of size (0: up to the
	 * next address or the end), a letter, and a name, empty for a mere end, that a zero ends. */
	const uint8_t *names;
	const uint8_t *names_end;
	const uint8_t *region_names;
	const uint8_t *region_names_end;
	int needs_traps;              /* it writes over its own driver: where no write traps, that lands, and it never ends */
};

/* How many there are, and the one at an index below that. */
size_t pt_guest_program_count(void);
struct pt_guest_program pt_guest_program_at(size_t index);

/* The privileged mode's handler for images that bring none: a program with a region part only. */
struct pt_guest_program pt_default_handler(void);

#endif
