/* SPDX-License-Identifier: ISC */
/*
 * receipt.h - a broker's signed word on what became of tickets
 *
 * It goes back towards the sender and stands behind "relayed" and "delivered":
 * stored at an index of the broker's log, handed to a device of a member,
 * erased because its sender has recalled it, refused, with the reason, or taken
 * without one of its parts, so that nothing ends in silence (PROTOCOL.md 7.5).
 *
 * A receipt is a plain value of about 36 KiB: keep it off small stacks. Its
 * lines ascend by their bytes; receipt_print() sorts them.
 */
#ifndef TOCSIN_CRYPTO_RECEIPT_H
#define TOCSIN_CRYPTO_RECEIPT_H

#include "crypto/roster.h"

#define RECEIPT_LINES 256
#define RECEIPT_LINE_MAX 160 /* bytes of any line */
#define RECEIPT_FILE_MAX (TEXT_MAX + NOTE_SIGS * NOTE_LINE_MAX)

enum receipt_kind {
	RECEIPT_STORED,
	RECEIPT_DELIVERED,
	RECEIPT_REFUSED,
	RECEIPT_ERASED,
	RECEIPT_WITHOUT,
};

struct receipt_line {
	enum receipt_kind kind;
	uint8_t id[ID_LEN];
	uint64_t index;		     /* stored */
	char member[MEMBER_MAX + 1]; /* delivered */
	char device[LABEL_MAX + 1];
	char reason[TOKEN_MAX + 1]; /* refused, without: of tocsin_err.h */
	bool one;		    /* erased, without: that part alone */
	uint8_t part[32];
};

struct receipt {
	char federation[FEDERATION_MAX + 1];
	char broker[LABEL_MAX + 1];
	int64_t time;
	struct receipt_line line[RECEIPT_LINES];
	size_t nline;
	size_t room;	    /* bytes left of TEXT_MAX, while building */
	uint8_t id[ID_LEN]; /* set by parsing */
};

/* Start one. Federation and broker come from the roster, thus are names. */
void receipt_init(struct receipt *r, const char *federation, const char *broker,
    int64_t time);

/* False if it is full, by lines or by bytes: sign it and start another. */
MUST_USE bool receipt_stored(
    struct receipt *r, const uint8_t id[ID_LEN], uint64_t index);
MUST_USE bool receipt_delivered(struct receipt *r, const uint8_t id[ID_LEN],
    const char *member, const char *device);
/* `part`: the hash of what alone was erased of it; NULL: all of it. */
MUST_USE bool receipt_erased(
    struct receipt *r, const uint8_t id[ID_LEN], const uint8_t *part);
MUST_USE bool receipt_refused(
    struct receipt *r, const uint8_t id[ID_LEN], enum tocsin_err reason);
MUST_USE bool receipt_without(struct receipt *r, const uint8_t id[ID_LEN],
    const uint8_t part[32], enum tocsin_err reason);

/* Sorts the lines, drops doubles, and writes the text. */
void receipt_print(struct buf *b, struct receipt *r);

/* receipt_print() and a signature as BROKER/sign. */
MUST_USE enum tocsin_err receipt_sign(
    struct buf *out, struct receipt *r, const uint8_t sk[64]);

/* A text, without signatures. */
MUST_USE enum tocsin_err receipt_parse(struct receipt *out, struct span text);

/*
 * A signed receipt, verified with the key of its broker: ENOTENROLLED if the
 * roster has no such broker, EBADSIGNATURE, EREVOKED.
 */
MUST_USE enum tocsin_err receipt_open(
    struct receipt *out, const struct roster *r, struct span file);

/* Why refused, or without a part; EINTERNAL for a reason newer than we are. */
enum tocsin_err receipt_reason(const struct receipt_line *l);

#endif
