/* SPDX-License-Identifier: ISC */
#include "client/verify.h"

#include "client/incident.h"
#include "crypto/receipt.h"
#include "crypto/ticket.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checking {
	const struct verify_file *file;
	size_t n;
	int64_t now;
	struct verify *out;
	struct roster **roster; /* those that are good, the first first */
	size_t nroster;
	struct keys **keys; /* those that are good */
	size_t nkeys;
	struct ticket *ticket; /* scratch, large */
	struct receipt *receipt;
	uint8_t thread[ID_LEN]; /* of status.txt */
	bool short_of_memory;
};

/* ---- files and findings ---- */

static bool
begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool
is_message(const char *name)
{
	size_t n = strlen(name);

	return begins(name, "message-") ||
	       (begins(name, "ticket-") && n > 5 &&
		   strcmp(name + n - 5, ".note") == 0);
}

static const struct verify_file *
find(const struct checking *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->file[i].name, name) == 0)
			return &c->file[i];
	return NULL;
}

static struct verify_finding *
add(struct checking *c, enum verify_what what, const char *name)
{
	struct verify *v = c->out;
	struct verify_finding *grown =
	    realloc(v->found, (v->n + 1) * sizeof(*grown));

	if (grown == NULL) {
		c->short_of_memory = true;
		return NULL;
	}
	v->found = grown;
	grown += v->n++;
	*grown = (struct verify_finding){ .what = what };
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	return grown;
}

static const struct verify_finding *
finding_of(const struct checking *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->out->n; i++)
		if (c->out->found[i].what != VERIFY_LINE &&
		    strcmp(c->out->found[i].name, name) == 0)
			return &c->out->found[i];
	return NULL;
}

/* A file of a proof has the beginning of its text's id for a name. */
static enum tocsin_err
named_so(const char *name, const uint8_t id[ID_LEN])
{
	char hex[2 * ID_LEN + 1];
	const char *dash = strchr(name, '-');

	if (begins(name, "ticket-"))
		return TOCSIN_OK;
	sodium_bin2hex(hex, sizeof(hex), id, ID_LEN);
	return dash != NULL && strlen(dash + 1) == 16 &&
		       strncmp(dash + 1, hex, 16) == 0
		   ? TOCSIN_OK
		   : TOCSIN_EMALFORMED;
}

/* ---- rosters ---- */

static int
by_serial(const void *a, const void *b)
{
	const struct roster *x = *(struct roster *const *)a;
	const struct roster *y = *(struct roster *const *)b;

	return (x->serial > y->serial) - (x->serial < y->serial);
}

static void
first_roster(struct checking *c, const struct roster *r)
{
	snprintf(c->out->federation, sizeof(c->out->federation), "%s",
	    r->federation);
	roster_fingerprint(c->out->fingerprint, r);
	c->out->serial = r->serial;
}

/* Each must follow the one before; a repeat is no fault. */
static void
follow(struct checking *c, struct roster *r)
{
	struct verify_finding *f;
	char name[VERIFY_NAME];

	snprintf(
	    name, sizeof(name), "roster-%llu", (unsigned long long)r->serial);
	f = add(c, VERIFY_ROSTER, name);
	if (f == NULL) {
		roster_free(r);
		return;
	}
	snprintf(f->says, sizeof(f->says), "roster %llu of %s",
	    (unsigned long long)r->serial, r->federation);
	if (c->nroster > 0)
		f->err = roster_accept(c->roster[c->nroster - 1], r, c->now);
	else if (r->serial == 1)
		f->err = roster_accept(NULL, r, c->now);
	else
		f->err = roster_check(r, c->now);
	if (f->err == TOCSIN_EDUPLICATE)
		f->err = TOCSIN_OK;
	else if (f->err == TOCSIN_OK) {
		if (c->nroster == 0)
			first_roster(c, r);
		c->roster[c->nroster++] = r;
		return;
	}
	roster_free(r);
}

