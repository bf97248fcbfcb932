/* SPDX-License-Identifier: ISC */
#include "broker/recall.h"

#include "broker/erase.h"
#include "broker/exercise.h"
#include "broker/log.h"
#include "broker/receipts.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 7 /* a value has 256 bytes */

enum { PENDING = 0, SETTLED = 1 };

/* ---- values ---- */

static void
value_name(char out[9 + 64 + 1], struct span box, const uint8_t id[ID_LEN])
{
	crypto_hash_sha256_state h;
	uint8_t key[32];

	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, id, ID_LEN);
	crypto_hash_sha256_update(&h, box.p, box.n);
	crypto_hash_sha256_final(&h, key);
	memcpy(out, "recalled/", 9);
	sodium_bin2hex(out + 9, 65, key, sizeof(key));
}

static enum tocsin_err
load(struct span *value, struct store_rx *rx, struct span box,
    const uint8_t id[ID_LEN])
{
	char name[9 + 64 + 1];

	value_name(name, box, id);
	return store_value_get(rx, span_of(name), value);
}

static enum tocsin_err
save(struct batch *batch, struct span box, const uint8_t id[ID_LEN],
    struct buf *value)
{
	char name[9 + 64 + 1];

	value_name(name, box, id);
	return buf_ok(value)
		   ? store_value_put(batch->tx, span_of(name), buf_span(value))
		   : TOCSIN_EBUSY;
}

static enum tocsin_err
settle(struct batch *batch, const struct ticket *t, const struct recalled *r)
{
	char box[MAILBOX_MAX + 1];
	struct buf value = { 0 };
	enum tocsin_err err;

	buf_u8(&value, SETTLED);
	buf_u8(&value, r->whole);
	buf_u64(&value, r->parts);
	err = save(batch, mailbox_of_sender(box, t), t->id, &value);
	buf_release(&value);
	return err;
}

/* What comes with this id is judged by that recall. */
static enum tocsin_err
await(struct batch *batch, const struct ticket *r, const uint8_t id[ID_LEN])
{
	char name[MAILBOX_MAX + 1];
	struct span box = mailbox_of_sender(name, r);
	struct buf value = { 0 };
	struct span had = { 0 };
	enum tocsin_err err = load(&had, batch->view, box, id);

	if (err == TOCSIN_ENOTFOUND)
		buf_u8(&value, PENDING);
	else if (err)
		return err;
	else if (had.p[0] != PENDING ||
		 memmem(had.p + 1, had.n - 1, r->id, ID_LEN) != NULL)
		return TOCSIN_OK;
	/* One more than there is room for is one that nobody finds. */
	buf_add(&value, span_cut(had, 0, 1 + (PENDING_MAX - 1) * ID_LEN));
	if (had.n < 1 + PENDING_MAX * ID_LEN)
		buf_add(&value, SPAN(r->id));
	else
		buf_add(&value, SPAN(((uint8_t[ID_LEN]){ 0 })));
	err = save(batch, box, id, &value);
	buf_release(&value);
	return err;
}

/* ---- what two headers say ---- */

static bool
names(const struct ticket *r, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < r->nref; i++)
		if (memcmp(r->ref[i], id, ID_LEN) == 0)
			return true;
	return false;
}

/* A recall that names the message: of it all, or of parts. */
static void
add(struct recalled *sum, const struct ticket *r, const struct ticket *t)
{
	uint64_t parts = 0;
	size_t i;

	for (i = 0; i < t->npart; i++)
		if (names(r, t->part[i].hash))
			parts |= UINT64_C(1) << i;
	sum->parts |= parts;
	sum->whole |= parts == 0;
}

/* One that is not found any more took all of it back, as far as we know. */
static enum tocsin_err
add_by_id(struct recalled *sum, struct store_rx *rx, const uint8_t id[ID_LEN],
    const struct ticket *t)
{
	struct ticket *r = malloc(sizeof(*r));
	struct store_entry e;
	struct note n;
	uint64_t seq;

	if (!r)
		return TOCSIN_EBUSY;
	if (store_find(rx, id, &seq) == TOCSIN_OK &&
	    store_get(rx, seq, &e) == TOCSIN_OK &&
	    ticket_parse(r, &n, e.note) == TOCSIN_OK)
		add(sum, r, t);
	else
		sum->whole = true;
	free(r);
	return TOCSIN_OK;
}

