/* SPDX-License-Identifier: ISC */
/*
 * verify.h - what a third party can say of a folder of signed texts
 *
 * `status --proof` writes a folder, `export --as bundle` a file with the same
 * kinds of texts. This judges them as somebody does who has no home, no key and
 * no network: rosters must follow each other from the first, announcements be
 * signed by members of them, messages by announced devices and their bodies be
 * those that were signed, receipts be signed by listed brokers; and each line
 * of status.txt must be what the text behind it says.
 *
 * All of that hangs on the first roster, which nobody can sign for: its
 * fingerprint is given, for a person to compare. Answers are sealed; what one
 * says is proved only if its key was disclosed.
 *
 * Pure but for memory. Strings are copied and hostile (print.h).
 */
#ifndef TOCSIN_CLIENT_VERIFY_H
#define TOCSIN_CLIENT_VERIFY_H

#include "client/tocsin.h"
#include "crypto/roster.h"

#define VERIFY_NAME 96

struct verify_file {
	char name[VERIFY_NAME]; /* as proof.h and PROTOCOL.md 8.9 name them */
	struct span bytes;
};

enum verify_what {
	VERIFY_ROSTER,
	VERIFY_KEYS,
	VERIFY_MESSAGE,
	VERIFY_RECEIPT,
	VERIFY_LINE, /* of status.txt */
	VERIFY_KINDS
};

struct verify_finding {
	enum verify_what what;
	char name[VERIFY_NAME]; /* of the file, or of the one behind the line */
	char says[256];
	enum tocsin_err err;
	bool word; /* of a line: nothing disproves it, nothing here proves it */
};

struct verify {
	struct verify_finding *found; /* in the order of enum verify_what */
	size_t n;
	size_t bad; /* of these */
	char federation[FEDERATION_MAX + 1];
	char fingerprint[ROSTER_FINGERPRINT + 1]; /* of the first; "": none */
	uint64_t serial;			  /* of the first: 1 is right */
};

/* EMALFORMED: nothing of that kind is there. The caller releases. */
enum tocsin_err verify_files(struct verify *out, const struct verify_file *file,
    size_t n, int64_t now) TOCSIN_MUST_USE;
void verify_release(struct verify *v);

/* A line of status.txt; the spans alias it. False if it is none. */
struct verify_line {
	struct span who, state, file, by, reason; /* by: without its reason */
	int64_t time;
};
bool verify_line_read(struct verify_line *l, struct span text);

#endif
