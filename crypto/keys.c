/* SPDX-License-Identifier: ISC */
#include "crypto/keys.h"
#include "crypto/pubkey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "keys/v1";

static const char *const roles[] = {
	[KEYS_OFFICER] = "officer",
	[KEYS_BOT] = "bot",
	[KEYS_READER] = "reader",
	NULL,
};

/* By the alphabet, as the lines of one bot are. */
static const char *const may_words[KEYS_WORDS + 1] = {
	[KEYS_ACCEPT] = "accept",
	[KEYS_CLOSE] = "close",
	[KEYS_DEFER] = "defer",
	[KEYS_IN_PROGRESS] = "in-progress",
	[KEYS_INVALID] = "invalid",
	[KEYS_RECALL] = "recall",
	[KEYS_REFUSE] = "refuse",
	[KEYS_REOPEN] = "reopen",
	[KEYS_SHARE] = "share",
};

const char *
keys_word_name(enum keys_word word)
{
	return (unsigned)word < KEYS_WORDS ? may_words[word] : NULL;
}

bool
keys_word_parse(struct span s, enum keys_word *out)
{
	struct text t = { 0 };
	unsigned word = text_word(&t, s, may_words);

	if (!t.bad)
		*out = (enum keys_word)word;
	return !t.bad;
}

const char *
keys_role_name(enum keys_role role)
{
	return (unsigned)role <= KEYS_READER ? roles[role] : NULL;
}

bool
keys_role_parse(struct span s, enum keys_role *out)
{
	struct text t = { 0 };
	unsigned role = text_word(&t, s, roles);

	if (!t.bad)
		*out = (enum keys_role)role;
	return !t.bad;
}

/* ---- reading and printing ---- */

/* The key's name is the device's whole name, mycert@my/desk1. */
static bool
is_key_of(const struct vkey *k, const char *member, const char *label)
{
	struct span name = span_of(k->name);

	return k->type == VKEY_ED25519 &&
	       span_is(device_member(name), member) &&
	       span_is(device_label(name), label);
}

/*
 * A line of n fields, or of one more, an exercise. Which it is, the line says:
 * what it has of spaces.
 */
static void
line_of_exercise(struct text *t, const char *key, size_t n, struct span *fields,
    char exercise[EXERCISE_MAX + 1])
{
	struct text ahead = *t;
	struct span f[6] = { 0 };

	if (!text_line(&ahead, key, n + 1, f)) {
		text_line(t, key, n, fields);
		return;
	}
	*t = ahead;
	memcpy(fields, f, n * sizeof(*f));
	text_copy(t, f[n], name_exercise, exercise, EXERCISE_MAX + 1);
}

static void
print_exercise(struct buf *b, const char *exercise)
{
	if (exercise[0] != '\0')
		buf_addf(b, " %s", exercise);
	buf_addz(b, "\n");
}

void
keys_read_device(struct text *t, const char *member, struct keys_device *out)
{
	struct span f[4] = { 0 };

	memset(out, 0, sizeof(*out));
	line_of_exercise(t, "device", 4, f, out->exercise);
	text_copy(t, f[0], name_label, out->name, sizeof(out->name));
	out->role = (enum keys_role)text_word(t, f[1], roles);
	text_check(t, f[2].n > 0 && vkey_parse(&out->sign, f[2]) == TOCSIN_OK);
	text_check(t, is_key_of(&out->sign, member, out->name));
	text_id(t, f[3], out->noise); /* 32 bytes as base64, like an id */
	text_check(t, !t->bad && pubkey_x25519_ok(out->noise));
}

void
keys_print_device(struct buf *b, const struct keys_device *in)
{
	buf_addf(b, "device %s %s ", in->name, keys_role_name(in->role));
	vkey_print(b, &in->sign);
	buf_addz(b, " ");
	buf_base64(b, SPAN(in->noise));
	print_exercise(b, in->exercise);
}

