/* SPDX-License-Identifier: ISC */
#include "client/belief.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static struct home h;

static void
fresh(const struct fixture *f)
{
	char dir[512];

	home_make_bare(dir, "singcert@sg/desk1", HOME_NOBODY);
	home_open(&h, dir);
	if (f != NULL)
		home_take_roster(&h, f);
}

enum what { GENESIS, ROSTER, KEYS };

/* In a transaction of its own, which is committed if it was accepted. */
static enum tocsin_err
take(enum what what, struct span note, int64_t now)
{
	struct desk_tx *tx;
	enum tocsin_err err;

	if (desk_write(h.desk, &tx) != TOCSIN_OK)
		abort();
	err = what == KEYS ? belief_take_keys(&h.belief, tx, note, now)
			   : belief_take_roster(
				 &h.belief, tx, note, what == GENESIS, now);
	if (err != TOCSIN_OK)
		desk_end(tx);
	else if (desk_commit(tx) != TOCSIN_OK)
		abort();
	return err;
}

static struct buf
copy(const struct buf *b)
{
	struct buf c = { 0 };

	buf_add(&c, buf_span(b));
	return c;
}

/* What the desk holds, read as another process would. */
static void
reload(struct belief *b)
{
	struct desk_tx *tx;

	memset(b, 0, sizeof(*b));
	if (desk_read(h.desk, &tx) != TOCSIN_OK ||
	    belief_load(b, tx) != TOCSIN_OK)
		abort();
	desk_end(tx);
}

static void
longer(struct roster *r, void *arg)
{
	(void)arg;
	r->expires++;
}

static void
test_chain(void)
{
	struct fixture f, other;
	struct belief b;
	struct buf second, third;
	uint8_t ids[3][ID_LEN];

	fixture_init(&f, "sg my");
	fixture_init(&other, "sg my");
	fresh(NULL);
	is_int(take(ROSTER, buf_span(&f.file), f.now), TOCSIN_EROSTERUNKNOWN,
	    "no roster is believed before a person has compared the first");
	is_int(take(KEYS, buf_span(&f.keys_file[0]), f.now),
	    TOCSIN_EROSTERUNKNOWN, "and no announcement");
	is_int(take(GENESIS, buf_span(&f.file), f.now), TOCSIN_OK,
	    "the first roster is taken");
	memcpy(ids[0], f.roster->id, ID_LEN);
	is_int(
	    take(GENESIS, buf_span(&f.file), f.now), TOCSIN_EDUPLICATE, "once");
	fixture_next_roster(&f, NULL, NULL);
	second = copy(&f.file);
	memcpy(ids[1], f.roster->id, ID_LEN);
	is_int(take(GENESIS, buf_span(&second), f.now), TOCSIN_EUSAGE,
	    "nobody begins anew over what is believed");
	fixture_next_roster(&f, NULL, NULL);
	third = copy(&f.file);
	memcpy(ids[2], f.roster->id, ID_LEN);
	is_int(take(ROSTER, buf_span(&third), f.now), TOCSIN_EROSTERUNKNOWN,
	    "a roster with a hole before it is refused");
	is_int(take(ROSTER, buf_span(&second), f.now), TOCSIN_OK,
	    "the next one is taken");
	is_int(take(ROSTER, buf_span(&third), f.now), TOCSIN_OK,
	    "and the one after it");
	is_int(take(ROSTER, buf_span(&second), f.now), TOCSIN_EDUPLICATE,
	    "an old one that is known is a duplicate");
	fixture_next_roster(&other, longer, NULL);
	fixture_next_roster(&other, NULL, NULL);
	is_int(take(ROSTER, buf_span(&other.file), f.now),
	    TOCSIN_ECHAINCONFLICT, "another history is a conflict");

	reload(&b);
	ok(b.nchain == 3 && memcmp(b.chain, ids, sizeof(ids)) == 0 &&
		memcmp(b.genesis, ids[0], ID_LEN) == 0 &&
		b.roster->serial == 3 && h.belief.nchain == 3 &&
		memcmp(h.belief.chain, ids, sizeof(ids)) == 0,
	    "who accepted the chain and who reads it have the same");
	belief_release(&b);
	buf_release(&second);
	buf_release(&third);
	home_close(&h);
	fixture_release(&f);
	fixture_release(&other);
}

