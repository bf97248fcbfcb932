/* SPDX-License-Identifier: ISC */
/* Drafts to sealed messages: tocsin_post() and tocsin_ack(). */
#include "client/handle.h"
#include "client/incident.h"
#include "client/parts.h"
#include "client/vocab.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SELF "self" /* desk value: seq and id of our last message */

/* Everything that a message becomes before it is sealed. */
struct composing {
	struct tocsin *t;
	const struct tocsin_draft *draft;
	const char *answer, *reason; /* of an ack */
	int64_t now;

	struct ticket header;
	size_t nto;
	char to[TICKET_TO_MAX][MEMBER_MAX + 1];
	char epoch[TICKET_TO_MAX][TOKEN_MAX + 1];
	uint8_t pk[TICKET_TO_MAX][32];

	struct opened *first; /* of the thread; NULL: this is the first */
	struct incident_attachment *attachment;
	struct ticket_part *sealed;
	size_t nattachment;
	struct buf parts_age;
	struct buf json;
	char severity[64], classification[96];
};

/* ---- words ---- */

static enum tocsin_err
wrong_word(const char *what, const char *typed, enum vocab v)
{
	return fail(TOCSIN_EUSAGE, "%s is no %s; the nearest is %s", typed,
	    what, vocab_nearest(v, typed));
}

static enum tocsin_err
choose_tlp(struct composing *c)
{
	const char *typed = c->draft->tlp, *word;

	if (typed == NULL && c->first != NULL) {
		c->header.tlp = c->first->ticket.tlp;
		return TOCSIN_OK;
	}
	if (typed == NULL)
		return fail(TOCSIN_EUSAGE,
		    "say who may know: RED, AMBER+STRICT, AMBER, GREEN or "
		    "CLEAR; TLP has no default");
	if (strncmp(typed, "TLP:", 4) == 0)
		typed += 4;
	word = vocab_find(VOCAB_TLP, typed);
	if (word == NULL || !ticket_tlp_from(&c->header.tlp, span_of(word)))
		return wrong_word("TLP label", typed, VOCAB_TLP);
	return TOCSIN_OK;
}

static enum tocsin_err
choose_precedence(struct composing *c)
{
	const char *typed = c->draft->precedence, *word;

	c->header.precedence =
	    c->first != NULL ? c->first->ticket.precedence : TICKET_ROUTINE;
	if (typed == NULL)
		return TOCSIN_OK;
	word = vocab_find(VOCAB_PRECEDENCE, typed);
	if (word == NULL ||
	    !ticket_precedence_from(&c->header.precedence, span_of(word)))
		return wrong_word("precedence", typed, VOCAB_PRECEDENCE);
	return TOCSIN_OK;
}

static enum tocsin_err
choose_labels(struct composing *c)
{
	const char *const *l = c->draft->labels;
	size_t n = 0;

	for (; l != NULL && l[n] != NULL; n++) {
		if (n == TICKET_LABELS_MAX)
			return fail(TOCSIN_ETOOLARGE, "at most %d labels",
			    TICKET_LABELS_MAX);
		if (!name_token(span_of(l[n])))
			return fail(TOCSIN_EUSAGE,
			    "%s is no label: lower case, digits and '-'", l[n]);
		c->header.label[n] = span_of(l[n]);
	}
	c->header.nlabel = n;
	return TOCSIN_OK;
}

static enum tocsin_err
choose_words(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
	const char *word;
	enum tocsin_err err;

	if (!ticket_kind_from(&c->header.kind, span_of(d->kind)))
		return fail(TOCSIN_EUSAGE, "%s is no kind of message", d->kind);
	err = choose_tlp(c);
	if (err == TOCSIN_OK)
		err = choose_precedence(c);
	if (err == TOCSIN_OK)
		err = choose_labels(c);
	if (err == TOCSIN_OK && d->severity != NULL) {
		word = vocab_severity(d->severity);
		if (word == NULL)
			return wrong_word(
			    "severity", d->severity, VOCAB_SEVERITY);
		snprintf(c->severity, sizeof(c->severity), "%s", word);
	}
	if (err == TOCSIN_OK && d->classification != NULL) {
		word = vocab_find(VOCAB_RSIT, d->classification);
		if (word == NULL)
			return wrong_word(
			    "RSIT class", d->classification, VOCAB_RSIT);
		snprintf(
		    c->classification, sizeof(c->classification), "%s", word);
	}
	if (err == TOCSIN_OK && d->exercise != NULL &&
	    !name_exercise(span_of(d->exercise)))
		return fail(
		    TOCSIN_EUSAGE, "%s is no name of an exercise", d->exercise);
	return err;
}

/* ---- recipients ---- */

