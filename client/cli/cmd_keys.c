/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/handle.h"
#include "client/vocab.h"

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
	struct list cards, remove, allow, forbid;
	const char *root;
	unsigned days;
	bool renew; /* no epoch of before is kept */
	struct keys *next;
};

/* Whose epochs are made: of live traffic, or of one exercise. */
struct domain {
	struct keystore *k;   /* where their identities are */
	struct span exercise; /* empty: live */
	unsigned generation;
};

/* ---- devices ---- */

static struct keys_device *
device_of(struct keys *k, const char *label)
{
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (strcmp(k->device[i].name, label) == 0)
			return &k->device[i];
	return NULL;
}

/*
 * In place of the one of its name, or one more. What a bot was let do is for
 * that key.
 */
static int
put_device(struct keys *k, const struct keys_device *d)
{
	struct keys_device *old = device_of(k, d->name);
	unsigned may = 0;

	if (old == NULL && k->ndevice == KEYS_DEVICES)
		return cli_fail(TOCSIN_ETOOLARGE,
		    "a member has at most %d "
		    "devices",
		    KEYS_DEVICES);
	if (old != NULL && d->role == KEYS_BOT &&
	    memcmp(old->sign.pk, d->sign.pk, sizeof(d->sign.pk)) == 0)
		may = old->may;
	if (old == NULL)
		old = &k->device[k->ndevice++];
	*old = *d;
	old->may = may;
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
no_device(const struct keys *k, const char *label)
{
	return cli_fail(TOCSIN_ENOTFOUND, "%s has announced no device %s",
	    k->member, label);
}

static int
remove_device(struct keys *k, const char *label)
{
	struct keys_device *d = device_of(k, label);

	if (d == NULL)
		return no_device(k, label);
	memmove(d, d + 1, (size_t)(&k->device[--k->ndevice] - d) * sizeof(*d));
	return 0;
}

/*
 * DEVICE WORD..., several times: a word that is none of those that a bot can be
 * let do is the next device.
 */
static int
change_may(struct keys *k, const struct list *l, bool allow)
{
	struct keys_device *d = NULL;
	enum keys_word word;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (d == NULL || !keys_word_parse(span_of(l->word[i]), &word)) {
			d = device_of(k, l->word[i]);
			if (d == NULL && i > 0)
				return cli_usage(
				    "%s is no device of %s, and nothing that "
				    "a bot can be let do; the nearest is %s",
				    l->word[i], k->member,
				    vocab_nearest(VOCAB_MAY, l->word[i]));
			if (d == NULL)
				return no_device(k, l->word[i]);
			if (d->role != KEYS_BOT)
				return cli_usage("%s is not a bot: %s", d->name,
				    d->role == KEYS_OFFICER
					? "an officer's device may do all that"
					: "a reader sends nothing");
		} else if (allow) {
			d->may |= 1U << word;
		} else {
			d->may &= ~(1U << word);
		}
	}
	return 0;
}

/*
 * The keys of live traffic are made in a live home. One of an exercise has no
 * place to keep them, and must not see them.
 */
static int
good_place(const struct publishing *p)
{
	const char *here = p->k->exercise;
	size_t i;

	for (i = 0; here[0] != '\0' && i < p->next->ndevice; i++)
		if (strcmp(p->next->device[i].exercise, here) != 0)
			return cli_fail(TOCSIN_EEXERCISEMISMATCH,
			    "this home is of the exercise %s, and %s is not: "
			    "publish from a live home, with the card of %s",
			    here, p->next->device[i].name, p->k->device);
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
	if (status == 0)
		status = change_may(p->next, &p->allow, true);
	if (status == 0)
		status = change_may(p->next, &p->forbid, false);
	return status == 0 ? good_place(p) : status;
}

/* ---- epochs ---- */

/*
 * An epoch is called by its month, 2026-12. When keys were stolen, those of
 * coming months were too: all that are made from then on are of the next
 * generation, 2026-12-2, and never one that lies in recipient.txt already.
 */
static void
see_generation(struct domain *d, const char *epoch)
{
	unsigned long n = strlen(epoch) > 8 ? strtoul(epoch + 8, NULL, 10) : 1;

	if (n > d->generation && n < 100000)
		d->generation = (unsigned)n;
}

