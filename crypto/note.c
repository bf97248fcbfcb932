/* SPDX-License-Identifier: ISC */
#include "crypto/note.h"
#include "crypto/pubkey.h"
#include "crypto/sha256.h"

#include <sodium.h>
#include <string.h>

static const char dash[] = "\xe2\x80\x94 "; /* U+2014 and a space */

/* Standard base64 with its padding, in its one spelling, or false. */
static bool
unbase64(struct span s, uint8_t *out, size_t max, size_t *n)
{
	return s.n > 0 && span_ascii(s) &&
	       sodium_base642bin(out, max, (const char *)s.p, s.n, NULL, n,
		   NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
}

/* Bytes before the first c; all of them if there is none. */
static size_t
until(struct span s, uint8_t c)
{
	const uint8_t *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.n;
}

/* What we use as the name of a key: visible ASCII without '+'. */
static bool
keyname_ok(struct span s)
{
	size_t i;

	if (s.n == 0 || s.n > KEYNAME_MAX)
		return false;
	for (i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '+')
			return false;
	return true;
}

static void
key_id(
    uint8_t id[KEYID_LEN], struct span name, uint8_t type, const uint8_t pk[32])
{
	const uint8_t tag[2] = { '\n', type };
	crypto_hash_sha256_state st;
	uint8_t hash[32];

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, name.p, name.n);
	crypto_hash_sha256_update(&st, tag, sizeof(tag));
	crypto_hash_sha256_update(&st, pk, 32);
	crypto_hash_sha256_final(&st, hash);
	memcpy(id, hash, KEYID_LEN);
}

static enum tocsin_err
vkey_set(struct vkey *out, struct span name, uint8_t type, const uint8_t *pk)
{
	struct vkey k = { .type = type };

	if (!keyname_ok(name))
		return TOCSIN_EMALFORMED;
	if (type != VKEY_ED25519 && type != VKEY_COSIGNER)
		return TOCSIN_EUNSUPPORTED;
	if (!pubkey_ed25519_ok(pk))
		return TOCSIN_EMALFORMED;
	memcpy(k.name, name.p, name.n);
	memcpy(k.pk, pk, 32);
	key_id(k.id, name, type, pk);
	*out = k;
	return TOCSIN_OK;
}

enum tocsin_err
vkey_parse(struct vkey *out, struct span s)
{
	size_t plus = until(s, '+'), n;
	struct span name = span_cut(s, 0, plus);
	struct span hex = span_cut(s, plus + 1, 8);
	struct span key = span_cut(s, plus + 10, s.n);
	uint8_t bytes[33] = { 0 };
	enum tocsin_err err;
	struct vkey k;
	char want[9];

	if (s.n < plus + 10 || s.p[plus + 9] != '+' ||
	    !unbase64(key, bytes, sizeof(bytes), &n) || n != sizeof(bytes))
		return TOCSIN_EMALFORMED;
	err = vkey_set(&k, name, bytes[0], bytes + 1);
	if (err)
		return err;
	sodium_bin2hex(want, sizeof(want), k.id, KEYID_LEN);
	if (!span_is(hex, want))
		return TOCSIN_EMALFORMED;
	*out = k;
	return TOCSIN_OK;
}

void
vkey_print(struct buf *b, const struct vkey *k)
{
	uint8_t bytes[33];
	char hex[9];

	bytes[0] = k->type;
	memcpy(bytes + 1, k->pk, 32);
	sodium_bin2hex(hex, sizeof(hex), k->id, KEYID_LEN);
	buf_addf(b, "%s+%s+", k->name, hex);
	buf_base64(b, SPAN(bytes));
}

enum tocsin_err
vkey_make(struct vkey *out, struct span name, const uint8_t pk[32])
{
	return vkey_set(out, name, VKEY_ED25519, pk);
}

enum tocsin_err
vkey_make_cosigner(struct vkey *out, struct span name, const uint8_t pk[32])
{
	return vkey_set(out, name, VKEY_COSIGNER, pk);
}

bool
vkey_eq(const struct vkey *a, const struct vkey *b)
{
	return a->type == b->type && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->pk, b->pk, sizeof(a->pk)) == 0;
}

/*
 * Length of the UTF-8 character at the start of s, and its code point; 0 if
 * there is none: a lone or missing continuation, an overlong form, a
 * surrogate, or beyond U+10FFFF.
 */
static size_t
utf8_next(struct span s, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = s.p[0];
	size_t n, i;
	uint32_t c;

	if (lead < 0x80) {
		*out = lead;
		return 1;
	}
	n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc0 || lead > 0xf4 || n > s.n)
		return 0;
	c = lead & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s.p[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n;
}

/* UTF-8 without control characters but LF, ended by LF. */
static bool
text_ok(struct span s)
{
	uint32_t c;
	size_t i = 0, n;

	if (s.n == 0 || s.p[s.n - 1] != '\n')
		return false;
	while (i < s.n) {
		if (s.p[i] >= 0x20 && s.p[i] < 0x80) {
			i++;
			continue;
		}
		n = utf8_next(span_cut(s, i, s.n), &c);
		if (n == 0 || (c < 0x20 && c != '\n'))
			return false;
		i += n;
	}
	return true;
}

