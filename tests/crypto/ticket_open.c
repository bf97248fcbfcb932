/* SPDX-License-Identifier: ISC */
/*
 * Sealing and opening: what senders with valid keys and bad intent can make,
 * and what damage does.
 */
#include "crypto/age.h"
#include "crypto/padding.h"
#include "crypto/tar.h"
#include "crypto/ticket.h"
#include "tests/lib/tap.h"
#include "tests/lib/tickets.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static void
test_round_trip(size_t nto)
{
	struct tk_post p = tk_seal_plain(nto);
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct note n;
	size_t i, opened = 0;

	tk_is_err(tk_judge(buf_span(&p.note), &trust), TOCSIN_OK, "sealed");
	for (i = 0; i < nto; i++)
		opened += tk_read_as(&p, i) == TOCSIN_OK;
	is_int(opened, nto, "each of %zu recipients opens it", nto);
	if (ticket_parse(&t, &n, buf_span(&p.note)) == TOCSIN_OK)
		tk_is_err(ticket_check_body(&t, buf_span(&p.body)), TOCSIN_OK,
		    "a broker finds nothing wrong with the body");
	ok(p.note.n <= TEXT_MAX && p.body.n == t.body_size,
	    "header %zu and body %zu bytes", p.note.n, p.body.n);
	if (nto < TK_MEMBERS)
		tk_is_err(tk_read_as(&p, nto), TOCSIN_ENOTRECIPIENT,
		    "the member that is not named");
	tk_drop(&p);
}

static void
test_keys_held(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct ticket_contents c;
	const uint8_t *sk = tk.member[1].epoch_sk;
	struct ticket_key two[2] = {
		{ span_of(FX_EPOCH), tk.member[2].epoch_sk },
		{ span_of(FX_EPOCH), sk },
	};
	struct ticket t;
	struct note n;

	tk_is_err(tk_open_with(&c, &p, 1, span_of("2026-10"), sk),
	    TOCSIN_ENOTRECIPIENT, "a key of another epoch");
	tk_is_err(
	    tk_open_with(&c, &p, 1, span_of(FX_EPOCH), tk.member[2].epoch_sk),
	    TOCSIN_ERECIPIENTMISMATCH, "another's key of that epoch");
	if (ticket_parse(&t, &n, buf_span(&p.note)) == TOCSIN_OK)
		tk_is_err(ticket_open(&c, &t, buf_span(&p.body), two, 2,
			      span_of(tk.member[1].name)),
		    TOCSIN_OK, "one of two keys of that epoch");
	ticket_contents_release(&c);
	tk_drop(&p);
}

/* One body is shown to a third party. */
static void
test_disclosed(void)
{
	struct tk_post p = tk_seal_plain(2), q = tk_seal_plain(2);
	const struct ticket_key key = { span_of(FX_EPOCH),
		tk.member[1].epoch_sk };
	const struct span member = span_of(tk.member[1].name);
	uint8_t body_key[TICKET_BODY_KEY];
	struct ticket_contents c;
	struct ticket t, u;
	struct note n;

	if (ticket_parse(&t, &n, buf_span(&p.note)) != TOCSIN_OK ||
	    ticket_parse(&u, &n, buf_span(&q.note)) != TOCSIN_OK)
		abort();
	tk_is_err(
	    ticket_body_key(body_key, &t, buf_span(&p.body), &key, 1, member),
	    TOCSIN_OK, "the key of one body");
	tk_is_err(ticket_open_disclosed(&c, &t, buf_span(&p.body), body_key),
	    TOCSIN_OK, "opening with it");
	ok(span_is(c.json, TK_JSON), "what was sealed is there");
	ticket_contents_release(&c);
	tk_is_err(ticket_open_disclosed(&c, &u, buf_span(&q.body), body_key),
	    TOCSIN_EBODYMISMATCH, "another message with it");
	tk_is_err(ticket_open_disclosed(&c, &u, buf_span(&p.body), body_key),
	    TOCSIN_EBODYMISMATCH, "that body under another header");
	tk_is_err(ticket_body_key(body_key, &t, buf_span(&p.body), &key, 1,
		      span_of(tk.member[2].name)),
	    TOCSIN_ENOTRECIPIENT, "the key, by who is none");
	tk_drop(&p);
	tk_drop(&q);
}

