/* SPDX-License-Identifier: ISC */
#include "crypto/ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An age file of n X25519 stanzas, around `plain` bytes in one chunk. */
#define AGE_FIXED (70 + 16 + 16)
#define AGE_STANZA 98
#define PART_MIN (AGE_FIXED + AGE_STANZA)

/* ---- words ---- */

static const char *const kinds[TICKET_KINDS + 1] = {
	[TICKET_REPORT] = "report",
	[TICKET_REQUEST] = "request",
	[TICKET_UPDATE] = "update",
	[TICKET_ACK] = "ack",
	[TICKET_RESULT] = "result",
	[TICKET_QUERY] = "query",
	[TICKET_ESCALATE] = "escalate",
	[TICKET_CLOSE] = "close",
	[TICKET_RECALL] = "recall",
	[TICKET_SHARE] = "share",
	[TICKET_REOPEN] = "reopen",
};

static const char *const precedences[TICKET_PRECEDENCES + 1] = {
	[TICKET_FLASH] = "flash",
	[TICKET_IMMEDIATE] = "immediate",
	[TICKET_PRIORITY] = "priority",
	[TICKET_ROUTINE] = "routine",
};

static const char *const tlps[TICKET_TLPS + 1] = {
	[TICKET_RED] = "RED",
	[TICKET_AMBER_STRICT] = "AMBER+STRICT",
	[TICKET_AMBER] = "AMBER",
	[TICKET_GREEN] = "GREEN",
	[TICKET_CLEAR] = "CLEAR",
};

/* A new role may say nothing until somebody gives it a row. */
static const unsigned may_say[] = {
	[KEYS_OFFICER] = (1U << TICKET_KINDS) - 1,
	[KEYS_BOT] = 1U << TICKET_REPORT | 1U << TICKET_REQUEST |
		     1U << TICKET_UPDATE | 1U << TICKET_ACK |
		     1U << TICKET_QUERY | 1U << TICKET_RESULT |
		     1U << TICKET_ESCALATE,
	[KEYS_READER] = 0,
};

static const char *
name(const char *const *words, unsigned count, unsigned value)
{
	return value < count ? words[value] : NULL;
}

