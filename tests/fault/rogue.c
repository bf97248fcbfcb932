/* SPDX-License-Identifier: ISC */
/*
 * rogue - a member with valid keys that does not keep to the rules
 *
 *	rogue HOME PORT OTHER KIND COUNT
 *
 * HOME is a device that its broker, at PORT of 127.0.0.1, knows; OTHER is a
 * member of another nation to whom it may write. One KIND of misbehaviour
 * (kinds[] says which there are), by hand over links of its own (rawlink.h);
 * COUNT is how much of it, where that means something. A line for each thing:
 *
 *	right WHAT REASON		answered as PROTOCOL.md says
 *	wrong WHAT REASON, not REASON
 *	taken ID			a ticket that the broker took
 *	played ID			the same, of an exercise, as HOME is
 *	never ID			one that it must not have let through
 *	perhaps ID			one that others may judge otherwise
 *
 * Where its chain is stands in HOME/rogue-chain: nobody else posts from there.
 * Ends with 1 if something was wrong.
 */
#include "broker/sp.h"
#include "tests/fault/forge.h"
#include "tests/fault/rawlink.h"

#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOON_S 2
#define PATIENCE_S 30
#define AWAY_TRIES 100
#define AWAY_MS 100

/* ---- who it is ---- */

static struct {
	struct forger f;
	const char *other;
	unsigned long count;
	struct buf prologue;
	struct rawlink_who who;
	struct rawlink link;
	bool at_the_end; /* others may see its keys end before it does */
	bool wrong;
} me;

static void
learn(uint16_t port)
{
	const struct roster_broker *b = roster_broker_of(
	    me.f.belief.roster, member_nation(span_of(me.f.keys->member)), 0);

	if (b == NULL)
		die("no broker of our nation");
	noise_prologue(&me.prologue, span_of(me.f.keys->federation),
	    span_of(b->name), me.f.belief.genesis);
	me.who = (struct rawlink_who){ .port = port,
		.sk = secret_span(me.f.keys->noise).p,
		.peer = b->noise,
		.prologue = buf_span(&me.prologue) };
	me.link.fd = -1;
}

/* ---- what is said of it ---- */

static void
expect(const char *what, enum tocsin_err got, enum tocsin_err want)
{
	if (got == want) {
		printf("right %s %s\n", what, tocsin_err_name(got));
		return;
	}
	me.wrong = true;
	printf("wrong %s %s, not %s\n", what, tocsin_err_name(got),
	    tocsin_err_name(want));
}

static void
say_id(const char *word, const uint8_t id[ID_LEN])
{
	struct buf b = { 0 };

	buf_base64(&b, (struct span){ id, ID_LEN });
	printf("%s %.*s\n", word, (int)b.n, (const char *)b.p);
	buf_release(&b);
}

/* Who has dialled too fast is turned away, and welcome again soon. */
static void
must_open(void)
{
	enum tocsin_err err;
	int tries = 0;

	if (me.link.fd >= 0)
		rawlink_close(&me.link);
	while ((err = rawlink_open(&me.link, &me.who)) == TOCSIN_EUNAVAILABLE &&
	       tries++ < AWAY_TRIES)
		(void)poll(NULL, 0, AWAY_MS);
	if (err)
		die("no link: %s", tocsin_err_name(err));
}

static enum tocsin_err
ask(struct buf *request, struct buf *fields)
{
	enum tocsin_err err;

	if (me.link.fd < 0)
		must_open();
	err = rawlink_ask(&me.link, buf_span(request), fields);
	buf_release(request);
	return err;
}

/* ---- tickets ---- */

static void
add_both(struct made *m)
{
	bool first = strcmp(me.other, me.f.keys->member) < 0;

	made_to(m, &me.f, first ? me.other : me.f.keys->member);
	made_to(m, &me.f, first ? me.f.keys->member : me.other);
}

static struct made *
good(void)
{
	struct made *m = made_draft(&me.f);

	add_both(m);
	return m;
}

/* One envelope; the request's refusal, or the envelope's. */
static enum tocsin_err
post_it(struct made *m, uint64_t *seq)
{
	struct msg_envelope env = { buf_span(&m->note), buf_span(&m->body) };
	struct buf request = { 0 }, fields = { 0 };
	struct msg_posted posted = { 0 };
	enum tocsin_err err;

	msg_post_encode(&request, &env, 1);
	err = ask(&request, &fields);
	if (!err)
		err = msg_posted_decode(&posted, buf_span(&fields));
	if (!err)
		err = posted.item[0].code;
	if (seq)
		*seq = posted.item[0].seq;
	buf_release(&fields);
	if (err == TOCSIN_OK) {
		say_id(me.at_the_end		? "perhaps"
		       : me.f.keys->exercise[0] ? "played"
						: "taken",
		    m->id);
		me.f.chain.seq = m->t.seq;
		memcpy(me.f.chain.id, m->id, ID_LEN);
		forger_save(&me.f);
	} else if (err != TOCSIN_EDUPLICATE) {
		say_id("never", m->id);
	}
	return err;
}

