/* SPDX-License-Identifier: ISC */
#include "crypto/checkpoint.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

static const char proof_head[] = "c2sp.org/tlog-proof@v1";

/* The next line without its LF; *good turns false if there is none. */
static struct span
take_line(struct span *rest, bool *good)
{
	const uint8_t *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	struct span line = { 0 };

	if (lf == NULL) {
		*good = false;
		return line;
	}
	line = span_cut(*rest, 0, (size_t)(lf - rest->p));
	*rest = span_cut(*rest, line.n + 1, rest->n);
	return line;
}

static bool
origin_ok(struct span s)
{
	size_t i;

	if (s.n == 0 || s.n > KEYNAME_MAX)
		return false;
	for (i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static bool
root_ok(const struct checkpoint *c)
{
	uint8_t none[MERKLE_HASH];

	crypto_hash_sha256(none, (const uint8_t *)"", 0);
	return c->size > 0 || memcmp(c->root, none, sizeof(none)) == 0;
}

enum tocsin_err
checkpoint_parse(struct checkpoint *out, struct span text)
{
	struct checkpoint c = { .size = 0 };
	struct span rest = text, origin, size, root;
	bool good = true;

	if (text.n > CHECKPOINT_MAX)
		return TOCSIN_ETOOLARGE;
	origin = take_line(&rest, &good);
	size = take_line(&rest, &good);
	root = take_line(&rest, &good);
	if (!good || !origin_ok(origin) || !num_parse(size, &c.size) ||
	    !id_parse(root, c.root) || !root_ok(&c))
		return TOCSIN_EMALFORMED;
	if (rest.n > 0) /* an extension */
		return TOCSIN_EUNSUPPORTED;
	memcpy(c.origin, origin.p, origin.n);
	*out = c;
	return TOCSIN_OK;
}

void
checkpoint_print(struct buf *b, const struct checkpoint *c)
{
	buf_addf(b, "%s\n%" PRIu64 "\n", c->origin, c->size);
	text_put_id(b, c->root);
	buf_addz(b, "\n");
}

enum tocsin_err
checkpoint_sign(
    struct buf *out, const struct checkpoint *c, const uint8_t sk[64])
{
	struct buf text = { .max = CHECKPOINT_MAX };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	checkpoint_print(&text, c);
	if (buf_ok(&text))
		err = note_sign(out, buf_span(&text), span_of(c->origin), sk);
	buf_release(&text);
	return err;
}

enum tocsin_err
checkpoint_open(
    struct checkpoint *out, struct span note, const struct vkey *log)
{
	struct checkpoint c;
	enum tocsin_err err;
	struct note n;

	err = note_parse(&n, note, CHECKPOINT_MAX);
	if (err)
		return err;
	err = note_verify(&n, log);
	if (err)
		return err;
	err = checkpoint_parse(&c, n.text);
	if (err)
		return err;
	if (strcmp(c.origin, log->name) != 0)
		return TOCSIN_EBADSIGNATURE; /* of another log's tree */
	*out = c;
	return TOCSIN_OK;
}

/* ---- cosignatures ---- */

/* What a witness signs: that it saw this text at this time. */
static void
put_cosigned(struct buf *b, struct span text, uint64_t time)
{
	buf_addf(b, "cosignature/v1\ntime %" PRIu64 "\n", time);
	buf_add(b, text);
}

/* The one line of this key, *out NULL without; false if there are two. */
static bool
find_line(
    const struct note_sig **out, const struct note *n, const struct vkey *key)
{
	size_t i;

	*out = NULL;
	for (i = 0; i < n->nsig; i++) {
		const struct note_sig *s = &n->sig[i];

		if (memcmp(s->id, key->id, KEYID_LEN) != 0 ||
		    !span_is(s->name, key->name))
			continue;
		if (*out != NULL)
			return false;
		*out = s;
	}
	return true;
}

enum tocsin_err
checkpoint_cosigned(
    const struct note *n, const struct vkey *witness, int64_t *time)
{
	const struct note_sig *line;
	struct buf said = { 0 };
	enum tocsin_err err;
	uint64_t when;
	struct rd r;
	bool good;

	if (witness->type != VKEY_COSIGNER)
		return TOCSIN_EUNSUPPORTED;
	if (!find_line(&line, n, witness))
		return TOCSIN_EMALFORMED;
	if (line == NULL)
		return TOCSIN_ENOTFOUND;
	if (line->n != 8 + crypto_sign_BYTES)
		return TOCSIN_EBADSIGNATURE;
	r = rd_init((struct span){ line->sig, line->n });
	when = rd_u64(&r);
	put_cosigned(&said, n->text, when);
	good = buf_ok(&said) && when <= INT64_MAX &&
	       crypto_sign_verify_detached(
		   r.rest.p, said.p, said.n, witness->pk) == 0;
	err = !buf_ok(&said) ? TOCSIN_EINTERNAL
	      : good	     ? TOCSIN_OK
			     : TOCSIN_EBADSIGNATURE;
	buf_release(&said);
	if (err != TOCSIN_OK)
		return err;
	*time = (int64_t)when;
	return TOCSIN_OK;
}

static void
put_cosig_line(struct buf *out, const struct vkey *key, uint64_t time,
    const uint8_t sig[crypto_sign_BYTES])
{
	struct buf bytes = { 0 };

	buf_add(&bytes, SPAN(key->id));
	buf_u64(&bytes, time);
	buf_add(&bytes, (struct span){ sig, crypto_sign_BYTES });
	buf_addf(out, "\xe2\x80\x94 %s ", key->name);
	buf_base64(out, buf_span(&bytes));
	buf_addz(out, "\n");
	if (!buf_ok(&bytes))
		out->failed = true;
	buf_release(&bytes);
}

enum tocsin_err
checkpoint_cosign(struct buf *out, const struct note *n, struct span name,
    const uint8_t sk[64], int64_t time)
{
	uint8_t sig[crypto_sign_BYTES];
	const struct note_sig *line;
	struct buf said = { 0 };
	size_t was = out->n;
	enum tocsin_err err;
	struct vkey key;
	bool good;

	err = vkey_make_cosigner(&key, name, sk + 32);
	if (err)
		return err;
	if (time < 0 || n->nsig == 0)
		return TOCSIN_EUSAGE;
	if (!find_line(&line, n, &key) || line != NULL)
		return TOCSIN_EDUPLICATE;
	if (n->nsig == NOTE_SIGS)
		return TOCSIN_ETOOLARGE;
	put_cosigned(&said, n->text, (uint64_t)time);
	/* Verified before it leaves: a fault must not give the key away. */
	good = buf_ok(&said) &&
	       crypto_sign_detached(sig, NULL, said.p, said.n, sk) == 0 &&
	       crypto_sign_verify_detached(sig, said.p, said.n, key.pk) == 0;
	buf_release(&said);
	if (!good)
		return TOCSIN_EINTERNAL;
	buf_add(out, n->whole);
	put_cosig_line(out, &key, (uint64_t)time, sig);
	if (buf_ok(out))
		return TOCSIN_OK;
	buf_cut(out, was);
	return TOCSIN_EINTERNAL;
}

/* ---- proof files ---- */

void
log_proof_print(
    struct buf *b, uint64_t index, struct span hashes, struct span checkpoint)
{
	size_t i;

	buf_addf(b, "%s\nindex %" PRIu64 "\n", proof_head, index);
	for (i = 0; i + MERKLE_HASH <= hashes.n; i += MERKLE_HASH) {
		text_put_id(b, hashes.p + i);
		buf_addz(b, "\n");
	}
	buf_addz(b, "\n");
	buf_add(b, checkpoint);
}

enum tocsin_err
log_proof_parse(struct log_proof *out, struct span file)
{
	static const char key[] = "index ";
	struct span rest = file, line;
	bool good = true;
	size_t n;

	if (file.n > LOG_PROOF_MAX)
		return TOCSIN_ETOOLARGE;
	line = take_line(&rest, &good);
	if (!good || !span_is(line, proof_head))
		return TOCSIN_EUNSUPPORTED;
	line = take_line(&rest, &good);
	if (span_is(span_cut(line, 0, 6), "extra "))
		return TOCSIN_EUNSUPPORTED;
	if (!span_is(span_cut(line, 0, sizeof(key) - 1), key) ||
	    !num_parse(span_cut(line, sizeof(key) - 1, line.n), &out->index))
		return TOCSIN_EMALFORMED;
	for (n = 0;; n += MERKLE_HASH) {
		line = take_line(&rest, &good);
		if (!good)
			return TOCSIN_EMALFORMED;
		if (line.n == 0)
			break;
		if (n == sizeof(out->hashes) ||
		    !id_parse(line, out->hashes + n))
			return TOCSIN_EMALFORMED;
	}
	out->n = n;
	out->checkpoint = rest;
	return TOCSIN_OK;
}

enum tocsin_err
log_proof_open(struct checkpoint *out, struct span file,
    const uint8_t id[ID_LEN], const struct vkey *log)
{
	uint8_t leaf[MERKLE_HASH];
	struct checkpoint c;
	struct log_proof p;
	enum tocsin_err err;

	err = log_proof_parse(&p, file);
	if (err)
		return err;
	err = checkpoint_open(&c, p.checkpoint, log);
	if (err)
		return err;
	merkle_leaf(leaf, (struct span){ id, ID_LEN });
	err = merkle_verify_inclusion(
	    p.index, c.size, leaf, (struct span){ p.hashes, p.n }, c.root);
	if (err == TOCSIN_OK)
		*out = c;
	return err;
}
