/* SPDX-License-Identifier: ISC */
#include "crypto/age.h"
#include "crypto/hkdf.h"

#include <sodium.h>
#include <string.h>

#define FILE_KEY 16
#define BODY (FILE_KEY + AGE_OVERHEAD) /* a file key, wrapped */
#define SALT 16
#define B64_16 22 /* characters that 16 and 32 bytes take, unpadded */
#define B64_32 43
#define BODY_LINE 64 /* characters in every line of a body but the last */
#define STANZA 98    /* bytes of an X25519 stanza */
#define FIXED 70     /* bytes of the header around the stanzas */
#define SEALED_CHUNK (AGE_CHUNK + AGE_OVERHEAD)

static const char version_line[] = "age-encryption.org/v1\n";
static const char x25519_info[] = "age-encryption.org/v1/X25519";
static const char scrypt_label[] = "age-encryption.org/v1/scrypt";

/* ---- base64 without padding ---- */

/* False unless `s` is the one spelling of some *n bytes, at most `cap`. */
static bool
b64_read(uint8_t *out, size_t cap, size_t *n, struct span s)
{
	*n = 0;
	if (s.n == 0)
		return true;
	return span_ascii(s) &&
	       sodium_base642bin(out, cap, (const char *)s.p, s.n, NULL, n,
		   NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

static bool
b64_exactly(uint8_t *out, size_t want, struct span s)
{
	size_t n;

	return b64_read(out, want, &n, s) && n == want;
}

static void
b64_write(struct buf *out, struct span s)
{
	size_t n = sodium_base64_ENCODED_LEN(
	    s.n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	uint8_t *at = buf_grow(out, n);

	if (at == NULL)
		return;
	sodium_bin2base64(
	    (char *)at, n, s.p, s.n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	out->n--; /* the NUL */
}

/* ---- the file key, wrapped; and what is derived from it ---- */

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

static void
wrap(uint8_t body[BODY], const uint8_t key[32], const uint8_t fk[FILE_KEY])
{
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    body, NULL, fk, FILE_KEY, NULL, 0, NULL, zero_nonce, key);
}

static bool
unwrap(uint8_t fk[FILE_KEY], const uint8_t key[32], const uint8_t body[BODY])
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(
		   fk, NULL, NULL, body, BODY, NULL, 0, zero_nonce, key) == 0;
}

/* False for a point of low order, which would make a key that all know. */
static bool
x25519_wrap_key(uint8_t key[32], const uint8_t scalar[32],
    const uint8_t point[32], const uint8_t share[32], const uint8_t pk[32])
{
	uint8_t shared[32], salt[64];

	if (crypto_scalarmult(shared, scalar, point) != 0)
		return false;
	memcpy(salt, share, 32);
	memcpy(salt + 32, pk, 32);
	hkdf_sha256(key, 32, SPAN(shared), SPAN(salt), span_of(x25519_info));
	sodium_memzero(shared, sizeof(shared));
	return true;
}

static bool
scrypt_wrap_key(uint8_t key[32], struct span passphrase,
    const uint8_t salt[SALT], unsigned work_factor)
{
	uint8_t full[sizeof(scrypt_label) - 1 + SALT];

	memcpy(full, scrypt_label, sizeof(scrypt_label) - 1);
	memcpy(full + sizeof(scrypt_label) - 1, salt, SALT);
	return crypto_pwhash_scryptsalsa208sha256_ll(
		   passphrase.n > 0 ? passphrase.p : (const uint8_t *)"",
		   passphrase.n, full, sizeof(full), (uint64_t)1 << work_factor,
		   8, 1, key, 32) == 0;
}

static void
header_mac(uint8_t mac[32], const uint8_t fk[FILE_KEY], struct span signed_part)
{
	uint8_t key[32];

	hkdf_sha256(key, sizeof(key), (struct span){ fk, FILE_KEY },
	    (struct span){ 0 }, span_of("header"));
	hmac_sha256(mac, SPAN(key), signed_part, (struct span){ 0 });
	sodium_memzero(key, sizeof(key));
}

static void
stream_begin(struct age_stream *s, const uint8_t fk[FILE_KEY],
    const uint8_t nonce[AGE_NONCE])
{
	hkdf_sha256(s->key, sizeof(s->key), (struct span){ fk, FILE_KEY },
	    (struct span){ nonce, AGE_NONCE }, span_of("payload"));
	s->counter = 0;
	s->open = true;
}

/* ---- reading a header ---- */

struct stanza {
	struct span type;
	struct span args;   /* without the space before; empty if none */
	uint8_t body[BODY]; /* as much of it as fits */
	size_t body_n;
};

struct header {
	struct span signed_part;      /* all up to and including "---" */
	uint16_t at[AGE_STANZAS_MAX]; /* where in it each stanza begins */
	uint8_t mac[32];
	size_t count;
	size_t x25519;
	size_t scrypt;
	struct span nonce;
};

/* One or more words of visible ASCII, one space between them. */
static bool
are_words(struct span s)
{
	uint8_t before = ' ';
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
		if (s.p[i] == ' ' && before == ' ')
			return false;
		before = s.p[i];
	}
	return before != ' ';
}

static bool
take_body(struct rd *r, struct stanza *st)
{
	uint8_t bytes[BODY_LINE / 4 * 3];
	struct span line;
	size_t n, room;

	do {
		line = rd_line(r);
		if (r->bad || line.n > BODY_LINE ||
		    !b64_read(bytes, sizeof(bytes), &n, line))
			return false;
		room = st->body_n < BODY ? BODY - st->body_n : 0;
		memcpy(st->body + (BODY - room), bytes, n < room ? n : room);
		st->body_n += n;
	} while (line.n == BODY_LINE);
	return true;
}

static bool
take_stanza(struct rd *r, struct stanza *st)
{
	struct span line = rd_line(r), words;
	const uint8_t *space;
	size_t n;

	*st = (struct stanza){ 0 };
	if (r->bad || !span_is(span_cut(line, 0, 3), "-> "))
		return false;
	words = span_cut(line, 3, SIZE_MAX);
	if (!are_words(words))
		return false;
	space = memchr(words.p, ' ', words.n);
	n = space != NULL ? (size_t)(space - words.p) : words.n;
	st->type = span_cut(words, 0, n);
	st->args = span_cut(words, n + 1, SIZE_MAX);
	return take_body(r, st);
}

static bool
read_x25519(const struct stanza *st, uint8_t share[32])
{
	return st->body_n == BODY && st->args.n == B64_32 &&
	       b64_exactly(share, 32, st->args);
}

/* 1..99, without sign or leading zero; 0 for anything else. */
static unsigned
read_work_factor(struct span s)
{
	unsigned v = 0;
	size_t i;

	if (s.n == 0 || s.n > 2 || s.p[0] == '0')
		return 0;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		v = v * 10 + (s.p[i] - '0');
	}
	return v;
}

