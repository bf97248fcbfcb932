/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DAYS 365

/* ---- reading ---- */

static int
read_roster(const char *path, struct roster **out)
{
	struct buf b = { 0 };
	enum tocsin_err err;
	int status = cli_read(path, ROSTER_FILE_MAX, &b);

	if (status != 0)
		return status;
	err = roster_parse(out, buf_span(&b));
	buf_release(&b);
	if (err != TOCSIN_OK)
		return cli_fail(
		    err, "%s is no roster: %s", path, tocsin_err_text(err));
	return 0;
}

/* The authorities of `by` whose line on `r` verifies. */
static size_t
signers(
    const struct roster *r, const struct roster *by, bool *one, bool *forged)
{
	struct note n;
	size_t i, count = 0;

	if (note_parse_draft(&n, r->whole, ROSTER_TEXT_MAX) != TOCSIN_OK)
		return 0;
	for (i = 0; i < by->nauthority; i++) {
		enum tocsin_err err = note_verify(&n, &by->authority[i].key);

		if (one != NULL)
			one[i] = err == TOCSIN_OK;
		if (forged != NULL && err != TOCSIN_OK &&
		    err != TOCSIN_ENOTFOUND)
			*forged = true;
		count += err == TOCSIN_OK;
	}
	return count;
}

/* ---- new ---- */

struct making {
	struct cli *c;
	const char *federation, *threshold, *days, *from, *out, *reason;
	struct list authority, card, remove, suspend, restore, revoke;
	struct roster *r;
	int64_t now;
};

static int
put_authority(struct making *m, const char *typed)
{
	struct roster_authority a;
	enum tocsin_err err = vkey_parse(&a.key, span_of(typed));

	if (err != TOCSIN_OK)
		return cli_fail(err,
		    "%s is no VKEY; `tocsin authority new` prints one", typed);
	err = roster_put_authority(m->r, &a);
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "%s: %s", typed, tocsin_err_text(err));
}

/* A new root key for a member does not lift a suspension. */
static enum tocsin_err
put_member(struct roster *r, struct roster_member *m)
{
	const struct roster_member *old = roster_member(r, span_of(m->name));

	m->suspended = old != NULL && old->suspended;
	return roster_put_member(r, m);
}

static int
put_card(struct making *m, const char *path)
{
	struct buf b = { 0 };
	struct card card;
	enum tocsin_err err;
	int status = cli_read(path, TEXT_MAX, &b);

	if (status != 0)
		return status;
	err = card_parse(&card, buf_span(&b));
	buf_release(&b);
	if (err != TOCSIN_OK)
		return cli_fail(
		    err, "%s is no card: %s", path, tocsin_err_text(err));
	if (strcmp(card.federation, m->r->federation) != 0)
		return cli_fail(TOCSIN_ENOTENROLLED,
		    "%s is a card for %s, not for %s", path, card.federation,
		    m->r->federation);
	if (card.kind == CARD_DEVICE)
		return cli_usage("%s is the card of a further device of %s: "
				 "give it to `tocsin keys publish --card`",
		    path, card.member.name);
	err = card.kind == CARD_BROKER ? roster_put_broker(m->r, &card.broker)
				       : put_member(m->r, &card.member);
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "%s: %s", path, tocsin_err_text(err));
}

/* Take row i out of an array of n. */
static void
take_out(void *rows, size_t *n, size_t i, size_t size)
{
	uint8_t *at = rows;

	memmove(at + i * size, at + (i + 1) * size, (*n - i - 1) * size);
	--*n;
}

static int
remove_name(struct making *m, const char *name)
{
	struct roster *r = m->r;
	size_t before = r->nauthority + r->nbroker + r->nmember, i;

	for (i = r->nauthority; i-- > 0;)
		if (strcmp(r->authority[i].key.name, name) == 0)
			take_out(r->authority, &r->nauthority, i,
			    sizeof(*r->authority));
	for (i = r->nbroker; i-- > 0;)
		if (strcmp(r->broker[i].name, name) == 0)
			take_out(r->broker, &r->nbroker, i, sizeof(*r->broker));
	for (i = r->nmember; i-- > 0;)
		if (strcmp(r->member[i].name, name) == 0)
			take_out(r->member, &r->nmember, i, sizeof(*r->member));
	if (r->nauthority + r->nbroker + r->nmember == before)
		return cli_fail(
		    TOCSIN_ENOTENROLLED, "%s is not in the roster", name);
	return 0;
}

