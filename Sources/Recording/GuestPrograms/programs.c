/* The table of built-in guests. A new one is a .S file, a DECLARE and a row. */
#include "include/guest_programs.h"
#include "include/pagetape_abi.h"

#define DECLARE(name) extern const uint8_t pt_##name##_start[], pt_##name##_end[], pt_##name##_names[], pt_##name##_names_end[]
#define BYTES(name) pt_##name##_start, pt_##name##_end
#define NAMES(name) pt_##name##_names, pt_##name##_names_end
#define NO_HANDLER NULL, NULL
#define GUEST_BASE 0x100000

DECLARE(atomics);
DECLARE(attacks);
DECLARE(brief);
DECLARE(default_handler);
DECLARE(handler);
DECLARE(hello);
DECLARE(integrity);
DECLARE(stop_storm);
DECLARE(tree_churn);
DECLARE(writer);

static const struct pt_guest_program programs[] = {
	{"integrity", "a driver protects pages and edits its tree while all vCPUs write, are denied, and enter the privileged mode",
	 BYTES(integrity), BYTES(handler), GUEST_BASE, 0x500000, NAMES(integrity), NAMES(handler)},
	{"stop-storm", "every vCPU requests the privileged mode for everyone at once, running, halted or in a hypercall",
	 BYTES(stop_storm), BYTES(handler), GUEST_BASE, 0x500000, NAMES(stop_storm), NAMES(handler)},
	{"brief", "one round of requests for the privileged mode, interrupts and halts on each vCPU: what a race needs, and luck or a seed",
	 BYTES(brief), BYTES(handler), GUEST_BASE, 0x500000, NAMES(brief), NAMES(handler)},
	{"tree-churn", "the driver edits its tree as fast as it can while the others write denied pages",
	 BYTES(tree_churn), NO_HANDLER, GUEST_BASE, 0x500000, NAMES(tree_churn), NAMES(default_handler)},
	{"attacks", "every vCPU tries to get around the protection: patched pages and nodes, calls from wrong places, a broken tree, garbage",
	 BYTES(attacks), BYTES(handler), GUEST_BASE, 0x500000, NAMES(attacks), NAMES(handler), .needs_traps = 1},
	{"atomics", "all vCPUs count with locked instructions on one traced page; exit code 1 if a count is lost",
	 BYTES(atomics), NO_HANDLER, GUEST_BASE, 0x500000, NAMES(atomics), NAMES(default_handler)},
	{"writer", "every vCPU fills pages of its own and hardly exits: what recording costs",
	 BYTES(writer), NO_HANDLER, GUEST_BASE, 0x900000, NAMES(writer), NAMES(default_handler)},
	{"hello", "prints one line and finishes", BYTES(hello), NO_HANDLER, GUEST_BASE, 0x101000, NAMES(hello), NAMES(default_handler)},
};

size_t pt_guest_program_count(void)
{
	return sizeof programs / sizeof programs[0];
}

struct pt_guest_program pt_guest_program_at(size_t index)
{
	return programs[index];
}

struct pt_guest_program pt_default_handler(void)
{
	return (struct pt_guest_program){.name = "default_handler", .region = pt_default_handler_start, .region_end = pt_default_handler_end};
}
