/* SPDX-License-Identifier: ISC */
/*
 * Each label and each thing that a recipient may want to do with it; asking,
 * permitting and changing a label; and what a reader is told.
 */
#include "client/permit.h"
#include "client/glance.h"
#include "client/intake.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* singcert@sg writes, mycert@my has it, lacert@la may be shown it. */
static struct fixture f;
static struct tocsin *sg, *my, *la;
static uint64_t cursor;
static char fin[] = "fincert@my"; /* of the nation of my */
static const char *const to_my[] = { "mycert@my", NULL };
static const char *const to_la[] = { "lacert@la", NULL };
static const char *const to_fin[] = { "fincert@my", NULL };

static void
add_member(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member(arg);

	if (roster_put_member(r, &m) != TOCSIN_OK)
		abort();
}

static struct tocsin *
open_home(const char *dir)
{
	struct tocsin *t = NULL;
	struct home h;

	home_open(&h, dir);
	home_take_roster(&h, &f);
	home_take_keys(&h, &f, f.n - 1);
	home_close(&h);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	return t;
}

static void
begin(void)
{
	static const char *const device[] = { "singcert@sg/desk1",
		"mycert@my/desk1", "lacert@la/desk1" };
	struct tocsin **const t[] = { &sg, &my, &la };
	char dir[3][512];
	size_t i;

	fixture_init(&f, "sg my la");
	for (i = 0; i < 3; i++)
		home_make(dir[i], &f, device[i], HOME_NOBODY);
	fixture_next_roster(&f, add_member, fin);
	fixture_enrol(&f, fin);
	for (i = 0; i < 3; i++)
		*t[i] = open_home(dir[i]);
	cursor = 0;
}

static void
end(void)
{
	tocsin_close(sg);
	tocsin_close(my);
	tocsin_close(la);
	fixture_release(&f);
}

static void
deliver(struct tocsin *from, const char *id, struct tocsin *to)
{
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n;
	struct buf note = { 0 }, body = { 0 };

	if (!id_parse(span_of(id), raw) ||
	    desk_read(from->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	buf_add(&note, row.note);
	buf_add(&body, row.body);
	desk_end(tx);
	home_give(&to->parts, &f, &cursor, 1, buf_span(&note), buf_span(&body));
	buf_release(&note);
	buf_release(&body);
}

static void
post(struct tocsin *t, const struct tocsin_draft *d, char id[TOCSIN_ID_TEXT])
{
	if (tocsin_post(t, d, id) != TOCSIN_OK) {
		diag("%s", tocsin_error(t));
		abort();
	}
}

/* A ticket of singcert@sg that mycert@my has. */
static void
report(const char *tlp, char id[TOCSIN_ID_TEXT])
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to_my,
		.tlp = tlp,
		.subject = "Beacons",
		.text = "Every hour" };

	post(sg, &d, id);
	deliver(sg, id, my);
}

static struct tocsin_draft
showing(const char *kind, const char *id, const char *const *to)
{
	return (struct tocsin_draft){
		.kind = kind, .thread = id, .to = to, .text = "See"
	};
}

/* ---- each label, each action ---- */

static char
allows(const char *id, const struct tocsin_draft *d)
{
	char sent[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	struct tocsin_draft now = *d;

	now.thread = id;
	err = tocsin_post(my, &now, sent);
	return err == TOCSIN_OK ? 'y' : err == TOCSIN_EPOLICYDENIED ? 'n' : '?';
}

static void
test_each(void)
{
	static const char *const own[] = { "mycert@my", NULL };
	static const char *const sgcert[] = { "singcert@sg", NULL };
	const struct tocsin_draft action[] = {
		{ .kind = "share", .to = to_la },
		{ .kind = "escalate", .to = to_la },
		{ .kind = "update", .to = to_la, .text = "x" },
		{ .kind = "share", .to = to_fin },
		{ .kind = "share", .to = to_fin, .clients = to_fin },
		{ .kind = "share", .to = to_la, .clients = to_la },
		{ .kind = "share", .to = own },
		{ .kind = "update", .to = sgcert, .text = "x" },
		{ .kind = "share", .to = sgcert, .tlp = "RED" },
		{ .kind = "share", .to = sgcert, .tlp = "CLEAR" },
		{ .kind = "share", .to = to_la, .tlp = "CLEAR" },
	};
	/*
	 * To a third: share, escalate, in an update; to one of our nation, as
	 * a client, to one abroad as a client; in the organisation; to its
	 * author in an update, narrower, wider; to a third wider.
	 */
	static const struct {
		const char *tlp, *want;
	} rows[] = {
		{ "RED", "nnnnnnyyynn" },
		{ "AMBER+STRICT", "nnnnnnyyynn" },
		{ "AMBER", "nnnnynyyynn" },
		{ "GREEN", "yyyyynyyynn" },
		{ "CLEAR", "yyyyynyyyyy" },
	};
	char id[TOCSIN_ID_TEXT], got[16];
	size_t i, k, n = sizeof(action) / sizeof(action[0]);

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		memset(got, 0, sizeof(got));
		for (k = 0; k < n; k++) { /* each on a ticket of its own */
			report(rows[i].tlp, id);
			got[k] = allows(id, &action[k]);
		}
		is_str(got, rows[i].want, "TLP:%s: what a recipient may do",
		    rows[i].tlp);
		end();
	}
}

