/* SPDX-License-Identifier: ISC */
/*
 * What can be said of a ticket without opening it: by whose word, under which
 * roster, and what a broker on the way cannot change.
 */
#include "crypto/ticket.h"
#include "tests/lib/tap.h"
#include "tests/lib/tickets.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
test_keys_in_time(struct span note)
{
	struct ticket_trust t = tk_trust();
	struct keys *k = tk.fx.keys[0];
	int64_t expires = k->expires;

	k->expires = TK_NOW + 1;
	t.now = TK_NOW + 1;
	tk_is_err(tk_judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "an announcement that is over now");
	t.reading = true;
	tk_is_err(tk_judge(note, &t), TOCSIN_OK, "read, it was in force then");
	k->expires = TK_NOW;
	tk_is_err(
	    tk_judge(note, &t), TOCSIN_EKEYSEXPIRED, "read, it was over then");
	k->expires = expires;
}

static void
test_trust(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct span note = buf_span(&p.note);
	struct ticket_trust t = tk_trust();
	struct roster_member *m = tk_member(tk.member[0].name);

	tk_is_err(tk_judge(note, &t), TOCSIN_OK, "a ticket of now");
	t.from_keys = NULL;
	tk_is_err(tk_judge(note, &t), TOCSIN_EKEYSEXPIRED, "no announcement");
	t.from_keys = tk.fx.keys[1];
	tk_is_err(tk_judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "the announcement of another member");
	t = tk_trust();
	tk.fx.keys[0]->federation[0]++;
	tk_is_err(tk_judge(note, &t), TOCSIN_EKEYSEXPIRED,
	    "the announcement of the same name in another federation");
	tk.fx.keys[0]->federation[0]--;
	m->suspended = true;
	tk_is_err(tk_judge(note, &t), TOCSIN_ESUSPENDED, "a suspended member");
	m->suspended = false;

	t.now = tk.roster->expires;
	tk_is_err(
	    tk_judge(note, &t), TOCSIN_EROSTEREXPIRED, "an expired roster");
	t.reading = true;
	tk_is_err(tk_judge(note, &t), TOCSIN_OK,
	    "the same when it is only read, by keys of its time");
	test_keys_in_time(note);
	t = tk_trust();
	t.now = TK_NOW - 600;
	tk_is_err(tk_judge(note, &t), TOCSIN_OK, "ten minutes ahead");
	t.now--;
	tk_is_err(tk_judge(note, &t), TOCSIN_ECLOCKSKEW, "a second more");
	tk_drop(&p);
}

static void
test_removed(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct ticket_trust t = tk_trust();
	struct roster_member *m = tk_member(tk.member[0].name);
	struct keys_device *d = &tk.fx.keys[0]->device[0];

	m->name[0]++; /* nycert: still in order */
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_ENOTENROLLED,
	    "a member that was removed");
	m->name[0]--;
	d->name[4]++;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_ENOTENROLLED,
	    "a device that is no longer announced");
	d->name[4]--;
	tk_is_err(
	    tk_judge(buf_span(&p.note), &t), TOCSIN_OK, "both back again");
	tk_drop(&p);
}

static void
is_said(const char *device, enum ticket_kind kind, enum tocsin_err want,
    const char *what)
{
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct tk_post p;

	tk_draft(&t, 2);
	t.device = span_of(device);
	t.kind = kind;
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), want, what);
	tk_drop(&p);
}

static void
test_roles_in_force(void)
{
	is_said("desk1", TICKET_RECALL, TOCSIN_OK, "an officer recalls");
	is_said("escalator", TICKET_ESCALATE, TOCSIN_OK, "a bot escalates");
	is_said("escalator", TICKET_RECALL, TOCSIN_EKINDNOTALLOWED,
	    "a bot recalls");
	is_said("screen", TICKET_ACK, TOCSIN_EKINDNOTALLOWED,
	    "a reader acknowledges");
	is_said("desk9", TICKET_ACK, TOCSIN_ENOTENROLLED,
	    "a device that nobody announced");
}