static void
take_rosters(struct checking *c)
{
	struct roster **all = calloc(c->n + 1, sizeof(*all));
	struct verify_finding *f;
	size_t i, n = 0;

	c->roster = calloc(c->n + 1, sizeof(struct roster *));
	if (all == NULL || c->roster == NULL) {
		c->short_of_memory = true;
		free(all);
		return;
	}
	for (i = 0; i < c->n; i++) {
		enum tocsin_err err;

		if (!begins(c->file[i].name, "roster-"))
			continue;
		err = roster_parse(&all[n], c->file[i].bytes);
		if (err == TOCSIN_OK)
			n++;
		else if ((f = add(c, VERIFY_ROSTER, c->file[i].name)) != NULL)
			f->err = err;
	}
	qsort(all, n, sizeof(struct roster *), by_serial);
	for (i = 0; i < n; i++)
		follow(c, all[i]);
	free(all);
}

static bool
in_chain(void *arg, uint64_t serial, const uint8_t id[ID_LEN])
{
	const struct checking *c = arg;
	size_t i;

	for (i = 0; i < c->nroster; i++)
		if (c->roster[i]->serial == serial)
			return memcmp(c->roster[i]->id, id, ID_LEN) == 0;
	return false;
}

static const struct roster *
newest(const struct checking *c)
{
	return c->roster[c->nroster - 1];
}

/* ---- announcements ---- */

/* By the root key of one of the rosters: it may have been replaced since. */
static enum tocsin_err
stands_anywhere(const struct checking *c, const struct keys *k)
{
	size_t i;

	for (i = c->nroster; i > 0; i--)
		if (keys_stand(c->roster[i - 1], k))
			return keys_root_at(newest(c), k, k->issued);
	return TOCSIN_EBADSIGNATURE;
}

static void
take_keys(struct checking *c)
{
	size_t i;

	c->keys = calloc(c->n + 1, sizeof(struct keys *));
	if (c->keys == NULL)
		c->short_of_memory = true;
	for (i = 0; i < c->n && c->keys != NULL; i++) {
		struct verify_finding *f;
		struct keys *k = NULL;

		if (!begins(c->file[i].name, "keys-"))
			continue;
		f = add(c, VERIFY_KEYS, c->file[i].name);
		if (f == NULL)
			return;
		f->err = keys_parse(&k, c->file[i].bytes);
		if (f->err != TOCSIN_OK)
			continue;
		snprintf(f->says, sizeof(f->says), "%s, announcement %llu",
		    k->member, (unsigned long long)k->serial);
		f->err = stands_anywhere(c, k);
		if (f->err == TOCSIN_OK)
			c->keys[c->nkeys++] = k;
		else
			keys_free(k);
	}
}

/* ---- messages ---- */

/* When a broker first said that it has it; 0: none did. */
static int64_t
logged_at(struct checking *c, const uint8_t id[ID_LEN])
{
	int64_t first = 0;
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		if (!begins(c->file[i].name, "receipt-") ||
		    receipt_open(c->receipt, newest(c), c->file[i].bytes) !=
			TOCSIN_OK)
			continue;
		for (k = 0; k < c->receipt->nline; k++)
			if (memcmp(c->receipt->line[k].id, id, ID_LEN) == 0 &&
			    (first == 0 || c->receipt->time < first))
				first = c->receipt->time;
	}
	return first;
}

/* The announcement that lists the device was in force; any of them may be. */
static enum tocsin_err
check_signature(struct checking *c, const struct note *note)
{
	struct ticket_trust trust = { .roster = newest(c),
		.in_chain = in_chain,
		.arg = c,
		.now = c->now,
		.reading = true };
	enum tocsin_err err = TOCSIN_EKEYSEXPIRED, next;
	size_t i;

	trust.logged = logged_at(c, c->ticket->id);
	for (i = 0; i < c->nkeys && err != TOCSIN_OK; i++) {
		if (!span_is(c->ticket->from, c->keys[i]->member))
			continue;
		trust.from_keys = c->keys[i];
		next = ticket_check(c->ticket, note, &trust);
		if (next == TOCSIN_OK || err == TOCSIN_EKEYSEXPIRED)
			err = next;
	}
	return err;
}