static void
test_seal_refuses(void)
{
	struct buf note = { 0 }, body = { 0 };
	char *big = xmalloc(TICKET_BODY_MAX + 1);
	struct ticket t;

	buf_addz(&note, "kept");
	tk_draft(&t, 2);
	tk_is_err(tk_seal_json(&t, "", &note, &body), TOCSIN_EUSAGE,
	    "sealing nothing");
	memset(big, ' ', TICKET_BODY_MAX);
	big[TICKET_BODY_MAX] = '\0';
	tk_is_err(tk_seal_json(&t, big, &note, &body), TOCSIN_ETOOLARGE,
	    "sealing 1 MiB");
	t.to[1] = t.to[0];
	tk_is_err(tk_seal_json(&t, TK_JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing to one member twice");
	tk_draft(&t, 2);
	t.npart = 1;
	t.part[0].size = 4000;
	tk_is_err(tk_seal_json(&t, TK_JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing parts without their identity");
	tk_draft(&t, 2);
	t.exercise = span_of("two words");
	tk_is_err(tk_seal_json(&t, TK_JSON, &note, &body), TOCSIN_EUSAGE,
	    "sealing a name with a space");
	ok(note.n == 4 && body.n == 0, "a failure leaves the buffers alone");
	free(big);
	buf_release(&note);
	buf_release(&body);
}

/* ---- senders with valid keys and bad intent ---- */

/*
 * What a sender can make with the formats in his hands: any plaintext, sealed
 * to any keys, under any header, with body line and signature in order.
 */
static struct tk_post
forge(const struct ticket *made_of, size_t signer, struct span plain,
    const uint8_t (*pk)[32], size_t npk)
{
	struct ticket t = *made_of;
	struct tk_post p = { 0 };
	struct buf text = { 0 };

	if (age_seal(&p.body, pk, npk, plain) != TOCSIN_OK)
		diag("age_seal failed");
	t.body_size = p.body.n;
	crypto_hash_sha256(t.body_hash, p.body.p, p.body.n);
	ticket_print(&text, &t);
	tk_sign_as(&p.note, buf_span(&text), signer);
	buf_release(&text);
	return p;
}

/* Signs the header of a post again, over the body as it now is. */
static void
sign_body(struct tk_post *p, const struct ticket *made_of)
{
	struct ticket t = *made_of;
	struct buf text = { 0 };

	t.body_size = p->body.n;
	crypto_hash_sha256(t.body_hash, p->body.p, p->body.n);
	ticket_print(&text, &t);
	tk_sign_as(&p->note, buf_span(&text), 0);
	buf_release(&text);
}

static struct span
inner_of(struct buf *b, const struct ticket *t)
{
	ticket_print(b, t);
	while (b->n > 0 && memcmp(b->p + b->n - 1, "\n", 1) == 0 &&
	       memmem(b->p, b->n, "\nbody ", 6) != NULL)
		buf_cut(
		    b, (size_t)((uint8_t *)memmem(b->p, b->n, "\nbody ", 6) -
				b->p) +
			   1);
	return buf_span(b);
}

/* The archive of an honest ticket, to be changed. */
static struct buf
archive(const struct ticket *t, const char *json)
{
	struct buf inner = { 0 }, plain = { 0 };

	tar_add(&plain, "header", inner_of(&inner, t));
	tar_add(&plain, "ticket.json", span_of(json));
	buf_release(&inner);
	return plain;
}

static void
finish(struct buf *plain)
{
	tar_end(plain, (size_t)padme(plain->n + TAR_END, TICKET_PAD_FLOOR));
	if (!buf_ok(plain))
		diag("the archive failed");
}

static void
keys_of(uint8_t (*pk)[32], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(pk[i], tk.member[i].epoch_pk, 32);
}

static void
test_forge_is_sound(void)
{
	struct ticket t;
	struct buf plain;
	uint8_t pk[2][32];
	struct tk_post p;

	tk_draft(&t, 2);
	keys_of(pk, 2);
	plain = archive(&t, TK_JSON);
	finish(&plain);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_OK,
	    "the forger's tools can make a good ticket");
	buf_release(&plain);
	tk_drop(&p);
}

/* Member 1 strips the signature of member 0 and puts its own. */
static void
test_stolen_body(void)
{
	struct tk_post p = tk_seal_plain(2), stolen = { 0 };
	struct ticket_trust trust = tk_trust();
	struct ticket t;
	struct note n;
	struct buf text = { 0 };

	tk_is_err(
	    ticket_parse(&t, &n, buf_span(&p.note)), TOCSIN_OK, "a ticket");
	t.from = span_of(tk.member[1].name);
	ticket_print(&text, &t);
	tk_sign_as(&stolen.note, buf_span(&text), 1);
	buf_add(&stolen.body, buf_span(&p.body));
	trust.from_keys = tk.fx.keys[1];
	tk_is_err(tk_judge(buf_span(&stolen.note), &trust), TOCSIN_OK,
	    "another's body under one's own name passes brokers");
	tk_is_err(
	    tk_read_as(&stolen, 0), TOCSIN_EHEADERMISMATCH, "and no reader");
	buf_release(&text);
	tk_drop(&p);
	tk_drop(&stolen);
}

/* Member 1 seals what it read for member 2 and passes on the old header. */
static void
test_passed_on(void)
{
	struct tk_post p = tk_seal_plain(3);
	struct ticket t;
	struct buf plain;
	uint8_t pk[3][32];

	tk_draft(&t, 3);
	keys_of(pk, 3);
	plain = archive(&t, TK_JSON);
	finish(&plain);
	buf_cut(&p.body, 0);
	if (age_seal(&p.body, (const uint8_t(*)[32])pk, 3, buf_span(&plain)) !=
	    TOCSIN_OK)
		diag("age_seal failed");
	tk_is_err(tk_read_as(&p, 2), TOCSIN_EBODYMISMATCH,
	    "a body sealed again under the old header");
	buf_release(&plain);
	tk_drop(&p);
}

/* tlp, exercise and the rest differ between outside and inside. */
static void
test_two_faces(void)
{
	struct ticket inside, outside;
	struct buf plain;
	uint8_t pk[2][32];
	struct tk_post p;

	tk_draft(&inside, 2);
	keys_of(pk, 2);
	plain = archive(&inside, TK_JSON);
	finish(&plain);
	outside = inside;
	outside.tlp = TICKET_CLEAR;
	p = forge(&outside, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_EHEADERMISMATCH,
	    "TLP:CLEAR outside, TLP:AMBER inside");
	tk_drop(&p);
	outside = inside;
	outside.exercise = span_of("Tabletop");
	p = forge(&outside, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_EHEADERMISMATCH,
	    "exercise outside, live inside");
	tk_drop(&p);
	buf_release(&plain);
}

static void
test_stanzas(void)
{
	struct ticket t, broker;
	struct note n;
	struct buf plain;
	uint8_t pk[3][32], swapped[2][32];
	struct tk_post p;

	tk_draft(&t, 2);
	keys_of(pk, 3);
	memcpy(swapped[0], pk[1], 32);
	memcpy(swapped[1], pk[0], 32);
	plain = archive(&t, TK_JSON);
	finish(&plain);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 3);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "a reader whom the header hides");
	if (ticket_parse(&broker, &n, buf_span(&p.note)) == TOCSIN_OK)
		tk_is_err(ticket_check_body(&broker, buf_span(&p.body)),
		    TOCSIN_ERECIPIENTMISMATCH, "seen by a broker, too");
	tk_drop(&p);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])swapped, 2);
	tk_is_err(
	    tk_read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH, "stanzas swapped");
	tk_drop(&p);
	memcpy(pk[1], pk[2], 32);
	p = forge(&t, 0, buf_span(&plain), (const uint8_t(*)[32])pk, 2);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "one reader's stanza is another's");
	tk_is_err(
	    tk_read_as(&p, 0), TOCSIN_OK, "which the other readers can't see");
	tk_drop(&p);
	buf_release(&plain);
}