/* Post what was made, see what is answered, free it. */
static void
offer(const char *what, struct made *m, enum tocsin_err want)
{
	expect(what, post_it(m, NULL), want);
	made_free(m);
}

static void
make_and_offer(const char *what, struct made *m, enum tocsin_err want)
{
	made_make(m);
	offer(what, m, want);
}

/* An honest one in between: what was refused has left no trace. */
static void
still_good(void)
{
	make_and_offer("a-good-one-then", good(), TOCSIN_OK);
}

/* ---- oversize ---- */

static void
long_note(void)
{
	struct made *m = good();
	struct buf text = { 0 };

	made_seal(m);
	ticket_print(&text, &m->t);
	while (text.n <= TEXT_MAX)
		buf_addf(&text, "%s", "label long-and-longer\n");
	made_sign_text(m, buf_span(&text));
	buf_release(&text);
	offer("a-note-too-long", m, TOCSIN_ETOOLARGE);
}

static void
frame_too_long(void)
{
	struct buf b = { 0 };
	uint64_t number;
	struct buf fields = { 0 };
	enum tocsin_err err;

	must_open();
	buf_u64(&b, 4 + FRAME_MAX + 1);
	buf_u32(&b, 0x80000001);
	memset(buf_grow(&b, FRAME_MAX + 1), 1, FRAME_MAX + 1);
	(void)!rawlink_put(me.link.fd, buf_span(&b)); /* cut at its length */
	err = rawlink_next(&me.link, &number, &fields);
	expect("a-frame-too-long", err, TOCSIN_EUNAVAILABLE);
	rawlink_close(&me.link);
	buf_release(&b);
	buf_release(&fields);
}

static void
too_many_envelopes(void)
{
	struct buf request = { 0 };

	buf_u8(&request, MSG_POST);
	buf_u16(&request, MSG_POSTS_MAX + 1);
	memset(buf_grow(&request, 8 * (MSG_POSTS_MAX + 1)), 0,
	    8 * (MSG_POSTS_MAX + 1));
	expect("too-many-envelopes", ask(&request, NULL), TOCSIN_EMALFORMED);
}

static void
do_oversize(void)
{
	struct made *m;
	struct buf request = { 0 };
	struct msg_put put = { .total = TICKET_PART_MAX + 1 };

	frame_too_long();
	long_note();
	m = good();
	made_seal(m);
	m->t.body_size = TICKET_BODY_MAX + 1;
	made_sign(m);
	offer("a-body-too-large", m, TOCSIN_ETOOLARGE);
	m = good();
	m->t.npart = 1;
	m->t.part[0].size = TICKET_PART_MAX + 1;
	make_and_offer("a-part-too-large", m, TOCSIN_ETOOLARGE);
	too_many_envelopes();
	put.bytes = span_of("x");
	msg_put_encode(&request, &put);
	expect("a-put-too-large", ask(&request, NULL), TOCSIN_ETOOLARGE);
	still_good();
}

/* ---- in another's name ---- */

static void
do_forged(void)
{
	struct made *m = good();

	m->t.from = span_of(me.other);
	make_and_offer("anothers-member", m, TOCSIN_EMALFORMED);
	m = good();
	m->t.from = span_of(me.other);
	snprintf(
	    m->signer, sizeof(m->signer), "%s/%s", me.other, me.f.keys->label);
	make_and_offer("anothers-member-and-name", m, TOCSIN_ENOTENROLLED);
	m = good();
	m->t.device = span_of("nobody");
	snprintf(m->signer, sizeof(m->signer), "%s/nobody", me.f.keys->member);
	make_and_offer("anothers-device", m, TOCSIN_ENOTENROLLED);
	still_good();
}

static void
do_signature(void)
{
	struct made *m = good();
	uint8_t pk[32];

	crypto_sign_keypair(pk, m->sk);
	make_and_offer("another-key", m, TOCSIN_EBADSIGNATURE);
	m = good();
	made_make(m);
	m->note.p[m->note.n - 8] ^= 1; /* of the signature */
	offer("a-bent-signature", m, TOCSIN_EBADSIGNATURE);
	m = good();
	made_make(m);
	memcpy(memmem(m->note.p, m->note.n, "tlp RED", 7), "tlp XXX", 7);
	offer("a-bent-header", m, TOCSIN_EMALFORMED);
	m = good();
	made_make(m);
	memcpy(
	    memmem(m->note.p, m->note.n, "kind report", 11), "kind result", 11);
	offer("another-header", m, TOCSIN_EBADSIGNATURE);
	m = good();
	made_make(m);
	m->body.p[m->body.n - 1] ^= 1;
	offer("a-bent-body", m, TOCSIN_EBODYMISMATCH);
	still_good();
}