static int
set_standing(struct making *m, const char *name, bool suspended)
{
	size_t i;

	for (i = 0; i < m->r->nmember; i++)
		if (strcmp(m->r->member[i].name, name) == 0) {
			m->r->member[i].suspended = suspended;
			return 0;
		}
	return cli_fail(
	    TOCSIN_ENOTENROLLED, "%s is no member of the roster", name);
}

static int
revoke(struct making *m, const char *typed)
{
	struct roster_revoked v = { .time = m->now };
	const char *reason = m->reason != NULL ? m->reason : "unspecified";
	struct vkey key;
	enum tocsin_err err = vkey_parse(&key, span_of(typed));

	if (err != TOCSIN_OK)
		return cli_fail(err, "%s is no VKEY", typed);
	if (!name_token(span_of(reason)))
		return cli_usage("--reason: %s is no word of lower case, "
				 "digits and '-'",
		    reason);
	snprintf(v.name, sizeof(v.name), "%s", key.name);
	memcpy(v.id, key.id, sizeof(v.id));
	snprintf(v.reason, sizeof(v.reason), "%s", reason);
	err = roster_put_revoked(m->r, &v);
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "%s: %s", typed, tocsin_err_text(err));
}

static int
begin(struct making *m)
{
	int status;

	if (m->from != NULL) {
		status = read_roster(m->from, &m->r);
		if (status != 0)
			return status;
		if (m->federation != NULL &&
		    strcmp(m->federation, m->r->federation) != 0)
			return cli_usage("%s is of %s; a federation keeps its "
					 "name",
			    m->from, m->r->federation);
		m->r->has_previous = true;
		memcpy(m->r->previous, m->r->id, ID_LEN);
		m->r->serial++;
		return 0;
	}
	if (m->federation == NULL || !name_federation(span_of(m->federation)))
		return cli_usage("--federation needs a name like "
				 "asean.example");
	if (m->threshold == NULL)
		return cli_usage("--threshold says how many authorities must "
				 "sign");
	m->r = roster_new();
	if (m->r == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	m->r->serial = 1;
	snprintf(
	    m->r->federation, sizeof(m->r->federation), "%s", m->federation);
	return 0;
}

static int
each(struct making *m, const struct list *l,
    int (*apply)(struct making *, const char *))
{
	int status = 0;
	size_t i;

	for (i = 0; status == 0 && i < l->n; i++)
		status = apply(m, l->word[i]);
	return status;
}

static int
suspend(struct making *m, const char *name)
{
	return set_standing(m, name, true);
}

static int
restore(struct making *m, const char *name)
{
	return set_standing(m, name, false);
}

static int
change(struct making *m)
{
	int status = each(m, &m->remove, remove_name);

	if (status == 0)
		status = each(m, &m->authority, put_authority);
	if (status == 0)
		status = each(m, &m->card, put_card);
	if (status == 0)
		status = each(m, &m->suspend, suspend);
	if (status == 0)
		status = each(m, &m->restore, restore);
	return status == 0 ? each(m, &m->revoke, revoke) : status;
}

/* What roster_parse() would refuse, as a sentence. */
static int
judge(const struct roster *r)
{
	struct roster *back = NULL;
	struct buf b = { 0 };
	enum tocsin_err err;

	if (r->nauthority == 0)
		return cli_usage("a roster needs authorities: --authority "
				 "VKEY");
	if (r->threshold > r->nauthority || r->threshold * 2 <= r->nauthority)
		return cli_usage("the threshold must be more than half of the "
				 "%zu authorities, and at most all: %u is not",
		    r->nauthority, r->threshold);
	roster_print(&b, r);
	err = buf_ok(&b) ? roster_parse(&back, buf_span(&b)) : TOCSIN_EINTERNAL;
	roster_free(back);
	buf_release(&b);
	if (err == TOCSIN_EMALFORMED)
		return cli_fail(err, "the roster would not be valid: perhaps a "
				     "key has two roles, or a revoked key is "
				     "still in use");
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "the roster: %s", tocsin_err_text(err));
}

