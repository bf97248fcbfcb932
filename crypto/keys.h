/* SPDX-License-Identifier: ISC */
/*
 * keys.h - what a member uses now
 *
 * A key announcement lists a member's devices (the keys that sign tickets and
 * open links) and its age recipients (the keys that tickets are sealed to, one
 * per epoch). The member's root key, which is offline and in the roster, signs
 * it. It ends within 100 days, so a member that stops announcing stops being
 * sent to; an epoch lasts at most 45 days, so a key that is destroyed after it
 * takes what it could open along (PROTOCOL.md 7.4).
 *
 * A device's signing key has the device's whole name, mycert@my/desk1.
 *
 * A device and a recipient are of one exercise, or live. What a device of an
 * exercise signs is of it, and is sealed to recipients of it: so neither can be
 * taken for the other, nor opened with the other's keys.
 *
 * An announcement is one heap object with its own copy of the bytes, read-only
 * once parsed. A caller that builds one fills the plain fields and arrays, in
 * order, prints and signs.
 */
#ifndef TOCSIN_CRYPTO_KEYS_H
#define TOCSIN_CRYPTO_KEYS_H

#include "crypto/age.h"
#include "crypto/roster.h"

#define KEYS_DEVICES 64
#define KEYS_RECIPIENTS 32
#define KEYS_EPOCHS 4 /* of those, in one exercise or live */
#define KEYS_LIFE_MAX (100 * 86400)
#define KEYS_EPOCH_MAX (45 * 86400)
#define KEYS_FILE_MAX (TEXT_MAX + NOTE_SIGS * NOTE_LINE_MAX)

enum keys_role {
	KEYS_OFFICER, /* sends every kind */
	KEYS_BOT,     /* for programs; which kinds, ticket.h says */
	KEYS_READER,  /* reads, and acknowledges nothing */
};

/* What an announcement may let a bot do besides: its `may` lines. */
enum keys_word {
	KEYS_ACCEPT,
	KEYS_CLOSE,
	KEYS_DEFER,
	KEYS_IN_PROGRESS,
	KEYS_INVALID,
	KEYS_RECALL,
	KEYS_REFUSE,
	KEYS_REOPEN,
	KEYS_SHARE,
	KEYS_WORDS
};

struct keys_device {
	char name[LABEL_MAX + 1]; /* desk1 */
	enum keys_role role;
	struct vkey sign; /* its name is mycert@my/desk1 */
	uint8_t noise[32];
	char exercise[EXERCISE_MAX + 1]; /* empty: live */
	unsigned may; /* of a bot: 1 << a keys_word; not in the device line */
};

struct keys_recipient {
	char epoch[TOKEN_MAX + 1];
	uint8_t pk[AGE_KEY]; /* written as age1... */
	int64_t notbefore;
	int64_t notafter;		 /* no longer used from then on */
	char exercise[EXERCISE_MAX + 1]; /* empty: live */
};

struct keys {
	char federation[FEDERATION_MAX + 1];
	char member[MEMBER_MAX + 1];
	uint64_t serial; /* the first is 1 */
	bool has_previous;
	uint8_t previous[ID_LEN];
	int64_t issued;
	int64_t expires;
	struct keys_device device[KEYS_DEVICES]; /* by name */
	size_t ndevice;
	struct keys_recipient recipient[KEYS_RECIPIENTS]; /* by line */
	size_t nrecipient;

	uint8_t id[ID_LEN];
	uint8_t root[KEYID_LEN]; /* of the root key in the signature line */
	struct span text;	 /* in `whole` */
	struct span whole;	 /* our own copy, with the signature line */
};

/*
 * `file` is a signed announcement, or the text of one that is not signed yet.
 * Form and what it can be wrong about by itself; no signature. Of the lines of
 * signatures at most one has the member's name, so that it is plain which root
 * key spoke.
 */
MUST_USE enum tocsin_err keys_parse(struct keys **out, struct span file);
void keys_free(struct keys *k);

/* Puts devices and recipients into the order of their lines. */
void keys_sort(struct keys *k);

/* The text, from the fields; what was parsed gives the same bytes. */
void keys_print(struct buf *b, const struct keys *k);

/*
 * Is `next` the word of a member of that roster, and newer than `cur` (NULL:
 * none is known)?
 *
 *	ENOTENROLLED	no such member, or another federation
 *	ESUSPENDED	the member is
 *	EBADSIGNATURE	not signed by its root key
 *	EREVOKED	the root key was revoked when it was issued
 *	EDUPLICATE	is `cur`, or older: nothing to do
 *	ECHAINCONFLICT	signed, but another announcement has that place
 *	ECLOCKSKEW	issued more than ten minutes from now
 *	EKEYSEXPIRED	over already
 *
 * A gap in the serials is no fault: an announcement replaces those before it.
 * A `cur` that keys_stand() is over and binds nobody: else who stole a root key
 * could take the last serial, and its member never announce again.
 * Whether another *member* has announced one of its link keys is for the
 * caller, who has all announcements, to refuse.
 */
MUST_USE enum tocsin_err keys_accept(const struct roster *r,
    const struct keys *cur, const struct keys *next, int64_t now);

/*
 * Is what was accepted once still the word of its member? Not, if the member
 * has left the roster or has another root key there: with a stolen root key go
 * the devices and recipients that it announced. Who holds announcements asks
 * again at each new roster. One signature is verified.
 */
bool keys_stand(const struct roster *r, const struct keys *k);

/*
 * OK, or EREVOKED if the root key that signed it was revoked at or before `at`:
 * what an announcement says of earlier messages still counts.
 */
MUST_USE enum tocsin_err keys_root_at(
    const struct roster *r, const struct keys *k, int64_t at);

bool keys_expired(const struct keys *k, int64_t now);

/* Lookups; NULL if there is none. `label` is desk1, not the whole name. */
const struct keys_device *keys_device(const struct keys *k, struct span label);
const struct keys_device *keys_device_by_noise(
    const struct keys *k, const uint8_t key[32]);

/*
 * The recipient of an exercise (empty: of live traffic) that covers a time: the
 * last epoch, where two do.
 */
const struct keys_recipient *keys_recipient(
    const struct keys *k, struct span exercise, int64_t at);
const struct keys_recipient *keys_recipient_of(
    const struct keys *k, struct span exercise, struct span epoch);

/* "officer", "bot", "reader" */
const char *keys_role_name(enum keys_role role);
bool keys_role_parse(struct span s, enum keys_role *out);

/* "accept", "close", ...; NULL out of range. */
const char *keys_word_name(enum keys_word word);
bool keys_word_parse(struct span s, enum keys_word *out);

/* One device line, for cards as well; `member` gives the key's name. */
void keys_read_device(
    struct text *t, const char *member, struct keys_device *out);
void keys_print_device(struct buf *b, const struct keys_device *in);

#endif