static bool
is_space(uint32_t c)
{
	return c <= 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The name on a line, perhaps of a key that we don't know: any but spaces. */
static bool
signer_ok(struct span s)
{
	uint32_t c;
	size_t n;

	if (s.n == 0)
		return false;
	for (; s.n > 0; s = span_cut(s, n, s.n)) {
		n = utf8_next(s, &c);
		if (n == 0 || is_space(c) || c == '+')
			return false;
	}
	return true;
}

static bool
sig_line(struct note_sig *out, struct span line)
{
	struct span body = span_cut(line, sizeof(dash) - 1, line.n);
	size_t space = until(body, ' '), n;
	uint8_t bytes[NOTE_LINE_MAX];

	if (line.n > NOTE_LINE_MAX ||
	    !span_is(span_cut(line, 0, sizeof(dash) - 1), dash))
		return false;
	out->name = span_cut(body, 0, space);
	if (!signer_ok(out->name) ||
	    !unbase64(
		span_cut(body, space + 1, body.n), bytes, sizeof(bytes), &n) ||
	    n <= KEYID_LEN)
		return false;
	memcpy(out->id, bytes, KEYID_LEN);
	n -= KEYID_LEN;
	out->n = n <= NOTE_SIG_MAX ? n : 0;
	memcpy(out->sig, bytes + KEYID_LEN, out->n);
	return true;
}

/* Where the signature lines begin: after the last blank line; 0 if none is. */
static size_t
sigs_at(struct span file)
{
	size_t i;

	for (i = file.n; i > 1; i--)
		if (file.p[i - 1] == '\n' && file.p[i - 2] == '\n')
			return i;
	return 0;
}

enum tocsin_err
note_parse_draft(struct note *out, struct span file, size_t max_text)
{
	size_t at = sigs_at(file), n;
	struct span sigs = span_cut(file, at, file.n);

	out->nsig = 0;
	out->whole = file;
	out->text = at > 0 ? span_cut(file, 0, at - 1) : file;
	if (out->text.n > max_text)
		return TOCSIN_ETOOLARGE;
	if (!text_ok(out->text))
		return TOCSIN_EMALFORMED;
	if (at == 0)
		return TOCSIN_OK;
	if (sigs.n == 0 || sigs.p[sigs.n - 1] != '\n')
		return TOCSIN_EMALFORMED;
	for (; sigs.n > 0; sigs = span_cut(sigs, n + 1, sigs.n)) {
		n = until(sigs, '\n');
		if (out->nsig == NOTE_SIGS)
			return TOCSIN_ETOOLARGE;
		if (!sig_line(&out->sig[out->nsig++], span_cut(sigs, 0, n)))
			return TOCSIN_EMALFORMED;
	}
	return TOCSIN_OK;
}

enum tocsin_err
note_parse(struct note *out, struct span file, size_t max_text)
{
	enum tocsin_err err = note_parse_draft(out, file, max_text);

	return err == TOCSIN_OK && out->nsig == 0 ? TOCSIN_EMALFORMED : err;
}

static bool
is_by(const struct note_sig *s, const struct vkey *key)
{
	return memcmp(s->id, key->id, KEYID_LEN) == 0 &&
	       span_is(s->name, key->name);
}

enum tocsin_err
note_verify(const struct note *n, const struct vkey *key)
{
	const struct note_sig *mine = NULL;
	size_t i;

	if (key->type != VKEY_ED25519)
		return TOCSIN_EUNSUPPORTED;
	for (i = 0; i < n->nsig; i++) {
		if (!is_by(&n->sig[i], key))
			continue;
		if (mine != NULL)
			return TOCSIN_EMALFORMED;
		mine = &n->sig[i];
	}
	if (mine == NULL)
		return TOCSIN_ENOTFOUND;
	if (mine->n != crypto_sign_BYTES ||
	    crypto_sign_verify_detached(
		mine->sig, n->text.p, n->text.n, key->pk) != 0)
		return TOCSIN_EBADSIGNATURE;
	return TOCSIN_OK;
}

static void
put_line(struct buf *out, const struct vkey *key, const uint8_t sig[64])
{
	uint8_t bytes[KEYID_LEN + 64];

	memcpy(bytes, key->id, KEYID_LEN);
	memcpy(bytes + KEYID_LEN, sig, 64);
	buf_addf(out, "%s%s ", dash, key->name);
	buf_base64(out, SPAN(bytes));
	buf_addz(out, "\n");
}

enum tocsin_err
note_add_made(struct buf *out, const struct note *n, const struct vkey *key,
    const uint8_t sig[64])
{
	size_t i;

	for (i = 0; i < n->nsig; i++)
		if (is_by(&n->sig[i], key))
			return TOCSIN_EDUPLICATE;
	if (n->nsig == NOTE_SIGS)
		return TOCSIN_ETOOLARGE;
	if (crypto_sign_verify_detached(sig, n->text.p, n->text.n, key->pk))
		return TOCSIN_EBADSIGNATURE;
	buf_add(out, n->whole);
	if (n->nsig == 0)
		buf_addz(out, "\n");
	put_line(out, key, sig);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

enum tocsin_err
note_add(struct buf *out, const struct note *n, struct span name,
    const uint8_t sk[64])
{
	enum tocsin_err err;
	uint8_t sig[64];
	struct vkey key;

	err = vkey_make(&key, name, sk + 32);
	if (err)
		return err;
	crypto_sign_detached(sig, NULL, n->text.p, n->text.n, sk);
	err = note_add_made(out, n, &key, sig);
	sodium_memzero(sig, sizeof(sig));
	return err == TOCSIN_EBADSIGNATURE ? TOCSIN_EINTERNAL : err;
}

enum tocsin_err
note_sign(
    struct buf *out, struct span text, struct span name, const uint8_t sk[64])
{
	enum tocsin_err err;
	struct note n;

	err = note_parse_draft(&n, text, SIZE_MAX);
	if (err)
		return err;
	return n.nsig == 0 ? note_add(out, &n, name, sk) : TOCSIN_EMALFORMED;
}

void
note_id(uint8_t id[ID_LEN], struct span text)
{
	sha256(id, text);
}
