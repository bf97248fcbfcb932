/* SPDX-License-Identifier: ISC */
/* Drafts to sealed messages: tocsin_post(), tocsin_ack(), tocsin_commit_post().
 */
#include "client/compose_impl.h"
#include "client/once.h"
#include "client/parts.h"
#include "client/reader.h"
#include "client/recall.h"
#include "client/term.h"
#include "client/vocab.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- attachments ---- */

static const char *
last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* What our broker takes, as it said when it was last seen; 0: never seen. */
static uint64_t
part_limit(struct composing *c)
{
	struct desk_tx *tx = NULL;
	uint64_t limit = 0;

	if (desk_read(c->t->parts.desk, &tx) == TOCSIN_OK)
		limit = desk_u64_get(tx, DESK_PART_MAX);
	desk_end(tx);
	return limit;
}

static enum tocsin_err
seal_one(struct composing *c, size_t i, const uint8_t sk[32])
{
	const struct tocsin_attachment *a = &c->draft->attachments[i];
	struct incident_attachment *out = &c->attachment[i];
	struct ticket_part *s = &c->sealed[i];
	const uint64_t limit = part_limit(c);
	enum tocsin_err err;

	err = parts_seal(c->t->parts.keys->home, a->path, sk, s, &out->size);
	if (err == TOCSIN_EUSAGE)
		return fail(err, "%s is not a file", a->path);
	if (err == TOCSIN_ETOOLARGE)
		return fail(err, "%s is larger than %llu MiB", a->path,
		    (unsigned long long)(PARTS_FILE_MAX >> 20));
	if (err != TOCSIN_OK)
		return fail(err, "%s: %s", a->path,
		    err == TOCSIN_ENOTFOUND	 ? "no such file"
		    : err == TOCSIN_EPERMISSIONS ? "it may not be read"
						 : tocsin_err_text(err));
	out->name = a->name != NULL ? a->name : last_component(a->path);
	out->media = a->media != NULL ? a->media : "application/octet-stream";
	memcpy(out->part, s->hash, sizeof(out->part));
	c->nsealed = i + 1;
	if (limit > 0 && s->size > limit)
		return fail(TOCSIN_ETOOLARGE,
		    "%s: sealed it has %llu KiB, and the broker takes %llu "
		    "KiB; split it",
		    a->path, (unsigned long long)(s->size >> 10),
		    (unsigned long long)(limit >> 10));
	return TOCSIN_OK;
}

