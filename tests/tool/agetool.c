/* SPDX-License-Identifier: ISC */
/*
 * agetool - crypto/age.h for shell scripts
 *
 *	agetool keygen				an identity file
 *	agetool recipient <IDENTITIES		its first recipient
 *	agetool seal RECIPIENT... <PLAIN	as one piece
 *	agetool seal-stream RECIPIENT... <PLAIN	chunk by chunk
 *	agetool open FILE <AGE			FILE holds one identity
 *	agetool open-stream FILE <AGE
 *	agetool seal-pass PASSPHRASE <PLAIN
 *	agetool open-pass PASSPHRASE <AGE
 *	agetool armor | dearmor
 *
 * To stdout. Exit 1 and the reason's name on stderr if it does not work. For
 * tests only: a passphrase on a command line is seen by all.
 */
#include "crypto/age.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECIPIENTS AGE_STANZAS_MAX

struct args {
	int n;
	char **v;
};

static struct buf
read_all(FILE *f)
{
	struct buf b = { 0 };
	uint8_t part[65536];
	size_t n;

	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&b, (struct span){ part, n });
	if (ferror(f) || !buf_ok(&b))
		abort();
	return b;
}

/* Writes what there is, and empties the buffer for what comes next. */
static void
flush(struct buf *b)
{
	if (b->n > 0 && fwrite(b->p, 1, b->n, stdout) != b->n)
		abort();
	buf_cut(b, 0);
}

static uint8_t recipients[RECIPIENTS][AGE_KEY];

static enum tocsin_err
read_recipients(struct args a)
{
	enum tocsin_err err = a.n > RECIPIENTS ? TOCSIN_EUSAGE : TOCSIN_OK;
	int i;

	for (i = 0; err == TOCSIN_OK && i < a.n; i++)
		err = age_recipient_parse(recipients[i], span_of(a.v[i]));
	return err;
}

static enum tocsin_err
read_identity(uint8_t sk[AGE_KEY], FILE *f)
{
	uint8_t keys[1][AGE_KEY];
	struct buf text;
	enum tocsin_err err;
	size_t n;

	if (f == NULL)
		return TOCSIN_ENOTFOUND;
	text = read_all(f);
	err = age_identity_file(keys, 1, &n, buf_span(&text));
	memcpy(sk, keys[0], AGE_KEY);
	buf_release(&text);
	return err;
}

static enum tocsin_err
identity_arg(uint8_t sk[AGE_KEY], struct args a)
{
	FILE *f = a.n == 1 ? fopen(a.v[0], "rb") : NULL;
	enum tocsin_err err = read_identity(sk, f);

	if (f != NULL)
		fclose(f);
	return err;
}

static enum tocsin_err
do_keygen(struct args a, struct buf *out)
{
	uint8_t sk[AGE_KEY], pk[AGE_KEY];
	char text[AGE_IDENTITY_TEXT + 1];

	(void)a;
	age_keygen(sk, pk);
	age_recipient_print(text, pk);
	buf_addf(out, "# public key: %s\n", text);
	age_identity_print(text, sk);
	buf_addf(out, "%s\n", text);
	return TOCSIN_OK;
}

static enum tocsin_err
do_recipient(struct args a, struct buf *out)
{
	uint8_t sk[AGE_KEY], pk[AGE_KEY];
	char text[AGE_RECIPIENT_TEXT + 1];
	enum tocsin_err err = read_identity(sk, stdin);

	(void)a;
	if (err != TOCSIN_OK)
		return err;
	age_public(pk, sk);
	age_recipient_print(text, pk);
	buf_addf(out, "%s\n", text);
	return TOCSIN_OK;
}

static enum tocsin_err
do_seal(struct args a, struct buf *out)
{
	enum tocsin_err err = read_recipients(a);
	struct buf plain;

	if (err != TOCSIN_OK)
		return err;
	plain = read_all(stdin);
	err = age_seal(out, (const uint8_t(*)[AGE_KEY])recipients, (size_t)a.n,
	    buf_span(&plain));
	buf_release(&plain);
	return err;
}

/* Whether the input is at its end now. */
static bool
at_end(void)
{
	int c = getchar();

	if (c != EOF)
		ungetc(c, stdin);
	return c == EOF;
}

