/* SPDX-License-Identifier: ISC */
/* Drafts to sealed messages: tocsin_post(), tocsin_ack(), tocsin_commit_post().
 */
#include "client/circle.h"
#include "client/handle.h"
#include "client/incident.h"
#include "client/once.h"
#include "client/parts.h"
#include "client/permit.h"
#include "client/reader.h"
#include "client/recall.h"
#include "client/term.h"
#include "client/vocab.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GRANTS_MAX 16
#define SECTORS_MAX 18 /* as many as there are */

/* Everything that a message becomes before it is sealed. */
struct composing {
	struct tocsin *t;
	const struct tocsin_draft *draft;
	const char *answer;	/* of an ack */
	const char *reason;	/* and as RFC 6545 writes it */
	const char *resolution; /* of a close */
	int64_t now, after;	/* `after`: it is written no earlier */

	struct circles circles;		    /* if the draft names one */
	struct circle_names named, clients; /* the draft's, without circles */

	struct ticket header;
	size_t nto;
	char to[TICKET_TO_MAX][MEMBER_MAX + 1];
	char epoch[TICKET_TO_MAX][TOKEN_MAX + 1];
	uint8_t pk[TICKET_TO_MAX][32];

	struct opened *first; /* of the thread; NULL: this is the first */
	bool confirms;	      /* that a recall was obeyed */
	bool repeats;	      /* it was posted before, under the same key */
	char recall_of[ID_TEXT + 1]; /* whose attachments are recalled */
	uint8_t recall[TICKET_PARTS_MAX][ID_LEN];
	size_t nrecall;
	struct permits permits;		    /* of the thread */
	const char *grants[GRANTS_MAX + 1]; /* those that go along */
	struct incident_attachment *attachment;
	struct ticket_part *sealed; /* in the spool */
	size_t nsealed;
	struct buf parts_age;
	struct buf json;
	const char *severity, *classification, *importance, *loss, *outlook,
	    *pap, *sector[SECTORS_MAX + 1];
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
		c->header.tlp = permits_label(&c->permits, &c->first->ticket);
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

/* An escalation or share shows the ticket itself to others. */
static bool
carries(const struct composing *c)
{
	return c->header.kind == TICKET_ESCALATE ||
	       c->header.kind == TICKET_SHARE;
}

/* What may be the first message of a ticket. */
static bool
opens(enum ticket_kind kind)
{
	return kind == TICKET_REPORT || kind == TICKET_REQUEST ||
	       kind == TICKET_QUERY;
}

static enum tocsin_err
choose_precedence(struct composing *c)
{
	const char *typed = c->draft->precedence, *word;

	c->header.precedence =
	    c->first != NULL ? c->first->ticket.precedence : TICKET_ROUTINE;
	if (c->header.kind == TICKET_RECALL && /* it may overtake */
	    c->header.precedence > TICKET_IMMEDIATE)
		c->header.precedence = TICKET_IMMEDIATE;
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
	struct ticket *h = &c->header;
	size_t i;

	for (; l != NULL && *l != NULL; l++) {
		if (!name_token(span_of(*l)))
			return fail(TOCSIN_EUSAGE,
			    "%s is no label: lower case, digits and '-'", *l);
		for (i = 0; i < h->nlabel && !span_is(h->label[i], *l); i++)
			;
		if (i < h->nlabel) /* said twice */
			continue;
		if (h->nlabel == TICKET_LABELS_MAX)
			return fail(TOCSIN_ETOOLARGE, "at most %d labels",
			    TICKET_LABELS_MAX);
		h->label[h->nlabel++] = span_of(*l);
	}
	return TOCSIN_OK;
}

/* A home is live or of one exercise, and so is all that leaves it. */
static enum tocsin_err
choose_exercise(struct composing *c)
{
	const char *typed = c->draft->exercise;
	const char *own = c->t->parts.keys->exercise;

	if (typed != NULL && !name_exercise(span_of(typed)))
		return fail(
		    TOCSIN_EUSAGE, "%s is no name of an exercise", typed);
	if (typed != NULL && own[0] == '\0')
		return fail(TOCSIN_EEXERCISEMISMATCH,
		    "this home is live, and what it sends is: an exercise has "
		    "homes of its own, which `tocsin init --exercise %s` makes",
		    typed);
	if (typed != NULL && strcmp(typed, own) != 0)
		return fail(TOCSIN_EEXERCISEMISMATCH,
		    "this home is of the exercise %s, not of %s", own, typed);
	if (c->first != NULL && !span_is(c->first->ticket.exercise, own))
		return fail(TOCSIN_EEXERCISEMISMATCH,
		    own[0] == '\0'
			? "the ticket is of an exercise, and this home is live"
			: "the ticket is not of the exercise of this home");
	c->header.exercise = span_of(own);
	return TOCSIN_OK;
}

/* NULL, the word as it is spelt, or a failure. */
static enum tocsin_err
choose_word(const char **out, const char *what, const char *typed, enum vocab v)
{
	if (typed == NULL)
		return TOCSIN_OK;
	*out =
	    v == VOCAB_SEVERITY ? vocab_severity(typed) : vocab_find(v, typed);
	return *out != NULL ? TOCSIN_OK : wrong_word(what, typed, v);
}

/* Importance and loss make a level; one that is given as well is the same. */
static enum tocsin_err
choose_severity(struct composing *c)
{
	const char *made;

	if (c->importance == NULL && c->loss == NULL)
		return TOCSIN_OK;
	if (c->importance == NULL || c->loss == NULL)
		return fail(TOCSIN_EUSAGE,
		    "a level comes from both, the importance of the system "
		    "and its loss; `tocsin words` lists them");
	made = vocab_severity_of(c->importance, c->loss);
	if (c->severity != NULL && strcmp(c->severity, made) != 0)
		return fail(TOCSIN_EUSAGE,
		    "the severity of %s with %s loss is %s, not %s",
		    c->importance, c->loss, made, c->severity);
	c->severity = made;
	return TOCSIN_OK;
}

static enum tocsin_err
choose_sectors(struct composing *c)
{
	const char *const *s = c->draft->sectors;
	enum tocsin_err err = TOCSIN_OK;
	size_t n;

	for (n = 0; err == TOCSIN_OK && s != NULL && s[n] != NULL; n++) {
		if (n == SECTORS_MAX)
			return fail(TOCSIN_ETOOLARGE, "at most %d sectors",
			    SECTORS_MAX);
		err = choose_word(&c->sector[n], "sector", s[n], VOCAB_SECTOR);
	}
	return err;
}

static enum tocsin_err
choose_content_words(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
	const struct {
		const char **out;
		const char *what, *typed;
		enum vocab v;
	} words[] = {
		{ &c->severity, "severity", d->severity, VOCAB_SEVERITY },
		{ &c->importance, "importance", d->importance,
		    VOCAB_IMPORTANCE },
		{ &c->loss, "loss", d->loss, VOCAB_LOSS },
		{ &c->classification, "RSIT class", d->classification,
		    VOCAB_RSIT },
		{ &c->outlook, "outlook", d->outlook, VOCAB_OUTLOOK },
		{ &c->pap, "PAP label", d->pap, VOCAB_PAP },
	};
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < sizeof(words) / sizeof(words[0]);
	     i++)
		err = choose_word(
		    words[i].out, words[i].what, words[i].typed, words[i].v);
	if (err == TOCSIN_OK)
		err = choose_severity(c);
	return err == TOCSIN_OK ? choose_sectors(c) : err;
}