static const struct verify_file *
body_of(const struct checking *c, const char *name)
{
	char body[VERIFY_NAME + 8];
	size_t n = strlen(name);

	if (begins(name, "ticket-"))
		snprintf(body, sizeof(body), "%.*s.body", (int)n - 5, name);
	else
		snprintf(body, sizeof(body), "body-%s", name + 8);
	return find(c, body);
}

/* What a disclosed body says; false if there is none, with *err if it's bad. */
static bool
open_disclosed(struct checking *c, const char *name, struct incident *in,
    struct ticket_contents *contents, enum tocsin_err *err)
{
	const struct verify_file *body = body_of(c, name), *key;
	char file[VERIFY_NAME + 8];
	uint8_t raw[TICKET_BODY_KEY];
	size_t n = 0;

	snprintf(file, sizeof(file), "disclosed-%s", name + 8);
	key = begins(name, "message-") ? find(c, file) : NULL;
	if (key == NULL || body == NULL)
		return false;
	*err = TOCSIN_EMALFORMED;
	if (sodium_base642bin(raw, sizeof(raw), (const char *)key->bytes.p,
		key->bytes.n, "\n", &n, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != sizeof(raw))
		return false;
	*err = ticket_open_disclosed(contents, c->ticket, body->bytes, raw);
	if (*err == TOCSIN_OK)
		*err = incident_parse(in, contents->json);
	return *err == TOCSIN_OK;
}

/* One word, as status.txt has it: "refused: CannotProcess". */
static void
disclosed_word(const struct incident *in, char out[128])
{
	const char *word = in->answer != NULL ? in->answer : in->resolution;

	snprintf(out, 128, "%s%s%s", word != NULL ? word : "",
	    in->answer != NULL && in->reason != NULL ? ": " : "",
	    in->answer != NULL && in->reason != NULL ? in->reason : "");
}

static void
say_message(struct checking *c, struct verify_finding *f)
{
	const struct ticket *t = c->ticket;
	struct ticket_contents contents = { 0 };
	struct incident in = { 0 };
	char when[TIME_TEXT + 1], word[128] = "";
	enum tocsin_err err = TOCSIN_OK;

	if (f->err == TOCSIN_OK &&
	    open_disclosed(c, f->name, &in, &contents, &err))
		disclosed_word(&in, word);
	if (err != TOCSIN_OK)
		f->err = err;
	time_print(when, t->time);
	snprintf(f->says, sizeof(f->says), "%.*s/%.*s %s %s TLP:%s%s%s",
	    (int)t->from.n, (const char *)t->from.p, (int)t->device.n,
	    (const char *)t->device.p, when, ticket_kind_name(t->kind),
	    ticket_tlp_name(t->tlp), word[0] != '\0' ? " disclosed: " : "",
	    word);
	incident_release(&in);
	ticket_contents_release(&contents);
}

static void
check_message(struct checking *c, const struct verify_file *file)
{
	struct verify_finding *f = add(c, VERIFY_MESSAGE, file->name);
	const struct verify_file *body;
	struct note note;

	if (f == NULL)
		return;
	f->err = ticket_parse(c->ticket, &note, file->bytes);
	if (f->err != TOCSIN_OK)
		return;
	f->err = named_so(file->name, c->ticket->id);
	if (f->err == TOCSIN_OK)
		f->err = check_signature(c, &note);
	body = body_of(c, file->name);
	if (f->err == TOCSIN_OK && body != NULL)
		f->err = ticket_check_body(c->ticket, body->bytes);
	say_message(c, f);
}

/* ---- receipts ---- */

/* By the key of its broker in the newest roster that has it. */
static enum tocsin_err
open_receipt(struct checking *c, struct span bytes)
{
	enum tocsin_err err = TOCSIN_EROSTERUNKNOWN, first = TOCSIN_OK;
	size_t i;

	for (i = c->nroster; i > 0 && err != TOCSIN_OK; i--) {
		err = receipt_open(c->receipt, c->roster[i - 1], bytes);
		if (i == c->nroster)
			first = err;
	}
	return err == TOCSIN_OK ? err : first;
}

static void
check_receipt(struct checking *c, const struct verify_file *file)
{
	struct verify_finding *f = add(c, VERIFY_RECEIPT, file->name);
	char when[TIME_TEXT + 1];

	if (f == NULL)
		return;
	f->err = open_receipt(c, file->bytes);
	if (f->err != TOCSIN_OK)
		return;
	f->err = named_so(file->name, c->receipt->id);
	time_print(when, c->receipt->time);
	snprintf(f->says, sizeof(f->says), "broker %s %s, %zu line%s",
	    c->receipt->broker, when, c->receipt->nline,
	    c->receipt->nline == 1 ? "" : "s");
}

/* ---- status.txt ---- */

static struct span
word(struct span *rest)
{
	struct span got;
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ' ')
		n++;
	got = span_cut(*rest, 0, n);
	*rest = span_cut(*rest, n < rest->n ? n + 1 : n, rest->n);
	return got;
}