/* ---- once more ---- */

/*
 * The same text under another signature, which only its key can make: RFC 8032
 * (5.1.6) takes r from the text, but no verifier can tell.
 */
static void
sign_with(uint8_t sig[64], const uint8_t sk[64], struct span text)
{
	uint8_t h[64], a[64], r[32], k[32], s[64] = { 0 };
	crypto_hash_sha512_state st;

	crypto_hash_sha512(a, sk, 32);
	a[0] &= 248;
	a[31] = (uint8_t)((a[31] & 127) | 64);
	memcpy(s, a, 32);
	crypto_core_ed25519_scalar_reduce(a, s);
	crypto_core_ed25519_scalar_random(r);
	if (crypto_scalarmult_ed25519_base_noclamp(sig, r) != 0)
		die("no point");
	crypto_hash_sha512_init(&st);
	crypto_hash_sha512_update(&st, sig, 32);
	crypto_hash_sha512_update(&st, sk + 32, 32);
	crypto_hash_sha512_update(&st, text.p, text.n);
	crypto_hash_sha512_final(&st, h);
	crypto_core_ed25519_scalar_reduce(k, h);
	crypto_core_ed25519_scalar_mul(k, k, a);
	crypto_core_ed25519_scalar_add(sig + 32, k, r);
}

static void
sign_anew(struct made *m)
{
	struct buf text = { 0 };
	uint8_t line[KEYID_LEN + 64];
	struct vkey key;

	ticket_print(&text, &m->t);
	if (vkey_make(&key, span_of(m->signer), m->sk + 32) != TOCSIN_OK)
		die("no key");
	memcpy(line, key.id, KEYID_LEN);
	sign_with(line + KEYID_LEN, m->sk, buf_span(&text));
	buf_cut(&m->note, 0);
	buf_add(&m->note, buf_span(&text));
	buf_addf(&m->note, "\n\xe2\x80\x94 %s ", m->signer);
	buf_base64(&m->note, SPAN(line));
	buf_addz(&m->note, "\n");
	buf_release(&text);
}

static void
do_replay(void)
{
	struct made *m = good(), *n;
	struct buf text = { 0 }, first = { 0 }, second = { 0 };
	uint64_t at = 0, again = 0, number;

	made_make(m);
	expect("a-good-one", post_it(m, &at), TOCSIN_OK);
	expect("the-same-bytes", post_it(m, &again), TOCSIN_EDUPLICATE);
	expect("at-the-same-place", at == again ? TOCSIN_OK : TOCSIN_EMALFORMED,
	    TOCSIN_OK);
	sign_anew(m);
	expect("another-signature", post_it(m, NULL), TOCSIN_EDUPLICATE);
	n = good();
	n->t = m->t;
	made_seal(n);
	buf_cut(&n->note, 0);
	buf_add(&n->note, buf_span(&m->note));
	expect(
	    "its-header-another-body", post_it(n, NULL), TOCSIN_EBODYMISMATCH);
	/* The frame itself: an answer out of the cache, the same one. */
	buf_u8(&text, MSG_HELLO);
	expect("a-request", rawlink_ask(&me.link, buf_span(&text), &first),
	    TOCSIN_OK);
	expect("its-frame", rawlink_again(&me.link), TOCSIN_OK);
	expect("its-frame-again", rawlink_next(&me.link, &number, &second),
	    TOCSIN_OK);
	expect("the-same-answer",
	    first.n == second.n && memcmp(first.p, second.p, first.n) == 0
		? TOCSIN_OK
		: TOCSIN_EMALFORMED,
	    TOCSIN_OK);
	made_free(m);
	made_free(n);
	buf_release(&text);
	buf_release(&first);
	buf_release(&second);
	still_good();
}

/* ---- chains ---- */

static void
do_fork(void)
{
	struct made *a = good(), *b = good();

	make_and_offer("one-side", a, TOCSIN_OK);
	make_and_offer("the-other-side", b, TOCSIN_ECHAINCONFLICT);
	b = good();
	b->t.prev[0] ^= 1;
	make_and_offer("another-one-before", b, TOCSIN_ECHAINCONFLICT);
	b = good();
	b->t.seq = 1;
	b->t.has_prev = false;
	make_and_offer("the-first-again", b, TOCSIN_ECHAINCONFLICT);
	b = good();
	b->t.seq = 0;
	make_and_offer("number-0", b, TOCSIN_EMALFORMED);
	still_good();
}