static enum tocsin_err
add_to(struct composing *c, struct span member)
{
	size_t i;

	for (i = 0; i < c->nto; i++)
		if (span_is(member, c->to[i]))
			return TOCSIN_OK;
	if (!name_member(member))
		return fail(TOCSIN_EUSAGE,
		    "%.*s is no member: a member is team@nation", (int)member.n,
		    (const char *)member.p);
	if (c->nto == TICKET_TO_MAX)
		return fail(
		    TOCSIN_ETOOLARGE, "at most %d members", TICKET_TO_MAX);
	snprintf(c->to[c->nto++], sizeof(c->to[0]), "%.*s", (int)member.n,
	    (const char *)member.p);
	return TOCSIN_OK;
}

/* Everybody that a message of the thread came from or went to. */
static enum tocsin_err
add_participants(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = malloc(sizeof(*h));
	enum tocsin_err err = TOCSIN_OK;
	struct desk_message row;
	struct note note;
	uint64_t n = 0;
	size_t i;

	if (h == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (err == TOCSIN_OK &&
	       desk_thread_next(tx, c->first->row.thread, n, &n) == TOCSIN_OK) {
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(h, &note, row.note) != TOCSIN_OK)
			continue;
		for (i = 0; err == TOCSIN_OK && i < h->nto; i++)
			err = add_to(c, h->to[i].member);
	}
	free(h);
	return err;
}

/*
 * Only who opened a ticket may show it to members that it was not sent to,
 * unless its label gives it to the community.
 */
