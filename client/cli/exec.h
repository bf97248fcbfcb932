/* SPDX-License-Identifier: ISC */
/*
 * exec.h - a command for one message
 *
 * `watch --exec`: run.h starts it with the message on its standard input and
 * says what it is about in the environment.
 */
#ifndef TOCSIN_CLI_EXEC_H
#define TOCSIN_CLI_EXEC_H

#include "client/cli/held.h"
#include "crypto/buf.h"

#define EXEC_KEPT_MAX (1024 * 1024)

struct exec {
	char *const *argv; /* NULL-terminated */
	const char *home;
	const char *reader;
	const struct held *held;
	unsigned seconds;
	bool keep; /* its output, in `kept`, instead of passing it on */
	const struct tocsin_status *status; /* of the ticket; or NULL */
};

struct exec_end {
	bool handled;	 /* it ended with 0, and nothing is wrong */
	char why[512];	 /* if not: words for people */
	struct buf kept; /* the caller's to release */
};

/* Always ends, and says how. */
void exec_run(const struct exec *x, const struct tocsin_message *m,
    unsigned attempt, struct exec_end *out);

#endif