static int
make(struct making *m)
{
	unsigned days = DAYS;
	struct buf b = { 0 };
	int status = begin(m);

	if (status != 0)
		return status;
	if (m->days != NULL && !cli_number("--days", m->days, 1, 3650, &days))
		return 2;
	if (m->threshold != NULL && !cli_number("--threshold", m->threshold, 1,
					ROSTER_AUTHORITIES, &m->r->threshold))
		return 2;
	m->r->issued = m->now;
	m->r->expires = m->now + (int64_t)days * 86400;
	status = change(m);
	if (status == 0)
		status = judge(m->r);
	if (status != 0)
		return status;
	roster_print(&b, m->r);
	status = cli_write(m->out, buf_span(&b), false);
	buf_release(&b);
	return status;
}

static int
roster_make(struct cli *c, int argc, char **argv)
{
	struct making m = { .c = c, .now = cli_now() };
	const struct opt opts[] = {
		{ "--from", OPT_WORD, &m.from },
		{ "--federation", OPT_WORD, &m.federation },
		{ "--threshold", OPT_WORD, &m.threshold },
		{ "--authority", OPT_MANY, &m.authority },
		{ "--card", OPT_MANY, &m.card },
		{ "--remove", OPT_MANY, &m.remove },
		{ "--suspend", OPT_MANY, &m.suspend },
		{ "--restore", OPT_MANY, &m.restore },
		{ "--revoke", OPT_MANY, &m.revoke },
		{ "--reason", OPT_WORD, &m.reason },
		{ "--days", OPT_WORD, &m.days },
		{ "-o", OPT_WORD, &m.out },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	status = make(&m);
	roster_free(m.r);
	return status;
}

/* ---- sign ---- */

struct signing {
	struct cli *c;
	const char *key, *out;
	struct roster *r;
};

static int
add_line(const struct signing *s, const struct vkey *key, struct secret *sk,
    struct buf *out)
{
	const char *path = s->c->words[0];
	struct note n;
	enum tocsin_err err;

	err = note_parse_draft(&n, s->r->whole, ROSTER_TEXT_MAX);
	if (err == TOCSIN_OK)
		err = note_add(out, &n, span_of(key->name), secret_span(sk).p);
	if (err == TOCSIN_EDUPLICATE) { /* done already, and so it stays */
		buf_add(out, s->r->whole);
		cli_note("%s was signed with that key before", path);
		err = TOCSIN_OK;
	}
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "%s: %s", path, tocsin_err_text(err));
}

static bool
is_authority(const struct roster *r, const struct vkey *key)
{
	size_t i;

	for (i = 0; i < r->nauthority; i++)
		if (vkey_eq(&r->authority[i].key, key))
			return true;
	return false;
}

static int
sign(struct signing *s)
{
	const char *pass = NULL;
	struct secret *sk = NULL;
	struct buf out = { 0 };
	struct vkey key;
	enum tocsin_err err;
	int status = read_roster(s->c->words[0], &s->r);

	if (status == 0 && keyfile_locked(s->key))
		status = cli_passphrase(s->c, s->key, false, &pass);
	if (status != 0)
		return status;
	err = authority_open(s->key, pass, &sk, &key);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s: %s", s->key,
		    err == TOCSIN_ENOTFOUND ? "no such file"
		    : err == TOCSIN_EMALFORMED
			? "this is no authority's key file"
			: tocsin_err_text(err));
	if (!is_authority(s->r, &key))
		cli_note("%s is no authority of this roster; its line counts "
			 "only if the roster before had it",
		    key.name);
	status = add_line(s, &key, sk, &out);
	secret_free(sk);
	if (status == 0)
		status = cli_write(s->out != NULL ? s->out : s->c->words[0],
		    buf_span(&out), s->out == NULL);
	buf_release(&out);
	return status;
}

