/* SPDX-License-Identifier: ISC */
/* What somebody else made of a ticket, checked without a home or a network. */
#include "client/bundle.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/keyfile.h"
#include "client/verify.h"
#include "crypto/tar.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 65536
#define FILE_BYTES (2 * 1024 * 1024) /* a roster, a body; not an attachment */

struct evidence {
	struct verify_file *file;
	struct buf *bytes; /* of the files of a folder */
	size_t n;
	struct buf whole; /* a bundle, which the files alias */
};

static const char *const kinds[VERIFY_KINDS] = { "roster", "announcement",
	"message", "receipt", "line" };

static void
release(struct evidence *e)
{
	size_t i;

	for (i = 0; e->bytes != NULL && i < e->n; i++)
		buf_release(&e->bytes[i]);
	free(e->bytes);
	free(e->file);
	buf_release(&e->whole);
}

/* ---- reading ---- */

static bool
is_ours(const char *name)
{
	static const char *const begin[] = { "roster-", "keys-", "message-",
		"body-", "receipt-", "disclosed-", "ticket-", "status.txt" };
	size_t i;

	for (i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
		if (strncmp(name, begin[i], strlen(begin[i])) == 0)
			return strlen(name) < VERIFY_NAME;
	return false;
}

static struct verify_file *
one_more(struct evidence *e, const char *name, size_t n)
{
	struct verify_file *grown =
	    realloc(e->file, (e->n + 1) * sizeof(*grown));

	if (grown == NULL || e->n == FILES_MAX)
		return NULL;
	e->file = grown;
	grown += e->n;
	*grown = (struct verify_file){ .bytes = { 0 } };
	snprintf(grown->name, sizeof(grown->name), "%.*s", (int)n, name);
	return grown;
}

static enum tocsin_err
take_file(struct evidence *e, const char *dir, const char *name)
{
	struct buf *grown = realloc(e->bytes, (e->n + 1) * sizeof(*grown));
	struct verify_file *f;
	enum tocsin_err err;
	char path[1200];

	if (grown == NULL)
		return TOCSIN_EINTERNAL;
	e->bytes = grown;
	grown[e->n] = (struct buf){ 0 };
	f = one_more(e, name, strlen(name));
	if (f == NULL)
		return TOCSIN_ETOOLARGE;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	err = file_read(path, FILE_BYTES, &grown[e->n]);
	f->bytes = buf_span(&grown[e->n]);
	e->n++;
	return err;
}

static int
read_folder(struct evidence *e, const char *path, DIR *dir)
{
	enum tocsin_err err = TOCSIN_OK;
	struct dirent *entry;

	while (err == TOCSIN_OK && (entry = readdir(dir)) != NULL) {
		if (!is_ours(entry->d_name))
			continue;
		err = take_file(e, path, entry->d_name);
		if (err != TOCSIN_OK)
			return cli_fail(err, "%s/%s: %s", path, entry->d_name,
			    tocsin_err_text(err));
	}
	return 0;
}

static int
read_bundle(struct evidence *e, const char *path)
{
	enum tocsin_err err = file_read(path, BUNDLE_MAX, &e->whole);
	struct span name, content;
	struct verify_file *f;
	struct tar tar;

	if (err != TOCSIN_OK)
		return cli_fail(err, "%s: %s", path, tocsin_err_text(err));
	if (!bundle_is(buf_span(&e->whole)))
		return cli_fail(TOCSIN_EMALFORMED,
		    "%s is neither a bundle nor a folder that `tocsin status "
		    "--proof` wrote",
		    path);
	tar = tar_init(buf_span(&e->whole));
	while ((err = tar_next(&tar, &name, &content)) == TOCSIN_OK) {
		f = one_more(e, (const char *)name.p, name.n);
		if (f == NULL)
			return cli_fail(TOCSIN_ETOOLARGE, "%s", path);
		f->bytes = content;
		e->n++;
	}
	if (err != TOCSIN_ENOTFOUND)
		return cli_fail(err, "%s: %s", path, tocsin_err_text(err));
	return 0;
}

static int
read_evidence(struct evidence *e, const char *path)
{
	DIR *dir = opendir(path);
	int status;

	if (dir == NULL && errno != ENOTDIR)
		return cli_fail(
		    errno == ENOENT ? TOCSIN_ENOTFOUND : TOCSIN_EPERMISSIONS,
		    "%s: %s", path, strerror(errno));
	if (dir == NULL)
		return read_bundle(e, path);
	status = read_folder(e, path, dir);
	closedir(dir);
	return status;
}

/* ---- telling ---- */

/* How far a line is proved. */
static const char *
verdict(const struct verify_finding *f)
{
	if (f->err != TOCSIN_OK)
		return f->what == VERIFY_LINE ? "NOT SO" : "NOT GOOD";
	if (f->what != VERIFY_LINE)
		return "disclosed";
	if (!f->word)
		return "proved";
	return strcmp(f->name, "-") == 0 ? "own word" : "sealed";
}

static void
print_finding(const struct verify_finding *f)
{
	const char *red = f->err != TOCSIN_OK ? colour(RED) : "";

	printf("  %s%-9s%s  ", red, verdict(f), red[0] ? colour(PLAIN) : "");
	if (f->what != VERIFY_LINE) {
		safe_print(stdout, f->name);
		putchar(' ');
	}
	safe_print(stdout, f->says);
	if (f->err != TOCSIN_OK)
		printf(": %s [%s]", tocsin_err_text(f->err),
		    tocsin_err_name(f->err));
	putchar('\n');
}

static void
print_counts(const struct verify *v)
{
	size_t i, good, all;
	unsigned what;

	for (what = 0; what < VERIFY_KINDS; what++) {
		for (i = good = all = 0; i < v->n; i++)
			if (v->found[i].what == what) {
				all++;
				good += v->found[i].err == TOCSIN_OK;
			}
		printf("  %zu of %zu %s%s good\n", good, all, kinds[what],
		    all == 1 ? " is" : "s are");
	}
}

static void
print_findings(const struct verify *v)
{
	size_t i;

	printf("%s, and all of it hangs on its first roster:\n  %s\n"
	       "  Compare these digits with what somebody of the federation "
	       "says.\n",
	    v->federation, v->fingerprint);
	if (v->serial != 1)
		printf("  It has the number %llu: what was before is not "
		       "here.\n",
		    (unsigned long long)v->serial);
	print_counts(v);
	for (i = 0; i < v->n; i++)
		if (v->found[i].err != TOCSIN_OK ||
		    v->found[i].what == VERIFY_LINE ||
		    strstr(v->found[i].says, " disclosed: ") != NULL)
			print_finding(&v->found[i]);
}

static void
print_findings_json(const struct verify *v)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		const struct verify_finding *f = &v->found[i];

		print_json(json_pack("{s:s, s:s, s:s, s:b, s:b, s:s}", "kind",
		    kinds[f->what], "file", f->name, "says", f->says, "good",
		    f->err == TOCSIN_OK, "proved",
		    f->err == TOCSIN_OK && !f->word, "reason",
		    tocsin_err_name(f->err)));
	}
}