/* The device's own loss, and nobody else's. */
static void
do_sequence(void)
{
	struct made *m = good();

	m->t.seq = UINT64_MAX;
	m->t.has_prev = true;
	make_and_offer("the-last-number", m, TOCSIN_OK);
	m = good(); /* which wraps */
	m->t.seq = 0;
	make_and_offer("the-number-after", m, TOCSIN_EMALFORMED);
	m = good();
	m->t.seq = 2;
	m->t.has_prev = true;
	make_and_offer("an-early-number", m, TOCSIN_ECHAINCONFLICT);
	m = good();
	m->t.seq = UINT64_MAX;
	m->t.has_prev = true;
	make_and_offer("the-last-number-again", m, TOCSIN_ECHAINCONFLICT);
}

/* ---- times ---- */

static void
do_times(void)
{
	struct made *m = good();

	m->t.time = forge_now() + 660;
	make_and_offer("eleven-minutes-ahead", m, TOCSIN_ECLOCKSKEW);
	m = good();
	m->t.time = INT64_C(253402300799);
	make_and_offer("the-year-9999", m, TOCSIN_ECLOCKSKEW);
	m = good();
	m->t.time = 0;
	m->t.ackby = INT64_C(253402300799);
	make_and_offer("the-year-1970", m, TOCSIN_OK);
	still_good();
}

/* ---- recipients ---- */

static void
do_recipients(void)
{
	struct made *m = made_draft(&me.f);
	uint8_t sk[32];

	made_to(m, &me.f, me.other);
	make_and_offer("without-ourselves", m, TOCSIN_ENOTRECIPIENT);
	m = made_draft(&me.f);
	made_to(m, &me.f, me.f.keys->member);
	made_to(m, &me.f, "zzcert@zz");
	make_and_offer("a-member-of-nowhere", m, TOCSIN_ENOTENROLLED);
	m = good();
	age_keygen(sk, m->pk[m->npk++]);
	make_and_offer("a-stanza-too-many", m, TOCSIN_ERECIPIENTMISMATCH);
	m = good();
	m->npk--;
	make_and_offer("a-stanza-too-few", m, TOCSIN_EMALFORMED);
	m = made_draft(&me.f);
	age_keygen(sk, m->pk[m->npk++]);
	make_and_offer("to-nobody", m, TOCSIN_EMALFORMED);
	m = good();
	m->t.to[0] = m->t.to[1];
	make_and_offer("twice-to-one", m, TOCSIN_EMALFORMED);
	m = good();
	m->t.roster_serial++;
	make_and_offer("a-roster-to-come", m, TOCSIN_EROSTERUNKNOWN);
	m = good();
	m->t.roster_id[0] ^= 1;
	make_and_offer("a-roster-of-its-own", m, TOCSIN_EROSTERUNKNOWN);
	m = good();
	snprintf(m->t.federation, sizeof(m->t.federation), "other.example");
	make_and_offer("another-federation", m, TOCSIN_EROSTERUNKNOWN);
	still_good();
}

/* What a reader device says, and a bot's close. */
static void
do_role(void)
{
	struct made *m = good();

	make_and_offer("a-readers-report", m, TOCSIN_EKINDNOTALLOWED);
}

/* A label that OTHER's nation does not take: it is told at its border. */
static void
do_label(void)
{
	struct made *m = good();

	m->t.nlabel = 1;
	m->t.label[0] = span_of("personal-data");
	made_make(m);
	expect("taken-here", post_it(m, NULL), TOCSIN_OK);
	say_id("never", m->id); /* there */
	made_free(m);
}

/* ---- keys that end ---- */

/* Posts until it is refused; that, or OK after the deadline. */
static enum tocsin_err
post_until_refused(void)
{
	int64_t end = forge_now() + PATIENCE_S;
	enum tocsin_err err = TOCSIN_OK;

	me.at_the_end = true;
	while (!err && forge_now() < end) {
		struct made *m = good();

		made_make(m);
		err = post_it(m, NULL);
		made_free(m);
		usleep(20000);
	}
	me.at_the_end = false;
	return err;
}

/* It is connected, and somebody takes its key off meanwhile. */
static void
do_revoked(void)
{
	still_good();
	puts("ready");
	expect("once-it-is-off", post_until_refused(), TOCSIN_ENOTFOUND);
	rawlink_close(&me.link);
	make_and_offer("over-a-new-link", good(), TOCSIN_ENOTENROLLED);
}

/* From before: nothing was ever taken, and nothing is given. */
static void
do_off(void)
{
	struct msg_fetch fetch = { .max_bytes = MSG_MAX };
	struct buf request = { 0 };

	make_and_offer("a-report", good(), TOCSIN_ENOTENROLLED);
	msg_fetch_encode(&request, &fetch);
	expect("a-fetch", ask(&request, NULL), TOCSIN_ENOTENROLLED);
}