static bool
is_in(const struct domain *d, const struct keys_recipient *r)
{
	return span_is(d->exercise, r->exercise);
}

static void
find_generation(struct domain *d, const struct publishing *p)
{
	size_t i;

	d->generation = 1;
	for (i = 0; i < d->k->nepoch; i++)
		see_generation(d, d->k->epoch[i]);
	for (i = 0; p->cur != NULL && i < p->cur->nrecipient; i++)
		if (is_in(d, &p->cur->recipient[i]))
			see_generation(d, p->cur->recipient[i].epoch);
	d->generation += p->renew;
}

static void
epoch_name(char out[TOKEN_MAX + 1], const struct domain *d, const char *month)
{
	if (d->generation > 1)
		snprintf(out, TOKEN_MAX + 1, "%s-%u", month, d->generation);
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
static size_t
keep_epochs(const struct domain *d, struct publishing *p, int64_t now)
{
	size_t i, n = 0;

	for (i = 0; p->cur != NULL && i < p->cur->nrecipient &&
		    p->next->nrecipient < KEYS_RECIPIENTS;
	     i++)
		if (is_in(d, &p->cur->recipient[i]) &&
		    p->cur->recipient[i].notafter > now) {
			p->next->recipient[p->next->nrecipient++] =
			    p->cur->recipient[i];
			n++;
		}
	return n;
}

static int
add_epoch(struct domain *d, struct publishing *p, const char *name,
    int64_t from, int64_t until)
{
	struct keys_recipient *r = &p->next->recipient[p->next->nrecipient];
	const char *pass = p->c->has_passphrase ? p->c->passphrase : NULL;
	enum tocsin_err err;

	err = keystore_make_epoch(d->k, name, pass);
	if (err == TOCSIN_ETOOLARGE)
		return cli_fail(err,
		    "%s/%s holds %d identities and no more: "
		    "move the oldest to another file, which `age -d -i` can "
		    "still open old tickets with",
		    d->k->home, d->k->ring, KEYSTORE_EPOCHS);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s/%s: %s", d->k->home, d->k->ring,
		    tocsin_err_text(err));
	*r = (struct keys_recipient){ .notbefore = from,
		.notafter = until + GRACE };
	snprintf(r->epoch, sizeof(r->epoch), "%s", name);
	snprintf(r->exercise, sizeof(r->exercise), "%.*s", (int)d->exercise.n,
	    (const char *)d->exercise.p);
	age_public(r->pk, keystore_epoch(d->k, span_of(name)));
	p->next->nrecipient++;
	return 0;
}

/* This month, and as many after it as the announcement lasts. */
static int
epochs_of(struct domain *d, struct publishing *p, int64_t now)
{
	int64_t end = now + (int64_t)p->days * 86400, from, until;
	char name[16], after[16], epoch[TOKEN_MAX + 1];
	size_t n = 0;
	int status = 0, i;

	find_generation(d, p);
	if (!p->renew)
		n = keep_epochs(d, p, now);
	for (i = 0; status == 0 && n < KEYS_EPOCHS; i++) {
		from = month(now, i, name);
		until = month(now, i + 1, after);
		if (from >= end)
			break;
		epoch_name(epoch, d, name);
		if (keys_recipient_of(p->next, d->exercise, span_of(epoch)))
			continue;
		if (p->next->nrecipient == KEYS_RECIPIENTS)
			return cli_fail(TOCSIN_ETOOLARGE,
			    "too many exercises at once; --remove the devices "
			    "of those that are over");
		status = add_epoch(d, p, epoch, from, until);
		n++;
	}
	return status;
}

/* Of an exercise that this home is not of; its homes are handed the file. */
static int
epochs_of_exercise(struct publishing *p, const char *exercise, int64_t now)
{
	const char *pass = p->c->has_passphrase ? p->c->passphrase : NULL;
	struct domain d = { .exercise = span_of(exercise) };
	enum tocsin_err err = keystore_exercise(p->k, exercise, pass, &d.k);
	int status;

	if (err != TOCSIN_OK)
		return cli_fail(err, "%s/keys/exercise-%s.txt: %s", p->k->home,
		    exercise, tocsin_err_text(err));
	status = epochs_of(&d, p, now);
	if (status == 0)
		cli_note("EXERCISE %s: %s/%s is for its homes, as "
			 "keys/recipient.txt",
		    exercise, p->k->home, d.k->ring);
	keystore_close(d.k);
	return status;
}

