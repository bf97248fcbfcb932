/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/handle.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS 90
#define GRACE (7 * 86400) /* an epoch goes on beyond its month */

struct publishing {
	struct cli *c;
	struct tocsin *t;
	struct keystore *k;
	const struct keys *cur; /* NULL: none yet */
	struct list cards, remove;
	const char *root;
	unsigned days;
	bool renew; /* no epoch of before is kept */
	unsigned generation;
	struct keys *next;
};

/* ---- devices ---- */

static int
device_order(const void *a, const void *b)
{
	return strcmp(((const struct keys_device *)a)->name,
	    ((const struct keys_device *)b)->name);
}

/* In place of the one of its name, or one more. */
static int
put_device(struct keys *k, const struct keys_device *d)
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (strcmp(k->device[i].name, d->name) == 0)
			break;
	if (i == KEYS_DEVICES)
		return cli_fail(TOCSIN_ETOOLARGE,
		    "a member has at most %d "
		    "devices",
		    KEYS_DEVICES);
	k->device[i] = *d;
	if (i == k->ndevice)
		k->ndevice++;
	return 0;
}

static int
add_card(struct publishing *p, const char *path)
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
	if (card.kind == CARD_BROKER || !card.has_device ||
	    strcmp(card.federation, p->k->federation) != 0 ||
	    strcmp(card.member.name, p->k->member) != 0)
		return cli_fail(TOCSIN_ENOTENROLLED,
		    "%s is not the card of a device of %s in %s", path,
		    p->k->member, p->k->federation);
	return put_device(p->next, &card.device);
}

static int
remove_device(struct keys *k, const char *label)
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (strcmp(k->device[i].name, label) == 0)
			break;
	if (i == k->ndevice)
		return cli_fail(TOCSIN_ENOTFOUND,
		    "%s has announced no device %s", k->member, label);
	memmove(&k->device[i], &k->device[i + 1],
	    (k->ndevice - i - 1) * sizeof(k->device[0]));
	k->ndevice--;
	return 0;
}

static int
choose_devices(struct publishing *p)
{
	struct keys_device own;
	enum tocsin_err err = keystore_device(p->k, &own);
	int status;
	size_t i;

	if (err != TOCSIN_OK)
		return cli_fail(
		    err, "%s: %s", p->k->device, tocsin_err_text(err));
	status = put_device(p->next, &own);
	for (i = 0; status == 0 && i < p->cards.n; i++)
		status = add_card(p, p->cards.word[i]);
	for (i = 0; status == 0 && i < p->remove.n; i++)
		status = remove_device(p->next, p->remove.word[i]);
	qsort(p->next->device, p->next->ndevice, sizeof(own), device_order);
	return status;
}

/* ---- epochs ---- */

/*
 * An epoch is called by its month, 2026-12. When keys were stolen, those of
 * coming months were too: all that are made from then on are of the next
 * generation, 2026-12-2, and never one that lies in recipient.txt already.
 */
static void
see_generation(struct publishing *p, const char *epoch)
{
	unsigned long n = strlen(epoch) > 8 ? strtoul(epoch + 8, NULL, 10) : 1;

	if (n > p->generation && n < 100000)
		p->generation = (unsigned)n;
}

static void
find_generation(struct publishing *p)
{
	size_t i;

	p->generation = 1;
	for (i = 0; i < p->k->nepoch; i++)
		see_generation(p, p->k->epoch[i]);
	for (i = 0; p->cur != NULL && i < p->cur->nrecipient; i++)
		see_generation(p, p->cur->recipient[i].epoch);
	p->generation += p->renew;
}

static void
epoch_name(
    char out[TOKEN_MAX + 1], const struct publishing *p, const char *month)
{
	if (p->generation > 1)
		snprintf(out, TOKEN_MAX + 1, "%s-%u", month, p->generation);
	else
		snprintf(out, TOKEN_MAX + 1, "%s", month);
}

/* The first second of the month that is `ahead` months after that of `t`. */
static int64_t
month(int64_t t, int ahead, char name[16])
{
	struct tm tm = { 0 };
	time_t at = (time_t)t;

	gmtime_r(&at, &tm);
	tm = (struct tm){
		.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + ahead, .tm_mday = 1
	};
	at = timegm(&tm);
	strftime(name, 16, "%Y-%m", &tm);
	return (int64_t)at;
}

