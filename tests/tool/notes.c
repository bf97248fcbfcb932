/* SPDX-License-Identifier: ISC */
/*
 * notes - signed texts for scripts that know keys and files only
 *
 *	notes accept FILE [CURRENT]	may the roster follow? prints a reason
 *	notes sign NAME SEEDHEX FILE	the note, with one more line
 *
 * The time is 2026-11-21T03:00:00Z.
 */
#include "crypto/roster.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1795230000)

static void
slurp(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t block[4096];
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(2);
	}
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, (struct span){ block, n });
	fclose(f);
}

static enum tocsin_err
read_roster(struct roster **out, const char *path)
{
	struct buf file = { 0 };
	enum tocsin_err err;

	slurp(&file, path);
	err = roster_parse(out, buf_span(&file));
	buf_release(&file);
	return err;
}

static int
accept_roster(const char *path, const char *current)
{
	struct roster *next = NULL, *cur = NULL;
	enum tocsin_err err = read_roster(&next, path);

	if (err == TOCSIN_OK && current != NULL)
		err = read_roster(&cur, current);
	if (err == TOCSIN_OK)
		err = roster_accept(cur, next, NOW);
	puts(tocsin_err_name(err));
	roster_free(next);
	roster_free(cur);
	return err != TOCSIN_OK;
}

static int
sign(const char *name, const char *hex, const char *path)
{
	struct buf file = { 0 }, out = { 0 };
	uint8_t seed[32], pk[32], sk[64];
	enum tocsin_err err;
	struct note n;

	slurp(&file, path);
	if (sodium_hex2bin(
		seed, sizeof(seed), hex, strlen(hex), NULL, NULL, NULL))
		return 2;
	crypto_sign_seed_keypair(pk, sk, seed);
	err = note_parse_draft(&n, buf_span(&file), ROSTER_TEXT_MAX);
	if (err == TOCSIN_OK)
		err = note_add(&out, &n, span_of(name), sk);
	if (err != TOCSIN_OK)
		fprintf(stderr, "notes: %s\n", tocsin_err_name(err));
	else
		fwrite(out.p, 1, out.n, stdout);
	buf_release(&file);
	buf_release(&out);
	return err != TOCSIN_OK;
}

int
main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 2;
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "accept") == 0)
		return accept_roster(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "sign") == 0)
		return sign(argv[2], argv[3], argv[4]);
	fputs("usage: notes accept FILE [CURRENT] | "
	      "notes sign NAME SEEDHEX FILE\n",
	    stderr);
	return 2;
}
