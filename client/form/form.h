/* SPDX-License-Identifier: ISC */
/*
 * form.h - incident reports in the formats of other tools
 *
 * Between any two formats stands one model, the members of ticket.json
 * (PROTOCOL.md 8.4): a reader translates what a file says into them, a writer
 * translates them into a file. Each format is one row of a table, in a file of
 * its own; what several of them need is in observable.h and here.
 *
 * Nothing is guessed and nothing is dropped. What has no place in ticket.json
 * is named in its member `kept`, and whoever makes a ticket of the file
 * attaches the file as it is. What has no place in a format is named by the
 * writer, in form_out's `lost`, and goes along as ticket.json where the format
 * can carry a file.
 *
 * A file is somebody else's, perhaps hostile: it is bounded in size, depth and
 * number of things, doubled members are refused, and XML is read without
 * entities and without the network. Everything here is pure.
 */
#ifndef TOCSIN_FORM_FORM_H
#define TOCSIN_FORM_FORM_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#include <jansson.h>

#define FORM_FILE_MAX (16 * 1024 * 1024)
#define FORM_LIST_MAX 500 /* indicators or references that are read out */
#define FORM_FILES_MAX 16 /* files inside a file */
#define FORM_DEPTH_MAX 32

/* ---- reading ---- */

/* A file that was inside the file. */
struct form_file {
	char *name;
	char *media;
	struct buf bytes;
};

struct form_in {
	json_t *content; /* members of ticket.json, subject and text too */
	char tlp[16];	 /* the narrowest label in it, or "" */
	struct form_file file[FORM_FILES_MAX];
	size_t nfile;
};

/* ---- writing ---- */

struct form_message { /* one of the ticket's, opened */
	const char *id;
	const char *from;
	const char *kind;
	const char *tlp;
	int64_t time;
	const json_t *content;
};

struct form_out {
	const char *tlp;		    /* narrowest of all */
	const struct form_message *message; /* the first opened the ticket */
	size_t n;
	int64_t now;
	json_t *lost;	 /* array of strings: what the format cannot say */
	const char *why; /* if it can say nothing of the ticket: a sentence */
};

/* ---- formats ---- */

struct form {
	const char *name;  /* what the user types */
	const char *title; /* what it is called */
	const char *media;
	const char *suffix; /* of a file that is written */

	/* Of JSON: is it one, what does it say, and the way back. */
	bool (*is)(const json_t *root);
	enum tocsin_err (*read)(struct form_in *out, const json_t *root);
	json_t *(*write)(struct form_out *from);

	/* Of what is no JSON. */
	bool (*is_text)(struct span file);
	enum tocsin_err (*read_text)(struct form_in *out, struct span file);
	enum tocsin_err (*write_text)(struct buf *out, struct form_out *from);
};

extern const struct form *const forms[]; /* ends with NULL */

const struct form *form_named(const char *name); /* NULL: none */

/*
 * Read a file, as `as` or, if that is NULL, as what it is; *found tells which.
 * EMALFORMED: it is no sane file of that format, or of any. form_in_release()
 * in any case.
 */
enum tocsin_err MUST_USE form_read(struct form_in *out, const struct form *as,
    struct span file, const struct form **found);
void form_in_release(struct form_in *f);

/* EUNSUPPORTED: that format cannot say it, and from->why tells what it needs.
 */
enum tocsin_err MUST_USE form_write(
    struct buf *out, const struct form *as, struct form_out *from);

/* ---- what the formats share ---- */

/* A member that is a string, or NULL. */
const char *form_text(const json_t *o, const char *name);

/* Into the content: a member, from a string or NULL; into a list, once. */
void form_set(json_t *content, const char *name, const char *value);
void form_add(json_t *content, const char *list, json_t *value);

/* The file says a label: the narrowest stays. TLP 1 and any case are known. */
void form_tlp(struct form_in *out, const char *label);

/* A member of the file that has no place in a ticket. */
void form_keep(struct form_in *out, const char *where, const char *name);

/* All members of `o` that are not in the list, NULL-terminated. */
void form_keep_others(struct form_in *out, const char *where, const json_t *o,
    const char *const *known);

/* A file inside, in base64. EMALFORMED, ETOOLARGE. */
enum tocsin_err MUST_USE form_add_file(struct form_in *out, const char *name,
    const char *media, const char *base64);

/* "malicious-code:c2-server" of RSIT; false if it is not of it. */
bool form_class(json_t *content, const char *word);
/* The same out of a message, or "". */
void form_class_of(char out[100], const json_t *content);

/* An indicator of one value; false if there is no pattern for it. */
bool form_indicate(
    json_t *content, unsigned observable, const char *value, const char *name);

/* "CVE-2024-3400" or a URL, as a reference. */
void form_refer(
    json_t *content, const char *source, const char *id, const char *url);

/*
 * RFC 3339 with any offset, or seconds, as 2026-11-21T03:14:15Z; false if it is
 * no time. A fraction is cut.
 */
bool form_time(char out[21], const char *typed);

/* The same id for the same thing in every export: a UUID of `of` and `what`. */
void form_uuid(char out[37], const char *of, const char *what);

/* The title, "" for none. */
const char *form_title(const struct form_out *from);

/*
 * The text and what was said later, between two lines with the label, for a
 * format that has a place for words but none for labels. And the way back: text
 * of a file, after what is there already.
 */
enum tocsin_err MUST_USE form_story(struct buf *out, struct form_out *from);
void form_words(struct form_in *out, const char *text);

/* Noted once: the format cannot say it. */
void form_lose(struct form_out *from, const char *what);

/* All that the first message says and that is not in the list. */
void form_lose_others(struct form_out *from, const char *const *said);

/* The first message's ticket.json in base64, or NULL. The caller frees. */
char *form_original(const struct form_out *from);

#endif