static bool
read_scrypt(const struct stanza *st, uint8_t salt[SALT], unsigned *work_factor)
{
	struct rd r = rd_init(st->args);

	if (!b64_exactly(salt, SALT, rd_span(&r, B64_16)) || rd_u8(&r) != ' ')
		return false;
	*work_factor = read_work_factor(rd_rest(&r));
	return st->body_n == BODY && *work_factor > 0;
}

/* The grammar of a type that we know is judged also where it isn't ours. */
static bool
count_stanza(struct header *h, const struct stanza *st)
{
	uint8_t bytes[32];
	unsigned work_factor;

	h->count++;
	if (span_is(st->type, "X25519")) {
		h->x25519++;
		return read_x25519(st, bytes);
	}
	if (span_is(st->type, "scrypt")) {
		h->scrypt++;
		return read_scrypt(st, bytes, &work_factor);
	}
	return true;
}

static bool
at_end(const struct rd *r)
{
	return span_is(span_cut(r->rest, 0, 3), "---");
}

static enum tocsin_err
read_stanzas(struct rd *r, struct header *h)
{
	size_t all = r->rest.n + strlen(version_line);
	struct stanza st;

	while (!at_end(r)) {
		if (h->count == AGE_STANZAS_MAX)
			return TOCSIN_ETOOLARGE;
		h->at[h->count] = (uint16_t)(all - r->rest.n);
		if (!take_stanza(r, &st) || !count_stanza(h, &st))
			return TOCSIN_EMALFORMED;
	}
	/* A passphrase beside other keys would bind the file to none. */
	if (h->count == 0 || (h->scrypt > 0 && h->count > 1))
		return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

/* malformed or unsupported, as far as the first bytes can tell. */
static enum tocsin_err
check_version(struct span start)
{
	struct span want = span_of(version_line);
	size_t n = start.n < want.n ? start.n : want.n;
	size_t name = strlen("age-encryption.org/v");

	if (span_eq(span_cut(start, 0, n), span_cut(want, 0, n)))
		return TOCSIN_OK;
	if (span_eq(span_cut(start, 0, name), span_cut(want, 0, name)))
		return TOCSIN_EUNSUPPORTED;
	return TOCSIN_EMALFORMED;
}

enum tocsin_err
age_header_size(struct span start, size_t *n)
{
	struct rd r = rd_init(span_cut(start, 0, AGE_HEADER_MAX - AGE_NONCE));
	enum tocsin_err err = check_version(start);
	bool last = false;

	*n = 0;
	if (err != TOCSIN_OK)
		return err;
	while (!r.bad && !last) {
		last = at_end(&r);
		rd_line(&r);
		if (!r.bad)
			*n = (size_t)(r.rest.p - start.p);
	}
	if (!r.bad) {
		*n += AGE_NONCE;
		return TOCSIN_OK;
	}
	*n = 0;
	return start.n < AGE_HEADER_MAX ? TOCSIN_OK : TOCSIN_ETOOLARGE;
}

/* All of the grammar, nothing of the keys. `bytes`: header and nonce. */
static enum tocsin_err
read_header(struct header *h, struct span bytes)
{
	struct rd r = rd_init(bytes);
	struct span mac_line;
	enum tocsin_err err;

	*h = (struct header){ 0 };
	if (!span_is(rd_span(&r, strlen(version_line)), version_line))
		return TOCSIN_EMALFORMED;
	err = read_stanzas(&r, h);
	if (err != TOCSIN_OK)
		return err;
	h->signed_part = span_cut(bytes, 0, bytes.n - r.rest.n + 3);
	mac_line = rd_line(&r);
	h->nonce = rd_span(&r, AGE_NONCE);
	if (!rd_done(&r) || !span_is(span_cut(mac_line, 0, 4), "--- ") ||
	    !b64_exactly(h->mac, 32, span_cut(mac_line, 4, SIZE_MAX)))
		return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

/* Splits a whole file, and reads the header. */
static enum tocsin_err
read_file(struct header *h, struct span *payload, struct span file)
{
	enum tocsin_err err;
	size_t n;

	err = age_header_size(file, &n);
	if (err != TOCSIN_OK)
		return err;
	if (n == 0 || n > file.n)
		return TOCSIN_EMALFORMED;
	*payload = span_cut(file, n, SIZE_MAX);
	return read_header(h, span_cut(file, 0, n));
}

static enum tocsin_err
check_rules(const struct header *h, const struct age_rules *rules)
{
	if (rules == NULL || rules->exact_stanzas == 0)
		return TOCSIN_OK;
	if (h->count != rules->exact_stanzas || h->x25519 != h->count)
		return TOCSIN_ERECIPIENTMISMATCH;
	return TOCSIN_OK;
}

/* ---- finding the file key ---- */

struct keypair {
	const uint8_t *sk;
	uint8_t pk[32];
};

static enum tocsin_err
try_stanza(
    uint8_t fk[FILE_KEY], const struct stanza *st, const struct keypair *own)
{
	uint8_t share[32], key[32];
	enum tocsin_err err = TOCSIN_OK;

	if (!span_is(st->type, "X25519"))
		return TOCSIN_ENOTRECIPIENT;
	if (!read_x25519(st, share) ||
	    !x25519_wrap_key(key, own->sk, share, share, own->pk))
		return TOCSIN_EMALFORMED;
	if (!unwrap(fk, key, st->body))
		err = TOCSIN_ENOTRECIPIENT;
	sodium_memzero(key, sizeof(key));
	return err;
}

/* Stanza i of a header that was read. */
static bool
stanza_at(struct stanza *st, const struct header *h, size_t i)
{
	struct rd r = rd_init(span_cut(h->signed_part, h->at[i], SIZE_MAX));

	return take_stanza(&r, st);
}

static enum tocsin_err
try_at(uint8_t fk[FILE_KEY], const struct header *h, const struct keypair *own,
    size_t i)
{
	struct stanza st;

	if (!stanza_at(&st, h, i))
		return TOCSIN_EMALFORMED;
	return try_stanza(fk, &st, own);
}

/* The stanza at `hint` first, then the others. */
static enum tocsin_err
try_all(uint8_t fk[FILE_KEY], const struct header *h, const struct keypair *own,
    size_t hint)
{
	enum tocsin_err err;
	size_t i;

	if (hint >= h->count)
		hint = 0;
	err = try_at(fk, h, own, hint);
	for (i = 0; i < h->count && err == TOCSIN_ENOTRECIPIENT; i++)
		if (i != hint)
			err = try_at(fk, h, own, i);
	return err;
}

/* Where the rules name our place nothing else is tried: it costs one, always.
 */
static enum tocsin_err
find_file_key(uint8_t fk[FILE_KEY], const struct header *h,
    const uint8_t sk[AGE_KEY], const struct age_rules *rules)
{
	struct keypair own = { .sk = sk };
	size_t hint = rules != NULL ? rules->hint : 0;

	age_public(own.pk, sk);
	if (rules == NULL || rules->exact_stanzas == 0)
		return try_all(fk, h, &own, hint);
	if (hint >= h->count)
		return TOCSIN_ENOTRECIPIENT;
	return try_at(fk, h, &own, hint);
}

static enum tocsin_err
scrypt_file_key(
    uint8_t fk[FILE_KEY], const struct header *h, struct span passphrase)
{
	uint8_t salt[SALT], key[32];
	struct stanza st;
	unsigned work_factor;
	enum tocsin_err err = TOCSIN_OK;

	if (h->scrypt == 0)
		return TOCSIN_ENOTRECIPIENT;
	if (!stanza_at(&st, h, 0) || !read_scrypt(&st, salt, &work_factor))
		return TOCSIN_EMALFORMED;
	if (work_factor > AGE_SCRYPT_MAX)
		return TOCSIN_EUNSUPPORTED;
	if (!scrypt_wrap_key(key, passphrase, salt, work_factor))
		return TOCSIN_EINTERNAL;
	if (!unwrap(fk, key, st.body))
		err = TOCSIN_EPASSPHRASE;
	sodium_memzero(key, sizeof(key));
	return err;
}

/* The header is whole under this file key: begin the payload. */
static enum tocsin_err
accept_header(
    struct age_stream *s, const struct header *h, const uint8_t fk[FILE_KEY])
{
	uint8_t mac[32];

	header_mac(mac, fk, h->signed_part);
	if (sodium_memcmp(mac, h->mac, sizeof(mac)) != 0)
		return TOCSIN_EBODYMISMATCH;
	stream_begin(s, fk, h->nonce.p);
	return TOCSIN_OK;
}

/* ---- chunks ---- */

static void
chunk_nonce(uint8_t nonce[12], uint64_t counter, bool last)
{
	size_t i;

	memset(nonce, 0, 12);
	for (i = 11; i-- > 3; counter >>= 8)
		nonce[i] = (uint8_t)counter;
	nonce[11] = last;
}

/* Only a file without content has an empty chunk. */
static bool
good_size(const struct age_stream *s, size_t plain, bool last)
{
	if (!last)
		return plain == AGE_CHUNK;
	return plain <= AGE_CHUNK && (plain > 0 || s->counter == 0);
}

static void
stream_step(struct age_stream *s, bool last)
{
	s->counter++;
	if (last)
		sodium_memzero(s, sizeof(*s)); /* also: not open */
}

static enum tocsin_err
seal_chunk(struct age_stream *s, struct buf *out, struct span plain, bool last)
{
	uint8_t nonce[12], *at;

	if (!s->open || !good_size(s, plain.n, last))
		return TOCSIN_EUSAGE;
	at = buf_grow(out, plain.n + AGE_OVERHEAD);
	if (at == NULL)
		return TOCSIN_EINTERNAL;
	chunk_nonce(nonce, s->counter, last);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    at, NULL, plain.p, plain.n, NULL, 0, NULL, nonce, s->key);
	stream_step(s, last);
	return TOCSIN_OK;
}

static enum tocsin_err
open_chunk(
    struct age_stream *s, struct buf *plain, struct span sealed, bool last)
{
	size_t before = plain->n, n = sealed.n - AGE_OVERHEAD;
	uint8_t nonce[12], *at;

	if (!s->open)
		return TOCSIN_EUSAGE;
	if (sealed.n < AGE_OVERHEAD || !good_size(s, n, last))
		return TOCSIN_EMALFORMED;
	at = buf_grow(plain, n);
	if (at == NULL)
		return TOCSIN_EINTERNAL;
	chunk_nonce(nonce, s->counter, last);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(at, NULL, NULL, sealed.p,
		sealed.n, NULL, 0, nonce, s->key) != 0) {
		buf_cut(plain, before);
		sodium_memzero(s, sizeof(*s));
		return TOCSIN_EBODYMISMATCH;
	}
	stream_step(s, last);
	return TOCSIN_OK;
}