static enum tocsin_err
seal_attachments(struct composing *c)
{
	size_t i, n = c->draft->nattachments;
	enum tocsin_err err = TOCSIN_OK;
	uint8_t sk[32];

	c->attachment = calloc(n, sizeof(*c->attachment));
	c->sealed = calloc(n, sizeof(*c->sealed));
	if (c->attachment == NULL || c->sealed == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	part_identity(sk, &c->parts_age);
	for (i = 0; err == TOCSIN_OK && i < n; i++)
		err = seal_one(c, i, sk);
	sodium_memzero(sk, sizeof(sk));
	return err;
}

/*
 * An escalation shows the ticket to members that were not sent it: its first
 * message goes along, and its parts, which the brokers have, are named again.
 */
static enum tocsin_err
may_attach(struct composing *c)
{
	const struct opened *o = c->first;
	size_t n = c->draft->nattachments;

	if (n > TICKET_PARTS_MAX)
		return fail(TOCSIN_ETOOLARGE, "at most %d attachments",
		    TICKET_PARTS_MAX);
	if (!carries(c))
		return TOCSIN_OK;
	if (o->contents.json.n == 0)
		return fail(o->row.refused != TOCSIN_OK ? o->row.refused
							: TOCSIN_EMALFORMED,
		    "the ticket's first message is not readable here: %s",
		    tocsin_err_text(o->row.refused));
	if (n > 0 && o->ticket.npart > 0)
		return fail(TOCSIN_EUSAGE,
		    "the ticket's own attachments go along; send others with "
		    "`tocsin note`");
	return TOCSIN_OK;
}

/* The grants that were needed, for readers to check. */
static void
carry_grants(struct composing *c, struct incident_draft *d)
{
	size_t i, n = 0;

	if (!carries(c))
		return;
	for (i = 0; i < c->permits.n && n < GRANTS_MAX; i++)
		if (c->permits.used[i])
			c->grants[n++] = c->permits.note[i];
	c->grants[n] = NULL;
	d->grants = c->grants;
	d->clients = (const char *const *)c->clients.name;
}

static enum tocsin_err
carry_original(struct composing *c, struct incident_draft *d, char **copy,
    char id[ID_TEXT + 1])
{
	const struct opened *o = c->first;

	if (!carries(c))
		return TOCSIN_OK;
	*copy = strndup((const char *)o->contents.json.p, o->contents.json.n);
	if (*copy == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	id_print(id, o->row.id);
	d->original = *copy;
	d->original_id = id;
	if (o->ticket.npart > 0) {
		memcpy(c->header.part, o->ticket.part, sizeof(c->header.part));
		c->header.npart = o->ticket.npart;
		buf_add(&c->parts_age, o->contents.parts_age);
	}
	return TOCSIN_OK;
}

static enum tocsin_err
write_content(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
	struct incident_draft in = { .subject = d->subject,
		.text = d->text,
		.severity = c->severity,
		.importance = c->importance,
		.loss = c->loss,
		.classification = c->classification,
		.outlook = c->outlook,
		.pap = c->pap,
		.sector = c->sector,
		.answer = c->answer,
		.reason = c->reason,
		.resolution = c->resolution,
		.occurred = d->occurred,
		.detected = d->detected,
		.reported = d->reported,
		.clock_start = d->clock_start,
		.clock_stop = d->clock_stop,
		.clock_done = d->clock_done,
		.clock_at = d->clock_at,
		.recall_of = c->nrecall > 0 ? c->recall_of : NULL,
		.recall = (const uint8_t(*)[ID_LEN])c->recall,
		.nrecall = c->nrecall,
		.json = d->json,
		.attachment = c->attachment,
		.nattachment = c->nsealed };
	char id[ID_TEXT + 1], *copy = NULL;
	enum tocsin_err err;
	size_t i;

	for (i = 0; i < c->nsealed; i++)
		c->header.part[i] = c->sealed[i];
	c->header.npart = c->nsealed;
	carry_grants(c, &in);
	err = carry_original(c, &in, &copy, id);
	if (err == TOCSIN_OK) {
		err = incident_print(&c->json, &in);
		if (err == TOCSIN_ETOOLARGE)
			fail(err, "the text is longer than %d KiB; attach it",
			    INCIDENT_TEXT_MAX / 1024);
		else if (err == TOCSIN_EINTERNAL)
			fail(err, "no memory");
		else if (err != TOCSIN_OK)
			fail(err, "the text is not UTF-8, or the content is "
				  "no object, too deep, or has a member of "
				  "ticket.json with another type");
	}
	if (copy != NULL)
		sodium_memzero(copy, strlen(copy));
	free(copy);
	return err;
}

/* ---- sealing ---- */

static enum tocsin_err
next_place(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = &c->header;
	struct span self;
	enum tocsin_err err;
	struct rd r;

	h->seq = 1;
	err = desk_value_get(tx, DESK_SELF, &self);
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	r = rd_init(self);
	h->seq = rd_u64(&r) + 1;
	rd_copy(&r, h->prev, ID_LEN);
	h->has_prev = true;
	return rd_done(&r) ? TOCSIN_OK
			   : fail(TOCSIN_EBODYMISMATCH,
				 "the desk's own chain is damaged");
}

static enum tocsin_err
keep(struct composing *c, struct desk_tx *tx, struct span note,
    struct span body, uint8_t id[ID_LEN])
{
	struct desk_message m = {
		.arrived = c->now, .own = true, .note = note, .body = body
	};
	struct buf self = { 0 };
	enum tocsin_err err;
	struct note parsed;
	struct ticket *t = malloc(sizeof(*t));
	size_t i;

	if (t == NULL)
		return TOCSIN_EINTERNAL;
	err = ticket_parse(t, &parsed, note);
	memcpy(id, t->id, ID_LEN);
	memcpy(m.id, t->id, ID_LEN);
	memcpy(m.thread, t->has_thread ? t->thread : t->id, ID_LEN);
	free(t);
	buf_u64(&self, c->header.seq);
	buf_add(&self, (struct span){ id, ID_LEN });
	if (err == TOCSIN_OK && !buf_ok(&self))
		err = TOCSIN_EINTERNAL; /* nothing would end our chain */
	if (err == TOCSIN_OK)
		err = desk_put(tx, &m);
	if (err == TOCSIN_OK)
		err = desk_outbox_add(tx, m.number);
	for (i = 0; err == TOCSIN_OK && i < c->nsealed; i++)
		err = desk_upload_add(tx, c->sealed[i].hash, c->sealed[i].size);
	for (i = 0; err == TOCSIN_OK && i < c->nsealed && c->t->sync; i++)
		err = sync_own_part(c->t->sync, c->sealed[i].hash);
	if (err == TOCSIN_OK)
		err = desk_value_put(tx, DESK_SELF, buf_span(&self));
	if (err == TOCSIN_OK && c->draft->once != NULL)
		err = once_put(tx, c->draft->once, id, c->now);
	if (err == TOCSIN_OK && c->draft->until != 0)
		err = term_put(tx, m.number, c->now, c->draft->until);
	buf_release(&self);
	return err;
}

static enum tocsin_err
seal(struct composing *c, struct desk_tx *tx, uint8_t id[ID_LEN])
{
	const struct keystore *k = c->t->parts.keys;
	const struct roster *r = c->t->belief.roster;
	struct ticket *h = &c->header;
	struct buf note = { 0 }, body = { 0 };
	enum tocsin_err err;

	snprintf(h->federation, sizeof(h->federation), "%s", r->federation);
	h->roster_serial = r->serial;
	memcpy(h->roster_id, r->id, ID_LEN);
	h->from = span_of(k->member);
	h->device = span_of(k->label);
	h->time = c->after > c->now ? c->after : c->now;
	h->ackby = c->draft->ackby;
	err = next_place(c, tx);
	if (err != TOCSIN_OK)
		return err;
	ticket_sort(h);
	err = ticket_seal(&note, &body, h, (const uint8_t(*)[32])c->pk,
	    buf_span(&c->json), buf_span(&c->parts_age),
	    secret_span(k->sign).p);
	if (err == TOCSIN_OK)
		err = keep(c, tx, buf_span(&note), buf_span(&body), id);
	if (err != TOCSIN_OK)
		fail(err, "the message could not be sealed and kept: %s",
		    tocsin_err_text(err));
	buf_release(&note);
	buf_release(&body);
	return err;
}

static void
drop_spooled(struct composing *c)
{
	char path[768];
	size_t i;

	for (i = 0; i < c->nsealed; i++) {
		sync_spool(path, c->t->parts.keys->home, c->sealed[i].hash);
		(void)remove(path);
	}
}

/* Everything that can be refused before anything is sealed. */
static enum tocsin_err
prepare(struct composing *c, struct desk_tx *tx)
{
	enum tocsin_err err = belief_load(&c->t->belief, tx);

	if (err != TOCSIN_OK)
		return fail(err, "the desk's roster: %s", tocsin_err_text(err));
	err = compose_thread(c, tx);
	if (err == TOCSIN_OK)
		err = compose_words(c);
	if (err == TOCSIN_OK)
		err = compose_may_send(c);
	if (err == TOCSIN_OK)
		err = compose_may_answer(c);
	if (err == TOCSIN_OK)
		err = compose_recall(c, tx);
	if (err == TOCSIN_OK)
		err = compose_to(c, tx);
	if (err == TOCSIN_OK)
		err = compose_seen(c, tx);
	return err == TOCSIN_OK ? may_attach(c) : err;
}

static void
forget(struct composing *c)
{
	if (c->first != NULL)
		opened_release(c->first);
	free(c->first);
	c->first = NULL;
	c->nto = 0;
	c->nrecall = 0;
	permits_release(&c->permits);
	circle_names_release(&c->named);
	circle_names_release(&c->clients);
	memset(&c->header, 0, sizeof(c->header));
}

/* Lock, then transaction: the order of all who need both. */
static enum tocsin_err
begin(struct tocsin *t, bool writes, struct desk_tx **tx)
{
	struct desk *d = t->parts.desk;
	enum tocsin_err err;

	pthread_mutex_lock(&t->lock);
	err = writes ? desk_write(d, tx) : desk_read(d, tx);
	if (err != TOCSIN_OK)
		fail(err, "the desk: %s", tocsin_err_text(err));
	return err;
}

/* ---- what was posted already ---- */

/* A key that stood for something in another ticket would hide this one. */
static enum tocsin_err
same_thread(struct composing *c, struct desk_tx *tx, const uint8_t id[ID_LEN])
{
	struct desk_message was, of;
	enum tocsin_err err;
	uint64_t n;

	if (desk_find(tx, id, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &was) != TOCSIN_OK)
		return TOCSIN_OK; /* nothing is left to compare with */
	of = was;
	if (c->draft->thread == NULL) {
		memcpy(of.thread, was.id, ID_LEN);
	} else {
		err = find_message(c->t, tx, c->draft->thread, &n);
		if (err == TOCSIN_OK)
			err = desk_get(tx, n, &of);
		if (err != TOCSIN_OK)
			return err;
	}
	return memcmp(of.thread, was.thread, ID_LEN) == 0
		   ? TOCSIN_OK
		   : fail(TOCSIN_EUSAGE,
			 "the key %s stands for a message of another ticket; "
			 "put the ticket's id into the key",
			 c->draft->once);
}

/* Sets c->repeats, and then the id of what was posted under this key. */
static enum tocsin_err
find_first(struct composing *c, struct desk_tx *tx, uint8_t id[ID_LEN])
{
	enum tocsin_err err;

	c->repeats = false;
	if (c->draft->once == NULL)
		return TOCSIN_OK;
	err = once_find(tx, c->draft->once, id);
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	c->repeats = true;
	return same_thread(c, tx, id);
}

/* Attachments are slow: before a transaction, and after a look whether. */
static enum tocsin_err
look_and_attach(struct composing *c)
{
	uint8_t id[ID_LEN];
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	if (c->draft->nattachments == 0)
		return TOCSIN_OK;
	err = begin(c->t, false, &tx);
	if (err == TOCSIN_OK)
		err = find_first(c, tx, id);
	if (err == TOCSIN_OK && !c->repeats)
		err = prepare(c, tx);
	desk_end(tx);
	forget(c);
	pthread_mutex_unlock(&c->t->lock);
	return err == TOCSIN_OK && !c->repeats ? seal_attachments(c) : err;
}

/* Messages that are kept together or not at all, and a reader's step. */
struct sending {
	struct tocsin *t;
	struct composing **c;
	size_t n;
	const struct recall_owed *owed; /* what it confirms; or NULL */
	const char *reader;		/* NULL: no step */
	uint64_t number;
	uint8_t (*raw)[ID_LEN];
};

/* A repeat writes nothing, and is not judged again. */
static enum tocsin_err
make_one(struct composing *c, struct desk_tx *tx, uint8_t id[ID_LEN])
{
	enum tocsin_err err = find_first(c, tx, id);

	if (err != TOCSIN_OK || c->repeats)
		return err;
	if (c->draft->until != 0 && (int64_t)time(NULL) > c->draft->until)
		return fail(TOCSIN_ETIMEOUT, "its time is over");
	err = prepare(c, tx);
	if (err == TOCSIN_OK)
		err = write_content(c);
	return err == TOCSIN_OK ? seal(c, tx, id) : err;
}

static enum tocsin_err
make_all(const struct sending *s, struct desk_tx *tx)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (s->owed != NULL)
		err = recall_told(tx, s->owed);
	if (s->reader != NULL) {
		err = reader_step(tx, s->reader, s->number);
		if (err != TOCSIN_OK && err != TOCSIN_EDUPLICATE &&
		    err != TOCSIN_EUSAGE)
			fail(err, "the desk: %s", tocsin_err_text(err));
	}
	for (i = 0; err == TOCSIN_OK && i < s->n; i++)
		err = make_one(s->c[i], tx, s->raw[i]);
	return err;
}

static enum tocsin_err
send_all(const struct sending *s)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < s->n; i++)
		err = look_and_attach(s->c[i]);
	if (err == TOCSIN_OK) {
		err = begin(s->t, true, &tx);
		if (err == TOCSIN_OK)
			err = make_all(s, tx);
		pthread_mutex_unlock(&s->t->lock);
	}
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		tx = NULL;
		if (err != TOCSIN_OK)
			fail(err, "the desk: %s", tocsin_err_text(err));
	}
	desk_end(tx);
	for (i = 0; i < s->n; i++)
		if (err != TOCSIN_OK || s->c[i]->repeats)
			drop_spooled(s->c[i]);
	return err;
}

