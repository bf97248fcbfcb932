/* SPDX-License-Identifier: ISC */
#include "client/reader.h"

#include "client/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READER_MAX 64
#define WHY_MAX 1024
#define NAME_SIZE 128 /* of a value's name, as the desk takes it */

/* ---- records ---- */

/* How often a message was begun. */
struct turn {
	uint64_t number;
	uint32_t starts;
};

/* Of a message that was set aside; the number stands in the value's name. */
struct aside {
	uint64_t number;
	int64_t since;
	uint32_t starts; /* of all its life */
	uint32_t before; /* of them, until it was last wanted again */
	bool again;
	struct span why; /* aliases the map */
};

/* No two readers may share a name, so nothing is cut. */
static enum tocsin_err
good_name(const char *reader)
{
	size_t n = strnlen(reader, READER_MAX + 1);

	if (n == 0 || n > READER_MAX)
		return fail(TOCSIN_EUSAGE, "a reader's name has 1 to %d bytes",
		    READER_MAX);
	return TOCSIN_OK;
}

static const char *
name_of(char out[NAME_SIZE], const char *what, const char *reader)
{
	snprintf(out, NAME_SIZE, "%s/%s", what, reader);
	return out;
}

/* The number first: a reader's name may have a '/' in it. */
static const char *
aside_name(char out[NAME_SIZE], uint64_t number, const char *reader)
{
	snprintf(out, NAME_SIZE, "aside/%020llu/%s", (unsigned long long)number,
	    reader);
	return out;
}

static uint64_t
place_of(struct desk_tx *tx, const char *reader)
{
	char name[NAME_SIZE];

	return desk_u64_get(tx, name_of(name, "reader", reader));
}

static enum tocsin_err
put_place(struct desk_tx *tx, const char *reader, uint64_t number)
{
	char name[NAME_SIZE];

	return desk_u64_put(tx, name_of(name, "reader", reader), number);
}

/* What is said of another message is over. */
static struct turn
turn_of(struct desk_tx *tx, const char *reader, uint64_t number)
{
	struct turn turn = { 0 };
	char name[NAME_SIZE];
	struct span s;
	struct rd r;

	if (desk_value_get(tx, name_of(name, "turn", reader), &s) ==
	    TOCSIN_OK) {
		r = rd_init(s);
		turn.number = rd_u64(&r);
		turn.starts = rd_u32(&r);
		if (!rd_done(&r))
			turn.number = 0;
	}
	return turn.number == number ? turn : (struct turn){ number, 0 };
}

static enum tocsin_err
put_turn(struct desk_tx *tx, const char *reader, const struct turn *turn)
{
	struct buf b = { 0 };
	char name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, turn->number);
	buf_u32(&b, turn->starts);
	if (buf_ok(&b))
		err = desk_value_put(
		    tx, name_of(name, "turn", reader), buf_span(&b));
	buf_release(&b);
	return err;
}

static bool
read_aside(struct aside *out, struct span value)
{
	struct rd r = rd_init(value);

	out->since = (int64_t)rd_u64(&r);
	out->starts = rd_u32(&r);
	out->before = rd_u32(&r);
	out->again = rd_u8(&r) != 0;
	out->why = rd_rest(&r);
	return rd_done(&r);
}

static enum tocsin_err
get_aside(
    struct desk_tx *tx, const char *reader, uint64_t number, struct aside *out)
{
	char name[NAME_SIZE];
	struct span value;
	enum tocsin_err err;

	err = desk_value_get(tx, aside_name(name, number, reader), &value);
	*out = (struct aside){ .number = number };
	if (err == TOCSIN_OK && !read_aside(out, value))
		err = TOCSIN_EBODYMISMATCH;
	return err;
}

static enum tocsin_err
put_aside(struct desk_tx *tx, const char *reader, const struct aside *a)
{
	struct buf b = { 0 };
	char name[NAME_SIZE];
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, (uint64_t)a->since);
	buf_u32(&b, a->starts);
	buf_u32(&b, a->before);
	buf_u8(&b, a->again);
	buf_add(&b, span_cut(a->why, 0, WHY_MAX));
	if (buf_ok(&b))
		err = desk_value_put(
		    tx, aside_name(name, a->number, reader), buf_span(&b));
	buf_release(&b);
	return err;
}

static enum tocsin_err
drop_aside(struct desk_tx *tx, const char *reader, uint64_t number)
{
	char name[NAME_SIZE];

	return desk_value_put(
	    tx, aside_name(name, number, reader), (struct span){ 0 });
}

