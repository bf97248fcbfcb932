/* SPDX-License-Identifier: ISC */
/*
 * run.h - another program, from its start to its end
 *
 * It is started without a shell, in a process group of its own, with bytes of
 * ours on its standard input and nothing open but that, its output, its errors
 * and perhaps a lock (held.h). What it writes comes back here: to be passed on,
 * escaped, since it may well be what a stranger wrote; or to be kept.
 *
 * When it ends, or its time is over, its process group is killed: what it left
 * running would work beside the next one. `watch --exec` and the hooks of `bot`
 * are this function; several threads may be in it at once.
 */
#ifndef TOCSIN_CLI_RUN_H
#define TOCSIN_CLI_RUN_H

#include "client/cli/held.h"
#include "crypto/buf.h"

enum run_output {
	RUN_PASS, /* both streams, each to ours, escaped */
	RUN_KEEP, /* what it writes is kept, all of it or it has failed;
		     its errors are passed on */
	RUN_TAIL, /* of both streams the end is kept */
};

/*
 * 0 leaves one as ours is. They are set from outside when it has begun, so they
 * stop what runs away and confine nobody who is quick and means harm.
 */
struct run_limits {
	uint64_t cpu_seconds, memory, file_size, files;
};

struct run {
	char *const *argv; /* NULL-terminated */
	bool by_path;	   /* argv[0] is looked for in PATH */
	char *const *env;
	const char *dir; /* where it begins; NULL: where we are */
	struct span input;
	unsigned seconds;
	enum run_output output;
	size_t max; /* bytes that are kept */
	struct run_limits limits;
	const struct held *held; /* NULL: it inherits no lock */
};

struct run_end {
	bool started;
	bool good;	 /* it ended with 0, and nothing is wrong */
	char why[512];	 /* if not: words for people */
	struct buf kept; /* the caller's to release */
};

/* Always ends, and says how. */
void run_program(const struct run *x, struct run_end *out);

/* ---- an environment, made from nothing ---- */

#define RUN_ENV 24

struct run_env {
	char *var[RUN_ENV + 1]; /* NULL-terminated */
	size_t n;
	bool failed; /* no memory, or no room */
};

void run_set(struct run_env *e, const char *name, const char *value);
void run_env_release(struct run_env *e);

#endif
