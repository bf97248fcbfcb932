/* SPDX-License-Identifier: ISC */
/*
 * commit.h - how far a program says that it has come
 *
 * A program that `tocsin watch --commit` feeds says on our standard input, one
 * object a line, which message it is done with, or cannot handle:
 *
 *	{"commit":17}
 *	{"aside":17,"why":"no such host"}
 *
 * and nothing else: a member too many is a mistake of the program's, not
 * something to be read over. The form is docs/schema/commit.json.
 */
#ifndef TOCSIN_CLI_COMMIT_H
#define TOCSIN_CLI_COMMIT_H

#include "crypto/wire.h"

#define COMMIT_LINE 8192 /* bytes of one at most, which the caller sees to */

struct json_t;

struct commit_line {
	uint64_t number; /* of a message, from 1 */
	const char *why; /* of what is set aside, not empty; or NULL */
	struct json_t *root;
};

/* A line without its end. False if it is none; released either way. */
MUST_USE bool commit_line_parse(struct commit_line *out, struct span line);
void commit_line_release(struct commit_line *l);

#endif