/* One of its devices is listed before this one. */
static bool
was_seen(const struct keys *k, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (strcmp(k->device[j].exercise, k->device[i].exercise) == 0)
			return true;
	return false;
}

static int
choose_epochs(struct publishing *p, int64_t now)
{
	struct domain own = { .k = p->k, .exercise = span_of(p->k->exercise) };
	int64_t end = now + (int64_t)p->days * 86400, last = now;
	int status = epochs_of(&own, p, now);
	size_t i;

	for (i = 0; status == 0 && i < p->next->ndevice; i++) {
		const char *exercise = p->next->device[i].exercise;

		if (!span_is(own.exercise, exercise) && exercise[0] != '\0' &&
		    !was_seen(p->next, i))
			status = epochs_of_exercise(p, exercise, now);
	}
	for (i = 0; i < p->next->nrecipient; i++)
		if (p->next->recipient[i].notafter > last)
			last = p->next->recipient[i].notafter;
	p->next->expires = end < last ? end : last;
	keys_sort(p->next);
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

static const char *
name_or_null(const char *exercise)
{
	return exercise[0] != '\0' ? exercise : NULL;
}

static json_t *
may_json(const struct keys_device *d)
{
	json_t *words = json_array();
	unsigned word;

	for (word = 0; word < KEYS_WORDS; word++)
		if (d->may >> word & 1)
			json_array_append_new(words,
			    json_string(keys_word_name((enum keys_word)word)));
	return words;
}

json_t *
keys_json(const struct keys *k)
{
	json_t *devices = json_array(), *epochs = json_array();
	char from[TIME_TEXT + 1], until[TIME_TEXT + 1];
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		json_array_append_new(
		    devices, json_pack("{s:s, s:s, s:s?, s:o}", "name",
				 k->device[i].name, "role",
				 keys_role_name(k->device[i].role), "exercise",
				 name_or_null(k->device[i].exercise), "may",
				 may_json(&k->device[i])));
	for (i = 0; i < k->nrecipient; i++) {
		time_print(from, k->recipient[i].notbefore);
		time_print(until, k->recipient[i].notafter);
		json_array_append_new(
		    epochs, json_pack("{s:s, s:s, s:s, s:s?}", "epoch",
				k->recipient[i].epoch, "not_before", from,
				"not_after", until, "exercise",
				name_or_null(k->recipient[i].exercise)));
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
		o = keys_json(p->next);
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
		{ "--allow", OPT_MANY, &p.allow },
		{ "--forbid", OPT_MANY, &p.forbid },
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
print_exercise(const char *exercise)
{
	if (exercise[0] != '\0')
		printf("  %sEXERCISE%s %s", colour(AMBER), colour(PLAIN),
		    exercise);
}

static void
print_device(const struct keys_device *d)
{
	const char *before = "; may ";
	unsigned word;

	printf("  device %-16s %s", d->name, keys_role_name(d->role));
	for (word = 0; word < KEYS_WORDS; word++)
		if (d->may >> word & 1) {
			printf("%s%s", before,
			    keys_word_name((enum keys_word)word));
			before = ", ";
		}
	print_exercise(d->exercise);
	putchar('\n');
}

static void
print_keys(const struct cli *c, const struct keys *k)
{
	size_t i;

	if (c->json) {
		print_json(keys_json(k));
		return;
	}
	printf("%s: announcement %llu, until ", k->member,
	    (unsigned long long)k->serial);
	print_time(stdout, k->expires);
	printf("%s\n", keys_expired(k, cli_now()) ? ", EXPIRED" : "");
	for (i = 0; i < k->ndevice; i++)
		print_device(&k->device[i]);
	for (i = 0; i < k->nrecipient; i++) {
		printf("  epoch  %-16s ", k->recipient[i].epoch);
		print_time(stdout, k->recipient[i].notbefore);
		printf(" to ");
		print_time(stdout, k->recipient[i].notafter);
		print_exercise(k->recipient[i].exercise);
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
		print_json(json_pack("{s:s, s:n, s:n, s:n, s:b, s:[], s:[]}",
		    "member", name, "serial", "issued", "expires", "expired",
		    false, "devices", "epochs"));
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