static void
composing_free(struct composing *c)
{
	if (c == NULL)
		return;
	forget(c);
	circles_release(&c->circles);
	free(c->attachment);
	free(c->sealed);
	buf_release(&c->parts_age);
	buf_release(&c->json);
	free(c);
}

static enum tocsin_err
compose(struct sending *s, size_t i, const struct tocsin_draft *draft)
{
	struct composing *c = calloc(1, sizeof(*c));
	enum tocsin_err err;

	if (c == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	s->c[i] = c;
	c->t = s->t;
	c->draft = draft;
	c->confirms = s->owed != NULL;
	c->now = (int64_t)time(NULL);
	err = compose_circles(c);
	return err == TOCSIN_OK ? compose_answer(c) : err;
}

/* One step, or a post of one. */
static enum tocsin_err
send(struct sending *s, const struct tocsin_draft *drafts,
    char (*ids)[TOCSIN_ID_TEXT])
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	s->c = calloc(s->n + 1, sizeof(struct composing *));
	s->raw = calloc(s->n + 1, sizeof(*s->raw));
	if (s->c == NULL || s->raw == NULL)
		err = fail(TOCSIN_EINTERNAL, "no memory");
	for (i = 0; err == TOCSIN_OK && i < s->n; i++)
		err = compose(s, i, &drafts[i]);
	if (err == TOCSIN_OK)
		err = send_all(s);
	for (i = 0; err == TOCSIN_OK && ids != NULL && i < s->n; i++)
		id_print(ids[i], s->raw[i]);
	for (i = 0; err == TOCSIN_OK && i < s->n; i++)
		if (drafts[i].repeated != NULL)
			*drafts[i].repeated = s->c[i]->repeats;
	for (i = 0; s->c != NULL && i < s->n; i++)
		composing_free(s->c[i]);
	free(s->c);
	free(s->raw);
	return err;
}

