/* SPDX-License-Identifier: ISC */
/* Sealing and opening: the half of ticket.h that needs keys. */
#include "crypto/age.h"
#include "crypto/padding.h"
#include "crypto/sha256.h"
#include "crypto/tar.h"
#include "crypto/ticket.h"

#include <sodium.h>
#include <string.h>

static const char header_name[] = "header";
static const char json_name[] = "ticket.json";
static const char parts_name[] = "parts.age";

static uint64_t
archive_size(size_t inner, size_t json, size_t parts)
{
	uint64_t n = TAR_ENTRY(inner) + TAR_ENTRY(json) + TAR_END;

	if (parts > 0)
		n += TAR_ENTRY(parts);
	return padme(n, TICKET_PAD_FLOOR);
}

/* ---- sealing ---- */

/* The header as it stands before there is a body: the text but one line. */
static enum tocsin_err
print_inner(struct buf *out, const struct ticket *t)
{
	ticket_print(out, t);
	if (!buf_ok(out))
		return TOCSIN_EINTERNAL;
	do
		buf_cut(out, out->n - 1);
	while (out->n > 0 && out->p[out->n - 1] != '\n');
	return TOCSIN_OK;
}

static enum tocsin_err
pack(struct buf *out, const struct ticket *t, struct span json,
    struct span parts_age)
{
	struct buf inner = { 0 };
	enum tocsin_err err = print_inner(&inner, t);
	uint64_t size;

	if (err != TOCSIN_OK)
		goto out;
	size = archive_size(inner.n, json.n, parts_age.n);
	if (age_sealed_size(size, t->nto) > TICKET_BODY_MAX) {
		err = TOCSIN_ETOOLARGE;
		goto out;
	}
	tar_add(out, header_name, buf_span(&inner));
	tar_add(out, json_name, json);
	if (parts_age.n > 0)
		tar_add(out, parts_name, parts_age);
	tar_end(out, (size_t)size);
	if (!buf_ok(out))
		err = TOCSIN_EINTERNAL;
out:
	buf_release(&inner);
	return err;
}

static enum tocsin_err
sign(struct buf *out, const struct ticket *t, const uint8_t sk[64])
{
	struct buf text = { 0 }, name = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	ticket_print(&text, t);
	buf_add(&name, t->from);
	buf_u8(&name, '/');
	buf_add(&name, t->device);
	if (buf_ok(&text) && buf_ok(&name))
		err = note_sign(out, buf_span(&text), buf_span(&name), sk);
	buf_release(&text);
	buf_release(&name);
	return err;
}

/* What leaves here must be what everybody else will take. */
static enum tocsin_err
prove(struct span file)
{
	struct ticket t;
	struct note note;
	enum tocsin_err err = ticket_parse(&t, &note, file);

	return err == TOCSIN_OK || err == TOCSIN_ETOOLARGE ? err
							   : TOCSIN_EUSAGE;
}

static bool
counts_ok(const struct ticket *t)
{
	return t->nto > 0 && t->nto <= TICKET_TO_MAX &&
	       t->npart <= TICKET_PARTS_MAX && t->nref <= TICKET_REFS_MAX &&
	       t->nlabel <= TICKET_LABELS_MAX;
}

enum tocsin_err
ticket_seal(struct buf *note_out, struct buf *body_out,
    const struct ticket *draft, const uint8_t (*recipient_pk)[32],
    struct span ticket_json, struct span parts_age, const uint8_t sign_sk[64])
{
	size_t note_at = note_out->n, body_at = body_out->n;
	struct ticket t = *draft;
	struct buf plain = { 0 };
	struct span body;
	enum tocsin_err err;

	if (!counts_ok(&t) || ticket_json.n == 0 ||
	    (parts_age.n > 0) != (t.npart > 0))
		return TOCSIN_EUSAGE;
	err = pack(&plain, &t, ticket_json, parts_age);
	if (err == TOCSIN_OK)
		err = age_seal(body_out, recipient_pk, t.nto, buf_span(&plain));
	if (err != TOCSIN_OK)
		goto out;
	body = span_cut(buf_span(body_out), body_at, body_out->n - body_at);
	t.body_size = body.n;
	sha256(t.body_hash, body);
	err = sign(note_out, &t, sign_sk);
	if (err == TOCSIN_OK)
		err = prove(span_cut(
		    buf_span(note_out), note_at, note_out->n - note_at));
out:
	if (err != TOCSIN_OK) {
		buf_cut(note_out, note_at);
		buf_cut(body_out, body_at);
	}
	buf_release(&plain);
	return err;
}

/* ---- opening ---- */

static enum tocsin_err
check_hash(const struct ticket *t, struct span body)
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	if (body.n != t->body_size)
		return TOCSIN_EBODYMISMATCH;
	sha256(hash, body);
	if (memcmp(hash, t->body_hash, sizeof(hash)) != 0)
		return TOCSIN_EBODYMISMATCH;
	return TOCSIN_OK;
}

enum tocsin_err
ticket_check_body(const struct ticket *t, struct span body)
{
	struct age_rules rules = { .exact_stanzas = t->nto };
	enum tocsin_err err = check_hash(t, body);

	return err == TOCSIN_OK ? age_check(body, &rules) : err;
}

