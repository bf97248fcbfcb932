/* SPDX-License-Identifier: ISC */
#include "crypto/checkpoint.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t log_pk[32], log_sk[64], wit_pk[32], wit_sk[64];
static struct vkey log_key, wit_key;

static void
keys(void)
{
	const uint8_t a[32] = { 1 }, b[32] = { 2 };

	crypto_sign_seed_keypair(log_pk, log_sk, a);
	crypto_sign_seed_keypair(wit_pk, wit_sk, b);
	if (vkey_make(&log_key, span_of("my/log"), log_pk) ||
	    vkey_make_cosigner(&wit_key, span_of("sg/witness"), wit_pk))
		abort();
}

/* ---- what others signed ---- */

static void
test_sumgolang(void)
{
	size_t n, m, good = 0;
	char *file = (char *)slurp(
	    top("tests/vectors/signed-note/sumgolang-6476701.checkpoint"), &n);
	char *vkeys = (char *)slurp(
	    top("tests/vectors/signed-note/sumgolang-6476701.vkeys"), &m);
	char *line, *save = NULL;
	struct buf again = { 0 };
	struct checkpoint c;
	struct vkey k;
	struct note note;

	ok(note_parse(&note, (struct span){ (uint8_t *)file, n },
	       CHECKPOINT_MAX) == TOCSIN_OK &&
		checkpoint_parse(&c, note.text) == TOCSIN_OK,
	    "a checkpoint of Go's checksum database parses");
	ok(strcmp(c.origin, "go.sum database tree") == 0 && c.size == 6476701 &&
		c.root[0] == 0x99 && c.root[31] == 0x69,
	    "as what it says");
	checkpoint_print(&again, &c);
	ok(span_eq(buf_span(&again), note.text), "and prints as it was");
	for (line = strtok_r(vkeys, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct checkpoint none;

		if (vkey_parse(&k, span_of(line)) == TOCSIN_OK &&
		    note_verify(&note, &k) == TOCSIN_OK &&
		    checkpoint_open(&none, note.whole, &k) ==
			TOCSIN_EBADSIGNATURE)
			good++;
	}
	is_int((long long)good, 4,
	    "its four signers verify, and none speaks for its own log");
	buf_release(&again);
	free(file);
	free(vkeys);
}

/* The value after `key` in a file of KEY=VALUE lines, as bytes. */
static void
value(
    const char *file, const char *key, const char *skip, uint8_t *out, size_t n)
{
	const char *at = strstr(file, key);
	size_t got;

	if (at == NULL)
		abort();
	at += strlen(key);
	if (skip != NULL) {
		at = strstr(at, skip);
		if (at == NULL)
			abort();
		at += strlen(skip);
	}
	if (sodium_hex2bin(out, n, at, 2 * n, NULL, &got, NULL) != 0 ||
	    got != n)
		abort();
}

/* "ssh-ed25519 BASE64" holds the key in its last 32 bytes. */
static void
ssh_key(const char *file, const char *who, uint8_t out[32])
{
	const char *at = strstr(file, who);
	uint8_t blob[64];
	size_t n;

	at = at != NULL ? strstr(at, "AAAA") : NULL;
	if (at == NULL ||
	    sodium_base642bin(blob, sizeof(blob), at, strcspn(at, "\n"), NULL,
		&n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n < 32)
		abort();
	memcpy(out, blob + n - 32, 32);
}

static void
put_line(struct buf *b, const char *name, const uint8_t id[4], struct span time,
    const uint8_t sig[64])
{
	struct buf bytes = { 0 };

	buf_add(&bytes, (struct span){ id, 4 });
	buf_add(&bytes, time);
	buf_add(&bytes, (struct span){ sig, 64 });
	buf_addf(b, "\xe2\x80\x94 %s ", name);
	buf_base64(b, buf_span(&bytes));
	buf_addz(b, "\n");
	buf_release(&bytes);
}

/*
 * Sigsum keeps the parts of a tlog checkpoint in a file of its own. Put them
 * together again: the log's and the witness's signatures must hold for the text
 * that we print, and the proof for the leaf.
 */
static void
test_sigsum(void)
{
	size_t n;
	char *file =
	    (char *)slurp(top("tests/vectors/tlog/sigsum-proof-size4.txt"), &n);
	char *pubs = (char *)slurp(
	    top("tests/vectors/tlog/sigsum-proof-size4.keys"), &n);
	uint8_t log[32], witness[32], hash[32], sig[64], leaf[128], proof[64];
	uint8_t message[32];
	const uint8_t when[8] = { 0, 0, 0, 0, 0x64, 0x53, 0xa2, 0xc6 };
	struct checkpoint c = { .size = 4 }, got;
	struct buf b = { 0 };
	struct vkey lk, wk;
	int64_t time = 0;
	struct note note;
	char hex[65];

	ssh_key(pubs, "log ", log);
	ssh_key(pubs, "witness ", witness);
	crypto_hash_sha256(hash, log, 32);
	sodium_bin2hex(hex, sizeof(hex), hash, 32);
	snprintf(c.origin, sizeof(c.origin), "sigsum.org/v1/tree/%s", hex);
	value(file, "root_hash=", NULL, c.root, 32);
	if (vkey_make(&lk, span_of(c.origin), log) ||
	    vkey_make_cosigner(&wk, span_of("w"), witness))
		abort();

	checkpoint_print(&b, &c);
	buf_addz(&b, "\n");
	value(file, "\nsignature=", NULL, sig, 64);
	put_line(&b, lk.name, lk.id, (struct span){ 0 }, sig);
	value(file, "cosignature=", " 1683202758 ", sig, 64);
	put_line(&b, wk.name, wk.id, SPAN(when), sig);
	ok(checkpoint_open(&got, buf_span(&b), &lk) == TOCSIN_OK &&
		got.size == 4,
	    "a checkpoint of a Sigsum log opens");
	ok(note_parse(&note, buf_span(&b), CHECKPOINT_MAX) == TOCSIN_OK &&
		checkpoint_cosigned(&note, &wk, &time) == TOCSIN_OK &&
		time == 1683202758,
	    "its witness saw it, and says when");

	/* A leaf is the hash of a message, its signature, the key's hash. */
	memset(message, ' ', sizeof(message));
	memcpy(message + 26, "foo-4\n", 6);
	crypto_hash_sha256(leaf, message, sizeof(message));
	value(file, "leaf=", " ", leaf + 32, 64);
	value(file, "leaf=", NULL, leaf + 96, 32);
	value(file, "leaf_index=3\nnode_hash=", NULL, proof, 32);
	value(file, "node_hash=6101", "node_hash=", proof + 32, 32);
	merkle_leaf(hash, SPAN(leaf));
	is_int(merkle_verify_inclusion(3, 4, hash, SPAN(proof), got.root),
	    TOCSIN_OK, "and its entry is in it");
	buf_release(&b);
	free(file);
	free(pubs);
}

/* ---- our own ---- */

static enum tocsin_err
parse_text(const char *text)
{
	struct checkpoint c;
	size_t n = strlen(text);
	uint8_t *copy = xcopy(text, n);
	enum tocsin_err err = checkpoint_parse(&c, (struct span){ copy, n });

	free(copy);
	return err;
}

#define ROOT "mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk="
#define EMPTY "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static void
test_texts(void)
{
	/* clang-format off */
	static const struct {
		const char *what;
		const char *text;
		enum tocsin_err want;
	} rows[] = {
		{ "a checkpoint", "my/log\n7\n" ROOT "\n", TOCSIN_OK },
		{ "of an empty log", "my/log\n0\n" EMPTY "\n", TOCSIN_OK },
		{ "of the largest", "my/log\n18446744073709551615\n" ROOT "\n", TOCSIN_OK },
		{ "of a larger", "my/log\n18446744073709551616\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "an empty log with a root", "my/log\n0\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "no origin", "\n7\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "a tab in the origin", "my\tlog\n7\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "a leading zero", "my/log\n07\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "a sign", "my/log\n+7\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "no size", "my/log\n\n" ROOT "\n", TOCSIN_EMALFORMED },
		{ "a short root", "my/log\n7\nmb8Q\n", TOCSIN_EMALFORMED },
		{ "a second spelling of the root", "my/log\n7\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wl=\n", TOCSIN_EMALFORMED },
		{ "no last LF", "my/log\n7\n" ROOT, TOCSIN_EMALFORMED },
		{ "two lines", "my/log\n7\n", TOCSIN_EMALFORMED },
		{ "nothing", "", TOCSIN_EMALFORMED },
		{ "an extension", "my/log\n7\n" ROOT "\nmore\n", TOCSIN_EUNSUPPORTED },
		{ "a carriage return", "my/log\r\n7\n" ROOT "\n", TOCSIN_EMALFORMED },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(parse_text(rows[i].text), rows[i].want, "%s: %s",
		    rows[i].what, tocsin_err_name(rows[i].want));
}

static struct checkpoint
ours(uint64_t size)
{
	struct checkpoint c = { .origin = "my/log", .size = size };

	memset(c.root, (int)size, sizeof(c.root));
	return c;
}

static void
test_sign(void)
{
	struct checkpoint c = ours(7), got = { .size = 0 };
	struct buf b = { 0 };
	struct vkey other;
	size_t i, taken = 0;

	ok(checkpoint_sign(&b, &c, log_sk) == TOCSIN_OK &&
		checkpoint_open(&got, buf_span(&b), &log_key) == TOCSIN_OK &&
		memcmp(&got, &c, sizeof(c)) == 0,
	    "what a log signs opens");
	if (vkey_make(&other, span_of("my/log"), wit_pk))
		abort();
	is_int(checkpoint_open(&got, buf_span(&b), &other), TOCSIN_ENOTFOUND,
	    "not as another key's");
	for (i = 0; i < b.n; i++) {
		uint8_t *copy = xcopy(b.p, b.n);

		copy[i] ^= 1;
		taken += checkpoint_open(&got, (struct span){ copy, b.n },
			     &log_key) == TOCSIN_OK;
		free(copy);
		copy = xcopy(b.p, i);
		taken += checkpoint_open(&got, (struct span){ copy, i },
			     &log_key) == TOCSIN_OK;
		free(copy);
	}
	is_int((long long)taken, 0,
	    "no prefix of it opens, nor with a bit changed");
	buf_release(&b);

	/* A key that may sign for my/log signs another origin's text. */
	buf_addz(&b, "sg/log\n7\n" ROOT "\n");
	{
		struct buf signed_note = { 0 };

		ok(note_sign(&signed_note, buf_span(&b), span_of("my/log"),
		       log_sk) == TOCSIN_OK &&
			checkpoint_open(&got, buf_span(&signed_note),
			    &log_key) == TOCSIN_EBADSIGNATURE,
		    "a log speaks for itself only");
		buf_release(&signed_note);
	}
	buf_release(&b);
}

/* What the witness signs if its clock says 2^63. */
static int
sign_late(struct note_sig *line, struct span text)
{
	struct buf said = { 0 };
	int rc;

	buf_addf(&said, "cosignature/v1\ntime 9223372036854775808\n");
	buf_add(&said, text);
	memset(line->sig, 0, 8);
	line->sig[0] = 0x80;
	line->n = 72;
	rc = crypto_sign_detached(line->sig + 8, NULL, said.p, said.n, wit_sk);
	buf_release(&said);
	return rc;
}

static void
test_cosign(void)
{
	struct checkpoint c = ours(9), got;
	struct buf b = { 0 }, more = { 0 }, again = { 0 };
	struct note n;
	int64_t time = 0;

	if (checkpoint_sign(&b, &c, log_sk) ||
	    note_parse(&n, buf_span(&b), CHECKPOINT_MAX))
		abort();
	is_int(checkpoint_cosigned(&n, &wit_key, &time), TOCSIN_ENOTFOUND,
	    "there is no cosignature before one is made");
	ok(checkpoint_cosign(&more, &n, span_of("sg/witness"), wit_sk,
	       1763690000) == TOCSIN_OK &&
		note_parse(&n, buf_span(&more), CHECKPOINT_MAX) == TOCSIN_OK &&
		n.nsig == 2 &&
		checkpoint_cosigned(&n, &wit_key, &time) == TOCSIN_OK &&
		time == 1763690000,
	    "a witness adds its line and its time");
	is_int(checkpoint_open(&got, buf_span(&more), &log_key), TOCSIN_OK,
	    "and the log's line still holds");
	is_int(checkpoint_cosigned(&n, &log_key, &time), TOCSIN_EUNSUPPORTED,
	    "a log's key is no witness's");
	is_int(checkpoint_cosign(
		   &again, &n, span_of("sg/witness"), wit_sk, 1763690001),
	    TOCSIN_EDUPLICATE, "once per witness");
	is_int(checkpoint_cosign(&again, &n, span_of("la/witness"), wit_sk, -1),
	    TOCSIN_EUSAGE, "there is no time before 1970");
	/* The time is signed: the line's first bytes after the key id. */
	n.sig[1].sig[7] ^= 1;
	is_int(checkpoint_cosigned(&n, &wit_key, &time), TOCSIN_EBADSIGNATURE,
	    "another time does not verify");
	n.sig[1].sig[7] ^= 1;
	n.sig[1].n = 64;
	is_int(checkpoint_cosigned(&n, &wit_key, &time), TOCSIN_EBADSIGNATURE,
	    "nor does a line without time");
	n.sig[1].n = 72;
	n.sig[2] = n.sig[1];
	n.nsig = 3;
	is_int(checkpoint_cosigned(&n, &wit_key, &time), TOCSIN_EMALFORMED,
	    "nor are two lines of one witness taken");
	n.nsig = 2;
	is_int(sign_late(&n.sig[1], n.text), 0, "a line of the year 2^63");
	is_int(checkpoint_cosigned(&n, &wit_key, &time), TOCSIN_EBADSIGNATURE,
	    "is no time either, however well it is signed");
	buf_release(&b);
	buf_release(&more);
	buf_release(&again);
}

/* ---- proof files ---- */

static uint8_t nodes[64][32];

static enum tocsin_err
get(void *arg, uint64_t pos, uint8_t hash[32])
{
	(void)arg;
	memcpy(hash, nodes[pos], 32);
	return TOCSIN_OK;
}

static enum tocsin_err
put(void *arg, uint64_t pos, const uint8_t hash[32])
{
	(void)arg;
	memcpy(nodes[pos], hash, 32);
	return TOCSIN_OK;
}

static void
test_proof(void)
{
	const struct merkle_store s = { NULL, get, put };
	struct checkpoint c = { .origin = "my/log" }, got;
	struct buf hashes = { 0 }, note = { 0 }, file = { 0 };
	uint8_t id[32] = { 0 };
	size_t i, taken = 0;

	while (c.size < 11) {
		id[0] = (uint8_t)c.size;
		if (merkle_append(&s, &c.size, id))
			abort();
	}
	id[0] = 6;
	if (merkle_root(&s, 11, c.root) ||
	    merkle_inclusion(&s, 6, 11, &hashes) ||
	    checkpoint_sign(&note, &c, log_sk))
		abort();
	log_proof_print(&file, 6, buf_span(&hashes), buf_span(&note));
	ok(log_proof_open(&got, buf_span(&file), id, &log_key) == TOCSIN_OK &&
		got.size == 11,
	    "a proof file proves");
	id[0] = 7;
	is_int(log_proof_open(&got, buf_span(&file), id, &log_key),
	    TOCSIN_EBADSIGNATURE, "but not another entry");
	id[0] = 6;
	for (i = 0; i < file.n; i++) {
		uint8_t *copy = xcopy(file.p, file.n);

		copy[i] ^= 1;
		taken += log_proof_open(&got, (struct span){ copy, file.n }, id,
			     &log_key) == TOCSIN_OK;
		free(copy);
		copy = xcopy(file.p, i);
		taken += log_proof_open(&got, (struct span){ copy, i }, id,
			     &log_key) == TOCSIN_OK;
		free(copy);
	}
	is_int((long long)taken, 0, "nor cut, nor with a bit changed");
	buf_release(&file);
	buf_addz(&file, "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 6\n\n");
	is_int(log_proof_open(&got, buf_span(&file), id, &log_key),
	    TOCSIN_EUNSUPPORTED, "unsigned extras are refused");
	buf_release(&file);
	buf_addz(&file, "c2sp.org/tlog-proof@v2\nindex 6\n\n");
	is_int(log_proof_open(&got, buf_span(&file), id, &log_key),
	    TOCSIN_EUNSUPPORTED, "and a version that we don't know");
	buf_release(&hashes);
	buf_release(&note);
	buf_release(&file);
}

static void
test_long_proof(void)
{
	struct buf hashes = { 0 }, file = { 0 };
	struct log_proof p;

	if (buf_grow(&hashes, MERKLE_PROOF_MAX * 32) == NULL)
		abort();
	memset(hashes.p, 7, hashes.n);
	log_proof_print(&file, UINT64_MAX, buf_span(&hashes), span_of("x"));
	ok(log_proof_parse(&p, buf_span(&file)) == TOCSIN_OK &&
		p.index == UINT64_MAX && p.n == hashes.n &&
		span_is(p.checkpoint, "x"),
	    "a proof of %d hashes parses", MERKLE_PROOF_MAX);
	buf_add(&hashes, SPAN(nodes[0]));
	buf_cut(&file, 0);
	log_proof_print(&file, 1, buf_span(&hashes), span_of("x"));
	is_int(log_proof_parse(&p, buf_span(&file)), TOCSIN_EMALFORMED,
	    "one more hash is refused");
	buf_release(&hashes);
	buf_release(&file);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	keys();
	test_sumgolang();
	test_sigsum();
	test_texts();
	test_sign();
	test_cosign();
	test_proof();
	test_long_proof();
	return tap_done();
}