enum tocsin_err
recall_of(struct recalled *out, struct store_rx *rx, const struct ticket *t)
{
	char box[MAILBOX_MAX + 1];
	uint8_t id[ID_LEN];
	struct span value;
	struct rd r;
	enum tocsin_err err;

	*out = (struct recalled){ 0 };
	if (t->kind == TICKET_RECALL)
		return TOCSIN_OK;
	err = load(&value, rx, mailbox_of_sender(box, t), t->id);
	if (err)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	r = rd_init(value);
	if (rd_u8(&r) == SETTLED) {
		out->whole = rd_u8(&r);
		out->parts = rd_u64(&r);
		return rd_done(&r) ? TOCSIN_OK : TOCSIN_EINTERNAL;
	}
	while (!err && r.rest.n >= ID_LEN) {
		rd_copy(&r, id, sizeof(id));
		err = add_by_id(out, rx, id, t);
	}
	return err;
}

bool
recall_covers(struct store_rx *rx, const struct ticket *t, const uint8_t *part)
{
	struct recalled r;
	size_t i;

	if (recall_of(&r, rx, t) != TOCSIN_OK)
		return false;
	for (i = 0; part && !r.whole && i < t->npart; i++)
		if ((r.parts >> i & 1) &&
		    memcmp(t->part[i].hash, part, 32) == 0)
			return true;
	return r.whole;
}

bool
recall_is_of(struct store_rx *rx, const struct store_entry *e)
{
	char exercise[EXERCISE_MAX + 1], box[MAILBOX_MAX + 1];
	struct span value;
	struct rd r;

	if (e->kind != STORE_TICKET ||
	    exercise_of(exercise, rx, e->seq) != TOCSIN_OK ||
	    load(&value, rx, mailbox_name(box, e->member, span_of(exercise)),
		e->id) != TOCSIN_OK)
		return false;
	r = rd_init(value);
	return rd_u8(&r) == SETTLED && rd_u8(&r) != 0;
}

bool
recall_names(struct store_rx *rx, struct span box, const uint8_t id[ID_LEN])
{
	struct span value;

	return load(&value, rx, box, id) == TOCSIN_OK;
}

/* ---- obeying ---- */

static void
say_erased(const struct ticket *t, uint64_t seq, unsigned parts)
{
	static struct log_limit limit = LOG_LIMIT(20, 60000);

	log_limited(&limit, LOG_INFO, "erased-recalled", LOG_U("seq", seq),
	    LOG_X("id", SPAN(t->id)), LOG_S("from", t->from),
	    LOG_U("parts", parts));
}

/* A line for each part of `parts`, and none of its bytes wanted any more. */
static enum tocsin_err
tell_parts(struct batch *batch, const struct ticket *t, uint64_t parts)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; !err && i < t->npart; i++)
		if (parts >> i & 1)
			err = receipts_erased(batch->receipts,
			    receipts_to(t->from, t->exercise), t->id,
			    t->part[i].hash);
	return err;
}

static enum tocsin_err
drop_parts(struct batch *batch, const struct ticket *t, uint64_t parts)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; !err && i < t->npart; i++)
		if (parts >> i & 1)
			err = erase_part(batch, t->part[i].hash);
	return err ? err : tell_parts(batch, t, parts);
}

/* With a value for each of its parts, so that put refuses them. */
static enum tocsin_err
drop_all(struct batch *batch, const struct store_entry *e,
    const struct ticket *r, const struct ticket *t)
{
	enum tocsin_err err = erase_entry(batch, e, t);
	size_t i;

	for (i = 0; !err && i < t->npart; i++)
		err = await(batch, r, t->part[i].hash);
	return err ? err
		   : receipts_erased(batch->receipts,
			 receipts_to(t->from, t->exercise), t->id, NULL);
}

static unsigned
count(uint64_t bits)
{
	return (unsigned)__builtin_popcountll(bits);
}

/* A message that is here. `t` is not in the map. */
static enum tocsin_err
take_back(struct batch *batch, const struct store_entry *e,
    const struct ticket *r, const struct ticket *t)
{
	struct recalled was, now;
	enum tocsin_err err = recall_of(&was, batch->view, t);

	now = was;
	add(&now, r, t);
	if (err || was.whole || (now.parts == was.parts && !now.whole))
		return err;
	/* Erasing asks what was recalled before: that is noted last. */
	err = now.whole ? drop_all(batch, e, r, t)
			: drop_parts(batch, t, now.parts & ~was.parts);
	if (!err)
		err = settle(batch, t, &now);
	if (!err)
		say_erased(t, e->seq,
		    now.whole ? (unsigned)t->npart
			      : count(now.parts & ~was.parts));
	return err;
}