/* ---- exercises ---- */

static void
is_played(const char *exercise, enum tocsin_err want, const char *what)
{
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct tk_post p;

	tk_draft(&t, 2);
	t.exercise = span_of(exercise);
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), want, what);
	tk_drop(&p);
}

static void
test_exercises(void)
{
	struct keys_device *d = &tk.fx.keys[0]->device[0];

	is_played("Tabletop.2026", TOCSIN_EEXERCISEMISMATCH,
	    "a live device signs for an exercise");
	strcpy(d->exercise, "Tabletop.2026");
	is_played("Tabletop.2026", TOCSIN_OK, "a device of it does");
	is_played("Tabletop.2027", TOCSIN_EEXERCISEMISMATCH,
	    "it signs for another exercise");
	is_played("Tabletop", TOCSIN_EEXERCISEMISMATCH, "for half the name");
	is_played("", TOCSIN_EEXERCISEMISMATCH, "for what is live");
	d->exercise[0] = '\0';
	is_played("", TOCSIN_OK, "a live device signs what is live");
}

static void
test_may(void)
{
	struct keys_device *d = &tk.fx.keys[0]->device[1];

	d->may = 1U << KEYS_RECALL | 1U << KEYS_ACCEPT;
	is_said("escalator", TICKET_RECALL, TOCSIN_OK,
	    "a bot recalls that may, by its announcement");
	is_said("escalator", TICKET_CLOSE, TOCSIN_EKINDNOTALLOWED,
	    "and closes nothing");
	d->may = 0;
}

static void
test_revoked(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct ticket_trust t = tk_trust();
	struct roster *r = tk.roster;
	struct roster_revoked line = { .time = TK_NOW - 60 };
	const struct vkey *k = &tk.fx.keys[0]->device[0].sign;

	memcpy(line.name, k->name, sizeof(line.name));
	memcpy(line.id, k->id, sizeof(line.id));
	strcpy(line.reason, "stolen");
	if (roster_put_revoked(r, &line) != TOCSIN_OK)
		diag("roster_put_revoked failed");
	tk_is_err(
	    tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED, "a stolen key");
	t.reading = true;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and nobody can say since when the ticket exists");
	t.logged = TK_NOW - 61;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_OK,
	    "read, and logged before the theft");
	t.logged = TK_NOW - 60;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and logged after it");
	t.reading = false;
	t.logged = TK_NOW - 61;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "a post is never excused by a log");
	r->nrevoked--;

	snprintf(line.name, sizeof(line.name), "%s", tk.fx.member[0]);
	memcpy(line.id, tk.fx.keys[0]->root, sizeof(line.id));
	if (roster_put_revoked(r, &line) != TOCSIN_OK)
		diag("roster_put_revoked failed");
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "a device that a stolen root key stands behind");
	t.reading = true;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_OK,
	    "read, and logged before that theft");
	t.logged = 0;
	tk_is_err(tk_judge(buf_span(&p.note), &t), TOCSIN_EREVOKED,
	    "read, and nobody can say since when");
	r->nrevoked--;
	tk_drop(&p);
}

static void
test_no_memory(void)
{
	struct buf note = { .max = 100 }, body = { 0 };
	struct ticket t;

	tk_draft(&t, 2);
	tk_is_err(tk_seal_json(&t, TK_JSON, &note, &body), TOCSIN_EINTERNAL,
	    "memory that is short for the note");
	buf_release(&note);
	buf_release(&body);
	note.max = 0;
	body.max = 100;
	tk_is_err(tk_seal_json(&t, TK_JSON, &note, &body), TOCSIN_EINTERNAL,
	    "or for the body is no matter of a disk");
	ok(note.n == 0 && body.n == 0, "and leaves nothing");
	buf_release(&note);
	buf_release(&body);
}