/* An announcement that follows the one we know. */
static struct keys *
next_keys(void)
{
	const struct keys *cur =
	    belief_keys(&me.f.belief, span_of(me.f.keys->member));
	struct keys *k = malloc(sizeof(*k));

	if (cur == NULL || k == NULL)
		die("no announcement of our own");
	*k = *cur;
	k->serial++;
	k->has_previous = true;
	memcpy(k->previous, cur->id, ID_LEN);
	k->issued = forge_now();
	return k;
}

static enum tocsin_err
announce(const struct keys *k, const char *signer, const uint8_t sk[64])
{
	struct buf request = { 0 }, text = { 0 };

	buf_u8(&request, MSG_ANNOUNCE);
	keys_print(&text, k);
	if (note_sign(&request, buf_span(&text), span_of(signer), sk) !=
	    TOCSIN_OK)
		die("no signature");
	buf_release(&text);
	return ask(&request, NULL);
}

static void
do_announce(void)
{
	struct keys *k = next_keys();
	struct vkey root;
	struct secret *sk = NULL;
	const uint8_t *rsk;
	uint8_t own[32];

	if (keystore_root(me.f.keys, NULL, NULL, &sk, &root) != TOCSIN_OK)
		die("no root key");
	rsk = secret_span(sk).p;
	expect("not-by-the-root-key",
	    announce(k, me.f.keys->member, secret_span(me.f.keys->sign).p),
	    TOCSIN_EBADSIGNATURE);
	memcpy(own, k->device[0].noise, 32);
	memcpy(k->device[0].noise, me.who.peer, 32);
	expect("the-brokers-link-key", announce(k, me.f.keys->member, rsk),
	    TOCSIN_EMALFORMED);
	memcpy(k->device[0].noise, own, 32);
	k->serial = 1;
	k->has_previous = false;
	expect("an-old-serial", announce(k, me.f.keys->member, rsk),
	    TOCSIN_EDUPLICATE);
	free(k);
	k = next_keys();
	k->previous[0] ^= 1;
	expect("after-another-one", announce(k, me.f.keys->member, rsk),
	    TOCSIN_ECHAINCONFLICT);
	k->previous[0] ^= 1;
	k->issued = forge_now() + 660;
	k->expires = k->issued + 86400;
	expect("from-the-future", announce(k, me.f.keys->member, rsk),
	    TOCSIN_ECLOCKSKEW);
	k->issued = forge_now() - 86400;
	k->expires = forge_now() - 1;
	expect("one-that-is-over", announce(k, me.f.keys->member, rsk),
	    TOCSIN_EKEYSEXPIRED);
	snprintf(k->member, sizeof(k->member), "%s", me.other);
	expect("for-another-member", announce(k, me.other, rsk),
	    TOCSIN_EMALFORMED);
	still_good();
	free(k);
	secret_free(sk);
}

/* An announcement that ends in a moment; what it posts then, and after. */
static void
do_expired(void)
{
	struct keys *k = next_keys();
	struct msg_fetch fetch = { .max_bytes = MSG_MAX };
	struct buf request = { 0 };
	struct secret *sk = NULL;
	struct vkey root;
	const struct keys *cur =
	    belief_keys(&me.f.belief, span_of(me.f.keys->member));

	if (keystore_root(me.f.keys, NULL, NULL, &sk, &root) != TOCSIN_OK)
		die("no root key");
	k->expires = forge_now() + SOON_S;
	expect("keys-that-end-soon",
	    announce(k, me.f.keys->member, secret_span(sk).p), TOCSIN_OK);
	expect("when-they-ended", post_until_refused(), TOCSIN_EKEYSEXPIRED);
	rawlink_close(&me.link);
	make_and_offer("over-a-new-link", good(), TOCSIN_EKEYSEXPIRED);
	msg_fetch_encode(&request, &fetch);
	expect("it-still-reads", ask(&request, NULL), TOCSIN_OK);
	k->serial += 10; /* a gap is no fault */
	k->expires = cur->expires;
	k->issued = forge_now();
	expect("keys-that-last",
	    announce(k, me.f.keys->member, secret_span(sk).p), TOCSIN_OK);
	still_good();
	free(k);
	secret_free(sk);
}

/* ---- floods ---- */