bool
verify_line_read(struct verify_line *l, struct span rest)
{
	size_t n = 0;

	l->who = word(&rest);
	l->state = word(&rest);
	if (!time_parse(word(&rest), &l->time))
		return false;
	l->file = word(&rest);
	while (n < rest.n && rest.p[n] != ':')
		n++;
	l->by = span_cut(rest, 0, n);
	l->reason = span_cut(rest, n + 2 < rest.n ? n + 2 : rest.n, rest.n);
	return l->file.n > 0 && l->file.n < VERIFY_NAME;
}

static bool
is_device(struct span device, const struct ticket *t)
{
	return device.n == t->from.n + 1 + t->device.n &&
	       span_eq(span_cut(device, 0, t->from.n), t->from) &&
	       device.p[t->from.n] == '/' &&
	       span_eq(span_cut(device, t->from.n + 1, t->device.n), t->device);
}

static bool
of_thread(const struct checking *c, const struct ticket *t)
{
	return memcmp(t->has_thread ? t->thread : t->id, c->thread, ID_LEN) ==
	       0;
}

/* Which kinds of message can put somebody so far; an ack says it inside. */
static bool
kind_fits(struct span state, enum ticket_kind kind)
{
	if (span_is(state, "result"))
		return kind == TICKET_RESULT;
	if (span_is(state, "closed"))
		return kind == TICKET_CLOSE;
	if (span_is(state, "open"))
		return kind == TICKET_REOPEN;
	if (span_is(state, "in-progress"))
		return kind == TICKET_ACK || kind == TICKET_REOPEN;
	return kind == TICKET_ACK;
}

static bool
same(struct span line, const char *said)
{
	return span_is(line, said != NULL ? said : "");
}

/* A bot's word that it has it is as good as a receipt. */
static const char *
rung_of_answer(const char *answer)
{
	return answer != NULL && strcmp(answer, "received") == 0 ? "delivered"
								 : answer;
}

/* What was disclosed is what the line has. */
static bool
says_so(struct checking *c, const char *name, const struct verify_line *l)
{
	struct ticket_contents contents = { 0 };
	struct incident in = { 0 };
	enum tocsin_err err = TOCSIN_OK;
	bool so = open_disclosed(c, name, &in, &contents, &err);

	if (c->ticket->kind == TICKET_ACK)
		so = so && same(l->state, rung_of_answer(in.answer)) &&
		     same(l->reason, in.reason);
	else
		so = so && same(l->reason, in.resolution);
	incident_release(&in);
	ticket_contents_release(&contents);
	return so;
}