/* Those of the current announcement that are not over, as they are. */
static void
keep_epochs(struct publishing *p, int64_t now)
{
	size_t i;

	for (i = 0; p->cur != NULL && i < p->cur->nrecipient; i++)
		if (p->cur->recipient[i].notafter > now)
			p->next->recipient[p->next->nrecipient++] =
			    p->cur->recipient[i];
}

static int
add_epoch(struct publishing *p, const char *name, int64_t from, int64_t until)
{
	struct keys_recipient *r = &p->next->recipient[p->next->nrecipient];
	const char *pass = p->c->has_passphrase ? p->c->passphrase : NULL;
	enum tocsin_err err;

	if (keys_recipient_of(p->next, span_of(name)) != NULL)
		return 0;
	err = keystore_make_epoch(p->k, name, pass);
	if (err == TOCSIN_ETOOLARGE)
		return cli_fail(err,
		    "%s/keys/recipient.txt holds %d identities and no more: "
		    "move the oldest to another file, which `age -d -i` can "
		    "still open old tickets with",
		    p->k->home, KEYSTORE_EPOCHS);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s/keys/recipient.txt: %s", p->k->home,
		    tocsin_err_text(err));
	*r = (struct keys_recipient){ .notbefore = from,
		.notafter = until + GRACE };
	snprintf(r->epoch, sizeof(r->epoch), "%s", name);
	age_public(r->pk, keystore_epoch(p->k, span_of(name)));
	p->next->nrecipient++;
	return 0;
}

static int
recipient_order(const void *a, const void *b)
{
	return strcmp(((const struct keys_recipient *)a)->epoch,
	    ((const struct keys_recipient *)b)->epoch);
}

/* This month, and as many after it as the announcement lasts. */
static int
choose_epochs(struct publishing *p, int64_t now)
{
	int64_t end = now + (int64_t)p->days * 86400, from, until, last = now;
	char name[16], after[16], epoch[TOKEN_MAX + 1];
	int status = 0, i;
	size_t j;

	find_generation(p);
	if (!p->renew)
		keep_epochs(p, now);
	for (i = 0; status == 0; i++) {
		from = month(now, i, name);
		until = month(now, i + 1, after);
		if (from >= end || p->next->nrecipient == KEYS_RECIPIENTS)
			break;
		epoch_name(epoch, p, name);
		status = add_epoch(p, epoch, from, until);
	}
	qsort(p->next->recipient, p->next->nrecipient,
	    sizeof(p->next->recipient[0]), recipient_order);
	for (j = 0; j < p->next->nrecipient; j++)
		if (p->next->recipient[j].notafter > last)
			last = p->next->recipient[j].notafter;
	p->next->expires = end < last ? end : last;
	return status;
}

/* ---- signing and keeping ---- */

static int
sign(struct publishing *p, struct buf *note)
{
	const char *pass = p->c->has_passphrase ? p->c->passphrase : NULL;
	struct secret *sk = NULL;
	struct buf text = { .max = TEXT_MAX };
	struct vkey root;
	enum tocsin_err err;
	char path[640];

	keystore_path(path, p->k->home, "keys/root.key");
	if (p->root == NULL)
		p->root = path;
	if (pass == NULL && keyfile_locked(p->root)) {
		int status = cli_passphrase(p->c, p->root, false, &pass);

		if (status != 0)
			return status;
	}
	err = keystore_root(p->k, p->root, pass, &sk, &root);
	if (err == TOCSIN_ENOTENROLLED)
		return cli_fail(
		    err, "%s is the root key of another member", p->root);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s: %s", p->root,
		    err == TOCSIN_ENOTFOUND
			? "the root key is not there; --root says where it is"
			: tocsin_err_text(err));
	keys_print(&text, p->next);
	err = buf_ok(&text) ? note_sign(note, buf_span(&text),
				  span_of(root.name), secret_span(sk).p)
			    : TOCSIN_ETOOLARGE;
	secret_free(sk);
	buf_release(&text);
	return err == TOCSIN_OK ? 0
				: cli_fail(err, "the announcement: %s",
				      tocsin_err_text(err));
}