/* Requests on one link as fast as it can; `width` on the way. */
static void
flood(const struct buf *request, unsigned width)
{
	unsigned long sent = 0, back = 0, ok = 0, busy = 0, ended = 0;
	uint64_t number;
	enum tocsin_err err;

	must_open();
	while (back < me.count) {
		while (sent < me.count && sent - back < width &&
		       rawlink_send(&me.link, buf_span(request), &number) ==
			   TOCSIN_OK)
			sent++;
		err = rawlink_next(&me.link, &number, NULL);
		back++;
		if (err == TOCSIN_OK || err == TOCSIN_EUNSUPPORTED)
			ok++;
		else if (err == TOCSIN_EBUSY)
			busy++;
		else if (err == TOCSIN_EUNAVAILABLE && ++ended)
			must_open();
		else if (err)
			expect("a-tiny-request", err, TOCSIN_OK);
		if (err == TOCSIN_EUNAVAILABLE)
			sent = back;
	}
	printf("right answered ok %lu busy %lu ended %lu\n", ok, busy, ended);
}

static void
do_requests(void)
{
	struct buf request = { 0 };

	buf_u8(&request, MSG_HELLO);
	flood(&request, 64);
	buf_cut(&request, 0);
	buf_u8(&request, 255);
	flood(&request, 64);
	buf_release(&request);
	still_good();
}

static void
do_sessions(void)
{
	unsigned long i, opened = 0, busy = 0;
	struct buf request = { 0 };
	enum tocsin_err err;

	for (i = 0; i < me.count; i++) {
		struct rawlink l = { .fd = -1 };

		err = rawlink_open(&l, &me.who);
		opened += err == TOCSIN_OK;
		busy += err == TOCSIN_EBUSY || err == TOCSIN_EUNAVAILABLE;
		if (err && err != TOCSIN_EBUSY && err != TOCSIN_EUNAVAILABLE)
			expect("a-link", err, TOCSIN_OK);
		if (i == 0) { /* this one is kept, and too old then */
			rawlink_close(&me.link);
			me.link = l;
		} else if (err == TOCSIN_OK) {
			rawlink_close(&l);
		}
	}
	printf("right links opened %lu busy %lu\n", opened, busy);
	buf_u8(&request, MSG_HELLO);
	if (opened > 64)
		expect("the-oldest-is-over", ask(&request, NULL),
		    TOCSIN_ENOTFOUND);
	rawlink_close(&me.link);
	buf_release(&request);
	still_good();
}

/* Parks over many links whose answers nobody takes; stays until stdin ends. */
static void
do_parks(void)
{
	struct msg_fetch m = { .acked = 0,
		.after = UINT64_C(1) << 62,
		.wait_ms = MSG_WAIT_MAX,
		.max_bytes = MSG_MAX };
	struct buf request = { 0 };
	struct rawlink l[16];
	unsigned long i;
	uint64_t number;
	char block[16];

	msg_fetch_encode(&request, &m);
	for (i = 0; i < 16; i++) {
		l[i].fd = -1;
		memset(&l[i], 0, sizeof(l[i]));
		if (rawlink_open(&l[i], &me.who) != TOCSIN_OK)
			die("no link");
	}
	for (i = 0; i < me.count; i++)
		if (rawlink_send(&l[i % 16], buf_span(&request), &number))
			break;
	printf("right parked %lu\n", i);
	puts("ready");
	while (read(STDIN_FILENO, block, sizeof(block)) > 0)
		;
	for (i = 0; i < 16; i++)
		rawlink_close(&l[i]);
	buf_release(&request);
	still_good();
}

/* ---- what is not its own ---- */

static void
get_of(const char *what, const uint8_t id[32], const uint8_t hash[32])
{
	struct msg_get get = { .max = 1024 };
	struct buf request = { 0 };

	memcpy(get.id, id, 32);
	memcpy(get.hash, hash, 32);
	msg_get_encode(&request, &get);
	expect(what, ask(&request, NULL), TOCSIN_ENOTFOUND);
	buf_u8(&request, MSG_PROOF);
	buf_add(&request, (struct span){ id, 32 });
	expect("its-proof", ask(&request, NULL), TOCSIN_ENOTFOUND);
}

static void
fetch_of(const char *what, uint64_t acked, uint64_t after)
{
	struct msg_fetch m = {
		.acked = acked, .after = after, .max_bytes = UINT32_MAX
	};
	struct buf request = { 0 };

	msg_fetch_encode(&request, &m);
	expect(what, ask(&request, NULL), TOCSIN_OK);
}

static void
op_of(const char *what, uint8_t op, size_t n, enum tocsin_err want)
{
	struct buf request = { 0 };

	buf_u8(&request, op);
	memset(buf_grow(&request, n), 0xff, n);
	expect(what, ask(&request, NULL), want);
}

static bool
from_base64(uint8_t out[32], const char *text)
{
	return sodium_base642bin(out, 32, text, strlen(text), "\n", NULL, NULL,
		   sodium_base64_VARIANT_ORIGINAL) == 0;
}