static void
read_recipient(struct text *t, struct keys_recipient *out)
{
	struct span f[4] = { 0 };

	memset(out, 0, sizeof(*out));
	line_of_exercise(t, "recipient", 4, f, out->exercise);
	text_copy(t, f[0], name_token, out->epoch, sizeof(out->epoch));
	text_check(t, !t->bad && age_recipient_parse(out->pk, f[1]) == 0);
	text_check(t, !t->bad && pubkey_x25519_ok(out->pk));
	out->notbefore = text_time(t, f[2]);
	out->notafter = text_time(t, f[3]);
	text_check(t, out->notbefore < out->notafter &&
			  out->notafter - out->notbefore <= KEYS_EPOCH_MAX);
}

static void
print_recipient(struct buf *b, const struct keys_recipient *in)
{
	char age[AGE_RECIPIENT_TEXT + 1];

	age_recipient_print(age, in->pk);
	buf_addf(b, "recipient %s %s ", in->epoch, age);
	text_put_time(b, in->notbefore);
	buf_addz(b, " ");
	text_put_time(b, in->notafter);
	print_exercise(b, in->exercise);
}

static void
read_devices(struct text *t, struct keys *k)
{
	struct span last = { 0 };

	while (text_has(t, "device") && k->ndevice < KEYS_DEVICES) {
		struct keys_device *d = &k->device[k->ndevice++];

		keys_read_device(t, k->member, d);
		text_ascend(t, &last);
		text_check(t, k->ndevice < 2 || strcmp(d[-1].name, d->name));
	}
}

/* The device of a line; NULL: there is none, or it is no bot. */
static struct keys_device *
bot_of(struct keys *k, struct span label)
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (span_is(label, k->device[i].name))
			return k->device[i].role == KEYS_BOT ? &k->device[i]
							     : NULL;
	return NULL;
}

static void
read_may(struct text *t, struct keys *k)
{
	struct span last = { 0 }, f[2] = { 0 };
	struct keys_device *d;
	unsigned word;

	while (text_has(t, "may")) {
		text_line(t, "may", 2, f);
		text_ascend(t, &last);
		word = text_word(t, f[1], may_words);
		d = bot_of(k, f[0]);
		text_check(t, d != NULL);
		if (d != NULL && !t->bad)
			d->may |= 1U << word;
	}
}

static void
print_may(struct buf *b, const struct keys_device *d)
{
	unsigned word;

	for (word = 0; word < KEYS_WORDS; word++)
		if (d->may >> word & 1)
			buf_addf(b, "may %s %s\n", d->name, may_words[word]);
}

/* Against those before it: an epoch is one key, and an exercise has few. */
static bool
recipient_fits(const struct keys *k, const struct keys_recipient *r)
{
	const struct keys_recipient *o;
	size_t same = 0;

	for (o = k->recipient; o < r; o++) {
		if (strcmp(o->exercise, r->exercise) != 0)
			continue;
		same++;
		if (strcmp(o->epoch, r->epoch) == 0)
			return false;
	}
	return same < KEYS_EPOCHS;
}

static void
read_recipients(struct text *t, struct keys *k)
{
	struct span last = { 0 };

	while (text_has(t, "recipient") && k->nrecipient < KEYS_RECIPIENTS) {
		struct keys_recipient *r = &k->recipient[k->nrecipient++];

		read_recipient(t, r);
		text_ascend(t, &last);
		text_check(t, recipient_fits(k, r));
	}
}

static enum tocsin_err
read_keys(struct keys *k)
{
	struct text t = text_init(k->text);
	struct span f;

	text_head(&t, head, k->federation);
	text_line(&t, "member", 1, &f);
	text_copy(&t, f, name_member, k->member, sizeof(k->member));
	text_line(&t, "serial", 1, &f);
	k->serial = text_u64(&t, f);
	text_line(&t, "previous", 1, &f);
	k->has_previous = text_id_opt(&t, f, k->previous);
	text_line(&t, "issued", 1, &f);
	k->issued = text_time(&t, f);
	text_line(&t, "expires", 1, &f);
	k->expires = text_time(&t, f);
	read_devices(&t, k);
	read_may(&t, k);
	read_recipients(&t, k);
	return text_result(&t);
}