enum tocsin_err
draft_look(
    struct tocsin *t, const struct tocsin_draft *draft, struct draft_look *out)
{
	struct composing *c[1] = { NULL };
	struct sending s = { .t = t, .c = c, .n = 1 };
	struct desk_tx *tx = NULL;
	enum tocsin_err err = compose(&s, 0, draft);

	if (err == TOCSIN_OK) {
		err = begin(t, false, &tx);
		if (err == TOCSIN_OK)
			err = prepare(c[0], tx);
		desk_end(tx);
		pthread_mutex_unlock(&t->lock);
	}
	if (err == TOCSIN_OK) {
		out->tlp = ticket_tlp_name(c[0]->header.tlp);
		out->n = c[0]->nto;
		memcpy(out->to, c[0]->to, sizeof(out->to));
	}
	composing_free(c[0]);
	return err;
}

enum tocsin_err
tocsin_post(
    struct tocsin *t, const struct tocsin_draft *draft, char id[TOCSIN_ID_TEXT])
{
	struct sending s = { .t = t, .n = 1 };

	return send(&s, draft, (char(*)[TOCSIN_ID_TEXT])id);
}

enum tocsin_err
tocsin_ack(struct tocsin *t, const char *id, enum tocsin_answer answer,
    const char *reason, const char *text, char ack[TOCSIN_ID_TEXT])
{
	struct tocsin_draft d = {
		.kind = "ack", .thread = id, .text = text, .reason = reason
	};

	if ((unsigned)answer > TOCSIN_RECEIVED)
		return fail(TOCSIN_EUSAGE, "no such answer");
	d.answer = vocab_word(VOCAB_ANSWER, (size_t)answer);
	return tocsin_post(t, &d, ack);
}

