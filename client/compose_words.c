/* SPDX-License-Identifier: ISC */
/* What a message says, and whether this device may say that. */
#include "client/compose_impl.h"

#include "client/once.h"
#include "client/vocab.h"

#include <string.h>

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

enum tocsin_err
compose_words(struct composing *c)
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

/* ---- answers ---- */

/* A refusal has a reason, in a word that machines compare. */
static enum tocsin_err
good_reason(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;

	c->reason = d->reason;
	if (strcmp(c->answer, "refused") != 0)
		return TOCSIN_OK;
	if (d->reason == NULL)
		return fail(TOCSIN_EUSAGE,
		    "say why it is refused: `tocsin words reason`");
	c->reason = vocab_find(VOCAB_REFUSAL, d->reason);
	return c->reason != NULL
		   ? TOCSIN_OK
		   : wrong_word("reason to refuse", d->reason, VOCAB_REFUSAL);
}

/* An ack says what the answer is, a close how it ended, and nothing else. */
enum tocsin_err
compose_answer(struct composing *c)
{
	const struct tocsin_draft *d = c->draft;
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
	if (d->answer == NULL)
		return fail(TOCSIN_EUSAGE,
		    "say what the answer is: `tocsin words answer`");
	c->answer = vocab_find(VOCAB_ANSWER, d->answer);
	if (c->answer == NULL)
		return wrong_word("answer", d->answer, VOCAB_ANSWER);
	return good_reason(c);
}

/* ---- whether we may ---- */

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
enum tocsin_err
compose_may_answer(struct composing *c)
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
enum tocsin_err
compose_may_send(const struct composing *c)
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