void
keys_print(struct buf *b, const struct keys *k)
{
	size_t i;

	buf_addf(b, "%s/%s\nmember %s\nserial %" PRIu64 "\nprevious ",
	    k->federation, head, k->member, k->serial);
	text_put_id(b, k->has_previous ? k->previous : NULL);
	buf_addz(b, "\nissued ");
	text_put_time(b, k->issued);
	buf_addz(b, "\nexpires ");
	text_put_time(b, k->expires);
	buf_addz(b, "\n");
	for (i = 0; i < k->ndevice; i++)
		keys_print_device(b, &k->device[i]);
	for (i = 0; i < k->ndevice; i++)
		print_may(b, &k->device[i]);
	for (i = 0; i < k->nrecipient; i++)
		print_recipient(b, &k->recipient[i]);
}

/* ---- what an announcement can be wrong about by itself ---- */

static enum tocsin_err
one_key_one_role(const struct keys *k)
{
	struct keyset s = { 0 };
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < k->ndevice; i++) {
		keyset_ed25519(&s, k->device[i].sign.pk);
		keyset_x25519(&s, k->device[i].noise);
	}
	for (i = 0; i < k->nrecipient; i++)
		keyset_x25519(&s, k->recipient[i].pk);
	err = keyset_distinct(&s);
	keyset_release(&s);
	return err;
}

static bool
is_sound(const struct keys *k)
{
	return k->serial >= 1 && k->has_previous == (k->serial > 1) &&
	       k->expires > k->issued &&
	       k->expires - k->issued <= KEYS_LIFE_MAX;
}

static enum tocsin_err
prints_back(const struct keys *k)
{
	uint8_t room[TEXT_MAX + 1]; /* so that no memory can be short */
	struct buf b = {
		.p = room,
		.cap = sizeof(room),
		.max = sizeof(room),
	};

	keys_print(&b, k);
	return buf_ok(&b) && span_eq(buf_span(&b), k->text) ? TOCSIN_OK
							    : TOCSIN_EMALFORMED;
}

void
keys_free(struct keys *k)
{
	if (k == NULL)
		return;
	free((void *)(uintptr_t)k->whole.p);
	free(k);
}

/* The one line of the member's name; false if there are two. */
static bool
find_root(struct keys *k, const struct note *n)
{
	bool found = false;
	size_t i;

	for (i = 0; i < n->nsig; i++) {
		if (!span_is(n->sig[i].name, k->member))
			continue;
		if (found)
			return false;
		memcpy(k->root, n->sig[i].id, KEYID_LEN);
		found = true;
	}
	return true;
}

/* With our own copy of the bytes, or NULL. */
static struct keys *
new_keys(const struct note *n)
{
	struct keys *k = calloc(1, sizeof(*k));
	uint8_t *copy = malloc(n->whole.n);

	if (k == NULL || copy == NULL) {
		free(k);
		free(copy);
		return NULL;
	}
	memcpy(copy, n->whole.p, n->whole.n);
	k->whole = (struct span){ copy, n->whole.n };
	k->text = (struct span){ copy, n->text.n };
	note_id(k->id, k->text);
	return k;
}

enum tocsin_err
keys_parse(struct keys **out, struct span file)
{
	enum tocsin_err err;
	struct keys *k;
	struct note n;

	err = note_parse_draft(&n, file, TEXT_MAX);
	if (err)
		return err;
	k = new_keys(&n);
	if (k == NULL)
		return TOCSIN_EINTERNAL;
	err = read_keys(k);
	if (err == TOCSIN_OK)
		err = prints_back(k);
	if (err == TOCSIN_OK && (!is_sound(k) || !find_root(k, &n)))
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = one_key_one_role(k);
	if (err)
		keys_free(k);
	else
		*out = k;
	return err;
}

/* ---- who said it, and what it may follow ---- */

static enum tocsin_err
check_signed(const struct keys *k, const struct vkey *root)
{
	enum tocsin_err err;
	struct note n;

	err = note_parse_draft(&n, k->whole, TEXT_MAX);
	if (err)
		return err;
	err = note_verify(&n, root);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_EBADSIGNATURE : err;
}

bool
keys_stand(const struct roster *r, const struct keys *k)
{
	const struct roster_member *m = roster_member(r, span_of(k->member));

	return m != NULL && strcmp(r->federation, k->federation) == 0 &&
	       check_signed(k, &m->root) == TOCSIN_OK;
}