static enum tocsin_err
may_widen(struct composing *c, size_t before)
{
	const struct ticket *first = &c->first->ticket;

	if (c->nto == before || first->tlp >= TICKET_GREEN ||
	    span_is(first->from, c->t->parts.keys->member))
		return TOCSIN_OK;
	return fail(TOCSIN_EPOLICYDENIED,
	    "TLP:%s: only %.*s, whose ticket it is, may show it to %s",
	    ticket_tlp_name(first->tlp), (int)first->from.n,
	    (const char *)first->from.p, c->to[before]);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum tocsin_err
seal_for(struct composing *c, size_t i)
{
	const struct belief *b = &c->t->belief;
	const struct roster_member *m;
	const struct keys_recipient *r;
	const struct keys *k;

	m = roster_member(b->roster, span_of(c->to[i]));
	if (m == NULL)
		return fail(TOCSIN_ENOTENROLLED,
		    "%s is not in roster %llu of %s", c->to[i],
		    (unsigned long long)b->roster->serial,
		    b->roster->federation);
	if (m->suspended)
		return fail(TOCSIN_ESUSPENDED, "%s is suspended", c->to[i]);
	k = belief_keys(b, span_of(c->to[i]));
	r = k != NULL && !keys_expired(k, c->now) ? keys_recipient(k, c->now)
						  : NULL;
	if (r == NULL)
		return fail(TOCSIN_EKEYSEXPIRED,
		    "%s has no current keys here; its officers must run "
		    "`tocsin keys publish`",
		    c->to[i]);
	snprintf(c->epoch[i], sizeof(c->epoch[i]), "%s", r->epoch);
	memcpy(c->pk[i], r->pk, sizeof(c->pk[i]));
	c->header.to[i].member = span_of(c->to[i]);
	c->header.to[i].epoch = span_of(c->epoch[i]);
	return TOCSIN_OK;
}

static enum tocsin_err
choose_recipients(struct composing *c, struct desk_tx *tx)
{
	const char *const *to = c->draft->to;
	enum tocsin_err err = TOCSIN_OK;
	size_t i, before;
	bool all = c->first != NULL &&
		   (to == NULL || c->header.kind == TICKET_ESCALATE ||
		       c->header.kind == TICKET_SHARE);

	if (c->first != NULL)
		err = add_participants(c, tx);
	before = c->nto;
	for (i = 0; err == TOCSIN_OK && to != NULL && to[i] != NULL; i++)
		err = add_to(c, span_of(to[i]));
	if (err == TOCSIN_OK && c->first != NULL)
		err = may_widen(c, before);
	if (err == TOCSIN_OK && !all) { /* exactly those that were named */
		c->nto = 0;
		for (i = 0; err == TOCSIN_OK && to != NULL && to[i] != NULL;
		     i++)
			err = add_to(c, span_of(to[i]));
	}
	if (err == TOCSIN_OK && c->nto == 0)
		return fail(TOCSIN_EUSAGE, "say whom it is to");
	if (err == TOCSIN_OK)
		err = add_to(c, span_of(c->t->parts.keys->member));
	qsort(c->to, c->nto, sizeof(c->to[0]), by_name);
	for (i = 0; err == TOCSIN_OK && i < c->nto; i++)
		err = seal_for(c, i);
	c->header.nto = c->nto;
	return err;
}

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
		limit = desk_u64_get(tx, "part-max");
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
	c->header.part[i] = *s;
	c->header.npart = i + 1;
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

	if (n == 0)
		return TOCSIN_OK;
	if (n > TICKET_PARTS_MAX)
		return fail(TOCSIN_ETOOLARGE, "at most %d attachments",
		    TICKET_PARTS_MAX);
	c->attachment = calloc(n, sizeof(*c->attachment));
	c->sealed = calloc(n, sizeof(*c->sealed));
	if (c->attachment == NULL || c->sealed == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	c->nattachment = n;
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
carry_original(struct composing *c, struct incident_draft *d, char **copy,
    char id[ID_TEXT + 1])
{
	const struct opened *o = c->first;

	if (c->header.kind != TICKET_ESCALATE && c->header.kind != TICKET_SHARE)
		return TOCSIN_OK;
	if (o->contents.json.n == 0)
		return fail(o->row.refused,
		    "the ticket's first message is not readable here: %s",
		    tocsin_err_text(o->row.refused));
	if (c->nattachment > 0 && o->ticket.npart > 0)
		return fail(TOCSIN_EUSAGE,
		    "the ticket's own attachments go along; send others with "
		    "`tocsin note`");
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
		.severity = c->severity[0] != '\0' ? c->severity : NULL,
		.classification =
		    c->classification[0] != '\0' ? c->classification : NULL,
		.answer = c->answer,
		.reason = c->reason,
		.json = d->json,
		.attachment = c->attachment,
		.nattachment = c->nattachment };
	char id[ID_TEXT + 1], *copy = NULL;
	enum tocsin_err err = carry_original(c, &in, &copy, id);

	if (err == TOCSIN_OK) {
		err = incident_print(&c->json, &in);
		if (err == TOCSIN_ETOOLARGE)
			fail(err, "the text is longer than %d KiB; attach it",
			    INCIDENT_TEXT_MAX / 1024);
		else if (err != TOCSIN_OK)
			fail(err, "the text is not UTF-8, or the JSON is not "
				  "an object of sane depth");
	}
	if (copy != NULL)
		sodium_memzero(copy, strlen(copy));
	free(copy);
	return err;
}

/* ---- the thread ---- */

static enum tocsin_err
load_thread(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = &c->header;
	uint64_t n, first;
	enum tocsin_err err;

	if (c->draft->thread == NULL)
		return TOCSIN_OK;
	err = find_message(c->t, tx, c->draft->thread, &n);
	if (err != TOCSIN_OK)
		return err;
	c->first = malloc(sizeof(*c->first));
	if (c->first == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = open_message(c->t, tx, n, c->first);
	if (err == TOCSIN_OK) {
		memcpy(h->ref[0], c->first->row.id, ID_LEN);
		h->nref = 1;
	}
	/* It may be a later message; go to the first that is here. */
	if (err == TOCSIN_OK &&
	    desk_thread_next(tx, c->first->row.thread, 0, &first) ==
		TOCSIN_OK &&
	    first != n) {
		opened_release(c->first);
		err = open_message(c->t, tx, first, c->first);
	}
	if (err != TOCSIN_OK) {
		free(c->first);
		c->first = NULL;
		return err;
	}
	h->has_thread = true;
	memcpy(h->thread, c->first->row.thread, ID_LEN);
	h->exercise = c->first->ticket.exercise;
	return TOCSIN_OK;
}

/* ---- sealing ---- */

static enum tocsin_err
next_place(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = &c->header;
	struct span self;
	struct rd r;

	h->seq = 1;
	if (desk_value_get(tx, SELF, &self) != TOCSIN_OK)
		return TOCSIN_OK;
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
	if (err == TOCSIN_OK)
		err = desk_put(tx, &m);
	if (err == TOCSIN_OK)
		err = desk_outbox_add(tx, m.number);
	for (i = 0; err == TOCSIN_OK && i < c->nattachment; i++)
		err = desk_upload_add(tx, c->sealed[i].hash, c->sealed[i].size);
	if (err == TOCSIN_OK)
		err = desk_value_put(tx, SELF, buf_span(&self));
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
	h->time = c->now;
	h->ackby = c->draft->ackby;
	if (c->draft->exercise != NULL)
		h->exercise = span_of(c->draft->exercise);
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

/* Whether we may send at all, and this kind. */
static enum tocsin_err
may_send(struct composing *c)
{
	const struct roster *r = c->t->belief.roster;

	if (r == NULL)
		return fail(TOCSIN_EROSTERUNKNOWN,
		    "there is no roster yet; `tocsin trust` takes the first");
	if (roster_expired(r, c->now))
		return fail(TOCSIN_EROSTEREXPIRED,
		    "roster %llu has expired: tickets can be read, not sent",
		    (unsigned long long)r->serial);
	if (!ticket_role_may(c->t->parts.keys->role, c->header.kind))
		return fail(TOCSIN_EKINDNOTALLOWED,
		    "a %s may not send a message of the kind %s",
		    keys_role_name(c->t->parts.keys->role),
		    ticket_kind_name(c->header.kind));
	return TOCSIN_OK;
}

static void
drop_spooled(struct composing *c)
{
	char path[768];
	size_t i;

	for (i = 0; i < c->header.npart && i < c->nattachment; i++) {
		sync_spool(path, c->t->parts.keys->home, c->sealed[i].hash);
		(void)remove(path);
	}
}

static enum tocsin_err
compose(struct composing *c, struct desk_tx *tx, uint8_t id[ID_LEN])
{
	enum tocsin_err err = belief_load(&c->t->belief, tx);

	if (err != TOCSIN_OK)
		return fail(err, "the desk's roster: %s", tocsin_err_text(err));
	err = load_thread(c, tx);
	if (err == TOCSIN_OK)
		err = choose_words(c);
	if (err == TOCSIN_OK)
		err = may_send(c);
	if (err == TOCSIN_OK)
		err = choose_recipients(c, tx);
	if (err == TOCSIN_OK)
		err = write_content(c);
	return err == TOCSIN_OK ? seal(c, tx, id) : err;
}

/* The belief's lock before the desk's, as everywhere (handle.h). */
static enum tocsin_err
compose_and_commit(struct composing *c, uint8_t id[ID_LEN])
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(&c->t->lock);
	err = desk_write(c->t->parts.desk, &tx);
	if (err != TOCSIN_OK)
		fail(err, "the desk: %s", tocsin_err_text(err));
	else
		err = compose(c, tx, id);
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		tx = NULL;
		if (err != TOCSIN_OK)
			fail(err, "the desk: %s", tocsin_err_text(err));
	}
	desk_end(tx);
	pthread_mutex_unlock(&c->t->lock);
	return err;
}

static enum tocsin_err
send_draft(struct composing *c, char id[TOCSIN_ID_TEXT])
{
	uint8_t raw[ID_LEN];
	enum tocsin_err err;

	c->now = (int64_t)time(NULL);
	err = seal_attachments(c); /* slow, so before the transaction */
	if (err == TOCSIN_OK)
		err = compose_and_commit(c, raw);
	if (err == TOCSIN_OK)
		id_print(id, raw);
	else
		drop_spooled(c);
	return err;
}

static enum tocsin_err
send(struct tocsin *t, const struct tocsin_draft *draft, const char *answer,
    const char *reason, char id[TOCSIN_ID_TEXT])
{
	struct composing *c = calloc(1, sizeof(*c));
	enum tocsin_err err;

	if (c == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	c->t = t;
	c->draft = draft;
	c->answer = answer;
	c->reason = reason;
	err = send_draft(c, id);
	if (c->first != NULL)
		opened_release(c->first);
	free(c->first);
	free(c->attachment);
	free(c->sealed);
	buf_release(&c->parts_age);
	buf_release(&c->json);
	free(c);
	return err;
}

enum tocsin_err
tocsin_post(
    struct tocsin *t, const struct tocsin_draft *draft, char id[TOCSIN_ID_TEXT])
{
	if (draft->kind == NULL || strcmp(draft->kind, "ack") == 0)
		return fail(TOCSIN_EUSAGE, "say what kind of message it is");
	return send(t, draft, NULL, NULL, id);
}

enum tocsin_err
tocsin_ack(struct tocsin *t, const char *id, enum tocsin_answer answer,
    const char *reason, const char *text, char ack[TOCSIN_ID_TEXT])
{
	static const char *const words[] = { "opened", "accepted", "deferred",
		"refused", "invalid" };
	struct tocsin_draft d = { .kind = "ack", .thread = id, .text = text };
	const char *word;

	if ((unsigned)answer > TOCSIN_INVALID)
		return fail(TOCSIN_EUSAGE, "no such answer");
	if (answer == TOCSIN_REFUSED) {
		word =
		    reason != NULL ? vocab_find(VOCAB_REFUSAL, reason) : NULL;
		if (word == NULL)
			return wrong_word("reason to refuse",
			    reason != NULL ? reason : "nothing", VOCAB_REFUSAL);
		reason = word;
	}
	return send(t, &d, words[answer], reason, ack);
}