static int
roster_sign(struct cli *c, int argc, char **argv)
{
	struct signing s = { .c = c };
	const struct opt opts[] = {
		{ "--key", OPT_WORD, &s.key },
		{ "-o", OPT_WORD, &s.out },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (s.key == NULL)
		return cli_usage("--key names the authority's key file");
	status = sign(&s);
	roster_free(s.r);
	return status;
}

/* ---- verify ---- */

static int
not_good(const char *path, const struct roster *r, const struct roster *prev,
    enum tocsin_err err)
{
	bool forged = false;
	size_t own = signers(r, r, NULL, &forged), old = 0;

	if (prev != NULL)
		old = signers(r, prev, NULL, &forged);
	if (err != TOCSIN_EBADSIGNATURE)
		return cli_fail(err, "%s: %s", path, tocsin_err_text(err));
	if (forged)
		return cli_fail(err,
		    "%s: a signature line of an authority does not verify",
		    path);
	if (prev != NULL && old < prev->threshold)
		return cli_fail(err,
		    "%s: signed by %zu authorities of the roster before; it "
		    "takes %u",
		    path, old, prev->threshold);
	return cli_fail(err,
	    "%s: signed by %zu of its authorities; it takes %u", path, own,
	    r->threshold);
}

static int
verify(const struct cli *c, const struct roster *r, const struct roster *prev)
{
	char id[ID_TEXT + 1], print[ROSTER_FINGERPRINT + 1];
	enum tocsin_err err;

	err = prev != NULL ? roster_accept(prev, r, cli_now())
			   : roster_check(r, cli_now());
	if (err != TOCSIN_OK && err != TOCSIN_EDUPLICATE)
		return not_good(c->words[0], r, prev, err);
	if (err == TOCSIN_EDUPLICATE)
		return cli_fail(TOCSIN_EUSAGE,
		    "%s is not newer than --previous", c->words[0]);
	if (roster_expired(r, cli_now()))
		return cli_fail(TOCSIN_EROSTEREXPIRED,
		    "%s is signed well, but has expired", c->words[0]);
	id_print(id, r->id);
	roster_fingerprint(print, r);
	if (c->json)
		print_json(json_pack("{s:s, s:I, s:s, s:s, s:I, s:I}",
		    "federation", r->federation, "serial",
		    (json_int_t)r->serial, "id", id, "fingerprint", print,
		    "signed", (json_int_t)signers(r, r, NULL, NULL),
		    "threshold", (json_int_t)r->threshold));
	else
		printf("roster %llu of %s is signed by %zu authorities "
		       "(it takes %u)\nfingerprint %s\n",
		    (unsigned long long)r->serial, r->federation,
		    signers(r, r, NULL, NULL), r->threshold, print);
	return 0;
}

static int
roster_verify(struct cli *c, int argc, char **argv)
{
	const char *previous = NULL;
	const struct opt opts[] = {
		{ "--previous", OPT_WORD, &previous },
		{ NULL, OPT_FLAG, NULL },
	};
	struct roster *r = NULL, *prev = NULL;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	status = read_roster(c->words[0], &r);
	if (status == 0 && previous != NULL)
		status = read_roster(previous, &prev);
	if (status == 0)
		status = verify(c, r, prev);
	roster_free(r);
	roster_free(prev);
	return status;
}

/* ---- show ---- */

static void
show_text(const struct roster *r, const bool *signed_by)
{
	char print[ROSTER_FINGERPRINT + 1];
	size_t i;

	roster_fingerprint(print, r);
	printf("%s, roster %llu\nissued  ", r->federation,
	    (unsigned long long)r->serial);
	print_time(stdout, r->issued);
	printf("\nexpires ");
	print_time(stdout, r->expires);
	printf("%s\nfingerprint %.35s\n            %s\n",
	    roster_expired(r, cli_now()) ? "  EXPIRED" : "", print, print + 36);
	printf(
	    "%u of %zu authorities must sign\n", r->threshold, r->nauthority);
	for (i = 0; i < r->nauthority; i++)
		printf("  authority %-24s %s\n", r->authority[i].key.name,
		    signed_by[i] ? "signed" : "-");
	for (i = 0; i < r->nbroker; i++)
		printf("  broker    %-24s %s\n", r->broker[i].name,
		    r->broker[i].rpc);
	for (i = 0; i < r->nmember; i++)
		printf("  member    %-24s %s\n", r->member[i].name,
		    r->member[i].suspended ? "SUSPENDED" : "active");
	for (i = 0; i < r->nrevoked; i++) {
		printf("  revoked   %-24s ", r->revoked[i].name);
		print_time(stdout, r->revoked[i].time);
		printf(" %s\n", r->revoked[i].reason);
	}
}

static json_t *
show_lists(const struct roster *r, const bool *signed_by)
{
	json_t *authorities = json_array(), *brokers = json_array();
	json_t *members = json_array(), *revoked = json_array();
	char when[TIME_TEXT + 1];
	size_t i;

	for (i = 0; i < r->nauthority; i++)
		json_array_append_new(authorities,
		    json_pack("{s:s, s:b}", "name", r->authority[i].key.name,
			"signed", signed_by[i]));
	for (i = 0; i < r->nbroker; i++)
		json_array_append_new(brokers,
		    json_pack("{s:s, s:s, s:s, s:s}", "name", r->broker[i].name,
			"nation", r->broker[i].nation, "rpc", r->broker[i].rpc,
			"relay", r->broker[i].relay));
	for (i = 0; i < r->nmember; i++)
		json_array_append_new(
		    members, json_pack("{s:s, s:b}", "name", r->member[i].name,
				 "suspended", r->member[i].suspended));
	for (i = 0; i < r->nrevoked; i++) {
		time_print(when, r->revoked[i].time);
		json_array_append_new(revoked,
		    json_pack("{s:s, s:s, s:s}", "name", r->revoked[i].name,
			"time", when, "reason", r->revoked[i].reason));
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "authorities", authorities,
	    "brokers", brokers, "members", members, "revoked", revoked);
}

static void
show_json(const struct roster *r, const bool *signed_by)
{
	char id[ID_TEXT + 1], print[ROSTER_FINGERPRINT + 1];
	char issued[TIME_TEXT + 1], expires[TIME_TEXT + 1];
	json_t *o, *lists = show_lists(r, signed_by);

	id_print(id, r->id);
	roster_fingerprint(print, r);
	time_print(issued, r->issued);
	time_print(expires, r->expires);
	o = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:b}", "federation",
	    r->federation, "serial", (json_int_t)r->serial, "id", id, "issued",
	    issued, "expires", expires, "fingerprint", print, "threshold",
	    (json_int_t)r->threshold, "expired", roster_expired(r, cli_now()));
	json_object_update(o, lists);
	json_decref(lists);
	print_json(o);
}