static bool
find(unsigned *out, const char *const *words, struct span word)
{
	unsigned i;

	for (i = 0; words[i] != NULL; i++) {
		if (span_is(word, words[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

const char *
ticket_kind_name(enum ticket_kind kind)
{
	return name(kinds, TICKET_KINDS, kind);
}

const char *
ticket_precedence_name(enum ticket_precedence precedence)
{
	return name(precedences, TICKET_PRECEDENCES, precedence);
}

const char *
ticket_tlp_name(enum ticket_tlp tlp)
{
	return name(tlps, TICKET_TLPS, tlp);
}

bool
ticket_kind_from(enum ticket_kind *out, struct span word)
{
	unsigned i;

	if (!find(&i, kinds, word))
		return false;
	*out = (enum ticket_kind)i;
	return true;
}

bool
ticket_precedence_from(enum ticket_precedence *out, struct span word)
{
	unsigned i;

	if (!find(&i, precedences, word))
		return false;
	*out = (enum ticket_precedence)i;
	return true;
}

bool
ticket_tlp_from(enum ticket_tlp *out, struct span word)
{
	unsigned i;

	if (!find(&i, tlps, word))
		return false;
	*out = (enum ticket_tlp)i;
	return true;
}

bool
ticket_role_may(enum keys_role role, enum ticket_kind kind)
{
	return role < sizeof(may_say) / sizeof(*may_say) &&
	       kind < TICKET_KINDS && (may_say[role] >> kind & 1) != 0;
}

bool
ticket_device_may(const struct keys_device *d, enum ticket_kind kind)
{
	enum keys_word word;

	if (ticket_role_may(d->role, kind))
		return true;
	return kind < TICKET_KINDS &&
	       keys_word_parse(span_of(kinds[kind]), &word) &&
	       (d->may >> word & 1) != 0;
}

/* ---- reading ---- */

static void
read_from(struct text *r, struct ticket *t)
{
	struct span f[3];

	text_line(r, "from", 3, f);
	text_check(r, name_device(f[0]));
	t->from = device_member(f[0]);
	t->device = device_label(f[0]);
	t->seq = text_u64(r, f[1]);
	t->has_prev = text_id_opt(r, f[2], t->prev);
	text_check(r, t->seq > 0 && t->has_prev == (t->seq > 1));
}

static void
read_marks(struct text *r, struct ticket *t)
{
	struct span f[1];

	text_line(r, "time", 1, f);
	t->time = text_time(r, f[0]);
	text_line(r, "kind", 1, f);
	t->kind = (enum ticket_kind)text_word(r, f[0], kinds);
	text_line(r, "precedence", 1, f);
	t->precedence = (enum ticket_precedence)text_word(r, f[0], precedences);
	text_line(r, "tlp", 1, f);
	t->tlp = (enum ticket_tlp)text_word(r, f[0], tlps);
	text_line(r, "exercise", 1, f);
	if (!span_is(f[0], "-")) {
		text_check(r, name_exercise(f[0]));
		t->exercise = f[0];
	}
}

/* Takes one more line of a list of at most `max`. */
static bool
more(struct text *r, const char *key, size_t have, size_t max, size_t nfield,
    struct span *fields, struct span *last)
{
	if (!text_has(r, key))
		return false;
	text_check(r, have < max);
	text_line(r, key, nfield, fields);
	text_ascend(r, last);
	return !r->bad;
}

static void
read_thread(struct text *r, struct ticket *t)
{
	struct span last = { 0 };
	struct span f[1];

	text_line(r, "thread", 1, f);
	t->has_thread = text_id_opt(r, f[0], t->thread);
	text_line(r, "ackby", 1, f);
	if (!span_is(f[0], "-"))
		t->ackby = text_time(r, f[0]);
	while (more(r, "ref", t->nref, TICKET_REFS_MAX, 1, f, &last))
		text_id(r, f[0], t->ref[t->nref++]);
}

/* Lines ascend, so those of one member are neighbours: its epoch is one. */
static void
read_to(struct text *r, struct ticket *t)
{
	struct span last = { 0 }, member = { 0 };
	struct span f[2];

	while (more(r, "to", t->nto, TICKET_TO_MAX, 2, f, &last)) {
		text_check(r, name_member(f[0]) && !span_eq(f[0], member));
		text_check(r, name_token(f[1]));
		member = f[0];
		t->to[t->nto++] = (struct ticket_to){ f[0], f[1] };
	}
	text_check(r, t->nto > 0);
}

static bool
part_hash_known(const struct ticket *t, size_t n, const uint8_t *hash)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (memcmp(t->part[i].hash, hash, 32) == 0)
			return true;
	return false;
}

/* A part is fetched by its hash, which thus has one size. */
static void
read_parts(struct text *r, struct ticket *t)
{
	struct span last = { 0 };
	struct span f[2];

	while (more(r, "part", t->npart, TICKET_PARTS_MAX, 2, f, &last)) {
		struct ticket_part *p = &t->part[t->npart];

		p->size = text_u64(r, f[0]);
		text_id(r, f[1], p->hash);
		text_check(r, p->size >= PART_MIN &&
				  !part_hash_known(t, t->npart, p->hash));
		t->npart++;
	}
}

static void
read_labels(struct text *r, struct ticket *t)
{
	struct span last = { 0 };
	struct span f[1];

	while (more(r, "label", t->nlabel, TICKET_LABELS_MAX, 1, f, &last)) {
		text_check(r, name_token(f[0]));
		t->label[t->nlabel++] = f[0];
	}
}

static uint64_t
body_min(const struct ticket *t)
{
	return AGE_FIXED + AGE_STANZA * (uint64_t)t->nto + TICKET_PAD_FLOOR;
}

static enum tocsin_err
read_text(struct ticket *t, struct span text)
{
	struct text r = text_init(text);
	struct span f[2];

	text_head(&r, "ticket/v1", t->federation);
	text_line(&r, "roster", 2, f);
	t->roster_serial = text_u64(&r, f[0]);
	text_id(&r, f[1], t->roster_id);
	read_from(&r, t);
	read_marks(&r, t);
	read_labels(&r, t);
	read_thread(&r, t);
	read_to(&r, t);
	read_parts(&r, t);
	text_line(&r, "body", 2, f);
	t->body_size = text_u64(&r, f[0]);
	text_id(&r, f[1], t->body_hash);
	text_check(&r, t->body_size >= body_min(t));
	if (!text_done(&r))
		return text_result(&r);
	t->text = text;
	t->inner = span_cut(text, 0, text.n - r.line.n - 1);
	return TOCSIN_OK;
}

/* The value of these bytes must have no other bytes. */
static bool
is_canonical(const struct ticket *t)
{
	uint8_t room[TEXT_MAX + 1]; /* and the NUL of the last base64 */
	struct buf again = {
		.p = room,
		.cap = sizeof(room),
		.max = sizeof(room),
	};

	ticket_print(&again, t);
	return buf_ok(&again) && span_eq(buf_span(&again), t->text);
}

static bool
signed_by_sender(const struct note *note, const struct ticket *t)
{
	struct span member, device, key = note->sig[0].name;

	member = device_member(key);
	device = device_label(key);
	return note->nsig == 1 && note->sig[0].n == 64 &&
	       span_eq(member, t->from) && span_eq(device, t->device);
}

static bool
sizes_ok(const struct ticket *t)
{
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (t->part[i].size > TICKET_PART_MAX)
			return false;
	return t->body_size <= TICKET_BODY_MAX;
}

enum tocsin_err
ticket_parse(struct ticket *out, struct note *note, struct span bytes)
{
	enum tocsin_err err = note_parse(note, bytes, TEXT_MAX);

	memset(out, 0, sizeof(*out));
	if (err != TOCSIN_OK)
		return err;
	err = read_text(out, note->text);
	if (err != TOCSIN_OK)
		return err;
	if (!is_canonical(out) || !signed_by_sender(note, out))
		return TOCSIN_EMALFORMED;
	if (!sizes_ok(out))
		return TOCSIN_ETOOLARGE;
	note_id(out->id, note->text);
	return TOCSIN_OK;
}

/* ---- writing ---- */

static void
put_field(struct buf *b, const char *key, struct span value)
{
	buf_addz(b, key);
	buf_u8(b, ' ');
	buf_add(b, value);
}

static void
put_word(struct buf *b, const char *key, const char *word)
{
	put_field(b, key, span_of(word != NULL ? word : ""));
	buf_u8(b, '\n');
}

static void
put_id(struct buf *b, const char *key, const uint8_t *id)
{
	buf_addz(b, key);
	buf_u8(b, ' ');
	text_put_id(b, id);
	buf_u8(b, '\n');
}

static void
put_time(struct buf *b, const char *key, int64_t time)
{
	buf_addz(b, key);
	buf_u8(b, ' ');
	text_put_time(b, time);
	buf_u8(b, '\n');
}

static void
put_sized(struct buf *b, const char *key, uint64_t size, const uint8_t *hash)
{
	buf_addf(b, "%s %" PRIu64 " ", key, size);
	text_put_id(b, hash);
	buf_u8(b, '\n');
}

static void
put_to(struct buf *b, const struct ticket_to *to)
{
	put_field(b, "to", to->member);
	buf_u8(b, ' ');
	buf_add(b, to->epoch);
	buf_u8(b, '\n');
}

static void
put_marks(struct buf *b, const struct ticket *t)
{
	size_t i;

	put_time(b, "time", t->time);
	put_word(b, "kind", ticket_kind_name(t->kind));
	put_word(b, "precedence", ticket_precedence_name(t->precedence));
	put_word(b, "tlp", ticket_tlp_name(t->tlp));
	put_field(
	    b, "exercise", t->exercise.n > 0 ? t->exercise : span_of("-"));
	buf_u8(b, '\n');
	for (i = 0; i < t->nlabel; i++) {
		put_field(b, "label", t->label[i]);
		buf_u8(b, '\n');
	}
}

/* The text without its body line: what is also sealed inside. */
static void
print_inner(struct buf *b, const struct ticket *t)
{
	size_t i;

	buf_addz(b, t->federation);
	buf_addz(b, "/ticket/v1\n");
	put_sized(b, "roster", t->roster_serial, t->roster_id);
	put_field(b, "from", t->from);
	buf_u8(b, '/');
	buf_add(b, t->device);
	buf_addf(b, " %" PRIu64 " ", t->seq);
	text_put_id(b, t->has_prev ? t->prev : NULL);
	buf_u8(b, '\n');
	put_marks(b, t);
	put_id(b, "thread", t->has_thread ? t->thread : NULL);
	if (t->ackby != 0)
		put_time(b, "ackby", t->ackby);
	else
		put_word(b, "ackby", "-");
	for (i = 0; i < t->nref; i++)
		put_id(b, "ref", t->ref[i]);
	for (i = 0; i < t->nto; i++)
		put_to(b, &t->to[i]);
	for (i = 0; i < t->npart; i++)
		put_sized(b, "part", t->part[i].size, t->part[i].hash);
}

void
ticket_print(struct buf *b, const struct ticket *t)
{
	print_inner(b, t);
	put_sized(b, "body", t->body_size, t->body_hash);
}

/* ---- the order of lists: that of the lines as they are written ---- */

static int
by_word(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static int
by_member(const void *a, const void *b)
{
	const struct ticket_to *x = a, *y = b;

	return span_cmp(x->member, y->member);
}

static int
by_id(const void *a, const void *b)
{
	char x[ID_TEXT + 1], y[ID_TEXT + 1];

	id_print(x, a);
	id_print(y, b);
	return strcmp(x, y);
}

static int
by_part(const void *a, const void *b)
{
	const struct ticket_part *x = a, *y = b;
	char xs[24], ys[24];
	int c;

	snprintf(xs, sizeof(xs), "%" PRIu64 " ", x->size);
	snprintf(ys, sizeof(ys), "%" PRIu64 " ", y->size);
	c = strcmp(xs, ys);
	return c != 0 ? c : by_id(x->hash, y->hash);
}

void
ticket_sort(struct ticket *t)
{
	qsort(t->label, t->nlabel, sizeof(*t->label), by_word);
	qsort(t->ref, t->nref, sizeof(*t->ref), by_id);
	qsort(t->to, t->nto, sizeof(*t->to), by_member);
	qsort(t->part, t->npart, sizeof(*t->part), by_part);
}

int
ticket_to_find(const struct ticket *t, struct span member)
{
	size_t i;

	for (i = 0; i < t->nto; i++)
		if (span_eq(t->to[i].member, member))
			return (int)i;
	return -1;
}

/* ---- what can be checked without opening ---- */

static enum tocsin_err
check_roster(const struct ticket *t, const struct ticket_trust *trust)
{
	if (strcmp(t->federation, trust->roster->federation) != 0 ||
	    !trust->in_chain(trust->arg, t->roster_serial, t->roster_id))
		return TOCSIN_EROSTERUNKNOWN;
	if (!trust->reading && roster_expired(trust->roster, trust->now))
		return TOCSIN_EROSTEREXPIRED;
	return TOCSIN_OK;
}

static enum tocsin_err
check_member(const struct ticket *t, const struct ticket_trust *trust)
{
	const struct roster_member *m = roster_member(trust->roster, t->from);

	if (m == NULL)
		return TOCSIN_ENOTENROLLED;
	return m->suspended ? TOCSIN_ESUSPENDED : TOCSIN_OK;
}

static enum tocsin_err
check_device(const struct keys_device **out, const struct ticket *t,
    const struct ticket_trust *trust)
{
	const struct keys *k = trust->from_keys;
	int64_t at = trust->now;

	if (k == NULL || !span_is(t->from, k->member) ||
	    strcmp(k->federation, t->federation) != 0 ||
	    keys_expired(k, trust->reading ? t->time : trust->now))
		return TOCSIN_EKEYSEXPIRED;
	*out = keys_device(k, t->device);
	if (*out == NULL)
		return TOCSIN_ENOTENROLLED;
	if (trust->reading && trust->logged != 0 && trust->logged < at)
		at = trust->logged;
	if (keys_root_at(trust->roster, k, at) != TOCSIN_OK)
		return TOCSIN_EREVOKED;
	return roster_key_at(trust->roster, &(*out)->sign, at);
}

enum tocsin_err
ticket_check(const struct ticket *t, const struct note *note,
    const struct ticket_trust *trust)
{
	const struct keys_device *device = NULL;
	enum tocsin_err err;

	err = check_roster(t, trust);
	if (err == TOCSIN_OK)
		err = check_member(t, trust);
	if (err == TOCSIN_OK)
		err = check_device(&device, t, trust);
	if (err != TOCSIN_OK)
		return err;
	if (!ticket_device_may(device, t->kind))
		return TOCSIN_EKINDNOTALLOWED;
	if (note_verify(note, &device->sign) != TOCSIN_OK)
		return TOCSIN_EBADSIGNATURE;
	if (!span_is(t->exercise, device->exercise))
		return TOCSIN_EEXERCISEMISMATCH;
	if (ticket_to_find(t, t->from) < 0)
		return TOCSIN_ENOTRECIPIENT;
	if (t->time > trust->now + CLOCK_SKEW)
		return TOCSIN_ECLOCKSKEW;
	return TOCSIN_OK;
}

enum ticket_link
ticket_chain(
    const struct ticket *t, uint64_t last_seq, const uint8_t last_id[ID_LEN])
{
	if (t->seq == last_seq)
		return TICKET_CONFLICT;
	if (t->seq < last_seq)
		return TICKET_LATE;
	if (t->seq - last_seq > 1)
		return TICKET_GAP;
	if (last_seq > 0 && memcmp(t->prev, last_id, ID_LEN) != 0)
		return TICKET_CONFLICT;
	return TICKET_NEXT;
}