/* Believed here, and left to be sent, in one transaction. */
static int
keep(struct publishing *p, struct span note)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err;

	pthread_mutex_lock(&p->t->lock);
	err = desk_write(p->t->parts.desk, &tx);
	if (err == TOCSIN_OK)
		err = belief_take_keys(&p->t->belief, tx, note, cli_now());
	if (err == TOCSIN_OK)
		err = desk_value_put(tx, "announce", note);
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		tx = NULL;
	}
	desk_end(tx);
	pthread_mutex_unlock(&p->t->lock);
	switch (err) {
	case TOCSIN_OK:
		return 0;
	case TOCSIN_ENOTENROLLED:
		return cli_fail(err,
		    "%s is not in the roster; hand its card to an authority, "
		    "and `tocsin trust` the roster that has it",
		    p->k->member);
	case TOCSIN_EBADSIGNATURE:
		return cli_fail(err,
		    "the roster has another root key for %s than the one that "
		    "signed",
		    p->k->member);
	default:
		return cli_fail(
		    err, "the announcement: %s", tocsin_err_text(err));
	}
}

static bool
still_pending(struct tocsin *t)
{
	struct desk_tx *tx = NULL;
	struct span note;
	bool pending = desk_read(t->parts.desk, &tx) == TOCSIN_OK &&
		       desk_value_get(tx, "announce", &note) == TOCSIN_OK;

	desk_end(tx);
	return pending;
}

static json_t *
announcement_json(const struct keys *k)
{
	json_t *devices = json_array(), *epochs = json_array();
	char from[TIME_TEXT + 1], until[TIME_TEXT + 1];
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		json_array_append_new(
		    devices, json_pack("{s:s, s:s}", "name", k->device[i].name,
				 "role", keys_role_name(k->device[i].role)));
	for (i = 0; i < k->nrecipient; i++) {
		time_print(from, k->recipient[i].notbefore);
		time_print(until, k->recipient[i].notafter);
		json_array_append_new(epochs,
		    json_pack("{s:s, s:s, s:s}", "epoch", k->recipient[i].epoch,
			"not_before", from, "not_after", until));
	}
	time_print(from, k->issued);
	time_print(until, k->expires);
	return json_pack("{s:s, s:I, s:s, s:s, s:b, s:o, s:o}", "member",
	    k->member, "serial", (json_int_t)k->serial, "issued", from,
	    "expires", until, "expired", keys_expired(k, cli_now()), "devices",
	    devices, "epochs", epochs);
}

static int
send_it(struct publishing *p)
{
	enum tocsin_err err = cli_sync(p->c, p->t, 60);
	bool pending = still_pending(p->t);
	char until[TIME_TEXT + 1];
	json_t *o;

	time_print(until, p->next->expires);
	if (p->c->json) {
		o = announcement_json(p->next);
		json_object_set_new(o, "sent", json_boolean(!pending));
		print_json(o);
	} else {
		printf("announcement %llu of %s, %zu devices, until %s\n",
		    (unsigned long long)p->next->serial, p->k->member,
		    p->next->ndevice, until);
	}
	if (pending)
		cli_note("it is not at the broker yet (%s); it is sent when "
			 "the broker takes it",
		    err != TOCSIN_OK ? tocsin_err_name(err) : "unavailable");
	return 0;
}

static int
publish(struct publishing *p)
{
	const int64_t now = cli_now();
	struct buf note = { 0 };
	int status;

	p->k = p->t->parts.keys;
	pthread_mutex_lock(&p->t->lock);
	if (p->t->belief.roster == NULL) {
		pthread_mutex_unlock(&p->t->lock);
		return cli_fail(TOCSIN_EROSTERUNKNOWN,
		    "there is no roster yet; `tocsin trust` takes the first");
	}
	p->cur = belief_keys(&p->t->belief, span_of(p->k->member));
	if (p->cur != NULL)
		*p->next = *p->cur; /* its devices, above all */
	p->next->has_previous = p->cur != NULL;
	if (p->cur != NULL)
		memcpy(p->next->previous, p->cur->id, ID_LEN);
	p->next->serial++;
	p->next->nrecipient = 0;
	p->next->issued = now;
	memcpy(
	    p->next->federation, p->k->federation, sizeof(p->next->federation));
	memcpy(p->next->member, p->k->member, sizeof(p->next->member));
	status = choose_devices(p);
	if (status == 0)
		status = choose_epochs(p, now);
	pthread_mutex_unlock(&p->t->lock);
	if (status == 0)
		status = sign(p, &note);
	if (status == 0)
		status = keep(p, buf_span(&note));
	buf_release(&note);
	return status == 0 ? send_it(p) : status;
}