/* A recipient adds a stanza to the sender's file: the hash is another. */
static void
test_stanza_added(void)
{
	struct tk_post p = tk_seal_plain(2), more = { 0 };
	uint8_t *at = memmem(p.body.p, p.body.n, "\n---", 4);
	size_t head = (size_t)(at - p.body.p) + 1;
	struct ticket t;

	buf_add(&more.note, buf_span(&p.note));
	buf_add(&more.body, span_cut(buf_span(&p.body), 0, head));
	buf_add(&more.body, span_cut(buf_span(&p.body), head - 98, 98));
	buf_add(&more.body, span_cut(buf_span(&p.body), head, p.body.n));
	tk_is_err(tk_read_as(&more, 1), TOCSIN_EBODYMISMATCH, "a stanza added");
	tk_draft(&t, 2);
	sign_body(&more, &t);
	tk_is_err(tk_read_as(&more, 1), TOCSIN_ERECIPIENTMISMATCH,
	    "a stanza added, and signed");
	tk_drop(&p);
	tk_drop(&more);
}

/* One file more, fewer, other, elsewhere, or not quite the archive's end. */
static enum tocsin_err
read_archive(const struct ticket *t, struct buf *plain, bool end)
{
	uint8_t pk[2][32];
	enum tocsin_err err;
	struct tk_post p;

	keys_of(pk, 2);
	if (end)
		finish(plain);
	p = forge(t, 0, buf_span(plain), (const uint8_t(*)[32])pk, 2);
	err = tk_read_as(&p, 1);
	buf_release(plain);
	tk_drop(&p);
	return err;
}