/* Room for n more bytes, so that a large file is not copied as it grows. */
static bool
reserve(struct buf *b, uint64_t n)
{
	if (n > SIZE_MAX || buf_grow(b, (size_t)n) == NULL) {
		b->failed = true;
		return false;
	}
	b->n -= (size_t)n;
	return true;
}

static enum tocsin_err
seal_payload(struct age_stream *s, struct buf *out, struct span plain)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t at = 0;

	while (err == TOCSIN_OK && s->open) {
		struct span chunk = span_cut(plain, at, AGE_CHUNK);

		at += chunk.n;
		err = seal_chunk(s, out, chunk, at == plain.n);
	}
	return err;
}

/* All or nothing. */
static enum tocsin_err
open_payload(struct age_stream *s, struct buf *plain, struct span payload)
{
	size_t before = plain->n, at = 0;
	enum tocsin_err err = TOCSIN_OK;
	uint64_t size;

	if (!age_plain_size(&size, payload.n))
		return TOCSIN_EMALFORMED;
	if (!reserve(plain, size))
		return TOCSIN_EINTERNAL;
	while (err == TOCSIN_OK && s->open) {
		struct span chunk = span_cut(payload, at, SEALED_CHUNK);

		at += chunk.n;
		err = open_chunk(s, plain, chunk, at == payload.n);
	}
	if (err != TOCSIN_OK)
		buf_cut(plain, before);
	return err;
}