static enum tocsin_err
choose_words(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
	enum tocsin_err err;

	if (!ticket_kind_from(&c->header.kind, span_of(d->kind)))
		return wrong_word("kind of message", d->kind, VOCAB_KIND);
	if (c->first == NULL && !opens(c->header.kind))
		return fail(TOCSIN_EUSAGE,
		    "no ticket begins with this kind, %s: say which ticket it "
		    "is about",
		    d->kind);
	err = choose_tlp(c);
	if (err == TOCSIN_OK)
		err = choose_precedence(c);
	if (err == TOCSIN_OK)
		err = choose_labels(c);
	if (err == TOCSIN_OK)
		err = choose_exercise(c);
	return err == TOCSIN_OK ? choose_content_words(c) : err;
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

/*
 * Everybody that the ticket was shown to by who may: below GREEN, its opener. A
 * member that another one has added on its own is not one of us.
 */
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
	while (err == TOCSIN_OK) {
		err = desk_thread_next(tx, c->first->row.thread, n, &n);
		if (err != TOCSIN_OK)
			break;
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(h, &note, row.note) != TOCSIN_OK)
			continue;
		if (c->first->ticket.tlp < TICKET_GREEN &&
		    !span_eq(h->from, c->first->ticket.from))
			continue;
		for (i = 0; err == TOCSIN_OK && i < h->nto; i++)
			err = add_to(c, h->to[i].member);
	}
	free(h);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* A client is of our own nation, and is told what we call it. */