/* The roster that f has now, with other authorities, who sign it. */
static struct buf
usurped(const struct fixture *f)
{
	static const char *const name[] = { "mal-a", "mal-b" };
	struct roster *r = NULL;
	struct buf text = { 0 }, next = { 0 };
	struct note n;
	uint8_t sk[64];
	size_t i;

	if (roster_parse(&r, f->roster->text) != TOCSIN_OK)
		abort();
	r->nauthority = 0;
	for (i = 0; i < 2; i++) {
		struct roster_authority a;

		fixture_sign_key(sk, name[i]);
		if (vkey_make(&a.key, span_of(name[i]), sk + 32) ||
		    roster_put_authority(r, &a))
			abort();
	}
	roster_print(&text, r);
	roster_free(r);
	for (i = 0; i < 2; i++) {
		fixture_sign_key(sk, name[i]);
		if (note_parse_draft(&n, buf_span(&text), ROSTER_TEXT_MAX) ||
		    note_add(&next, &n, span_of(name[i]), sk))
			abort();
		buf_release(&text);
		text = next;
		next = (struct buf){ 0 };
	}
	return text;
}

/* Rosters for places that the desk has others in, at every depth. */
static void
test_forks(void)
{
	struct fixture f, other;
	size_t i;

	fixture_init(&f, "sg my");
	fixture_init(&other, "sg my la");
	fresh(&f);
	for (i = 0; i < 3; i++) {
		fixture_next_roster(&f, NULL, NULL);
		if (take(ROSTER, buf_span(&f.file), f.now) != TOCSIN_OK)
			abort();
	}
	for (i = 1; i <= 4; i++) {
		struct buf forged = usurped(&other);

		is_int(take(ROSTER, buf_span(&other.file), f.now),
		    TOCSIN_ECHAINCONFLICT,
		    "another roster %zu of 4, signed by ours, is a conflict",
		    i);
		is_int(take(ROSTER, buf_span(&forged), f.now),
		    TOCSIN_EBADSIGNATURE,
		    "one that only its own authorities signed is not");
		buf_release(&forged);
		fixture_next_roster(&other, longer, NULL);
	}
	ok(h.belief.nchain == 4 &&
		memcmp(h.belief.roster->id, f.roster->id, ID_LEN) == 0,
	    "nothing of it is believed");
	home_close(&h);
	fixture_release(&f);
	fixture_release(&other);
}

static void
expired(struct roster *r, void *arg)
{
	r->expires = *(const int64_t *)arg;
}

static void
test_expired_roster(void)
{
	struct fixture f;
	int64_t past;

	fixture_init(&f, "sg");
	past = f.now - 60;
	fresh(&f);
	fixture_next_roster(&f, expired, &past);
	is_int(take(ROSTER, buf_span(&f.file), f.now), TOCSIN_OK,
	    "an expired roster is followed");
	fixture_next_roster(&f, NULL, NULL);
	is_int(take(ROSTER, buf_span(&f.file), f.now), TOCSIN_OK,
	    "to the one after it");
	home_close(&h);
	fixture_release(&f);
}

static void
test_genesis(void)
{
	struct fixture f;

	fixture_init(&f, "sg");
	fixture_next_roster(&f, NULL, NULL);
	fresh(NULL);
	is_int(take(GENESIS, buf_span(&f.file), f.now), TOCSIN_EROSTERUNKNOWN,
	    "trust does not begin in the middle: links name the first roster");
	home_close(&h);
	fixture_release(&f);
}

/* ---- announcements ---- */

static void
issued_late(struct keys *k, void *arg)
{
	k->issued = *(const int64_t *)arg;
	k->expires = k->issued + 86400;
}

static void
test_announcements(void)
{
	struct fixture f;
	struct buf first, second;
	struct belief b;
	const struct keys *k;
	int64_t when;

	fixture_init(&f, "sg my");
	fresh(&f);
	first = copy(&f.keys_file[1]);
	fixture_next_keys(&f, 1, NULL, NULL);
	second = copy(&f.keys_file[1]);
	is_int(take(KEYS, buf_span(&first), f.now), TOCSIN_OK,
	    "an announcement of a rostered member is taken");
	is_int(take(KEYS, buf_span(&second), f.now), TOCSIN_OK,
	    "and the next one");
	is_int(take(KEYS, buf_span(&first), f.now), TOCSIN_EDUPLICATE,
	    "an older one is nothing new");
	k = belief_keys(&h.belief, span_of("mycert@my"));
	ok(k != NULL && k->serial == 2 && h.belief.nkeys == 1,
	    "the newest counts");
	reload(&b);
	k = belief_keys(&b, span_of("mycert@my"));
	ok(k != NULL && k->serial == 2 && b.nkeys == 1,
	    "also to who reads the desk");
	belief_release(&b);

	when = f.now + 3600;
	fixture_next_keys(&f, 1, issued_late, &when);
	is_int(take(KEYS, buf_span(&f.keys_file[1]), f.now), TOCSIN_ECLOCKSKEW,
	    "one from the future is not yet taken");
	is_int(take(KEYS, buf_span(&f.keys_file[1]), f.now + 3600), TOCSIN_OK,
	    "it is when its time has come");
	when = f.now - 200 * 86400;
	fixture_next_keys(&f, 1, issued_late, &when);
	is_int(take(KEYS, buf_span(&f.keys_file[1]), f.now), TOCSIN_OK,
	    "one that is over is taken: old messages need it");
	buf_release(&first);
	buf_release(&second);
	home_close(&h);
	fixture_release(&f);
}