static void
test_rosters(void)
{
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct tk_post p;

	tk_draft(&t, 2);
	strcpy(t.federation, "other.example");
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a ticket of another federation");
	tk_drop(&p);
	tk_draft(&t, 2);
	t.roster_id[31] ^= 1;
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a roster with our serial and another id");
	tk_drop(&p);
	tk_draft(&t, 2);
	t.roster_serial++;
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), TOCSIN_EROSTERUNKNOWN,
	    "a roster that we don't have");
	tk_drop(&p);
}

static void
test_own_team(void)
{
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct tk_post p;

	tk_draft(&t, 3);
	t.to[0] = t.to[1];
	t.to[1] = t.to[2];
	t.nto = 2;
	p = tk_seal(&t);
	tk_is_err(tk_judge(buf_span(&p.note), &trust), TOCSIN_ENOTRECIPIENT,
	    "a ticket that hides from the sender's own team");
	tk_drop(&p);
}

/* What a broker on the way could try: the text changes, the line stays. */
static void
test_broker_edits(void)
{
	static const char *const tries[][2] = {
		{ "tlp AMBER", "tlp CLEAR" },
		{ "tlp AMBER", "tlp RED" },
		{ "exercise -", "exercise Tabletop" },
		{ "to singcert@sg 2026-11\n", "" },
		{ "to singcert@sg", "to t002@sg" },
		{ "to singcert@sg", "to singcert@my" },
		{ "precedence flash", "precedence routine" },
		{ "2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z" },
		{ "/desk1 1 -",
		    "/desk1 2 "
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
	};
	struct tk_post p = tk_seal_plain(2);
	struct ticket_trust t = tk_trust();
	size_t i, caught = 0;

	for (i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct buf edited = { 0 };

		if (!tk_replace(
			&edited, buf_span(&p.note), tries[i][0], tries[i][1]))
			diag("nothing to edit: %s", tries[i][0]);
		if (tk_judge(buf_span(&edited), &t) == TOCSIN_EBADSIGNATURE)
			caught++;
		else
			diag("%s passes", tries[i][1]);
		buf_release(&edited);
	}
	is_int(caught, i, "a header edited on the way: bad-signature");
	tk_drop(&p);
}

static void
test_header_flips(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct ticket_trust t = tk_trust();
	size_t i, bit, passed = 0;

	for (i = 0; i < p.note.n; i++) {
		for (bit = 0; bit < 8; bit++) {
			p.note.p[i] ^= (uint8_t)(1 << bit);
			if (tk_judge(buf_span(&p.note), &t) == TOCSIN_OK) {
				passed++;
				diag("byte %zu bit %zu", i, bit);
			}
			p.note.p[i] ^= (uint8_t)(1 << bit);
		}
	}
	is_int(passed, 0, "no bit of a note can be flipped, of %zu bytes",
	    p.note.n);
	tk_drop(&p);
}

static void
test_chain(void)
{
	struct ticket t = { .seq = 5, .has_prev = true };
	uint8_t id[ID_LEN] = { 0 }, other[ID_LEN] = { 1 };

	is_int(ticket_chain(&t, 4, id), TICKET_NEXT, "the next follows");
	is_int(ticket_chain(&t, 4, other), TICKET_CONFLICT,
	    "the next of another last conflicts");
	is_int(ticket_chain(&t, 5, other), TICKET_CONFLICT,
	    "another message in the last one's place conflicts");
	is_int(ticket_chain(&t, 3, id), TICKET_GAP, "a later one leaves a gap");
	is_int(
	    ticket_chain(&t, 0, id), TICKET_GAP, "the fifth is no beginning");
	is_int(ticket_chain(&t, UINT64_MAX, id), TICKET_LATE,
	    "an earlier one is late");
	t.seq = 1;
	t.has_prev = false;
	is_int(ticket_chain(&t, 0, other), TICKET_NEXT, "the first begins");
}

int
main(void)
{
	tk_begin();
	test_trust();
	test_removed();
	test_roles_in_force();
	test_may();
	test_exercises();
	test_revoked();
	test_no_memory();
	test_rosters();
	test_own_team();
	test_broker_edits();
	test_header_flips();
	test_chain();
	tk_end();
	return tap_done();
}