/* The narrowest label of the thread, not just that of its first message. */
static void
test_strictest(void)
{
	struct tocsin_draft d;
	char id[TOCSIN_ID_TEXT], red[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];

	begin();
	report("GREEN", id);
	d = (struct tocsin_draft){ .kind = "update",
		.thread = id,
		.tlp = "RED",
		.text = "For you alone" };
	post(sg, &d, red);
	deliver(sg, red, my);
	d = showing("share", id, to_la);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "a TLP:RED message in it binds a TLP:GREEN ticket");
	ok(strstr(tocsin_error(my), "TLP:RED") != NULL,
	    "and is what the refusal is about");
	d = (struct tocsin_draft){
		.kind = "update", .thread = id, .tlp = "RED", .text = "x"
	};
	post(my, &d, out);
	deliver(my, out, sg);
	d = showing("share", id, to_la);
	is_int(tocsin_post(sg, &d, out), TOCSIN_EPOLICYDENIED,
	    "also who opened the ticket, if another wrote that");
	end();
}

/* ---- permission ---- */

/* my asks, sg permits; the ids of both, in each other's desk. */
static void
permission(const char *id, const char *const *to, const char *tlp,
    char grant[TOCSIN_ID_TEXT])
{
	char request[TOCSIN_ID_TEXT];

	if (permit_ask(my, id, to, tlp, "May we?", request) != TOCSIN_OK)
		abort();
	deliver(my, request, sg);
	if (permit_grant(sg, request, NULL, NULL, NULL, grant) != TOCSIN_OK) {
		diag("%s", tocsin_error(sg));
		abort();
	}
	deliver(sg, grant, my);
}

/* The first message of the list is given; the list is the caller's. */
static struct tocsin_message *
seen(struct tocsin *t, const char *id, struct tocsin_list **l)
{
	size_t i;

	if (tocsin_thread(t, id, l) != TOCSIN_OK)
		abort();
	for (i = 0; i < (*l)->n; i++)
		if (strcmp((*l)->message[i]->id, id) == 0)
			return (*l)->message[i];
	abort();
}

static void
test_permission(void)
{
	struct tocsin_draft d;
	struct tocsin_list *l;
	struct tocsin_message *m;
	char id[TOCSIN_ID_TEXT], grant[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];

	begin();
	report("AMBER+STRICT", id);
	d = showing("share", id, to_la);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "TLP:AMBER+STRICT is not shown to a third");
	ok(strstr(tocsin_error(my), "singcert@sg, who wrote it") != NULL &&
		strstr(tocsin_error(my), "stays in your organisation") != NULL,
	    "the refusal says which rule, and whose permission it takes");
	ok(strstr(tocsin_error(my), "--to lacert@la`") != NULL &&
		strstr(tocsin_error(my), "`tocsin ask ") != NULL,
	    "and the command that asks for it");
	permission(id, to_la, NULL, grant);
	is_int(tocsin_post(my, &d, out), TOCSIN_OK,
	    "with its author's permission it is");
	deliver(my, out, la);
	m = seen(la, out, &l);
	ok(m->permitted_by != NULL &&
		strcmp(m->permitted_by, "singcert@sg") == 0 && !m->unpermitted,
	    "who is shown it is told by whose permission, and it holds");
	tocsin_list_free(l);
	d.tlp = "GREEN";
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "it is not one for a wider label");
	d = showing("share", id, to_fin);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "nor for another member");
	d = showing("share", id, to_la);
	is_int(permit_grant(my, grant, NULL, NULL, NULL, out), TOCSIN_EUSAGE,
	    "what asks for nothing is not permitted");
	end();
}