static enum tocsin_err
may_call_client(const struct composing *c, const char *member)
{
	struct span own = member_nation(span_of(c->t->parts.keys->member));
	const char *const *to = c->named.name;

	if (!carries(c))
		return fail(
		    TOCSIN_EUSAGE, "clients are for a share or an escalation");
	if (!span_eq(member_nation(span_of(member)), own))
		return fail(TOCSIN_EPOLICYDENIED,
		    "%s is of another nation: a client is one of ours", member);
	for (; to != NULL && *to != NULL; to++)
		if (strcmp(*to, member) == 0)
			return TOCSIN_OK;
	return fail(TOCSIN_EUSAGE, "it is not to %s", member);
}

/* What the labels of the thread say of members that were not in it. */
static enum tocsin_err
may_widen(struct composing *c, struct desk_tx *tx, size_t before)
{
	const char *const *client = c->clients.name;
	const struct permit_wish w = { .thread = c->first->row.thread,
		.first = &c->first->ticket,
		.carries = carries(c),
		.as = c->header.tlp,
		.to = (const char(*)[MEMBER_MAX + 1])(c->to + before),
		.nto = c->nto - before,
		.clients = client };
	enum tocsin_err err = TOCSIN_OK;

	for (; err == TOCSIN_OK && client != NULL && *client != NULL; client++)
		err = may_call_client(c, *client);
	return err == TOCSIN_OK ? permits_check(&c->permits, c->t, tx, &w)
				: err;
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
	r = k != NULL && !keys_expired(k, c->now)
		? keys_recipient(k, c->header.exercise, c->now)
		: NULL;
	if (r == NULL && c->header.exercise.n > 0)
		return fail(TOCSIN_EKEYSEXPIRED,
		    "%s is not in the exercise %.*s: it has announced no keys "
		    "for it here",
		    c->to[i], (int)c->header.exercise.n,
		    (const char *)c->header.exercise.p);
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

static bool
names_circle(const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if ((*names)[0] == '@')
			return true;
	return false;
}

/* As the file is now: a bot that runs for weeks uses what was mended. */
static enum tocsin_err
load_circles(struct composing *c)
{
	enum tocsin_err err;
	char why[1024];

	if (!names_circle(c->draft->to) && !names_circle(c->draft->clients))
		return TOCSIN_OK;
	err = circles_load(&c->circles, c->t->parts.keys->home, why);
	return err == TOCSIN_OK ? err : fail(err, "%s", why);
}

/* No name of a circle goes beyond this: what is sealed has members alone. */
static enum tocsin_err
expand_circles(struct composing *c)
{
	const struct roster *r = c->t->belief.roster;
	enum tocsin_err err;
	char why[1024];

	err = circles_expand(&c->circles, r, c->draft->to, &c->named, why);
	if (err == TOCSIN_OK)
		err = circles_expand(
		    &c->circles, r, c->draft->clients, &c->clients, why);
	return err == TOCSIN_OK ? err : fail(err, "%s", why);
}

static enum tocsin_err
choose_recipients(struct composing *c, struct desk_tx *tx)
{
	enum tocsin_err err = expand_circles(c);
	const char *const *to = c->named.name;
	size_t i, before;
	bool all = c->first != NULL && (to == NULL || carries(c));

	if (err == TOCSIN_OK && c->first != NULL)
		err = add_participants(c, tx);
	before = c->nto;
	for (i = 0; err == TOCSIN_OK && to != NULL && to[i] != NULL; i++)
		err = add_to(c, span_of(to[i]));
	if (err == TOCSIN_OK && c->first != NULL)
		err = may_widen(c, tx, before);
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
			fail(err, "the text is not UTF-8, or the JSON is not "
				  "an object of sane depth");
	}
	if (copy != NULL)
		sodium_memzero(copy, strlen(copy));
	free(copy);
	return err;
}

