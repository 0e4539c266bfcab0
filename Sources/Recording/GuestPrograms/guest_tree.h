/* Macros that write the nodes of a protected-page tree (format: Sources/Trace/TreeFormat/TreeLayout.swift). All nodes and mappings deny. */
#ifndef PAGETAPE_GUEST_TREE_H
#define PAGETAPE_GUEST_TREE_H

#define NODE_HEADER 64
#define LEAF_ENTRY 32

/* A node's header: page, level, entries, GFNs covered. */
.macro NODE page, level, count, low, end
	movl $0x444e5450, \page
	movl $(1 | \level << 16 | 1 << 24), \page + 4
	movq $\count, \page + 8
	movq $\low, \page + 16
	movq $\end, \page + 24
.endm

.macro CHILD page, index, gfn, child
	movq $\gfn, \page + NODE_HEADER + 16 * \index
	movq $\child, \page + NODE_HEADER + 16 * \index + 8
.endm

.macro MAPPING page, index, gpa, pages, first, end
	movq $(\gpa >> 12), \page + NODE_HEADER + LEAF_ENTRY * \index
	movq $\pages, \page + NODE_HEADER + LEAF_ENTRY * \index + 8
	movabsq $(\first | \end << 16 | 1 << 32), %rax
	movq %rax, \page + NODE_HEADER + LEAF_ENTRY * \index + 16
.endm

#endif
