#include "CArguments.h"

static int count;
static char **arguments;

/* glibc gives a constructor what it gives main. */
__attribute__((constructor)) static void keep(int argc, char **argv) {
  count = argc;
  arguments = argv;
}

int carguments_count(void) { return count; }

const char *carguments_at(int index) { return arguments[index]; }