static void
test_archive(void)
{
	struct ticket t;
	struct buf plain, inner = { 0 };

	tk_draft(&t, 2);
	inner_of(&inner, &t);
	plain = archive(&t, TK_JSON);
	tar_add(&plain, "readme", span_of("hello"));
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "a file too many");
	plain = archive(&t, TK_JSON);
	tar_add(&plain, "parts.age", span_of("x"));
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an identity without parts");
	plain = archive(&t, TK_JSON);
	tar_add(&plain, "ticket.json", span_of(TK_JSON));
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "two tickets in one");
	plain = archive(&t, "");
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an empty ticket.json");
	tar_add(&plain, "header", buf_span(&inner));
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "a header alone");
	tar_add(&plain, "ticket.json", span_of(TK_JSON));
	tar_add(&plain, "header", buf_span(&inner));
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "files in another order");
	tk_is_err(read_archive(&t, &plain, true), TOCSIN_EMALFORMED,
	    "an empty archive");
	buf_release(&inner);
}

static void
test_padding(void)
{
	struct ticket t;
	struct buf plain;

	tk_draft(&t, 2);
	plain = archive(&t, TK_JSON);
	tar_end(&plain, 8192);
	tk_is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "more padding than is due");
	plain = archive(&t, TK_JSON);
	finish(&plain);
	plain.p[plain.n - 1] = 1;
	tk_is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "a byte in the padding");
	plain = archive(&t, TK_JSON);
	finish(&plain);
	buf_u8(&plain, 0);
	tk_is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "a byte behind the padding");
	memset(buf_grow(&plain, 4096), 0, 4096);
	tk_is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "nothing but zeros");
	memset(buf_grow(&plain, 4096), 'A', 4096);
	tk_is_err(read_archive(&t, &plain, false), TOCSIN_EMALFORMED,
	    "nothing but letters");
}

/* ---- damage ---- */

/* Cut on the way, and cut by the sender, who then signs what is left. */
static void
test_body_cut(void)
{
	char *json = xmalloc(9001);
	struct tk_post p = { 0 };
	size_t whole, wrong = 0, opened = 0;
	struct ticket t;

	tk_draft(&t, 2);
	memset(json, ' ', 9000);
	json[9000] = '\0';
	if (tk_seal_json(&t, json, &p.note, &p.body) != TOCSIN_OK)
		diag("sealing failed");
	whole = p.body.n;
	for (p.body.n = 0; p.body.n < whole; p.body.n++)
		wrong += tk_read_as(&p, 1) != TOCSIN_EBODYMISMATCH;
	is_int(wrong, 0, "a body cut anywhere is body-mismatch");
	for (p.body.n = 4394; p.body.n < whole; p.body.n += 13) {
		sign_body(&p, &t);
		opened += tk_read_as(&p, 1) != TOCSIN_EMALFORMED;
	}
	is_int(opened, 0, "a body cut and then signed is malformed");
	free(json);
	tk_drop(&p);
}

static void
test_body_longer(void)
{
	struct tk_post p = tk_seal_plain(2);
	struct ticket t;

	tk_draft(&t, 2);
	sign_body(&p, &t);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_OK, "the same body, signed again");
	buf_u8(&p.body, 0);
	tk_is_err(
	    tk_read_as(&p, 1), TOCSIN_EBODYMISMATCH, "a byte behind the body");
	sign_body(&p, &t);
	tk_is_err(tk_read_as(&p, 1), TOCSIN_EMALFORMED,
	    "a byte behind the body, signed");
	tk_drop(&p);
}

static void
test_body_flips(void)
{
	struct tk_post p = tk_seal_plain(2);
	size_t i, unsigned_ok = 0, signed_ok = 0, other = 0;
	struct ticket t;
	enum tocsin_err err;

	tk_draft(&t, 2);
	for (i = 0; i < p.body.n; i += i < 300 ? 1 : 61) {
		p.body.p[i] ^= 0x04;
		unsigned_ok += tk_read_as(&p, 1) != TOCSIN_EBODYMISMATCH;
		sign_body(&p, &t);
		err = tk_read_as(&p, 1);
		signed_ok += err == TOCSIN_OK;
		other += err != TOCSIN_EMALFORMED &&
			 err != TOCSIN_EUNSUPPORTED &&
			 err != TOCSIN_ERECIPIENTMISMATCH;
		p.body.p[i] ^= 0x04;
		sign_body(&p, &t);
	}
	is_int(unsigned_ok, 0, "a flipped bit is body-mismatch");
	is_int(signed_ok, 0, "a flipped bit, signed, opens nowhere");
	is_int(other, 0, "and is never taken for damage on the way");
	tk_drop(&p);
}

int
main(void)
{
	tk_begin();
	test_round_trip(1);
	test_round_trip(2);
	test_round_trip(10);
	test_round_trip(250);
	test_keys_held();
	test_disclosed();
	test_seal_refuses();
	test_forge_is_sound();
	test_stolen_body();
	test_passed_on();
	test_two_faces();
	test_stanzas();
	test_stanza_added();
	test_archive();
	test_padding();
	test_body_cut();
	test_body_longer();
	test_body_flips();
	tk_end();
	return tap_done();
}