static void
do_cursors(void)
{
	static const uint8_t relay_ops[] = { MSG_RELAY_OPEN, MSG_RELAY_WAIT,
		MSG_RELAY_KEYS, MSG_ENTRY_GET, MSG_ENTRY_LIST, MSG_RELAY_HAVE,
		MSG_RELAY_PULL };
	struct buf request = { 0 };
	char line[128];
	uint8_t id[32];
	size_t i;

	fetch_of("from-the-middle-of-nowhere", 0, UINT64_C(1) << 63);
	fetch_of("all-is-read", UINT64_MAX, 0);
	fetch_of("nothing-is-read", 0, 0);
	fetch_of("from-the-end", UINT64_MAX - 1, UINT64_MAX - 1);
	randombytes_buf(id, sizeof(id));
	get_of("a-ticket-that-is-not", id, id);
	/* Ids of others, one a line. */
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (from_base64(id, line))
			get_of("a-ticket-of-others", id, id);
	for (i = 0; i < sizeof(relay_ops); i++)
		op_of("an-operation-of-brokers", relay_ops[i], 32,
		    TOCSIN_EKINDNOTALLOWED);
	op_of("operation-0", 0, 0, TOCSIN_EUNSUPPORTED);
	op_of("operation-255", 255, 1000, TOCSIN_EUNSUPPORTED);
	op_of("a-post-of-nonsense", MSG_POST, 1000, TOCSIN_EMALFORMED);
	op_of("a-fetch-of-nonsense", MSG_FETCH, 7, TOCSIN_EMALFORMED);
	op_of("a-roster-to-come", MSG_ROSTER, 12, TOCSIN_ENOTFOUND);
	expect("nothing-at-all", ask(&request, NULL), TOCSIN_EMALFORMED);
	still_good();
}

/* ---- an exercise, and what is live ---- */

static struct made *
across(void)
{
	struct made *m = made_draft(&me.f);

	m->t.exercise = forger_other_side(&me.f);
	add_both(m);
	return m;
}

/* A ticket of our own member, from its other side. */
static void
look_across(const uint8_t id[32])
{
	struct made *m = good();

	get_of("a-ticket-of-the-other-side", id, id);
	m->t.kind = TICKET_RECALL;
	m->t.has_thread = true;
	memcpy(m->t.thread, id, 32);
	memcpy(m->t.ref[m->t.nref++], id, 32);
	make_and_offer("its-recall-which-does-nothing", m, TOCSIN_OK);
}

/* All that it is given, and nothing of the other side among it. */
static void
fetch_across(void)
{
	struct msg_fetch m = { .max_bytes = UINT32_MAX };
	struct buf request = { 0 }, fields = { 0 }, line = { 0 };
	struct span other = forger_other_side(&me.f);

	msg_fetch_encode(&request, &m);
	expect("a-fetch", ask(&request, &fields), TOCSIN_OK);
	buf_addf(&line, "\nexercise %.*s\n", other.n > 0 ? (int)other.n : 1,
	    other.n > 0 ? (const char *)other.p : "-");
	expect("nothing-of-the-other-side",
	    memmem(fields.p, fields.n, line.p, line.n) ? TOCSIN_EINTERNAL
						       : TOCSIN_OK,
	    TOCSIN_OK);
	buf_release(&fields);
	buf_release(&line);
}

/* From stdin: what was taken from our other side. */
static void
do_sides(void)
{
	struct made *m = good();
	char line[128];
	uint8_t id[32];

	made_make(m);
	made_cross(m, &me.f);
	offer("its-exercise-changed", m, TOCSIN_EBADSIGNATURE);
	make_and_offer(
	    "signed-by-the-other-side", across(), TOCSIN_EEXERCISEMISMATCH);
	m = across();
	m->t.exercise = span_of("Made.up");
	make_and_offer("an-exercise-made-up", m, TOCSIN_EEXERCISEMISMATCH);
	fetch_across();
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (from_base64(id, line))
			look_across(id);
	still_good();
}

/* ---- parts ---- */

static enum tocsin_err
put_bytes(
    const uint8_t hash[32], uint64_t total, uint64_t offset, struct span bytes)
{
	struct msg_put m = { .total = total, .offset = offset, .bytes = bytes };
	struct buf request = { 0 };

	memcpy(m.hash, hash, 32);
	msg_put_encode(&request, &m);
	return ask(&request, NULL);
}

static enum tocsin_err
put_of(const uint8_t hash[32], uint64_t total, uint64_t offset, size_t n,
    uint8_t fill)
{
	uint8_t bytes[MSG_RANGE_MAX];

	memset(bytes, fill, n);
	return put_bytes(hash, total, offset, (struct span){ bytes, n });
}

#define PART 40000

static void
name_part(const uint8_t hash[32], const char *what, enum tocsin_err want)
{
	struct made *m = good();

	m->t.npart = 1;
	m->t.part[0].size = PART;
	memcpy(m->t.part[0].hash, hash, 32);
	make_and_offer(what, m, want);
}