/* ---- sizes ---- */

uint64_t
age_payload_size(uint64_t plain_size)
{
	uint64_t chunks = plain_size / AGE_CHUNK;

	if (plain_size % AGE_CHUNK != 0 || plain_size == 0)
		chunks++;
	return plain_size + chunks * AGE_OVERHEAD;
}

uint64_t
age_sealed_size(uint64_t plain_size, size_t nrecipients)
{
	return FIXED + (uint64_t)nrecipients * STANZA + AGE_NONCE +
	       age_payload_size(plain_size);
}

bool
age_plain_size(uint64_t *plain_size, uint64_t payload_size)
{
	uint64_t chunks = payload_size / SEALED_CHUNK;
	uint64_t last = payload_size % SEALED_CHUNK;

	/* Only a file without content has an empty chunk. */
	if (last > 0 &&
	    (last < AGE_OVERHEAD || (last == AGE_OVERHEAD && chunks > 0)))
		return false;
	if (last == 0 && chunks == 0)
		return false;
	*plain_size =
	    payload_size - (chunks + (last > 0 ? 1 : 0)) * AGE_OVERHEAD;
	return true;
}

/* ---- writing a header ---- */

void
age_public(uint8_t pk[AGE_KEY], const uint8_t sk[AGE_KEY])
{
	crypto_scalarmult_base(pk, sk);
}