static void
test_label_for_one(void)
{
	struct tocsin_draft d;
	struct tocsin_list *l;
	struct tocsin_message *m;
	char id[TOCSIN_ID_TEXT], grant[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];

	begin();
	report("AMBER", id);
	permission(id, NULL, "GREEN", grant);
	d = showing("share", id, to_la);
	d.tlp = "GREEN";
	is_int(tocsin_post(my, &d, out), TOCSIN_OK,
	    "who may treat it as TLP:GREEN shows it to the community");
	deliver(my, out, la);
	m = seen(la, out, &l);
	ok(m->permitted_by != NULL && !m->unpermitted,
	    "which its reader can check");
	tocsin_list_free(l);
	m = seen(my, id, &l);
	ok(strcmp(m->tlp, "AMBER") == 0 && strcmp(m->allowed, "GREEN") == 0,
	    "the label stays, and what we may is known");
	tocsin_list_free(l);
	end();
}

/* ---- a device that is no longer there ---- */

/* The officer's desk1 is now desk9, with a key of its own. */
static void
replace_device(struct keys *k, void *arg)
{
	static const char name[] = "singcert@sg/desk9";
	struct keys_device *d = &k->device[0]; /* by name */
	uint8_t sk[64];

	(void)arg;
	fixture_sign_key(sk, name);
	strcpy(d->name, "desk9");
	if (vkey_make(&d->sign, span_of(name), sk + 32) != TOCSIN_OK)
		abort();
}

static void
revoke_device(struct roster *r, void *arg)
{
	const struct keys_device *d = arg;
	struct roster_revoked v = { .time = f.now - 1 };

	strcpy(v.name, d->sign.name);
	memcpy(v.id, d->sign.id, KEYID_LEN);
	strcpy(v.reason, "stolen");
	if (roster_put_revoked(r, &v) != TOCSIN_OK)
		abort();
}

static void
believe(struct tocsin *t, struct span note, bool roster)
{
	struct desk_tx *tx;
	enum tocsin_err err;

	pthread_mutex_lock(&t->lock);
	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    belief_load(&t->belief, tx) != TOCSIN_OK)
		abort();
	err = roster ? belief_take_roster(&t->belief, tx, note, false, f.now)
		     : belief_take_keys(&t->belief, tx, note, f.now);
	if (err != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
	pthread_mutex_unlock(&t->lock);
}

/* What it permitted while it was there stands, as what it wrote does. */
static void
test_replaced(void)
{
	struct tocsin_draft d;
	struct tocsin_list *l;
	struct tocsin_message *m;
	struct keys_device old;
	char id[TOCSIN_ID_TEXT], grant[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];

	begin();
	report("AMBER+STRICT", id);
	permission(id, to_la, NULL, grant);
	old = f.keys[0]->device[0];
	fixture_next_keys(&f, 0, replace_device, NULL);
	believe(my, buf_span(&f.keys_file[0]), false);
	believe(la, buf_span(&f.keys_file[0]), false);
	d = showing("share", id, to_la);
	is_int(tocsin_post(my, &d, out), TOCSIN_OK,
	    "a grant stands when its device has been replaced");
	deliver(my, out, la);
	m = seen(la, out, &l);
	ok(m->permitted_by != NULL && !m->unpermitted,
	    "for who is shown it, too");
	tocsin_list_free(l);
	fixture_next_roster(&f, revoke_device, &old);
	believe(my, buf_span(&f.file), true);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "but not if its key was revoked by then");
	end();
}