/* Writing moves what spans of the store point to, so the note is copied. */
static enum tocsin_err
reach(struct batch *batch, const struct store_entry *found,
    const struct ticket *r)
{
	struct ticket *t = malloc(sizeof(*t));
	char member[STORE_NAME_MAX], via[STORE_NAME_MAX];
	struct store_entry e = *found;
	struct buf note = { 0 };
	struct note n;
	enum tocsin_err err = TOCSIN_EBUSY;

	buf_add(&note, e.note);
	memcpy(member, e.member.p, e.member.n);
	memcpy(via, e.via.p ? e.via.p : (const uint8_t *)"", e.via.n);
	e.member.p = (const uint8_t *)member;
	e.via.p = (const uint8_t *)via;
	e.note = buf_span(&note);
	e.body = (struct span){ 0 };
	if (t && buf_ok(&note))
		err = ticket_parse(t, &n, e.note);
	/* What an exercise takes back is of it, and nothing else. */
	if (!err && t->kind != TICKET_RECALL &&
	    span_eq(t->exercise, r->exercise))
		err = take_back(batch, &e, r, t);
	buf_release(&note);
	free(t);
	return err;
}

static enum tocsin_err
obey_ref(struct batch *batch, const struct ticket *r, const uint8_t id[ID_LEN])
{
	struct store_entry e;
	uint64_t seq;
	enum tocsin_err err = store_find(batch->view, id, &seq);

	if (err == TOCSIN_ENOTFOUND)
		return await(batch, r, id);
	if (!err)
		err = store_get(batch->view, seq, &e);
	if (err == TOCSIN_EBODYMISMATCH) /* it is not given out either */
		return await(batch, r, id);
	if (err || e.erased || e.kind != STORE_TICKET ||
	    !span_eq(e.member, r->from))
		return err;
	return reach(batch, &e, r);
}

enum tocsin_err
recall_obey(struct batch *batch, const struct ticket *r)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; !err && i < r->nref; i++)
		err = obey_ref(batch, r, r->ref[i]);
	return err;
}

enum tocsin_err
recall_arrived(
    struct batch *batch, const struct ticket *t, const struct recalled *known)
{
	enum tocsin_err err = settle(batch, t, known);

	return err ? err : tell_parts(batch, t, known->parts);
}

/* Only noted yet: it is done now. The recall itself may be gone. */
static enum tocsin_err
obey_noted(struct batch *batch, const struct store_entry *e,
    const struct ticket *t, const struct recalled *noted)
{
	struct ticket *r = calloc(1, sizeof(*r));
	enum tocsin_err err;

	if (!r)
		return TOCSIN_EBUSY;
	r->from = t->from;
	r->exercise = t->exercise;
	err = noted->whole ? drop_all(batch, e, r, t)
			   : drop_parts(batch, t, noted->parts);
	if (!err)
		err = settle(batch, t, noted);
	if (!err)
		say_erased(t, e->seq,
		    noted->whole ? (unsigned)t->npart : count(noted->parts));
	free(r);
	return err;
}

enum tocsin_err
recall_mended(struct batch *batch, const struct store_entry *e,
    const struct ticket *t, bool *gone)
{
	char box[MAILBOX_MAX + 1];
	struct recalled noted;
	struct span value;
	enum tocsin_err err = recall_of(&noted, batch->view, t);

	*gone = !err && noted.whole;
	if (err || (!noted.whole && noted.parts == 0))
		return err;
	err = load(&value, batch->view, mailbox_of_sender(box, t), t->id);
	if (err)
		return err;
	if (value.p[0] == PENDING)
		return obey_noted(batch, e, t, &noted);
	/* What it cost was given back, and its parts went, at the time. */
	return noted.whole ? store_erase(batch->tx, e->seq) : TOCSIN_OK;
}

/* ---- after a repair ---- */

/* Of what was erased it is not known any more why: it is gone either way. */
static enum tocsin_err
note_again(
    struct batch *batch, const struct ticket *r, const uint8_t id[ID_LEN])
{
	struct ticket *t;
	struct recalled now = { 0 };
	struct store_entry e;
	struct note n;
	uint64_t seq;
	enum tocsin_err err = store_find(batch->view, id, &seq);

	if (err == TOCSIN_ENOTFOUND)
		return await(batch, r, id);
	if (!err)
		err = store_get(batch->view, seq, &e);
	if (err || e.erased || !span_eq(e.member, r->from))
		return err == TOCSIN_EBODYMISMATCH ? TOCSIN_OK : err;
	t = malloc(sizeof(*t));
	if (!t)
		return TOCSIN_EBUSY;
	err = ticket_parse(t, &n, e.note);
	if (!err && t->kind != TICKET_RECALL &&
	    span_eq(t->exercise, r->exercise)) {
		add(&now, r, t);
		err = settle(batch, t, &now);
	}
	free(t);
	return err;
}

enum tocsin_err
recall_again(struct batch *batch, const struct ticket *r)
{
	char name[MAILBOX_MAX + 1];
	struct span box = mailbox_of_sender(name, r);
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; !err && r->kind == TICKET_RECALL && i < r->nref; i++)
		if (!recall_names(batch->view, box, r->ref[i]))
			err = note_again(batch, r, r->ref[i]);
	return err;
}