static void
suspend(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member("mycert@my");

	(void)arg;
	m.suspended = true;
	if (roster_put_member(r, &m) != TOCSIN_OK)
		abort();
}

static void
test_wrong_announcements(void)
{
	struct fixture f, other;
	struct buf forged = { 0 };
	uint8_t sk[64];

	fixture_init(&f, "sg my");
	fixture_init(&other, "sg la");
	fresh(&f);
	is_int(take(KEYS, buf_span(&other.keys_file[1]), f.now),
	    TOCSIN_ENOTENROLLED, "a member that is not in the roster");
	fixture_sign_key(sk, "singcert@sg");
	if (note_sign(&forged, f.keys[1]->text, span_of("mycert@my"), sk) !=
	    TOCSIN_OK)
		abort();
	is_int(take(KEYS, buf_span(&forged), f.now), TOCSIN_EBADSIGNATURE,
	    "one that another member's root key signed");
	is_int(take(KEYS, (struct span){ f.keys_file[1].p, 40 }, f.now),
	    TOCSIN_EMALFORMED, "half of one");
	fixture_next_roster(&f, suspend, NULL);
	if (take(ROSTER, buf_span(&f.file), f.now) != TOCSIN_OK)
		abort();
	is_int(take(KEYS, buf_span(&f.keys_file[1]), f.now), TOCSIN_ESUSPENDED,
	    "one of a suspended member");
	ok(h.belief.nkeys == 0, "and none of them is believed");
	buf_release(&forged);
	home_close(&h);
	fixture_release(&f);
	fixture_release(&other);
}

/* ---- given up, and other processes ---- */

static void
test_given_up(void)
{
	struct fixture f;
	struct belief b;
	struct desk_tx *tx;

	fixture_init(&f, "sg my");
	fresh(&f);
	if (desk_write(h.desk, &tx) != TOCSIN_OK ||
	    belief_take_keys(&h.belief, tx, buf_span(&f.keys_file[1]), f.now) !=
		TOCSIN_OK)
		abort();
	ok(belief_keys(&h.belief, span_of("mycert@my")) != NULL,
	    "what is accepted counts in its transaction");
	desk_end(tx);
	if (desk_read(h.desk, &tx) != TOCSIN_OK ||
	    belief_load(&h.belief, tx) != TOCSIN_OK)
		abort();
	desk_end(tx);
	ok(belief_keys(&h.belief, span_of("mycert@my")) == NULL &&
		h.belief.roster != NULL,
	    "and is not believed when that is given up");

	/* Somebody else's change after one of ours that came to nothing. */
	memset(&b, 0, sizeof(b));
	if (desk_write(h.desk, &tx) != TOCSIN_OK ||
	    belief_take_keys(&h.belief, tx, buf_span(&f.keys_file[1]), f.now) !=
		TOCSIN_OK)
		abort();
	desk_end(tx);
	if (desk_write(h.desk, &tx) != TOCSIN_OK ||
	    belief_take_keys(&b, tx, buf_span(&f.keys_file[0]), f.now) !=
		TOCSIN_OK ||
	    desk_commit(tx) != TOCSIN_OK ||
	    desk_read(h.desk, &tx) != TOCSIN_OK ||
	    belief_load(&h.belief, tx) != TOCSIN_OK)
		abort();
	desk_end(tx);
	ok(belief_keys(&h.belief, span_of("singcert@sg")) != NULL &&
		belief_keys(&h.belief, span_of("mycert@my")) == NULL,
	    "what another process changed is seen, and nothing else");
	belief_release(&b);
	home_close(&h);
	fixture_release(&f);
}

/* ---- whose key signed an old message ---- */

/* desk1 gets the key of another label, as after a loss. */
static void
replace_desk1(struct keys *k, void *arg)
{
	uint8_t sk[64];

	(void)arg;
	fixture_sign_key(sk, "mycert@my/desk1-new");
	if (vkey_make(&k->device[0].sign, span_of("mycert@my/desk1"),
		sk + 32) != TOCSIN_OK)
		abort();
}

static void
drop_desk1(struct keys *k, void *arg)
{
	(void)arg;
	memmove(k->device, k->device + 1, 2 * sizeof(k->device[0]));
	k->ndevice = 2;
}