void
age_keygen(uint8_t sk[AGE_KEY], uint8_t pk[AGE_KEY])
{
	randombytes_buf(sk, AGE_KEY);
	age_public(pk, sk);
}

static bool
write_x25519(
    struct buf *out, const uint8_t fk[FILE_KEY], const uint8_t pk[AGE_KEY])
{
	uint8_t esk[32], share[32], key[32], body[BODY];
	bool good;

	age_keygen(esk, share);
	good = x25519_wrap_key(key, esk, pk, share, pk);
	if (good) {
		wrap(body, key, fk);
		buf_addz(out, "-> X25519 ");
		b64_write(out, SPAN(share));
		buf_addz(out, "\n");
		b64_write(out, SPAN(body));
		buf_addz(out, "\n");
	}
	sodium_memzero(esk, sizeof(esk));
	sodium_memzero(key, sizeof(key));
	return good;
}

static bool
write_scrypt(struct buf *out, const uint8_t fk[FILE_KEY],
    struct span passphrase, unsigned work_factor)
{
	uint8_t salt[SALT], key[32], body[BODY];

	randombytes_buf(salt, sizeof(salt));
	if (!scrypt_wrap_key(key, passphrase, salt, work_factor))
		return false;
	wrap(body, key, fk);
	sodium_memzero(key, sizeof(key));
	buf_addz(out, "-> scrypt ");
	b64_write(out, SPAN(salt));
	buf_addf(out, " %u\n", work_factor);
	b64_write(out, SPAN(body));
	buf_addz(out, "\n");
	return true;
}

