/* SPDX-License-Identifier: ISC */
/*
 * text.h - the one grammar of everything that is signed
 *
 * A signed text is lines of printable ASCII, each ended by LF: a key and its
 * fields, one space between them, nothing else. There is no blank line, and
 * every value has one spelling, so that the bytes are the value: the id and
 * the signature of a text cover exactly what its fields say (PROTOCOL.md 7.1).
 *
 * A cursor walks a text that it does not own. It is sticky, like rd in wire.h:
 * a line or a value that is not as asked marks it bad, a bad cursor yields
 * empty spans and zeros, and the reader asks text_done() once, at the end.
 *
 *	struct text t = text_init(bytes);
 *	struct span f[2];
 *
 *	text_head(&t, "note/v1", federation);
 *	text_line(&t, "from", 2, f);
 *	text_copy(&t, f[0], name_member, from, sizeof(from));
 *	seq = text_u64(&t, f[1]);
 *	while (text_has(&t, "ref")) ...
 *	return text_result(&t);
 *
 * Spans alias the text. Nothing here allocates, logs or exits.
 */
#ifndef TOCSIN_CRYPTO_TEXT_H
#define TOCSIN_CRYPTO_TEXT_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

/* Longest names, without a NUL (PROTOCOL.md 2). */
#define FEDERATION_MAX 64
#define NATION_MAX 16
#define LABEL_MAX 32  /* a broker, a team, the last part of a device */
#define MEMBER_MAX 49 /* team@nation */
#define DEVICE_MAX 82 /* team@nation/device */
#define TOKEN_MAX 32
#define EXERCISE_MAX 64
#define URL_MAX 128

#define ID_LEN 32      /* SHA-256 */
#define ID_TEXT 44     /* as base64 */
#define TEXT_MAX 32768 /* every signed text but the roster */
#define TIME_TEXT 20   /* 2026-11-21T03:14:15Z */
#define CLOCK_SKEW 600 /* how far ahead of us a time may be, in seconds */

/* ---- names: each says whether a span is exactly one such name ---- */

bool name_federation(struct span s); /* asean.example: two labels or more */
bool name_nation(struct span s);     /* my */
bool name_broker(struct span s);     /* my, my-2 */
bool name_member(struct span s);     /* mycert@my */
bool name_device(struct span s);     /* mycert@my/desk1 */
bool name_label(struct span s);	     /* mycert, desk1 */
bool name_token(struct span s);	     /* personal-data, 2026-11 */
bool name_exercise(struct span s);   /* Tabletop.2026; never "-" */
bool name_circle(struct span s);     /* @asean, in a client only */
bool name_url(struct span s);	     /* tcp://host:port */
bool name_url_opt(struct span s);    /* the same, or "-" */

/* The parts of a name that the predicates above accepted; else empty. */
struct span member_nation(struct span member); /* my */
struct span device_member(struct span device); /* mycert@my */
struct span device_label(struct span device);  /* desk1 */

/* ---- values ---- */

bool num_parse(struct span s, uint64_t *out);

/* Seconds since 1970, proleptic Gregorian, UTC, years 1970 to 9999. */
bool time_parse(struct span s, int64_t *out);
void time_print(char out[TIME_TEXT + 1], int64_t t);

/* 32 bytes as 44 characters of canonical standard base64. */
bool id_parse(struct span s, uint8_t out[ID_LEN]);
void id_print(char out[ID_TEXT + 1], const uint8_t id[ID_LEN]);

/* ---- reading ---- */

struct text {
	struct span rest;
	struct span line; /* the last one taken, without its LF */
	bool bad;
	bool later; /* the head names a later version of the kind */
};

struct text text_init(struct span bytes);

/*
 * The first line, FEDERATION/kind, where kind is "roster/v1" or the like. A
 * later version, "roster/v2", is not wrong, only not ours to read.
 */
void text_head(struct text *t, const char *kind, char fed[FEDERATION_MAX + 1]);

/* True if the next line has this key; takes nothing. */
bool text_has(const struct text *t, const char *key);

/*
 * Take the next line, which must be `key` and n fields. On failure the fields
 * are empty. Returns whether the cursor is good.
 */
bool text_line(struct text *t, const char *key, size_t n, struct span *fields);

/*
 * The line just taken must sort after *last, by bytes, and becomes *last. A
 * list starts with *last = { 0 }.
 */
void text_ascend(struct text *t, struct span *last);

/* True if every line and value was as asked and no byte is left. */
bool text_done(const struct text *t);

/* OK if so; EUNSUPPORTED for a later version; EMALFORMED. */
MUST_USE enum tocsin_err text_result(const struct text *t);

/* Fields to values; what does not parse marks the cursor bad. */
uint64_t text_u64(struct text *t, struct span f);
int64_t text_time(struct text *t, struct span f);
void text_id(struct text *t, struct span f, uint8_t out[ID_LEN]);

/* An id or "-": false, and zeros, for "-". */
bool text_id_opt(struct text *t, struct span f, uint8_t out[ID_LEN]);

/* A name, as a NUL-terminated string of at most size - 1 bytes. */
void text_copy(struct text *t, struct span f, bool (*is)(struct span),
    char *out, size_t size);

/* Index of the word in a NULL-terminated list; bad, and 0, if none is it. */
unsigned text_word(struct text *t, struct span f, const char *const *words);

/* Marks the cursor bad unless `good`: a rule that is not about spelling. */
void text_check(struct text *t, bool good);

/* ---- writing ---- */

void text_put_time(struct buf *b, int64_t t);
void text_put_id(struct buf *b, const uint8_t *id); /* NULL: "-" */

#endif