static int
show(const struct cli *c, const struct roster *r)
{
	bool signed_by[ROSTER_AUTHORITIES] = { false };

	signers(r, r, signed_by, NULL);
	if (c->json)
		show_json(r, signed_by);
	else
		show_text(r, signed_by);
	return 0;
}

/* Each as it came: whoever is shown it can check the signatures. */
static enum tocsin_err
show_conflicts(const struct cli *c, struct desk *desk)
{
	struct desk_tx *tx = NULL;
	struct span name = { 0 };
	struct conflict k;
	enum tocsin_err err = desk_read(desk, &tx);

	while (err == TOCSIN_OK &&
	       belief_next_conflict(tx, &name, &k) == TOCSIN_OK) {
		struct buf text = { 0 };

		buf_add(&text, k.note);
		buf_u8(&text, '\0');
		if (!buf_ok(&text)) {
			err = TOCSIN_EINTERNAL;
		} else if (c->json) {
			print_json(json_pack("{s:o, s:I, s:o}", "conflict",
			    k.member[0] != '\0' ? json_string(k.member)
						: json_string("roster"),
			    "serial", (json_int_t)k.serial, "note",
			    json_string_nocheck((const char *)text.p)));
		} else {
			printf("\n%sCONFLICT%s: %s %llu, signed as well:\n",
			    colour(RED), colour(PLAIN),
			    k.member[0] != '\0' ? k.member : "roster",
			    (unsigned long long)k.serial);
			safe_body(stdout, (const char *)text.p, "  | ");
		}
		buf_release(&text);
	}
	desk_end(tx);
	return err;
}

/* The newest of the home, and what was signed against it. */
static int
show_home(struct cli *c)
{
	struct belief belief = { 0 };
	struct desk *desk = NULL;
	enum tocsin_err err;
	int status = cli_desk(c, NULL, &desk, &belief);

	if (status == 0 && belief.roster == NULL) {
		status = cli_fail(TOCSIN_EROSTERUNKNOWN,
		    "there is no roster yet; `tocsin trust` takes the first");
	} else if (status == 0) {
		status = show(c, belief.roster);
		err = show_conflicts(c, desk);
		if (err != TOCSIN_OK)
			status =
			    cli_fail(err, "the desk: %s", tocsin_err_text(err));
	}
	belief_release(&belief);
	desk_close(desk);
	return status;
}

static int
roster_show(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct roster *r = NULL;
	int status;

	if (!cli_options(c, argc, argv, none, 0, 1))
		return 2;
	if (c->nword == 0)
		return show_home(c);
	status = read_roster(c->words[0], &r);
	if (status == 0)
		status = show(c, r);
	roster_free(r);
	return status;
}

int
cmd_roster(struct cli *c, int argc, char **argv)
{
	static const struct sub subs[] = {
		{ "new", roster_make },
		{ "sign", roster_sign },
		{ "verify", roster_verify },
		{ "show", roster_show },
		{ NULL, NULL },
	};

	return cli_sub(c, argc, argv, subs);
}