enum tocsin_err
tocsin_commit_post(struct tocsin *t, const char *reader, uint64_t number,
    const struct tocsin_draft *drafts, size_t n, char (*ids)[TOCSIN_ID_TEXT])
{
	struct sending s = {
		.t = t, .n = n, .reader = reader, .number = number
	};

	return send(&s, drafts, ids);
}

/* ---- confirming recalls ---- */

/* To whom took it back, and nobody else. */
static enum tocsin_err
confirm(struct tocsin *t, const struct recall_owed *owed, const char *member)
{
	struct sending s = { .t = t, .n = 1, .owed = owed };
	const char *to[] = { member, NULL };
	char id[ID_TEXT + 1];
	const struct tocsin_draft d = { .kind = "ack", .thread = id, .to = to };

	id_print(id, owed->id);
	return send(&s, &d, NULL);
}

static enum tocsin_err
next_owed(struct tocsin *t, struct recall_owed *o, char member[MEMBER_MAX + 1])
{
	struct ticket *h = malloc(sizeof(*h));
	struct desk_tx *tx = NULL;
	struct desk_message row;
	struct note note;
	enum tocsin_err err = TOCSIN_EINTERNAL;
	uint64_t n;

	if (h != NULL)
		err = desk_read(t->parts.desk, &tx);
	if (err == TOCSIN_OK)
		err = recall_owed_next(tx, o);
	if (err == TOCSIN_OK)
		err = desk_find(tx, o->id, &n);
	if (err == TOCSIN_OK)
		err = desk_get(tx, n, &row);
	if (err == TOCSIN_OK)
		err = ticket_parse(h, &note, row.note);
	if (err == TOCSIN_OK)
		snprintf(member, MEMBER_MAX + 1, "%.*s", (int)h->from.n,
		    (const char *)h->from.p);
	desk_end(tx);
	free(h);
	return err;
}

void
confirm_recalls(struct tocsin *t)
{
	struct recall_owed o = { "", { 0 } };
	char member[MEMBER_MAX + 1];

	if (!ticket_role_may(t->parts.keys->role, TICKET_ACK))
		return;
	while (next_owed(t, &o, member) == TOCSIN_OK)
		(void)confirm(t, &o, member); /* it stays owed; a later time */
}