static enum tocsin_err
do_seal_stream(struct args a, struct buf *out)
{
	static uint8_t chunk[AGE_CHUNK];
	enum tocsin_err err = read_recipients(a);
	struct age_sealer s;
	bool last = false;
	size_t n;

	if (err != TOCSIN_OK)
		return err;
	err = age_sealer_begin(
	    &s, out, (const uint8_t(*)[AGE_KEY])recipients, (size_t)a.n);
	while (err == TOCSIN_OK && !last) {
		n = fread(chunk, 1, sizeof(chunk), stdin);
		last = at_end();
		err =
		    age_sealer_chunk(&s, out, (struct span){ chunk, n }, last);
		flush(out);
	}
	age_sealer_release(&s);
	return err;
}

static enum tocsin_err
do_open(struct args a, struct buf *out)
{
	uint8_t sk[AGE_KEY];
	enum tocsin_err err = identity_arg(sk, a);
	struct buf file;

	if (err != TOCSIN_OK)
		return err;
	file = read_all(stdin);
	err = age_open(out, buf_span(&file), sk, NULL);
	buf_release(&file);
	return err;
}

/* Reads byte by byte until the header is whole. */
static enum tocsin_err
read_header(struct buf *header)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t n = 0;
	int c;

	while (err == TOCSIN_OK && (n == 0 || header->n < n)) {
		c = getchar();
		if (c == EOF)
			return TOCSIN_EMALFORMED;
		buf_u8(header, (uint8_t)c);
		if (n == 0 && c == '\n')
			err = age_header_size(buf_span(header), &n);
	}
	return err;
}

static enum tocsin_err
do_open_stream(struct args a, struct buf *out)
{
	static uint8_t chunk[AGE_CHUNK + AGE_OVERHEAD];
	struct age_opener o = { 0 };
	struct buf header = { 0 };
	uint8_t sk[AGE_KEY];
	enum tocsin_err err = identity_arg(sk, a);
	size_t n;

	if (err == TOCSIN_OK)
		err = read_header(&header);
	if (err == TOCSIN_OK)
		err = age_opener_begin(&o, buf_span(&header), sk, NULL);
	while (err == TOCSIN_OK && !age_opener_done(&o)) {
		n = fread(chunk, 1, sizeof(chunk), stdin);
		err = age_opener_chunk(
		    &o, out, (struct span){ chunk, n }, at_end());
		flush(out);
	}
	age_opener_release(&o);
	buf_release(&header);
	return err;
}

static enum tocsin_err
do_seal_pass(struct args a, struct buf *out)
{
	struct buf plain = read_all(stdin);
	enum tocsin_err err = TOCSIN_EUSAGE;

	if (a.n == 1)
		err = age_seal_scrypt(
		    out, buf_span(&plain), span_of(a.v[0]), AGE_SCRYPT_DEFAULT);
	buf_release(&plain);
	return err;
}

static enum tocsin_err
do_open_pass(struct args a, struct buf *out)
{
	struct buf file = read_all(stdin);
	enum tocsin_err err = TOCSIN_EUSAGE;

	if (a.n == 1)
		err = age_open_scrypt(out, buf_span(&file), span_of(a.v[0]));
	buf_release(&file);
	return err;
}

static enum tocsin_err
do_armor(struct args a, struct buf *out)
{
	struct buf file = read_all(stdin);

	(void)a;
	age_armor(out, buf_span(&file));
	buf_release(&file);
	return TOCSIN_OK;
}

static enum tocsin_err
do_dearmor(struct args a, struct buf *out)
{
	struct buf text = read_all(stdin);
	enum tocsin_err err = age_dearmor(out, buf_span(&text));

	(void)a;
	buf_release(&text);
	return err;
}

static const struct {
	const char *name;
	enum tocsin_err (*run)(struct args a, struct buf *out);
} verbs[] = {
	{ "keygen", do_keygen },
	{ "recipient", do_recipient },
	{ "seal", do_seal },
	{ "seal-stream", do_seal_stream },
	{ "open", do_open },
	{ "open-stream", do_open_stream },
	{ "seal-pass", do_seal_pass },
	{ "open-pass", do_open_pass },
	{ "armor", do_armor },
	{ "dearmor", do_dearmor },
};

static enum tocsin_err
run(int argc, char **argv, struct buf *out)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(
			    (struct args){ argc - 2, argv + 2 }, out);
	return TOCSIN_EUSAGE;
}

int
main(int argc, char **argv)
{
	struct buf out = { 0 };
	enum tocsin_err err;

	if (sodium_init() < 0)
		return 1;
	err = run(argc, argv, &out);
	flush(&out);
	buf_release(&out);
	if (fflush(stdout) != 0)
		abort();
	if (err != TOCSIN_OK)
		fprintf(stderr, "agetool: %s\n", tocsin_err_name(err));
	return err == TOCSIN_OK ? 0 : 1;
}