static uint64_t
digits(struct span s)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	return n;
}

/* The reader's first beyond a->number. */
static enum tocsin_err
next_aside(struct desk_tx *tx, const char *reader, struct aside *a)
{
	char last[NAME_SIZE];
	struct span name, value;
	uint64_t number = a->number;
	enum tocsin_err err;

	/* '0' follows '/': beyond all names of this number. */
	snprintf(
	    last, sizeof(last), "aside/%020llu0", (unsigned long long)number);
	name = span_of(last);
	while (
	    (err = desk_value_next(tx, "aside/", &name, &value)) == TOCSIN_OK) {
		struct rd r = rd_init(name);

		rd_span(&r, strlen("aside/"));
		number = digits(rd_span(&r, 20));
		if (rd_u8(&r) != '/' || !span_is(rd_rest(&r), reader))
			continue;
		*a = (struct aside){ .number = number };
		return read_aside(a, value) ? TOCSIN_OK : TOCSIN_EBODYMISMATCH;
	}
	return err;
}

/* ---- changes ---- */

static enum tocsin_err
begin_change(struct tocsin *t, const char *reader, struct desk_tx **tx)
{
	enum tocsin_err err = good_name(reader);

	if (err != TOCSIN_OK)
		return err;
	err = desk_write(t->parts.desk, tx);
	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

/* A sentence is there already for what the caller may see in its own name. */
static enum tocsin_err
end_change(struct desk_tx *tx, enum tocsin_err err, bool said)
{
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		said = false;
	} else {
		desk_end(tx);
	}
	return err == TOCSIN_OK || said
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

static enum tocsin_err
may_step(struct desk_tx *tx, const char *reader, uint64_t number)
{
	uint64_t last;
	enum tocsin_err err = desk_last(tx, &last);

	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	if (number == 0 || number > last)
		return fail(TOCSIN_EUSAGE,
		    "there is no message %llu: what will have that number "
		    "would not be seen",
		    (unsigned long long)number);
	if (number <= place_of(tx, reader))
		return fail(TOCSIN_EDUPLICATE,
		    "the reader %s has handled message %llu already", reader,
		    (unsigned long long)number);
	return TOCSIN_OK;
}

enum tocsin_err
reader_step(struct desk_tx *tx, const char *reader, uint64_t number)
{
	struct aside a;
	enum tocsin_err err = good_name(reader);

	if (err == TOCSIN_OK)
		err = get_aside(tx, reader, number, &a);
	if (err == TOCSIN_OK)
		return drop_aside(tx, reader, number);
	if (err != TOCSIN_ENOTFOUND)
		return err;
	err = may_step(tx, reader, number);
	return err == TOCSIN_OK ? put_place(tx, reader, number) : err;
}

/* A reader only moves on, unless it is sent back to the start. */
enum tocsin_err
tocsin_commit(struct tocsin *t, const char *reader, uint64_t number)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	if (number == 0)
		return TOCSIN_OK;
	err = begin_change(t, reader, &tx);
	if (err != TOCSIN_OK)
		return err;
	err = reader_step(tx, reader, number);
	if (err == TOCSIN_EDUPLICATE) {
		desk_end(tx);
		return TOCSIN_OK;
	}
	return end_change(tx, err, err == TOCSIN_EUSAGE);
}