/* Nobody permits what another has written, and nobody signs for him. */
static void
test_forged(void)
{
	struct tocsin_draft d;
	struct tocsin_list *l;
	struct tocsin_message *m;
	char id[TOCSIN_ID_TEXT], request[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];
	char *json;
	struct grant g = { 0 };
	struct buf note = { 0 };
	uint8_t sk[64];
	json_t *o;

	begin();
	report("AMBER+STRICT", id);
	is_int(permit_ask(sg, id, to_la, NULL, NULL, request), TOCSIN_EUSAGE,
	    "nobody asks himself");
	if (permit_ask(my, id, to_la, NULL, NULL, request) != TOCSIN_OK)
		abort();
	is_int(permit_grant(my, request, NULL, NULL, NULL, out),
	    TOCSIN_EPOLICYDENIED, "nobody permits what another has written");
	is_int(permit_relabel(my, id, "CLEAR", NULL, out), TOCSIN_EPOLICYDENIED,
	    "or changes its label");

	strcpy(g.federation, FX_FEDERATION);
	strcpy(g.from, "singcert@sg/desk1");
	strcpy(g.holder, "mycert@my");
	strcpy(g.to[g.nto++], "lacert@la");
	g.tlp = TICKET_CLEAR;
	g.time = f.now;
	if (!id_parse(span_of(id), g.message))
		abort();
	fixture_sign_key(sk, "mycert@my/desk1");
	if (grant_sign(&note, &g, sk) != TOCSIN_OK)
		abort();
	o = json_pack("{s:[s%]}", "grants", note.p, (size_t)note.n);
	json = json_dumps(o, 0);
	d = (struct tocsin_draft){
		.kind = "update", .thread = id, .json = json, .text = "x"
	};
	post(my, &d, out);
	d = showing("share", id, to_la);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED,
	    "a grant that another has signed counts for nothing");
	report("GREEN", id);
	d = showing("share", id, to_la);
	d.json = json; /* of another message, and badly signed */
	post(my, &d, out);
	deliver(my, out, la);
	m = seen(la, out, &l);
	ok(m->unpermitted && m->permitted_by == NULL,
	    "and a reader who is shown it is told so");
	tocsin_list_free(l);
	free(json);
	json_decref(o);
	buf_release(&note);
	end();
}

static void
test_relabel(void)
{
	struct tocsin_draft d;
	struct tocsin_list *l;
	struct tocsin_message *m, *alone;
	struct tocsin_status *status;
	char id[TOCSIN_ID_TEXT], out[TOCSIN_ID_TEXT];
	struct glances listed;

	begin();
	report("GREEN", id);
	is_int(permit_relabel(sg, id, "AMBER+STRICT", "Too early", out),
	    TOCSIN_OK, "its author narrows a label");
	deliver(sg, out, my);
	m = seen(my, id, &l);
	is_str(m->tlp, "AMBER+STRICT", "which everybody sees then");
	tocsin_list_free(l);
	alone = NULL;
	ok(tocsin_get(my, id, &alone) == TOCSIN_OK &&
		strcmp(alone->tlp, "GREEN") == 0 && alone->allowed == NULL,
	    "a message that comes alone has the label that it was sent with");
	ok(tocsin_refresh(my, alone, 1, &status) == TOCSIN_OK &&
		strcmp(alone->tlp, "AMBER+STRICT") == 0 &&
		strcmp(alone->allowed, "AMBER+STRICT") == 0 &&
		strcmp(status->id, id) == 0 && status->n == 1,
	    "until it is seen with the rest of its ticket");
	tocsin_status_free(status);
	tocsin_message_free(alone);
	d = showing("share", id, to_la);
	is_int(tocsin_post(my, &d, out), TOCSIN_EPOLICYDENIED, "and holds to");
	listed = (struct glances){ 0 };
	if (glances_load(my, &listed) != TOCSIN_OK || listed.n != 1)
		abort();
	is_str(listed.glance[0].m->tlp, "AMBER+STRICT", "also in a list");
	glances_release(&listed);
	d = (struct tocsin_draft){
		.kind = "update", .thread = id, .text = "Seen here"
	};
	post(my, &d, out);
	m = seen(my, out, &l);
	is_str(m->tlp, "AMBER+STRICT", "an answer has the label of now");
	tocsin_list_free(l);
	end();
}

int
main(void)
{
	test_each();
	test_strictest();
	test_permission();
	test_label_for_one();
	test_replaced();
	test_forged();
	test_relabel();
	return tap_done();
}
