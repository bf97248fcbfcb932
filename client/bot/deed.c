/* SPDX-License-Identifier: ISC */
#include "client/bot/deed.h"

#include "client/memo.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "bot/deed/"
#define NAME (sizeof(PREFIX) + 64)
#define FORMAT "deed/1"
#define FIRST_PAUSE 5 /* seconds; doubled each time */
#define PAUSE_MAX 900

struct context {
	uint8_t bytes[sizeof(FORMAT) + 32];
};

/* Of a hash, since an id is longer than a name may be. */
static void
name_of(char name[NAME], struct context *c, const char *id)
{
	char hex[65];

	memset(c, 0, sizeof(*c));
	memcpy(c->bytes, FORMAT, sizeof(FORMAT));
	crypto_generichash(c->bytes + sizeof(FORMAT), 32, (const uint8_t *)id,
	    strlen(id), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), c->bytes + sizeof(FORMAT), 32);
	snprintf(name, NAME, PREFIX "%s", hex);
}

static void
put_text(struct buf *b, const char *s)
{
	buf_u32(b, (uint32_t)strlen(s));
	buf_addz(b, s);
}

static bool
get_text(struct rd *r, char *out, size_t room)
{
	struct span s = rd_span(r, rd_u32(r));

	if (s.n >= room)
		r->bad = true;
	if (r->bad)
		return false;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

static void
print(struct buf *b, const struct deed *d)
{
	put_text(b, d->id);
	put_text(b, d->thread);
	buf_u8(b, (uint8_t)d->state);
	buf_u32(b, d->tries);
	buf_u32(b, d->slot);
	buf_u64(b, (uint64_t)d->begun);
	buf_u64(b, (uint64_t)d->ended);
	buf_u64(b, (uint64_t)d->again);
	put_text(b, d->why);
	buf_add(b, span_cut(buf_span(&d->output), 0, DEED_OUTPUT));
}

static bool
parse(struct deed *d, struct span bytes, const char *id)
{
	struct rd r = rd_init(bytes);
	struct span rest;

	*d = (struct deed){ 0 };
	get_text(&r, d->id, sizeof(d->id));
	get_text(&r, d->thread, sizeof(d->thread));
	d->state = (enum deed_state)rd_u8(&r);
	d->tries = rd_u32(&r);
	d->slot = rd_u32(&r);
	d->begun = (int64_t)rd_u64(&r);
	d->ended = (int64_t)rd_u64(&r);
	d->again = (int64_t)rd_u64(&r);
	get_text(&r, d->why, sizeof(d->why));
	rest = rd_rest(&r);
	if (!rd_done(&r) || d->state > DEED_GIVEN_UP || strcmp(d->id, id) != 0)
		return false;
	buf_add(&d->output, rest);
	return buf_ok(&d->output);
}

/* ---- in the desk ---- */

enum tocsin_err
deed_get(struct tocsin *t, const char *id, struct deed *out)
{
	struct memo memo = { 0 };
	struct buf plain = { 0 };
	struct desk_tx *tx = NULL;
	struct context c;
	struct span value;
	char name[NAME];
	enum tocsin_err err = begin_read(t, &tx);

	*out = (struct deed){ 0 };
	name_of(name, &c, id);
	if (err == TOCSIN_OK)
		err = desk_value_get(tx, name, &value);
	if (err == TOCSIN_OK)
		err = memo_init(&memo, t->parts.keys);
	if (err == TOCSIN_OK &&
	    (!memo_open(&plain, &memo, SPAN(c.bytes), value) ||
		!parse(out, buf_span(&plain), id)))
		err = TOCSIN_ENOTFOUND;
	desk_end(tx);
	memo_release(&memo);
	buf_release(&plain);
	if (err != TOCSIN_OK)
		deed_release(out);
	return err == TOCSIN_OK || err == TOCSIN_ENOTFOUND
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

static enum tocsin_err
write_value(struct tocsin *t, const char *name, struct span value)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = desk_write(t->parts.desk, &tx);

	if (err == TOCSIN_OK)
		err = desk_value_put(tx, name, value);
	if (err == TOCSIN_OK)
		return desk_commit(tx);
	desk_end(tx);
	return err;
}

enum tocsin_err
deed_put(struct tocsin *t, const struct deed *d)
{
	struct memo memo = { 0 };
	struct buf plain = { 0 }, sealed = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	struct context c;
	char name[NAME];

	name_of(name, &c, d->id);
	print(&plain, d);
	if (t->parts.keys->nepoch > 0 && buf_ok(&plain))
		err = memo_init(&memo, t->parts.keys);
	if (err == TOCSIN_OK)
		memo_seal(&sealed, &memo, t->parts.keys->nepoch - 1,
		    SPAN(c.bytes), buf_span(&plain));
	if (err == TOCSIN_OK && !buf_ok(&sealed))
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK)
		err = write_value(t, name, buf_span(&sealed));
	memo_release(&memo);
	buf_release(&plain);
	buf_release(&sealed);
	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk: what was begun for %s: %s", d->id,
			 tocsin_err_text(err));
}

