/* SPDX-License-Identifier: ISC */
/*
 * circle.h - named groups of members, which this home alone knows
 *
 * `@asean` stands for members wherever somebody says whom a message is to. It
 * is expanded here, before anything is sealed, and never leaves: a message
 * names members, and nobody learns that they are in a circle, of what name, or
 * who else is (PROTOCOL.md 2). The files are circles.conf in tocsin(1).
 *
 * The one idea: a circle is exactly who its file names, or it is not used. One
 * that is empty is nobody; one that names somebody who has left the roster, or
 * a file with a fault anywhere in it, is refused with a sentence: those who are
 * left out in silence would be missed too late. A name that is a nation's is no
 * circle's, so `@my` means one thing.
 *
 * Nothing is remembered between two uses. circles_parse() is pure.
 */
#ifndef TOCSIN_CLIENT_CIRCLE_H
#define TOCSIN_CLIENT_CIRCLE_H

#include "client/tocsin.h"
#include "crypto/roster.h"
#include "crypto/text.h"
#include "crypto/ticket.h"

#define CIRCLES_MAX 64
#define CIRCLE_NAME (LABEL_MAX + 1)
#define CIRCLE_FILE_MAX (64 * 1024)
#define CIRCLE_FILES 2 /* of the machine, of the home */

struct circle {
	char name[CIRCLE_NAME + 1]; /* "@asean" */
	char text[128];
	unsigned file;
	size_t n;
	char member[TICKET_TO_MAX][MEMBER_MAX + 1]; /* ascending */
};

struct circles {
	char file[CIRCLE_FILES][600];
	size_t n, room;
	struct circle *circle;
};

struct circle_fault {
	unsigned line;
	char what[160];
};

/*
 * Adds to *c what the text of file number `file` says; a circle of another file
 * that has the same name is replaced. EMALFORMED: nothing was added.
 */
enum tocsin_err MUST_USE circles_parse(
    struct circles *c, struct span text, unsigned file, struct circle_fault *f);

/*
 * The two files of a home, as far as they are there. EMALFORMED, or why a file
 * cannot be read: `why` is a sentence. The caller releases in any case.
 */
enum tocsin_err MUST_USE circles_load(
    struct circles *c, const char *home, char why[1024]);
void circles_release(struct circles *c);

const struct circle *circles_find(const struct circles *c, const char *name);

/* Whether that is a nation of the roster: "my", or "@my". NULL has none. */
bool circle_is_nation(const struct roster *r, const char *name);

/*
 * Whether it may stand for its members now: it has some, all of them are in the
 * roster, none is suspended, and its name is not a nation's. Or a sentence.
 */
enum tocsin_err MUST_USE circle_check(const struct circles *all,
    const struct circle *c, const struct roster *r, char why[1024]);

/* Members and circles, as typed, to members; each once. */
struct circle_names {
	const char **name; /* NULL-terminated; NULL if nothing was asked */
	size_t n;
};

/*
 * `typed` is NULL-terminated or NULL. What it names lives as long as *c and
 * `typed`. A word without '@' in front is passed on as it is. Fails with a
 * sentence as circle_check() does, and EUSAGE for a circle that there is not.
 */
enum tocsin_err MUST_USE circles_expand(const struct circles *c,
    const struct roster *r, const char *const *typed, struct circle_names *out,
    char why[1024]);
void circle_names_release(struct circle_names *names);

#endif
