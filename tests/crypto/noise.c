/* SPDX-License-Identifier: ISC */
#include "crypto/noise.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* They differ beyond the three bits that X25519 ignores. */
static const uint8_t sk_a[32] = { 8 }, sk_b[32] = { 16 }, sk_c[32] = { 24 };
static uint8_t pk_a[32], pk_b[32];

/* An exact-size heap copy of a hexadecimal field, never NULL. */
static struct span
hex(json_t *t, const char *key)
{
	const char *s = json_string_value(json_object_get(t, key));
	size_t n = strlen(s) / 2;
	uint8_t *p = xmalloc(n);

	if (sodium_hex2bin(p, n, s, 2 * n, NULL, &n, NULL) != 0)
		abort();
	return (struct span){ p, n };
}

static void
drop(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

/* One handshake message from `from` to `to`, both as the vector says. */
static bool
handshake_agrees(struct noise *from, struct noise *to, json_t *m)
{
	struct span payload = hex(m, "payload"), want = hex(m, "ciphertext");
	struct buf sent = { 0 }, got = { 0 };
	bool good;

	good = noise_write(from, &sent, payload) == TOCSIN_OK &&
	       span_eq(buf_span(&sent), want) &&
	       noise_read(to, &got, want) == TOCSIN_OK &&
	       span_eq(buf_span(&got), payload);
	buf_release(&sent);
	buf_release(&got);
	drop(payload);
	drop(want);
	return good;
}

static bool
transport_agrees(
    const uint8_t tx[32], const uint8_t rx[32], uint64_t n, json_t *m)
{
	struct span payload = hex(m, "payload"), want = hex(m, "ciphertext");
	struct buf sent = { 0 }, got = { 0 };
	struct span none = { 0 };
	bool good;

	good = noise_seal(&sent, tx, n, none, payload) == TOCSIN_OK &&
	       span_eq(buf_span(&sent), want) &&
	       noise_open(&got, rx, n, none, want) == TOCSIN_OK &&
	       span_eq(buf_span(&got), payload);
	buf_release(&sent);
	buf_release(&got);
	drop(payload);
	drop(want);
	return good;
}

static void
begin(struct noise *i, struct noise *r, json_t *v)
{
	struct span s = hex(v, "init_static"), e = hex(v, "init_ephemeral");
	struct span pro = hex(v, "init_prologue");
	struct span rs = hex(v, "init_remote_static");

	if (noise_init_initiator(i, s.p, rs.p, pro) != TOCSIN_OK)
		abort();
	noise_fix_ephemeral(i, e.p);
	drop(s), drop(e), drop(pro), drop(rs);
	s = hex(v, "resp_static"), e = hex(v, "resp_ephemeral");
	pro = hex(v, "resp_prologue");
	if (noise_init_responder(r, s.p, pro) != TOCSIN_OK)
		abort();
	noise_fix_ephemeral(r, e.p);
	drop(s), drop(e), drop(pro);
}

static bool
hash_agrees(const struct noise *i, const struct noise *r, json_t *v)
{
	uint8_t hi[32], hr[32];
	struct span want;
	bool good;

	noise_hash(i, hi);
	noise_hash(r, hr);
	good = memcmp(hi, hr, 32) == 0;
	if (json_object_get(v, "handshake_hash") != NULL) {
		want = hex(v, "handshake_hash");
		good = good && span_eq(SPAN(hi), want);
		drop(want);
	}
	return good;
}

static void
test_vector(const char *name, json_t *v)
{
	json_t *all = json_object_get(v, "messages");
	uint8_t tx[2][32], rx[2][32];
	size_t i, n = json_array_size(all);
	struct noise side[2];

	begin(&side[0], &side[1], v);
	for (i = 0; i < 3; i++)
		if (!handshake_agrees(&side[i % 2], &side[(i + 1) % 2],
			json_array_get(all, i)))
			break;
	is_int((long long)i, 3, "%s: three handshake messages agree", name);
	ok(hash_agrees(&side[0], &side[1], v), "%s: and their hash", name);
	ok(noise_split(&side[0], tx[0], rx[0]) == TOCSIN_OK &&
		noise_split(&side[1], tx[1], rx[1]) == TOCSIN_OK,
	    "%s: both sides split", name);
	for (; i < n; i++)
		if (!transport_agrees(tx[i % 2], rx[(i + 1) % 2], (i - 3) / 2,
			json_array_get(all, i)))
			break;
	ok(i == n && n > 3, "%s: %zu transport messages agree", name, n - 3);
}

static void
test_vectors(const char *file)
{
	json_t *all = json_load_file(top(file), 0, NULL), *v;
	size_t i;

	is_int((long long)json_array_size(json_object_get(all, "vectors")), 1,
	    "%s has its XK vector", file);
	json_array_foreach(json_object_get(all, "vectors"), i, v)
	    test_vector(file, v);
	json_decref(all);
}

/* ---- what no vector says: who is refused, and what is left of it ---- */

static const uint8_t genesis[32] = { 9 };

static void
prologue(struct buf *b, const char *broker, const uint8_t roster[32])
{
	noise_prologue(b, span_of("asean.example"), span_of(broker), roster);
}

struct pair {
	struct noise i, r;
	struct buf msg[3];
	struct buf got;
};

static void
pair_init(struct pair *p, const uint8_t responder[32])
{
	struct buf pro = { 0 };

	*p = (struct pair){ .got = { 0 } };
	prologue(&pro, "my", genesis);
	if (noise_init_initiator(&p->i, sk_a, responder, buf_span(&pro)) ||
	    noise_init_responder(&p->r, sk_b, buf_span(&pro)))
		abort();
	buf_release(&pro);
}

static void
pair_release(struct pair *p)
{
	size_t k;

	for (k = 0; k < 3; k++)
		buf_release(&p->msg[k]);
	buf_release(&p->got);
	noise_release(&p->i);
	noise_release(&p->r);
}

/* Message k is written by its sender and, if `read`, read by the other. */
static enum tocsin_err
step(struct pair *p, size_t k, bool read)
{
	struct noise *from = k % 2 == 0 ? &p->i : &p->r;
	struct noise *to = k % 2 == 0 ? &p->r : &p->i;
	enum tocsin_err err;

	err = noise_write(from, &p->msg[k], span_of("payload"));
	if (err == TOCSIN_OK && read)
		err = noise_read(to, &p->got, buf_span(&p->msg[k]));
	return err;
}

static void
test_whole(void)
{
	uint8_t tx[2][32], rx[2][32];
	struct pair p;

	pair_init(&p, pk_b);
	ok(step(&p, 0, true) == TOCSIN_OK && step(&p, 1, true) == TOCSIN_OK,
	    "two messages pass");
	ok(noise_remote(&p.r) == NULL && !noise_done(&p.r),
	    "the responder doesn't know yet who it is");
	ok(step(&p, 2, true) == TOCSIN_OK && noise_done(&p.i) &&
		noise_done(&p.r),
	    "the third ends the handshake");
	ok(memcmp(noise_remote(&p.r), pk_a, 32) == 0 &&
		memcmp(noise_remote(&p.i), pk_b, 32) == 0,
	    "each knows the other's key");
	ok(span_is(buf_span(&p.got), "payloadpayloadpayload"),
	    "payloads are appended");
	ok(noise_split(&p.i, tx[0], rx[0]) == TOCSIN_OK &&
		noise_split(&p.r, tx[1], rx[1]) == TOCSIN_OK &&
		memcmp(tx[0], rx[1], 32) == 0 &&
		memcmp(tx[1], rx[0], 32) == 0 && memcmp(tx[0], tx[1], 32) != 0,
	    "what one seals with, the other opens with");
	ok(sodium_is_zero((uint8_t *)&p.i, sizeof(p.i)),
	    "nothing of the state is left after the split");
	is_int(noise_split(&p.i, tx[0], rx[0]), TOCSIN_EUSAGE,
	    "and it splits only once");
	pair_release(&p);
}

static void
test_turns(void)
{
	struct buf out = { 0 };
	uint8_t k[32];
	struct pair p;

	pair_init(&p, pk_b);
	ok(noise_write(&p.r, &out, (struct span){ 0 }) == TOCSIN_EUSAGE,
	    "a responder doesn't speak first");
	ok(noise_read(&p.i, &out, SPAN(sk_a)) == TOCSIN_EUSAGE,
	    "an initiator doesn't listen first");
	pair_release(&p);
	pair_init(&p, pk_b);
	ok(noise_split(&p.i, k, k) == TOCSIN_EUSAGE,
	    "there are no keys before the handshake");
	pair_release(&p);
	buf_release(&out);
}

/*
 * Break message k in every place, by cutting it or by changing a bit, and count
 * what is taken, leaves bytes behind, or leaves a state to go on with.
 */
static size_t
refused(size_t k, bool truncate, size_t *tried)
{
	size_t at, i, wrong = 0, len = 1;

	for (at = 0; at < len; at++) {
		struct pair p;
		struct noise *to;
		size_t was, n;
		uint8_t *copy;

		pair_init(&p, pk_b);
		for (i = 0; i < k; i++)
			if (step(&p, i, true) != TOCSIN_OK)
				abort();
		if (step(&p, k, false) != TOCSIN_OK)
			abort();
		len = p.msg[k].n;
		n = truncate ? at : len;
		copy = xcopy(p.msg[k].p, n);
		if (!truncate)
			copy[at] ^= 1;
		to = k % 2 == 0 ? &p.r : &p.i;
		was = p.got.n;
		wrong += noise_read(to, &p.got, (struct span){ copy, n }) ==
			     TOCSIN_OK ||
			 p.got.n != was ||
			 !sodium_is_zero((uint8_t *)to, sizeof(*to));
		free(copy);
		pair_release(&p);
	}
	*tried = at;
	return wrong;
}

static void
test_broken(void)
{
	size_t k, tried;

	for (k = 0; k < 3; k++) {
		is_int((long long)refused(k, true, &tried), 0,
		    "every proper prefix of message %zu is refused and wiped",
		    k + 1);
		is_int((long long)refused(k, false, &tried), 0,
		    "a bit changed in any of its %zu bytes too", tried);
	}
}

static void
test_wrong_world(void)
{
	const uint8_t other[32] = { 8 };
	struct buf pro = { 0 };
	struct pair p;
	uint8_t pk_c[32];

	crypto_scalarmult_base(pk_c, sk_c);
	pair_init(&p, pk_c);
	is_int(step(&p, 0, true), TOCSIN_EBADSIGNATURE,
	    "a hello for another broker's key is refused at message 1");
	pair_release(&p);

	pair_init(&p, pk_b);
	prologue(&pro, "sg", genesis);
	if (noise_init_responder(&p.r, sk_b, buf_span(&pro)))
		abort();
	is_int(step(&p, 0, true), TOCSIN_EBADSIGNATURE,
	    "so is one for another broker's name");
	pair_release(&p);

	pair_init(&p, pk_b);
	buf_cut(&pro, 0);
	prologue(&pro, "my", other);
	if (noise_init_responder(&p.r, sk_b, buf_span(&pro)))
		abort();
	is_int(step(&p, 0, true), TOCSIN_EBADSIGNATURE,
	    "so is one for another federation's genesis");
	pair_release(&p);
	buf_release(&pro);
}

/* Points with which every secret key shares the same zero. */
static void
test_low_order(void)
{
	static const uint8_t low[][32] = { { 0 }, { 1 } };
	uint8_t msg[NOISE_XK1] = { 0 };
	struct span none = { 0 };
	struct pair p;
	size_t i;

	for (i = 0; i < 2; i++) {
		pair_init(&p, pk_b);
		is_int(noise_init_initiator(&p.i, sk_a, low[i], none),
		    TOCSIN_EMALFORMED, "a static key of low order is refused");
		memcpy(msg, low[i], 32);
		is_int(noise_read(&p.r, &p.got, SPAN(msg)), TOCSIN_EMALFORMED,
		    "and an ephemeral one");
		pair_release(&p);
	}
}

static void
test_limits(void)
{
	static uint8_t big[NOISE_MAX];
	struct buf out = { 0 }, back = { 0 };
	struct span none = { 0 }, fits = { big, sizeof(big) - NOISE_TAG };

	ok(noise_seal(&out, sk_a, 0, none, SPAN(big)) == TOCSIN_ETOOLARGE &&
		out.n == 0,
	    "more than a Noise message holds is refused");
	ok(noise_seal(&out, sk_a, 7, none, fits) == TOCSIN_OK &&
		out.n == NOISE_MAX &&
		noise_open(&back, sk_a, 7, none, buf_span(&out)) == TOCSIN_OK &&
		span_eq(buf_span(&back), fits),
	    "as much as it holds is not");
	ok(noise_open(&back, sk_a, 8, none, buf_span(&out)) ==
		    TOCSIN_EBADSIGNATURE &&
		back.n == fits.n,
	    "another nonce opens nothing");
	ok(noise_open(&back, sk_a, 7, SPAN("x"), buf_span(&out)) ==
		TOCSIN_EBADSIGNATURE,
	    "another header opens nothing");
	ok(noise_seal(&out, sk_a, UINT64_MAX, none, none) == TOCSIN_EUSAGE,
	    "the last nonce is Noise's own");
	buf_release(&out);
	buf_release(&back);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	crypto_scalarmult_base(pk_a, sk_a);
	crypto_scalarmult_base(pk_b, sk_b);
	test_vectors("tests/vectors/noise/cacophony-xk.json");
	test_vectors("tests/vectors/noise/snow-xk.json");
	test_whole();
	test_turns();
	test_broken();
	test_wrong_world();
	test_low_order();
	test_limits();
	return tap_done();
}