/* What follows the stanzas; the header began at `start`. */
static void
end_header(struct age_stream *s, struct buf *out, size_t start,
    const uint8_t fk[FILE_KEY])
{
	uint8_t mac[32], nonce[AGE_NONCE];

	buf_addz(out, "---");
	header_mac(mac, fk, span_cut(buf_span(out), start, SIZE_MAX));
	buf_addz(out, " ");
	b64_write(out, SPAN(mac));
	buf_addz(out, "\n");
	randombytes_buf(nonce, sizeof(nonce));
	buf_add(out, SPAN(nonce));
	stream_begin(s, fk, nonce);
}

static enum tocsin_err
begin(struct age_stream *s, struct buf *out,
    const uint8_t (*recipients)[AGE_KEY], size_t n)
{
	uint8_t fk[FILE_KEY];
	size_t start = out->n, i;
	enum tocsin_err err = TOCSIN_OK;

	if (n == 0 || n > AGE_STANZAS_MAX)
		return TOCSIN_EUSAGE;
	randombytes_buf(fk, sizeof(fk));
	buf_addz(out, version_line);
	for (i = 0; i < n; i++)
		if (!write_x25519(out, fk, recipients[i]))
			err = TOCSIN_EMALFORMED;
	end_header(s, out, start, fk);
	sodium_memzero(fk, sizeof(fk));
	if (err == TOCSIN_OK && !buf_ok(out))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK) {
		sodium_memzero(s, sizeof(*s));
		buf_cut(out, start);
	}
	return err;
}

/* ---- whole files ---- */

enum tocsin_err
age_seal(struct buf *out, const uint8_t (*recipients)[AGE_KEY], size_t n,
    struct span plain)
{
	struct age_stream s = { 0 };
	size_t start = out->n;
	enum tocsin_err err;

	if (n > AGE_STANZAS_MAX)
		return TOCSIN_EUSAGE;
	if (!reserve(out, age_sealed_size(plain.n, n)))
		return TOCSIN_EINTERNAL;
	err = begin(&s, out, recipients, n);
	if (err == TOCSIN_OK)
		err = seal_payload(&s, out, plain);
	sodium_memzero(&s, sizeof(s));
	if (err != TOCSIN_OK)
		buf_cut(out, start);
	return err;
}

enum tocsin_err
age_open(struct buf *plain, struct span file, const uint8_t sk[AGE_KEY],
    const struct age_rules *rules)
{
	struct age_stream s = { 0 };
	uint8_t fk[FILE_KEY];
	struct span payload;
	struct header h;
	enum tocsin_err err;

	err = read_file(&h, &payload, file);
	if (err == TOCSIN_OK)
		err = check_rules(&h, rules);
	if (err == TOCSIN_OK)
		err = find_file_key(fk, &h, sk, rules);
	if (err == TOCSIN_OK)
		err = accept_header(&s, &h, fk);
	if (err == TOCSIN_OK)
		err = open_payload(&s, plain, payload);
	sodium_memzero(fk, sizeof(fk));
	sodium_memzero(&s, sizeof(s));
	return err;
}

enum tocsin_err
age_file_key(uint8_t fk[AGE_FILE_KEY], struct span file,
    const uint8_t sk[AGE_KEY], const struct age_rules *rules)
{
	struct age_stream s = { 0 };
	struct span payload;
	struct header h;
	enum tocsin_err err;

	err = read_file(&h, &payload, file);
	if (err == TOCSIN_OK)
		err = check_rules(&h, rules);
	if (err == TOCSIN_OK)
		err = find_file_key(fk, &h, sk, rules);
	if (err == TOCSIN_OK)
		err = accept_header(&s, &h, fk);
	if (err != TOCSIN_OK)
		sodium_memzero(fk, AGE_FILE_KEY);
	sodium_memzero(&s, sizeof(s));
	return err;
}