static void
do_parts(void)
{
	uint8_t hash[32];
	unsigned i;

	randombytes_buf(hash, sizeof(hash));
	name_part(hash, "a-part-is-named", TOCSIN_OK);
	for (i = 0; i < 3; i++) {
		expect("its-beginning", put_of(hash, PART, 0, PART / 2, 1),
		    TOCSIN_OK);
		expect("another-size", put_of(hash, PART + 1, PART / 2, 9, 1),
		    TOCSIN_EMALFORMED);
		expect("beyond-its-end", put_of(hash, PART, PART - 1, 2, 1),
		    TOCSIN_EMALFORMED);
		expect("not-the-part",
		    put_of(hash, PART, PART / 2, PART / 2, 1),
		    TOCSIN_EBODYMISMATCH);
	}
	for (i = 1; i < 32; i++)
		name_part(hash, "named-again", TOCSIN_OK);
	name_part(hash, "named-too-often", TOCSIN_EQUOTA);
	/* Bodies that nobody posts: so many, and no larger. */
	for (i = 0; i < 16; i++) {
		hash[0]++;
		expect("staged", put_of(hash, TICKET_BODY_MAX, 0, PART, 1),
		    TOCSIN_OK);
	}
	hash[0]++;
	expect("staged-too-many", put_of(hash, TICKET_BODY_MAX, 0, PART, 1),
	    TOCSIN_EQUOTA);
	expect("staged-too-large",
	    put_of(hash, TICKET_BODY_MAX + 1, 0, PART, 1), TOCSIN_EQUOTA);
	still_good();
}

/* Honest, but slow: half of a part, and the rest when stdin says so. */
static void
do_half(void)
{
	uint8_t *bytes = malloc(PART), hash[32];
	char block[16];

	if (bytes == NULL)
		die("no memory");
	memset(bytes, 7, PART);
	memcpy(bytes, me.f.keys->device, strlen(me.f.keys->device));
	crypto_hash_sha256(hash, bytes, PART);
	name_part(hash, "a-part-is-named", TOCSIN_OK);
	expect("its-first-half",
	    put_bytes(hash, PART, 0, (struct span){ bytes, PART / 2 }),
	    TOCSIN_OK);
	say_id("part", hash);
	(void)!read(STDIN_FILENO, block, sizeof(block));
	expect("its-second-half",
	    put_bytes(hash, PART, PART / 2,
		(struct span){ bytes + PART / 2, PART / 2 }),
	    TOCSIN_OK);
	free(bytes);
}

/* Another member's part, whose hash stdin says: named by us as well, spoilt. */
static void
do_spoil(void)
{
	char line[128];
	uint8_t hash[32];

	if (fgets(line, sizeof(line), stdin) == NULL ||
	    !from_base64(hash, line))
		die("no part");
	expect("not-named-by-us", put_of(hash, PART, PART / 2, 100, 1),
	    TOCSIN_EPOLICYDENIED);
	name_part(hash, "named-by-us", TOCSIN_OK);
	expect("spoilt", put_of(hash, PART, PART / 2, PART / 2, 1),
	    TOCSIN_EPOLICYDENIED);
}

/* clang-format off */
static const struct kind {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "oversize",   do_oversize },
	{ "forged",     do_forged },
	{ "signature",  do_signature },
	{ "replay",     do_replay },
	{ "fork",       do_fork },
	{ "times",      do_times },
	{ "recipients", do_recipients },
	{ "role",       do_role },
	{ "label",      do_label },
	{ "announce",   do_announce },
	{ "expired",    do_expired },
	{ "cursors",    do_cursors },
	{ "sides",      do_sides },
	{ "parts",      do_parts },
	{ "half",       do_half },
	{ "spoil",      do_spoil },
	{ "requests",   do_requests },
	{ "sessions",   do_sessions },
	{ "parks",      do_parks },
	{ "revoked",    do_revoked },
	{ "off",        do_off },
	{ "sequence",   do_sequence },
};
/* clang-format on */

int
main(int argc, char **argv)
{
	size_t i, n = sizeof(kinds) / sizeof(kinds[0]);

	for (i = 0; argc == 6 && i < n; i++)
		if (strcmp(kinds[i].name, argv[4]) == 0)
			break;
	if (argc != 6 || i == n) {
		fputs("usage: rogue HOME PORT OTHER KIND COUNT\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sodium_init() < 0)
		die("no libsodium");
	forger_open(&me.f, argv[1]);
	me.other = argv[3];
	me.count = strtoul(argv[5], NULL, 10);
	learn((uint16_t)strtoul(argv[2], NULL, 10));
	kinds[i].run();
	rawlink_close(&me.link);
	buf_release(&me.prologue);
	forger_close(&me.f);
	return me.wrong;
}