/* Spaces and '-' don't matter. */
static bool
same_digits(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " -");
		b += strspn(b, " -");
		if (*a != *b || *a == '\0')
			return *a == *b;
	}
}

static int
judge(struct cli *c, const struct evidence *e, const char *fingerprint)
{
	struct verify v;
	enum tocsin_err err = verify_files(&v, e->file, e->n, cli_now());
	int status = 0;

	if (err != TOCSIN_OK) {
		status =
		    cli_fail(err, "%s has no roster that can be believed: %s",
			c->words[0], tocsin_err_text(err));
	} else {
		if (c->json)
			print_findings_json(&v);
		else
			print_findings(&v);
		if (fingerprint != NULL &&
		    !same_digits(v.fingerprint, fingerprint))
			status = cli_fail(TOCSIN_EBADSIGNATURE,
			    "the first roster has another fingerprint than the "
			    "one that was given: believe none of it");
		else if (v.bad > 0)
			status = cli_fail(TOCSIN_EBADSIGNATURE,
			    "%zu of %zu are not good; do not rely on it", v.bad,
			    v.n);
	}
	verify_release(&v);
	return status;
}

int
cmd_verify(struct cli *c, int argc, char **argv)
{
	const char *fingerprint = NULL;
	const struct opt opts[] = {
		{ "--fingerprint", OPT_WORD, &fingerprint },
		{ NULL, OPT_FLAG, NULL },
	};
	struct evidence e = { 0 };
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	status = read_evidence(&e, c->words[0]);
	if (status == 0)
		status = judge(c, &e, fingerprint);
	release(&e);
	return status;
}