static enum tocsin_err
checked_logged(const struct fx_ticket *t, int64_t now, int64_t logged)
{
	struct ticket *p = calloc(1, sizeof(*p));
	struct ticket_trust trust;
	struct desk_tx *tx;
	struct note note;
	enum tocsin_err err;

	if (p == NULL || desk_read(h.desk, &tx) != TOCSIN_OK)
		abort();
	err = ticket_parse(p, &note, buf_span(&t->note));
	if (err == TOCSIN_OK)
		err =
		    belief_trust(&trust, &h.belief, tx, p, &note, now, logged);
	if (err == TOCSIN_OK)
		err = ticket_check(p, &note, &trust);
	desk_end(tx);
	free(p);
	return err;
}

static enum tocsin_err
checked(const struct fx_ticket *t, int64_t now)
{
	return checked_logged(t, now, 0);
}

static void
test_old_keys(void)
{
	struct fixture f;
	struct fx_ticket t;

	fixture_init(&f, "sg my");
	fresh(&f);
	home_take_keys(&h, &f, 1);
	fixture_ticket(
	    &t, &f, "mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(checked(&t, f.now), TOCSIN_OK, "a message of a listed device");
	fixture_next_keys(&f, 1, replace_desk1, NULL);
	home_take_keys(&h, &f, 1);
	is_int(checked(&t, f.now), TOCSIN_OK,
	    "stays good when the device has got another key");
	fixture_next_keys(&f, 1, drop_desk1, NULL);
	home_take_keys(&h, &f, 1);
	is_int(checked(&t, f.now), TOCSIN_OK,
	    "and when the device is no longer listed");
	t.note.p[t.note.n - 20] = t.note.p[t.note.n - 20] == 'A' ? 'B' : 'A';
	ok(checked(&t, f.now) != TOCSIN_OK, "but not with another signature");
	fx_ticket_release(&t);
	home_close(&h);
	fixture_release(&f);
}

static void
new_root(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member("mycert@my");
	struct roster_revoked v = { .time = *(const int64_t *)arg,
		.name = "mycert@my",
		.reason = "stolen" };
	uint8_t sk[64];

	memcpy(v.id, m.root.id, KEYID_LEN);
	fixture_sign_key(sk, "another root");
	if (vkey_make(&m.root, span_of(m.name), sk + 32) != TOCSIN_OK ||
	    roster_put_member(r, &m) != TOCSIN_OK ||
	    roster_put_revoked(r, &v) != TOCSIN_OK)
		abort();
}

/* The member's first announcement once more, by its new root key. */
static struct buf
by_new_root(const struct fixture *f)
{
	struct buf file = { 0 };
	uint8_t sk[64];

	fixture_sign_key(sk, "another root");
	if (note_sign(&file, f->keys[1]->text, span_of("mycert@my"), sk) !=
	    TOCSIN_OK)
		abort();
	return file;
}

static void
test_stolen_root(void)
{
	struct fixture f;
	struct fx_ticket t;
	struct buf first, file;
	struct belief b;
	int64_t stolen;

	fixture_init(&f, "sg my");
	stolen = f.now - 3600;
	fresh(&f);
	file = by_new_root(&f);
	first = copy(&f.keys_file[1]);
	fixture_next_keys(&f, 1, drop_desk1, NULL);
	home_take_keys(&h, &f, 1);
	fixture_ticket(
	    &t, &f, "mycert@my/screen", "singcert@sg", 1, NULL, NULL, NULL);
	fixture_next_roster(&f, new_root, &stolen);
	if (take(ROSTER, buf_span(&f.file), f.now) != TOCSIN_OK)
		abort();
	ok(belief_keys(&h.belief, span_of("mycert@my")) == NULL,
	    "with a root key goes what it announced: nobody seals to it");
	reload(&b);
	ok(b.nkeys == 0, "also to who reads the desk");
	belief_release(&b);
	ok(checked(&t, f.now) != TOCSIN_OK,
	    "and nobody knows since when its messages are there");
	is_int(checked_logged(&t, f.now, stolen - 1), TOCSIN_EKINDNOTALLOWED,
	    "but those from before the theft are judged as they were");
	ok(checked_logged(&t, f.now, stolen) != TOCSIN_EKINDNOTALLOWED,
	    "and no later ones");
	is_int(take(KEYS, buf_span(&first), f.now), TOCSIN_EBADSIGNATURE,
	    "the old root key announces nothing more");
	is_int(take(KEYS, buf_span(&file), f.now), TOCSIN_OK,
	    "the new one does, from serial 1");
	reload(&b);
	ok(belief_keys(&b, span_of("mycert@my")) != NULL &&
		belief_keys(&b, span_of("mycert@my"))->serial == 1,
	    "which is what counts from then on");
	belief_release(&b);
	buf_release(&first);
	buf_release(&file);
	fx_ticket_release(&t);
	home_close(&h);
	fixture_release(&f);
}

int
main(void)
{
	test_chain();
	test_forks();
	test_expired_roster();
	test_genesis();
	test_announcements();
	test_wrong_announcements();
	test_given_up();
	test_old_keys();
	test_stolen_root();
	return tap_done();
}