enum tocsin_err
age_open_file_key(
    struct buf *plain, struct span file, const uint8_t fk[AGE_FILE_KEY])
{
	struct age_stream s = { 0 };
	struct span payload;
	struct header h;
	enum tocsin_err err;

	err = read_file(&h, &payload, file);
	if (err == TOCSIN_OK)
		err = accept_header(&s, &h, fk);
	if (err == TOCSIN_OK)
		err = open_payload(&s, plain, payload);
	sodium_memzero(&s, sizeof(s));
	return err;
}

enum tocsin_err
age_check(struct span file, const struct age_rules *rules)
{
	struct span payload;
	struct header h;
	uint64_t size;
	enum tocsin_err err;

	err = read_file(&h, &payload, file);
	if (err == TOCSIN_OK)
		err = check_rules(&h, rules);
	if (err == TOCSIN_OK && !age_plain_size(&size, payload.n))
		err = TOCSIN_EMALFORMED;
	return err;
}

enum tocsin_err
age_seal_scrypt(struct buf *out, struct span plain, struct span passphrase,
    unsigned work_factor)
{
	struct age_stream s = { 0 };
	uint8_t fk[FILE_KEY];
	size_t start = out->n;
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (work_factor < 1 || work_factor > AGE_SCRYPT_MAX)
		return TOCSIN_EUSAGE;
	randombytes_buf(fk, sizeof(fk));
	buf_addz(out, version_line);
	if (write_scrypt(out, fk, passphrase, work_factor)) {
		end_header(&s, out, start, fk);
		err = seal_payload(&s, out, plain);
	}
	if (err == TOCSIN_OK && !buf_ok(out))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK)
		buf_cut(out, start);
	sodium_memzero(fk, sizeof(fk));
	sodium_memzero(&s, sizeof(s));
	return err;
}

enum tocsin_err
age_open_scrypt(struct buf *plain, struct span file, struct span passphrase)
{
	struct age_stream s = { 0 };
	uint8_t fk[FILE_KEY];
	struct span payload;
	struct header h;
	enum tocsin_err err;

	err = read_file(&h, &payload, file);
	if (err == TOCSIN_OK)
		err = scrypt_file_key(fk, &h, passphrase);
	if (err == TOCSIN_OK)
		err = accept_header(&s, &h, fk);
	if (err == TOCSIN_OK)
		err = open_payload(&s, plain, payload);
	sodium_memzero(fk, sizeof(fk));
	sodium_memzero(&s, sizeof(s));
	return err;
}

/* ---- streams ---- */

enum tocsin_err
age_sealer_begin(struct age_sealer *s, struct buf *out,
    const uint8_t (*recipients)[AGE_KEY], size_t n)
{
	*s = (struct age_sealer){ 0 };
	return begin(&s->stream, out, recipients, n);
}

enum tocsin_err
age_sealer_chunk(
    struct age_sealer *s, struct buf *out, struct span plain, bool last)
{
	return seal_chunk(&s->stream, out, plain, last);
}

void
age_sealer_release(struct age_sealer *s)
{
	sodium_memzero(s, sizeof(*s));
}

enum tocsin_err
age_opener_begin(struct age_opener *o, struct span header,
    const uint8_t sk[AGE_KEY], const struct age_rules *rules)
{
	uint8_t fk[FILE_KEY];
	struct span rest;
	struct header h;
	enum tocsin_err err;

	*o = (struct age_opener){ 0 };
	err = read_file(&h, &rest, header);
	if (err == TOCSIN_OK && rest.n > 0)
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = check_rules(&h, rules);
	if (err == TOCSIN_OK)
		err = find_file_key(fk, &h, sk, rules);
	if (err == TOCSIN_OK)
		err = accept_header(&o->stream, &h, fk);
	sodium_memzero(fk, sizeof(fk));
	return err;
}

enum tocsin_err
age_opener_chunk(
    struct age_opener *o, struct buf *plain, struct span sealed, bool last)
{
	enum tocsin_err err = open_chunk(&o->stream, plain, sealed, last);

	o->done = err == TOCSIN_OK && last;
	return err;
}

bool
age_opener_done(const struct age_opener *o)
{
	return o->done;
}

void
age_opener_release(struct age_opener *o)
{
	sodium_memzero(o, sizeof(*o));
}