/*
 * The hash was right, so whatever is wrong now was so when it was signed. A
 * stanza that does not open is the sender's doing, not a lack of ours.
 */
static enum tocsin_err
blame_sender(enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_EBODYMISMATCH:
		return TOCSIN_EMALFORMED;
	case TOCSIN_ENOTRECIPIENT:
		return TOCSIN_ERECIPIENTMISMATCH;
	default:
		return err;
	}
}

/* An epoch may have had two keys, when one was replaced: try what we hold. */
static enum tocsin_err
decrypt(struct buf *plain, const struct ticket *t, size_t place,
    struct span body, const struct ticket_key *keys, size_t nkeys)
{
	struct age_rules rules = { place, t->nto };
	enum tocsin_err err = TOCSIN_ENOTRECIPIENT;
	size_t i;

	for (i = 0; i < nkeys; i++) {
		if (!span_eq(keys[i].epoch, t->to[place].epoch))
			continue;
		err = check_hash(t, body);
		if (err == TOCSIN_OK)
			err = blame_sender(
			    age_open(plain, body, keys[i].sk, &rules));
		if (err != TOCSIN_ERECIPIENTMISMATCH)
			break;
	}
	return err;
}

/* The next file, which must have this name; empty if it hasn't. */
static struct span
take(struct tar *tar, const char *name)
{
	struct span got, content;

	if (tar_next(tar, &got, &content) != TOCSIN_OK || !span_is(got, name))
		return (struct span){ 0 };
	return content;
}

/* One line, as age-keygen writes it but without its comments. */
static bool
read_identity(uint8_t sk[32], struct span text)
{
	return text.n == AGE_IDENTITY_TEXT + 1 && text.p[text.n - 1] == '\n' &&
	       age_identity_parse(sk, span_cut(text, 0, text.n - 1)) ==
		   TOCSIN_OK;
}

static enum tocsin_err
unpack(struct ticket_contents *out, const struct ticket *t, struct span plain)
{
	struct tar tar = tar_init(plain);
	struct span inner = take(&tar, header_name);
	struct span name, content;

	out->json = take(&tar, json_name);
	if (inner.n == 0 || out->json.n == 0)
		return TOCSIN_EMALFORMED;
	if (t->npart > 0) {
		out->parts_age = take(&tar, parts_name);
		if (!read_identity(out->parts_sk, out->parts_age))
			return TOCSIN_EMALFORMED;
	}
	if (tar_next(&tar, &name, &content) != TOCSIN_ENOTFOUND ||
	    plain.n != archive_size(inner.n, out->json.n, out->parts_age.n))
		return TOCSIN_EMALFORMED;
	if (!span_eq(inner, t->inner))
		return TOCSIN_EHEADERMISMATCH;
	return TOCSIN_OK;
}

enum tocsin_err
ticket_unpack(
    struct ticket_contents *out, const struct ticket *t, struct span plain)
{
	enum tocsin_err err;

	memset(out, 0, sizeof(*out));
	err = unpack(out, t, plain);
	if (err != TOCSIN_OK)
		ticket_contents_release(out);
	return err;
}

enum tocsin_err
ticket_open(struct ticket_contents *out, const struct ticket *t,
    struct span body, const struct ticket_key *keys, size_t nkeys,
    struct span member)
{
	int place = ticket_to_find(t, member);
	enum tocsin_err err;

	memset(out, 0, sizeof(*out));
	if (place < 0)
		return TOCSIN_ENOTRECIPIENT;
	err = decrypt(&out->plain, t, (size_t)place, body, keys, nkeys);
	if (err == TOCSIN_OK)
		err = unpack(out, t, buf_span(&out->plain));
	if (err != TOCSIN_OK)
		ticket_contents_release(out);
	return err;
}

enum tocsin_err
ticket_body_key(uint8_t out[TICKET_BODY_KEY], const struct ticket *t,
    struct span body, const struct ticket_key *keys, size_t nkeys,
    struct span member)
{
	int place = ticket_to_find(t, member);
	enum tocsin_err err = TOCSIN_ENOTRECIPIENT;
	struct age_rules rules = { 0 };
	size_t i;

	if (place < 0)
		return err;
	rules.hint = (size_t)place;
	rules.exact_stanzas = t->nto;
	for (i = 0; i < nkeys; i++) {
		if (!span_eq(keys[i].epoch, t->to[place].epoch))
			continue;
		err = check_hash(t, body);
		if (err == TOCSIN_OK)
			err = age_file_key(out, body, keys[i].sk, &rules);
		if (err == TOCSIN_OK || err == TOCSIN_EBODYMISMATCH)
			break;
	}
	return err;
}

enum tocsin_err
ticket_open_disclosed(struct ticket_contents *out, const struct ticket *t,
    struct span body, const uint8_t key[TICKET_BODY_KEY])
{
	enum tocsin_err err = check_hash(t, body);

	memset(out, 0, sizeof(*out));
	if (err == TOCSIN_OK)
		err = age_open_file_key(&out->plain, body, key);
	if (err == TOCSIN_OK)
		err = unpack(out, t, buf_span(&out->plain));
	if (err != TOCSIN_OK)
		ticket_contents_release(out);
	return err;
}

void
ticket_contents_release(struct ticket_contents *c)
{
	buf_release(&c->plain);
	sodium_memzero(c, sizeof(*c));
}