void
deed_release(struct deed *d)
{
	buf_release(&d->output);
	*d = (struct deed){ 0 };
}

void
deed_fail(struct deed *d, int64_t now, const char *why)
{
	int64_t pause = FIRST_PAUSE;
	uint32_t i;

	for (i = 1; i < d->tries && pause < PAUSE_MAX; i++)
		pause *= 2;
	d->state = d->tries >= DEED_TRIES ? DEED_GIVEN_UP : DEED_FAILED;
	d->ended = now;
	d->again = now + (pause < PAUSE_MAX ? pause : PAUSE_MAX);
	snprintf(d->why, sizeof(d->why), "%s", why);
}

/* ---- old ones ---- */

/* A name at a time: what is removed is what the walk stands on. */
static enum tocsin_err
next_old(struct tocsin *t, struct memo *memo, char last[NAME], int64_t before,
    bool *old)
{
	struct buf plain = { 0 };
	struct desk_tx *tx = NULL;
	struct span name = span_of(last), value, id;
	struct context c;
	struct deed d = { 0 };
	enum tocsin_err err = begin_read(t, &tx);

	*old = false;
	if (err == TOCSIN_OK)
		err = desk_value_next(tx, PREFIX, &name, &value);
	if (err == TOCSIN_OK) {
		snprintf(last, NAME, "%.*s", (int)name.n, (const char *)name.p);
		memset(&c, 0, sizeof(c));
		memcpy(c.bytes, FORMAT, sizeof(FORMAT));
		if (sodium_hex2bin(c.bytes + sizeof(FORMAT), 32,
			last + strlen(PREFIX), strlen(last + strlen(PREFIX)),
			NULL, NULL, NULL) == 0 &&
		    memo_open(&plain, memo, SPAN(c.bytes), value)) {
			struct rd r = rd_init(buf_span(&plain));
			char text[PLAN_ID + 1];

			id = rd_span(&r, rd_u32(&r));
			snprintf(text, sizeof(text), "%.*s", (int)id.n,
			    (const char *)id.p);
			*old = parse(&d, buf_span(&plain), text) &&
			       d.begun < before && d.ended < before;
		}
	}
	desk_end(tx);
	deed_release(&d);
	buf_release(&plain);
	return err;
}

enum tocsin_err
deeds_tidy(struct tocsin *t, int64_t now)
{
	const int64_t before = now - (int64_t)DEED_DAYS * 86400;
	struct memo memo = { 0 };
	char last[NAME] = "";
	bool old;
	enum tocsin_err err = memo_init(&memo, t->parts.keys);

	while (err == TOCSIN_OK) {
		err = next_old(t, &memo, last, before, &old);
		if (err == TOCSIN_OK && old)
			err = write_value(t, last, (struct span){ 0 });
	}
	memo_release(&memo);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

const char *
deed_state_name(enum deed_state s)
{
	static const char *const names[] = { "begun", "failed", "done",
		"given-up" };

	return s <= DEED_GIVEN_UP ? names[s] : "unknown";
}