static enum tocsin_err
line_of_message(struct checking *c, const char *name,
    const struct verify_line *l, struct verify_finding *f)
{
	const struct verify_file *file = find(c, name);
	const struct ticket *t = c->ticket;
	enum tocsin_err err = TOCSIN_OK;
	char key[VERIFY_NAME + 8];
	struct note note;

	if (file == NULL)
		return TOCSIN_ENOTFOUND;
	err = ticket_parse(c->ticket, &note, file->bytes);
	if (err != TOCSIN_OK)
		return err;
	if (!of_thread(c, t) || t->time != l->time)
		return TOCSIN_EMALFORMED;
	f->word = span_is(l->by, "broker");
	if (f->word || span_is(l->state, "posted") ||
	    span_is(l->state, "queued"))
		return ticket_to_find(t, l->who) >= 0 ? TOCSIN_OK
						      : TOCSIN_EMALFORMED;
	if (!is_device(l->by, t) || !kind_fits(l->state, t->kind) ||
	    (!span_is(l->who, "ticket") && !span_eq(l->who, t->from) &&
		!is_device(l->who, t)))
		return TOCSIN_EMALFORMED;
	if (t->kind != TICKET_ACK && l->reason.n == 0)
		return TOCSIN_OK;
	snprintf(key, sizeof(key), "disclosed-%s", name + 8);
	f->word = find(c, key) == NULL;
	return f->word || says_so(c, name, l) ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

/* "my" of a member, of a device, or by itself. */
static bool
is_nation(struct span who, const char *nation)
{
	size_t at = 0, end;

	while (at < who.n && who.p[at] != '@')
		at++;
	at = at < who.n ? at + 1 : 0;
	for (end = at; end < who.n && who.p[end] != '/'; end++)
		;
	return span_is(span_cut(who, at, end - at), nation);
}

static bool
attests(const struct receipt_line *r, const struct verify_line *l)
{
	char device[MEMBER_MAX + LABEL_MAX + 2];
	char part[ID_TEXT + TOKEN_MAX + 2];

	switch (r->kind) {
	case RECEIPT_STORED:
		return span_is(l->state, "relayed") ||
		       span_is(l->state, "holds");
	case RECEIPT_DELIVERED:
		snprintf(device, sizeof(device), "%s/%s", r->member, r->device);
		return (span_is(l->state, "delivered") ||
			   span_is(l->state, "holds")) &&
		       (span_is(l->who, r->member) || span_is(l->who, device));
	case RECEIPT_REFUSED:
		return span_is(l->state, "refused") &&
		       span_is(l->reason, r->reason);
	case RECEIPT_ERASED:
		return span_is(l->state, "erased");
	case RECEIPT_WITHOUT:
		id_print(part, r->part);
		snprintf(
		    part + ID_TEXT, sizeof(part) - ID_TEXT, " %s", r->reason);
		return span_is(l->state, "without") && span_is(l->reason, part);
	}
	return false;
}

/* Whether a message of the folder with that id is of this ticket. */
static bool
message_here(struct checking *c, const uint8_t id[ID_LEN])
{
	struct note note;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (is_message(c->file[i].name) &&
		    ticket_parse(c->ticket, &note, c->file[i].bytes) ==
			TOCSIN_OK &&
		    memcmp(c->ticket->id, id, ID_LEN) == 0)
			return of_thread(c, c->ticket);
	return false;
}

static enum tocsin_err
line_of_receipt(
    struct checking *c, const char *name, const struct verify_line *l)
{
	const struct verify_file *file = find(c, name);
	const struct roster_broker *b;
	struct span by = l->by;
	size_t i;

	if (file == NULL)
		return TOCSIN_ENOTFOUND;
	if (open_receipt(c, file->bytes) != TOCSIN_OK)
		return TOCSIN_EBADSIGNATURE;
	b = roster_broker(newest(c), span_of(c->receipt->broker));
	if (c->receipt->time != l->time ||
	    !span_is(word(&by), c->receipt->broker) ||
	    (b != NULL && !is_nation(l->who, b->nation)))
		return TOCSIN_EMALFORMED;
	for (i = 0; i < c->receipt->nline; i++)
		if (attests(&c->receipt->line[i], l) &&
		    message_here(c, c->receipt->line[i].id))
			return TOCSIN_OK;
	return TOCSIN_EMALFORMED;
}

static void
check_line(struct checking *c, struct span text)
{
	const struct verify_finding *behind;
	struct verify_finding *f;
	char name[VERIFY_NAME];
	struct verify_line l;

	f = add(c, VERIFY_LINE, "");
	if (f == NULL)
		return;
	snprintf(f->says, sizeof(f->says), "%.*s",
	    (int)(text.n < 250 ? text.n : 250), (const char *)text.p);
	f->err = TOCSIN_EMALFORMED;
	if (!verify_line_read(&l, text))
		return;
	snprintf(
	    name, sizeof(name), "%.*s", (int)l.file.n, (const char *)l.file.p);
	snprintf(f->name, sizeof(f->name), "%s", name);
	behind = finding_of(c, name);
	if (strcmp(name, "-") == 0) {
		f->word = true;
		f->err = TOCSIN_OK;
	} else if (behind == NULL) {
		f->err = TOCSIN_ENOTFOUND;
	} else if (behind->err != TOCSIN_OK) {
		f->err = behind->err;
	} else if (behind->what == VERIFY_MESSAGE) {
		f->err = line_of_message(c, name, &l, f);
	} else if (behind->what == VERIFY_RECEIPT) {
		f->err = line_of_receipt(c, name, &l);
	}
}

static void
check_status(struct checking *c)
{
	const struct verify_file *file = find(c, "status.txt");
	struct span rest = file != NULL ? file->bytes : (struct span){ 0 };
	bool first = true;

	while (rest.n > 0) {
		const uint8_t *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf != NULL ? (size_t)(lf - rest.p) : rest.n;
		struct span text = span_cut(rest, 0, n);

		if (!first || n < 8 ||
		    !id_parse(span_cut(text, 7, n), c->thread))
			check_line(c, text);
		first = false;
		rest = span_cut(rest, lf != NULL ? n + 1 : n, rest.n);
	}
}

/* ---- all ---- */

static void
check_all(struct checking *c)
{
	size_t i;

	take_keys(c);
	for (i = 0; i < c->n; i++)
		if (is_message(c->file[i].name))
			check_message(c, &c->file[i]);
	for (i = 0; i < c->n; i++)
		if (begins(c->file[i].name, "receipt-"))
			check_receipt(c, &c->file[i]);
	check_status(c);
}

enum tocsin_err
verify_files(
    struct verify *out, const struct verify_file *file, size_t n, int64_t now)
{
	struct checking c = { .file = file, .n = n, .now = now, .out = out };
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	memset(out, 0, sizeof(*out));
	c.ticket = malloc(sizeof(*c.ticket));
	c.receipt = malloc(sizeof(*c.receipt));
	c.short_of_memory = c.ticket == NULL || c.receipt == NULL;
	if (!c.short_of_memory)
		take_rosters(&c);
	if (!c.short_of_memory && c.nroster > 0)
		check_all(&c);
	for (i = 0; i < out->n; i++)
		out->bad += out->found[i].err != TOCSIN_OK;
	if (c.short_of_memory)
		err = TOCSIN_EINTERNAL;
	else if (c.nroster == 0)
		err = out->n > 0 ? out->found[0].err : TOCSIN_EMALFORMED;
	for (i = 0; i < c.nroster; i++)
		roster_free(c.roster[i]);
	for (i = 0; i < c.nkeys; i++)
		keys_free(c.keys[i]);
	free(c.roster);
	free(c.keys);
	free(c.ticket);
	free(c.receipt);
	return err;
}

void
verify_release(struct verify *v)
{
	free(v->found);
	*v = (struct verify){ 0 };
}