enum tocsin_err
keys_root_at(const struct roster *r, const struct keys *k, int64_t at)
{
	const struct roster_revoked *v =
	    roster_revoked(r, span_of(k->member), k->root);

	return v != NULL && at >= v->time ? TOCSIN_EREVOKED : TOCSIN_OK;
}

/* A key of the roster must not have a second role in an announcement. */
static bool
shares_key(const struct roster *r, const struct keys *k)
{
	const struct roster_member *m = roster_member(r, span_of(k->member));
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (memcmp(k->device[i].sign.pk, m->root.pk, 32) == 0 ||
		    roster_broker_by_noise(r, k->device[i].noise) != NULL)
			return true;
	return false;
}

static enum tocsin_err
check_place(const struct keys *cur, const struct keys *next)
{
	if (cur == NULL || next->serial > cur->serial + 1)
		return TOCSIN_OK;
	if (next->serial == cur->serial ||
	    memcmp(next->previous, cur->id, ID_LEN) != 0)
		return TOCSIN_ECHAINCONFLICT;
	return TOCSIN_OK;
}

enum tocsin_err
keys_accept(const struct roster *r, const struct keys *cur,
    const struct keys *next, int64_t now)
{
	const struct roster_member *m = roster_member(r, span_of(next->member));
	enum tocsin_err err;

	if (m == NULL || strcmp(r->federation, next->federation) != 0)
		return TOCSIN_ENOTENROLLED;
	if (m->suspended)
		return TOCSIN_ESUSPENDED;
	if (cur != NULL && !keys_stand(r, cur))
		cur = NULL;
	if (cur != NULL && (next->serial < cur->serial ||
			       memcmp(next->id, cur->id, ID_LEN) == 0))
		return TOCSIN_EDUPLICATE;
	err = check_signed(next, &m->root);
	if (err == TOCSIN_OK)
		err = roster_key_at(r, &m->root, next->issued);
	if (err)
		return err;
	if (next->issued > now + CLOCK_SKEW)
		return TOCSIN_ECLOCKSKEW;
	if (keys_expired(next, now))
		return TOCSIN_EKEYSEXPIRED;
	if (shares_key(r, next))
		return TOCSIN_EMALFORMED;
	return check_place(cur, next);
}

bool
keys_expired(const struct keys *k, int64_t now)
{
	return now >= k->expires;
}

/* ---- lookups ---- */

const struct keys_device *
keys_device(const struct keys *k, struct span label)
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (span_is(label, k->device[i].name))
			return &k->device[i];
	return NULL;
}

const struct keys_device *
keys_device_by_noise(const struct keys *k, const uint8_t key[32])
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (memcmp(k->device[i].noise, key, 32) == 0)
			return &k->device[i];
	return NULL;
}

const struct keys_recipient *
keys_recipient(const struct keys *k, struct span exercise, int64_t at)
{
	size_t i;

	for (i = k->nrecipient; i > 0; i--) {
		const struct keys_recipient *r = &k->recipient[i - 1];

		if (span_is(exercise, r->exercise) && r->notbefore <= at &&
		    at < r->notafter)
			return r;
	}
	return NULL;
}

const struct keys_recipient *
keys_recipient_of(const struct keys *k, struct span exercise, struct span epoch)
{
	size_t i;

	for (i = 0; i < k->nrecipient; i++)
		if (span_is(epoch, k->recipient[i].epoch) &&
		    span_is(exercise, k->recipient[i].exercise))
			return &k->recipient[i];
	return NULL;
}

/* ---- the order of lists: that of the lines as they are written ---- */

static int
by_label(const void *a, const void *b)
{
	const struct keys_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* One key is in one line, so what stands behind it decides nothing. */
static int
by_epoch(const void *a, const void *b)
{
	const struct keys_recipient *x = a, *y = b;
	char xs[AGE_RECIPIENT_TEXT + 1], ys[AGE_RECIPIENT_TEXT + 1];
	int c = strcmp(x->epoch, y->epoch);

	if (c != 0)
		return c;
	age_recipient_print(xs, x->pk);
	age_recipient_print(ys, y->pk);
	return strcmp(xs, ys);
}

void
keys_sort(struct keys *k)
{
	qsort(k->device, k->ndevice, sizeof(k->device[0]), by_label);
	qsort(k->recipient, k->nrecipient, sizeof(k->recipient[0]), by_epoch);
}