/* The number before the first message that came at `since` or later. */
static enum tocsin_err
before_time(struct desk_tx *tx, int64_t since, uint64_t *out)
{
	struct desk_message row;
	enum tocsin_err err;
	uint64_t n = 0;

	*out = 0;
	while ((err = desk_next(tx, n, &n)) == TOCSIN_OK) {
		if (desk_get(tx, n, &row) != TOCSIN_OK || row.arrived >= since)
			return TOCSIN_OK; /* also what is damaged */
		*out = n;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* What stands behind the place comes again, and is not aside then. */
static enum tocsin_err
drop_asides(struct desk_tx *tx, const char *reader, uint64_t place)
{
	struct aside a = { .number = place };
	enum tocsin_err err;

	do {
		err = next_aside(tx, reader, &a);
		if (err == TOCSIN_OK || err == TOCSIN_EBODYMISMATCH)
			err = drop_aside(tx, reader, a.number);
	} while (err == TOCSIN_OK);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
tocsin_seek(struct tocsin *t, const char *reader, int64_t since)
{
	struct desk_tx *tx = NULL;
	uint64_t place = 0;
	enum tocsin_err err = begin_change(t, reader, &tx);

	if (err != TOCSIN_OK)
		return err;
	if (since > 0)
		err = before_time(tx, since, &place);
	if (err == TOCSIN_OK)
		err = put_place(tx, reader, place);
	if (err == TOCSIN_OK)
		err = put_turn(tx, reader, &(struct turn){ 0 });
	if (err == TOCSIN_OK)
		err = drop_asides(tx, reader, place);
	return end_change(tx, err, false);
}

enum tocsin_err
tocsin_rewind(struct tocsin *t, const char *reader)
{
	return tocsin_seek(t, reader, 0);
}

enum tocsin_err
tocsin_place_of(struct tocsin *t, const char *reader, uint64_t *number)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = good_name(reader);

	if (err == TOCSIN_OK)
		err = begin_read(t, &tx);
	if (err == TOCSIN_OK)
		*number = place_of(tx, reader);
	desk_end(tx);
	return err;
}

/* ---- attempts ---- */

struct begun {
	unsigned most;
	unsigned *attempt, *left;
};

/* One more, unless there were enough; `before` are not counted. */
static bool
one_more(const struct begun *b, uint32_t *starts, uint32_t before)
{
	const uint32_t done = *starts - before;

	*b->attempt = *b->left = 0;
	if (b->most > 0 && done >= b->most)
		return false;
	*b->attempt = ++*starts;
	*b->left = b->most > 0 ? b->most - done - 1 : UINT32_MAX;
	return true;
}

enum tocsin_err
tocsin_begin(struct tocsin *t, const char *reader, uint64_t number,
    unsigned most, unsigned *attempt, unsigned *left)
{
	const struct begun b = { most, attempt, left };
	struct desk_tx *tx = NULL;
	struct turn turn;
	struct aside a;
	bool said = false;
	enum tocsin_err err = begin_change(t, reader, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = get_aside(tx, reader, number, &a);
	if (err == TOCSIN_OK && one_more(&b, &a.starts, a.before)) {
		err = put_aside(tx, reader, &a);
	} else if (err == TOCSIN_ENOTFOUND) {
		err = may_step(tx, reader, number);
		said = err != TOCSIN_OK;
		turn = turn_of(tx, reader, number);
		if (err == TOCSIN_OK && one_more(&b, &turn.starts, 0))
			err = put_turn(tx, reader, &turn);
	}
	return end_change(tx, err, said);
}

enum tocsin_err
tocsin_set_aside(
    struct tocsin *t, const char *reader, uint64_t number, const char *why)
{
	struct desk_tx *tx = NULL;
	bool said = false;
	struct aside a;
	enum tocsin_err err = begin_change(t, reader, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = get_aside(tx, reader, number, &a);
	if (err == TOCSIN_ENOTFOUND) {
		err = may_step(tx, reader, number);
		said = err != TOCSIN_OK;
		a.starts = turn_of(tx, reader, number).starts;
		if (err == TOCSIN_OK)
			err = put_place(tx, reader, number);
	}
	a.since = (int64_t)time(NULL);
	a.again = false;
	a.why = span_of(why);
	if (err == TOCSIN_OK)
		err = put_aside(tx, reader, &a);
	return end_change(tx, err, said);
}

enum tocsin_err
tocsin_again(struct tocsin *t, const char *reader, const char *id)
{
	struct desk_tx *tx = NULL;
	uint64_t number;
	struct aside a;
	enum tocsin_err err = begin_change(t, reader, &tx);

	if (err != TOCSIN_OK)
		return err;
	err = find_message(t, tx, id, &number);
	if (err != TOCSIN_OK)
		return end_change(tx, err, true);
	err = get_aside(tx, reader, number, &a);
	if (err == TOCSIN_ENOTFOUND)
		return end_change(tx,
		    fail(err, "the reader %s has not set %s aside", reader, id),
		    true);
	a.again = true;
	a.before = a.starts;
	if (err == TOCSIN_OK)
		err = put_aside(tx, reader, &a);
	return end_change(tx, err, false);
}

/* ---- reading ---- */

/* What was wanted again; what has got another number since comes by itself. */
static enum tocsin_err
next_again(struct tocsin *t, struct desk_tx *tx, const char *reader,
    struct tocsin_message **out)
{
	struct desk_message row;
	struct aside a = { 0 };
	enum tocsin_err err;

	while ((err = next_aside(tx, reader, &a)) == TOCSIN_OK)
		if (a.again && desk_get(tx, a.number, &row) != TOCSIN_ENOTFOUND)
			return message_of(t, tx, a.number, out);
	return err == TOCSIN_ENOTFOUND
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

/* The next that this device did not write; what it wrote it knows. */
static enum tocsin_err
next_other(struct tocsin *t, struct desk_tx *tx, const char *reader,
    uint64_t after, struct tocsin_message **out)
{
	struct desk_message row;
	uint64_t n = place_of(tx, reader);
	enum tocsin_err err;

	if (n < after)
		n = after;
	while ((err = desk_next(tx, n, &n)) == TOCSIN_OK) {
		err = desk_get(tx, n, &row);
		if (err == TOCSIN_OK && row.own)
			continue;
		return message_of(t, tx, n, out); /* also what is damaged */
	}
	return err == TOCSIN_ENOTFOUND
		   ? err
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

enum tocsin_err
tocsin_next_after(struct tocsin *t, const char *reader, uint64_t after,
    int timeout_ms, struct tocsin_message **out)
{
	const int64_t end = backoff_now() + timeout_ms;
	enum tocsin_err err = good_name(reader);

	if (err != TOCSIN_OK)
		return err;
	for (;;) {
		uint64_t seen = desk_changes(t->parts.desk);
		struct desk_tx *tx = NULL;
		int64_t left = end - backoff_now();

		err = begin_read(t, &tx);
		if (err == TOCSIN_OK)
			err = after == 0 ? next_again(t, tx, reader, out)
					 : TOCSIN_ENOTFOUND;
		if (err == TOCSIN_ENOTFOUND)
			err = next_other(t, tx, reader, after, out);
		desk_end(tx);
		if (err != TOCSIN_ENOTFOUND)
			return err;
		if (timeout_ms >= 0 && left <= 0)
			return fail(TOCSIN_ETIMEOUT, "nothing new");
		desk_wait(t->parts.desk, seen, timeout_ms < 0 ? -1 : (int)left);
	}
}

enum tocsin_err
tocsin_next(struct tocsin *t, const char *reader, int timeout_ms,
    struct tocsin_message **out)
{
	return tocsin_next_after(t, reader, 0, timeout_ms, out);
}

/* ---- what is aside ---- */

static enum tocsin_err
add_aside(struct tocsin *t, struct desk_tx *tx, const struct aside *a,
    struct tocsin_asides *l)
{
	struct tocsin_aside *grown, *to;
	char *why =
	    strndup(a->why.n > 0 ? (const char *)a->why.p : "", a->why.n);
	enum tocsin_err err;

	grown = realloc(l->aside, (l->n + 1) * sizeof(*grown));
	if (grown != NULL)
		l->aside = grown;
	if (grown == NULL || why == NULL) {
		free(why);
		return fail(TOCSIN_EINTERNAL, "no memory");
	}
	to = &l->aside[l->n];
	*to = (struct tocsin_aside){ .since = a->since,
		.attempts = a->starts,
		.again = a->again,
		.why = why };
	err = message_of(t, tx, a->number, &to->message);
	if (err == TOCSIN_OK)
		l->n++;
	else
		free(why);
	return err;
}

enum tocsin_err
tocsin_asides(struct tocsin *t, const char *reader, struct tocsin_asides **out)
{
	struct tocsin_asides *l = calloc(1, sizeof(*l));
	struct desk_tx *tx = NULL;
	struct aside a = { 0 };
	enum tocsin_err err = good_name(reader);

	if (l == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	if (err == TOCSIN_OK)
		err = begin_read(t, &tx);
	while (err == TOCSIN_OK &&
	       (err = next_aside(tx, reader, &a)) == TOCSIN_OK) {
		err = add_aside(t, tx, &a, l);
		if (err == TOCSIN_ENOTFOUND) /* it came again by itself */
			err = TOCSIN_OK;
	}
	desk_end(tx);
	if (err == TOCSIN_OK || err == TOCSIN_ENOTFOUND) {
		*out = l;
		return TOCSIN_OK;
	}
	tocsin_asides_free(l);
	return err;
}

void
tocsin_asides_free(struct tocsin_asides *l)
{
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->n; i++) {
		tocsin_message_free(l->aside[i].message);
		free((void *)(uintptr_t)l->aside[i].why);
	}
	free(l->aside);
	free(l);
}