static int
keys_publish(struct cli *c, int argc, char **argv)
{
	struct publishing p = { .c = c, .days = DAYS };
	const char *days = NULL;
	const struct opt opts[] = {
		{ "--card", OPT_LIST, &p.cards },
		{ "--remove", OPT_LIST, &p.remove },
		{ "--days", OPT_WORD, &days },
		{ "--root", OPT_WORD, &p.root },
		{ "--new-epochs", OPT_FLAG, &p.renew },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0) ||
	    (days != NULL && !cli_number("--days", days, 1, 100, &p.days)))
		return 2;
	status = cli_open(c, &p.t);
	if (status != 0)
		return status;
	p.next = calloc(1, sizeof(*p.next));
	if (p.next == NULL)
		status = cli_fail(TOCSIN_EINTERNAL, "no memory");
	else
		status = publish(&p);
	free(p.next);
	tocsin_close(p.t);
	return status;
}

/* ---- show ---- */

struct showing {
	struct cli *c;
	struct tocsin *t;
	struct desk *desk;
	struct belief belief;
};

static void
print_keys(const struct cli *c, const struct keys *k)
{
	size_t i;

	if (c->json) {
		print_json(announcement_json(k));
		return;
	}
	printf("%s: announcement %llu, until ", k->member,
	    (unsigned long long)k->serial);
	print_time(stdout, k->expires);
	printf("%s\n", keys_expired(k, cli_now()) ? ", EXPIRED" : "");
	for (i = 0; i < k->ndevice; i++)
		printf("  device %-16s %s\n", k->device[i].name,
		    keys_role_name(k->device[i].role));
	for (i = 0; i < k->nrecipient; i++) {
		printf("  epoch  %-16s ", k->recipient[i].epoch);
		print_time(stdout, k->recipient[i].notbefore);
		printf(" to ");
		print_time(stdout, k->recipient[i].notafter);
		putchar('\n');
	}
}

/* One that was asked for must be there; in a list it may be missing. */
static int
show_one(const struct showing *s, const char *name)
{
	const struct keys *k = belief_keys(&s->belief, span_of(name));

	if (k != NULL)
		print_keys(s->c, k);
	else if (s->c->nword > 0)
		return cli_fail(
		    TOCSIN_EKEYSEXPIRED, "%s has announced no keys here", name);
	else if (s->c->json)
		print_json(json_pack("{s:s, s:n}", "member", name, "serial"));
	else
		printf("%s: no keys here\n", name);
	return 0;
}

static int
show_members(const struct showing *s)
{
	const struct roster *r = s->belief.roster;
	int status = 0;
	size_t i;

	if (r == NULL)
		return cli_fail(TOCSIN_EROSTERUNKNOWN,
		    "there is no roster yet; `tocsin trust` takes the first");
	if (s->c->nword > 0 &&
	    roster_member(r, span_of(s->c->words[0])) == NULL)
		return cli_fail(TOCSIN_ENOTENROLLED,
		    "%s is not in roster %llu of %s", s->c->words[0],
		    (unsigned long long)r->serial, r->federation);
	for (i = 0; status == 0 && i < r->nmember; i++) {
		const char *name = r->member[i].name;

		if (s->c->nword == 0 || strcmp(name, s->c->words[0]) == 0)
			status = show_one(s, name);
	}
	return status;
}

/* What the broker has first, then what is here without a passphrase. */
static int
refresh(struct showing *s)
{
	enum tocsin_err err;
	int status = cli_open(s->c, &s->t);

	if (status != 0)
		return status;
	err = cli_sync(s->c, s->t, 0);
	if (err != TOCSIN_OK)
		cli_note("this is what is here; the broker may have newer "
			 "keys [%s]",
		    tocsin_err_name(err));
	tocsin_close(s->t); /* a desk is open once in a process */
	s->t = NULL;
	return 0;
}

static int
keys_show(struct cli *c, int argc, char **argv)
{
	bool offline = false;
	const struct opt opts[] = {
		{ "--offline", OPT_FLAG, &offline },
		{ NULL, OPT_FLAG, NULL },
	};
	struct showing s = { .c = c };
	int status = 0;

	if (!cli_options(c, argc, argv, opts, 0, 1))
		return 2;
	if (!offline)
		status = refresh(&s);
	if (status == 0)
		status = cli_desk(c, NULL, &s.desk, &s.belief);
	if (status == 0)
		status = show_members(&s);
	belief_release(&s.belief);
	desk_close(s.desk);
	return status;
}

int
cmd_keys(struct cli *c, int argc, char **argv)
{
	static const struct sub subs[] = {
		{ "publish", keys_publish },
		{ "show", keys_show },
		{ NULL, NULL },
	};

	return cli_sub(c, argc, argv, subs);
}