/* ---- the thread ---- */

/* Open a message that is to be answered; what was refused is not. */
static enum tocsin_err
open_to_answer(struct composing *c, struct desk_tx *tx, uint64_t number)
{
	struct desk_message row;
	enum tocsin_err err = desk_get(tx, number, &row);

	if (err == TOCSIN_OK && row.refused != TOCSIN_ERECALLED)
		err = row.refused; /* of that one, the header was good */
	if (err != TOCSIN_OK)
		return fail(err, "%s is not to be answered: %s",
		    c->draft->thread, tocsin_err_text(err));
	if (c->first != NULL)
		opened_release(c->first);
	else
		c->first = calloc(1, sizeof(*c->first));
	if (c->first == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	return open_message(c->t, tx, number, c->first);
}

/* What opened a thread, or the oldest that is here and is what it says. */
static enum tocsin_err
first_good(struct desk_tx *tx, const uint8_t thread[ID_LEN], uint64_t *first)
{
	struct desk_message row;
	enum tocsin_err err = desk_find(tx, thread, first);
	uint64_t n = 0;

	if (err != TOCSIN_ENOTFOUND)
		return err;
	while ((err = desk_thread_next(tx, thread, n, &n)) == TOCSIN_OK)
		if (desk_get(tx, n, &row) == TOCSIN_OK &&
		    (row.refused == TOCSIN_OK ||
			row.refused == TOCSIN_ERECALLED))
			break;
	*first = err == TOCSIN_OK ? n : 0;
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
load_thread(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = &c->header;
	uint64_t n, first;
	enum tocsin_err err;

	if (c->draft->thread == NULL)
		return TOCSIN_OK;
	err = find_message(c->t, tx, c->draft->thread, &n);
	if (err == TOCSIN_OK)
		err = open_to_answer(c, tx, n);
	if (err != TOCSIN_OK)
		return err;
	memcpy(h->ref[0], c->first->row.id, ID_LEN);
	h->nref = 1;
	/* It may be a later message; go to the first. */
	err = first_good(tx, c->first->row.thread, &first);
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	if (first != 0 && first != n)
		err = open_to_answer(c, tx, first);
	if (err != TOCSIN_OK)
		return err;
	h->has_thread = true;
	memcpy(h->thread, c->first->row.thread, ID_LEN);
	return permits_load(&c->permits, c->t, tx, c->first->row.thread);
}

/* ---- recalls ---- */

static enum tocsin_err
recall_part(struct composing *c, const uint8_t hash[32])
{
	struct ticket *h = &c->header;
	size_t i;

	for (i = 0; i < c->nrecall; i++)
		if (memcmp(c->recall[i], hash, 32) == 0)
			return TOCSIN_OK;
	if (h->nref == TICKET_REFS_MAX)
		return fail(TOCSIN_ETOOLARGE,
		    "one recall takes back %d attachments at most; recall the "
		    "others with another one",
		    TICKET_REFS_MAX - 1);
	memcpy(h->ref[h->nref++], hash, 32);
	memcpy(c->recall[c->nrecall++], hash, 32);
	return TOCSIN_OK;
}

/* The attachments that are named, each by a `ref` beside the message's. */
static enum tocsin_err
recall_parts(struct composing *c, const struct opened *o)
{
	const char *const *name = c->draft->recall;
	struct incident in = { 0 };
	enum tocsin_err err = incident_parse(&in, o->contents.json);
	size_t i;

	if (err != TOCSIN_OK)
		return fail(err, "its content is not readable");
	for (; err == TOCSIN_OK && *name != NULL; name++) {
		for (i = 0; i < in.nattachment; i++)
			if (strcmp(in.attachment[i].name, *name) == 0)
				break;
		if (i == in.nattachment)
			err = fail(TOCSIN_ENOTFOUND,
			    "%s has no attachment of the name %s",
			    c->draft->thread, *name);
		else
			err = recall_part(c, in.attachment[i].part);
	}
	incident_release(&in);
	id_print(c->recall_of, o->row.id);
	return err;
}

/* All of it is recalled, or attachments of which this one hands one on. */
static bool
hands_on(const struct composing *c, const struct ticket *t)
{
	size_t i, k;

	for (i = 0; i < t->npart; i++)
		for (k = 0; k < c->nrecall; k++)
			if (memcmp(t->part[i].hash, c->recall[k], 32) == 0)
				return true;
	return c->nrecall == 0;
}

/* What shows the first message to others goes with it. */
static enum tocsin_err
recall_carriers(struct composing *c, struct desk_tx *tx)
{
	struct ticket *t = malloc(sizeof(*t)), *h = &c->header;
	enum tocsin_err err = TOCSIN_OK;
	struct desk_message row;
	struct note note;
	uint64_t n = 0;

	if (t == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (err == TOCSIN_OK) {
		err = desk_thread_next(tx, c->first->row.thread, n, &n);
		if (err != TOCSIN_OK || desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(t, &note, row.note) != TOCSIN_OK ||
		    (t->kind != TICKET_ESCALATE && t->kind != TICKET_SHARE) ||
		    !span_is(t->from, c->t->parts.keys->member) ||
		    !hands_on(c, t))
			continue;
		if (h->nref == TICKET_REFS_MAX)
			err = fail(TOCSIN_ETOOLARGE,
			    "it was shown to others %d times; recall those "
			    "messages first",
			    TICKET_REFS_MAX);
		else
			memcpy(h->ref[h->nref++], row.id, ID_LEN);
	}
	free(t);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* Also to whom only that one message was sent. */
static enum tocsin_err
recall_from(struct composing *c, struct desk_tx *tx, const struct opened *o)
{
	const struct ticket *t = &o->ticket;
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (!span_is(t->from, c->t->parts.keys->member))
		return fail(TOCSIN_EPOLICYDENIED,
		    "only %.*s, whose message it is, may recall it",
		    (int)t->from.n, (const char *)t->from.p);
	if (t->kind == TICKET_RECALL)
		return fail(TOCSIN_EUSAGE,
		    "%s is a recall itself; that cannot be taken back",
		    c->draft->thread);
	for (i = 0; err == TOCSIN_OK && i < t->nto; i++)
		err = add_to(c, t->to[i].member);
	if (err == TOCSIN_OK && c->draft->recall != NULL)
		err = recall_parts(c, o);
	if (err == TOCSIN_OK && memcmp(o->row.id, o->row.thread, ID_LEN) == 0)
		err = recall_carriers(c, tx);
	return err;
}

/* `ref` is what is to be recalled; the recipients of that are to be told. */
static enum tocsin_err
choose_recall(struct composing *c, struct desk_tx *tx)
{
	struct opened *o;
	enum tocsin_err err;
	uint64_t n;

	if (c->header.kind != TICKET_RECALL)
		return c->draft->recall == NULL
			   ? TOCSIN_OK
			   : fail(TOCSIN_EUSAGE,
				 "a %s takes nothing back, a recall does",
				 c->draft->kind);
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = desk_find(tx, c->header.ref[0], &n);
	if (err == TOCSIN_OK)
		err = open_message(c->t, tx, n, o);
	err = err == TOCSIN_OK
		  ? recall_from(c, tx, o)
		  : fail(err, "the desk: %s", tocsin_err_text(err));
	opened_release(o);
	free(o);
	return err;
}

/* ---- what was seen ---- */

#define SEEN_MAX 4

/* Whoever gets this one has got that one: it tells nobody anything new. */
static bool
known_to_all(const struct composing *c, const struct ticket *t)
{
	size_t i;

	for (i = 0; i < c->nto; i++)
		if (ticket_to_find(t, span_of(c->to[i])) < 0)
			return false;
	return true;
}

static bool
has_ref(const struct ticket *h, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < h->nref; i++)
		if (memcmp(h->ref[i], id, ID_LEN) == 0)
			return true;
	return h->has_thread && memcmp(h->thread, id, ID_LEN) == 0;
}

static bool
is_answer(const struct ticket *t)
{
	return t->kind == TICKET_ACK || t->kind == TICKET_RESULT;
}

/*
 * Whether a question is open that we may not name to all whom we write to.
 * What this device writes comes after what it wrote, so one answer will do.
 */
static bool
unnamed_question(
    const struct composing *c, const struct ticket *t, bool own, bool before)
{
	if (own)
		return before && !is_answer(t);
	return before ||
	       ((t->kind == TICKET_REQUEST || t->kind == TICKET_QUERY) &&
		   !known_to_all(c, t));
}

/*
 * An answer to such a one is of a later second than all that is here. Of a
 * clock that is far ahead we take over half at most, or we would be ahead
 * ourselves.
 */
static void
come_after(struct composing *c, int64_t least)
{
	int64_t most = c->now + CLOCK_SKEW / 2;

	c->after = least < most ? least : most;
}

/*
 * The last that came here: what is written now is written after it, whatever
 * the clocks say. In a recall and in its confirmation `ref` means more.
 */
static enum tocsin_err
add_seen(struct composing *c, struct desk_tx *tx)
{
	struct ticket *t, *h = &c->header;
	uint8_t seen[SEEN_MAX][ID_LEN];
	struct desk_message row;
	struct note note;
	size_t i, count = 0;
	int64_t latest = 0, own = 0;
	bool unnamed = false;
	uint64_t n = 0;

	if (!h->has_thread || h->kind == TICKET_RECALL || c->confirms)
		return TOCSIN_OK;
	t = malloc(sizeof(*t));
	if (t == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (desk_thread_next(tx, h->thread, n, &n) == TOCSIN_OK) {
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(t, &note, row.note) != TOCSIN_OK)
			continue;
		if (row.own && t->time > own)
			own = t->time;
		latest = t->time > latest ? t->time : latest;
		unnamed = unnamed_question(c, t, row.own, unnamed);
		if (!row.own && !has_ref(h, row.id) && known_to_all(c, t))
			memcpy(seen[count++ % SEEN_MAX], row.id, ID_LEN);
	}
	if (is_answer(h))
		come_after(c, unnamed ? latest + 1 : own);
	for (i = 0; i < count && i < SEEN_MAX; i++)
		memcpy(h->ref[h->nref++], seen[i], ID_LEN);
	free(t);
	return TOCSIN_OK;
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

/* This device, with what its announcement lets it do. */
static struct keys_device
ourselves(const struct composing *c)
{
	const struct keystore *k = c->t->parts.keys;
	const struct keys *told =
	    belief_keys(&c->t->belief, span_of(k->member));
	const struct keys_device *d =
	    told != NULL ? keys_device(told, span_of(k->label)) : NULL;
	struct keys_device us = { .role = k->role };

	if (d != NULL)
		us.may = d->may;
	return us;
}

static enum tocsin_err
may_kind(const struct composing *c)
{
	const struct keystore *k = c->t->parts.keys;
	const struct keys_device us = ourselves(c);
	const char *kind = ticket_kind_name(c->header.kind);

	if (ticket_device_may(&us, c->header.kind))
		return TOCSIN_OK;
	if (us.role != KEYS_BOT)
		return fail(TOCSIN_EKINDNOTALLOWED,
		    "a %s may not send a message of the kind %s",
		    keys_role_name(us.role), kind);
	return fail(TOCSIN_EKINDNOTALLOWED,
	    "a bot may not %s unless its team lets it: an officer's device, or "
	    "`tocsin keys publish --allow %s %s`",
	    kind, k->label, kind);
}

/*
 * That somebody has read a ticket, or deals with it, a program says for nobody.
 * What it can say is that it has it; what more, its team lets it.
 */
static enum tocsin_err
may_answer(struct composing *c)
{
	const struct keystore *k = c->t->parts.keys;
	const struct keys_device us = ourselves(c);
	enum keys_word word;

	if (us.role != KEYS_BOT || c->answer == NULL || c->confirms)
		return TOCSIN_OK;
	if (strcmp(c->answer, "opened") == 0)
		c->answer = "received";
	if (answer_allowed(us.may, c->answer, &word))
		return TOCSIN_OK;
	return fail(TOCSIN_EKINDNOTALLOWED,
	    "a bot may not answer %s for its team unless that lets it: an "
	    "officer's device, or `tocsin keys publish --allow %s %s`; it may "
	    "say received",
	    c->answer, k->label, keys_word_name(word));
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
	return may_kind(c);
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
	err = load_thread(c, tx);
	if (err == TOCSIN_OK)
		err = choose_words(c);
	if (err == TOCSIN_OK)
		err = may_send(c);
	if (err == TOCSIN_OK)
		err = may_answer(c);
	if (err == TOCSIN_OK)
		err = choose_recall(c, tx);
	if (err == TOCSIN_OK)
		err = choose_recipients(c, tx);
	if (err == TOCSIN_OK)
		err = add_seen(c, tx);
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

/* A refusal has a reason, in a word that machines compare. */
static enum tocsin_err
good_reason(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;

	c->reason = d->reason;
	if (strcmp(c->answer, "refused") != 0)
		return TOCSIN_OK;
	c->reason =
	    d->reason != NULL ? vocab_find(VOCAB_REFUSAL, d->reason) : NULL;
	return c->reason != NULL
		   ? TOCSIN_OK
		   : wrong_word("reason to refuse",
			 d->reason != NULL ? d->reason : "nothing",
			 VOCAB_REFUSAL);
}

/* An ack says what the answer is, a close how it ended, and nothing else. */
static enum tocsin_err
good_answer(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
	const char *typed = d->answer != NULL ? d->answer : "nothing";
	bool ack;

	if (d->kind == NULL)
		return fail(TOCSIN_EUSAGE, "say what kind of message it is");
	if (d->once != NULL && !once_good(d->once))
		return fail(TOCSIN_EUSAGE,
		    "the key of what is said once has 1 to %d bytes of "
		    "printable ASCII",
		    ONCE_KEY_MAX);
	ack = strcmp(d->kind, "ack") == 0;
	if (!ack && (d->answer != NULL || d->reason != NULL))
		return fail(TOCSIN_EUSAGE,
		    "a %s has no answer in it, an ack has", d->kind);
	if (strcmp(d->kind, "close") != 0 && d->resolution != NULL)
		return fail(TOCSIN_EUSAGE,
		    "a %s has no resolution in it, a close has", d->kind);
	c->resolution = d->resolution != NULL
			    ? vocab_find(VOCAB_RESOLUTION, d->resolution)
			    : NULL;
	if (d->resolution != NULL && c->resolution == NULL)
		return wrong_word(
		    "resolution", d->resolution, VOCAB_RESOLUTION);
	if (c->confirms)
		c->answer = "erased";
	if (!ack || c->confirms)
		return TOCSIN_OK;
	c->answer = vocab_find(VOCAB_ANSWER, typed);
	if (c->answer == NULL)
		return wrong_word("answer", typed, VOCAB_ANSWER);
	return good_reason(c);
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
	err = load_circles(c);
	return err == TOCSIN_OK ? good_answer(c) : err;
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
