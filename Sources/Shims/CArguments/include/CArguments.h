/* What this process was started with. Swift's own CommandLine.arguments reads /proc/self/cmdline, and is empty where no /proc is mounted. */
#ifndef CARGUMENTS_H
#define CARGUMENTS_H

/* How many there are, the program's name among them. */
int carguments_count(void);

/* One of them, from 0 on; it lives as long as the process. */
const char *carguments_at(int index);

#endif
