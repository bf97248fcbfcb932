/* SPDX-License-Identifier: ISC */
#include "client/bundle.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/progress.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"
#include "client/form/form.h"
#include "client/incident.h"
#include "client/vocab.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct posting {
	struct cli *c;
	struct tocsin *t;
	struct tocsin_draft d;
	struct list to, attach, label, sector;
	const char *text_path, *ackby;
	const char *occurred, *detected, *reported;
	struct buf text;

	const char *file; /* to import; NULL: none */
	uint8_t hash[32]; /* of what is in it */
	const struct form *as;
	struct form_in in;
	char *json;
	char inside[FORM_FILES_MAX][64]; /* paths of the files in it */
};

/* A whole text from a file, or from standard input for "-". */
static int
read_text(const char *path, struct buf *out)
{
	ssize_t n;

	if (strcmp(path, "-") != 0)
		return cli_read(path, INCIDENT_TEXT_MAX, out);
	do {
		uint8_t *at = buf_grow(out, 4096);

		if (at == NULL)
			return cli_fail(TOCSIN_EINTERNAL, "no memory");
		n = read(STDIN_FILENO, at, 4096);
		buf_cut(out, out->n - 4096 + (n > 0 ? (size_t)n : 0));
		if (out->n > INCIDENT_TEXT_MAX)
			return cli_fail(TOCSIN_ETOOLARGE,
			    "the text is longer than %d KiB; attach it",
			    INCIDENT_TEXT_MAX / 1024);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return 0;
}

static int
take_text(struct posting *p)
{
	int status;

	if (p->text_path == NULL)
		return 0;
	status = read_text(p->text_path, &p->text);
	if (status != 0)
		return status;
	if (memchr(p->text.p, '\0', p->text.n) != NULL)
		return cli_fail(TOCSIN_EMALFORMED,
		    "%s is not a text: it has a NUL in it; attach it",
		    p->text_path);
	buf_u8(&p->text, '\0');
	if (!buf_ok(&p->text))
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	p->d.text = (const char *)p->text.p;
	return 0;
}

/* ---- import ---- */

static size_t
tlp_width(const char *word)
{
	size_t i;

	for (i = 0; vocab_word(VOCAB_TLP, i) != NULL; i++)
		if (strcasecmp(vocab_word(VOCAB_TLP, i), word) == 0)
			break;
	return i;
}

/* Who wrote it may have had reasons. */
static void
warn_wider(const struct posting *p)
{
	const char *said = p->d.tlp;

	if (strncasecmp(said, "TLP:", 4) == 0)
		said += 4;
	if (vocab_find(VOCAB_TLP, said) != NULL &&
	    tlp_width(said) > tlp_width(p->in.tlp))
		cli_note("warning: %s says TLP:%s, and the ticket is TLP:%s; "
			 "whose it is must have allowed that",
		    p->file, p->in.tlp, said);
}

/* What the file says, unless it is said on the command line. */
static int
take_content(struct posting *p)
{
	json_t *o = p->in.content;

	if (p->d.subject == NULL)
		p->d.subject = form_text(o, "subject");
	if (p->d.text == NULL)
		p->d.text = form_text(o, "text");
	p->json = json_dumps(o, JSON_COMPACT);
	p->d.json = p->json;
	if (p->json == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	if (p->in.tlp[0] == '\0')
		return 0;
	if (p->d.tlp != NULL)
		warn_wider(p);
	else
		cli_note("TLP:%s, as %s says", p->in.tlp, p->file);
	if (p->d.tlp == NULL)
		p->d.tlp = p->in.tlp;
	return 0;
}

static int
unreadable(const struct posting *p, enum tocsin_err err)
{
	if (err == TOCSIN_EUNSUPPORTED)
		return cli_usage("%s is only written", p->as->title);
	if (p->as != NULL)
		return cli_fail(err, "%s cannot be read as %s; attach it",
		    p->file, p->as->title);
	return cli_fail(err,
	    "%s is in no format that is known here; attach it to a ticket",
	    p->file);
}

static int
take_file(struct posting *p)
{
	const struct form *found = NULL;
	struct buf b = { 0 };
	enum tocsin_err err;
	int status;

	if (p->file == NULL)
		return 0;
	status = cli_read(p->file, FORM_FILE_MAX, &b);
	if (status != 0)
		return status;
	crypto_hash_sha256(p->hash, b.p, b.n);
	err = form_read(&p->in, p->as, buf_span(&b), &found);
	buf_release(&b);
	if (err != TOCSIN_OK)
		return unreadable(p, err);
	p->as = found;
	return take_content(p);
}

/* A file that was in the file gets a path for as long as the program runs. */
static int
unpack(struct form_file *f, struct tocsin_attachment *a, char path[64])
{
	int fd = memfd_create("tocsin", MFD_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	while (fd >= 0 && done < f->bytes.n) {
		n = write(fd, f->bytes.p + done, f->bytes.n - done);
		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || done < f->bytes.n)
		return cli_fail(TOCSIN_EINTERNAL, "%s in the file: %s", f->name,
		    strerror(errno));
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	*a = (struct tocsin_attachment){
		.path = path, .name = f->name, .media = f->media
	};
	return 0;
}

static int
take_attachments(struct posting *p)
{
	size_t i, n = p->attach.n + (p->file != NULL) + p->in.nfile;
	struct tocsin_attachment *a = calloc(n + 1, sizeof(*a));
	int status = 0;

	if (a == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	p->d.attachments = a;
	p->d.nattachments = n;
	for (i = 0; i < p->attach.n; i++)
		a++->path = p->attach.word[i];
	if (p->file != NULL)
		*a++ = (struct tocsin_attachment){ .path = p->file,
			.media = p->as->media };
	for (i = 0; status == 0 && i < p->in.nfile; i++)
		status = unpack(&p->in.file[i], a++, p->inside[i]);
	return status;
}

/* ---- posting ---- */

static int
fill(struct posting *p)
{
	int status;

	if (p->to.n == 0)
		return cli_usage("say whom it is to: --to mycert@my");
	if ((p->occurred &&
		!view_been("--occurred", p->occurred, &p->d.occurred)) ||
	    (p->detected &&
		!view_been("--detected", p->detected, &p->d.detected)) ||
	    (p->reported &&
		!view_been("--reported", p->reported, &p->d.reported)))
		return 2;
	if (p->ackby != NULL && !view_when("--ackby", p->ackby, &p->d.ackby))
		return 2;
	p->d.to = p->to.word;
	p->d.labels = p->label.word;
	p->d.sectors = p->sector.word;
	status = take_text(p);
	if (status == 0)
		status = take_file(p);
	if (status == 0 && p->d.tlp == NULL)
		return cli_usage("say who may know: --tlp RED, AMBER+STRICT, "
				 "AMBER, GREEN or CLEAR; it has no default");
	if (status == 0 && (p->d.subject == NULL || p->d.subject[0] == '\0'))
		return cli_usage("say what it is about: --subject TEXT");
	return status == 0 ? take_attachments(p) : status;
}

static int
post(struct posting *p)
{
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	int status = fill(p);

	if (status == 0)
		status = cli_open(p->c, &p->t);
	if (status != 0)
		return status;
	say_circles(p->t, p->d.to);
	err = tocsin_post(p->t, &p->d, id);
	/* Not found is a file here; what the broker has is another matter. */
	if (err != TOCSIN_ENOTFOUND && ask_first(p->c, p->t, err))
		err = tocsin_post(p->t, &p->d, id);
	status = err == TOCSIN_OK
		     ? sent(p->c, p->t, id,
			   p->d.nattachments > 0 ? SENT_BUSY_PARTS : SENT_BUSY)
		     : cli_error(p->t, err);
	tocsin_close(p->t);
	return status;
}

static void
posting_release(struct posting *p)
{
	size_t i;
	int fd;

	for (i = 0; i < p->in.nfile && i < FORM_FILES_MAX; i++)
		if (sscanf(p->inside[i], "/proc/self/fd/%d", &fd) == 1)
			close(fd);
	free((void *)(uintptr_t)p->d.attachments);
	free(p->json);
	buf_release(&p->text);
	form_in_release(&p->in);
}

/* ---- many files ---- */

/* What becomes of each, in the order in which they were named. */
struct bulk {
	const struct posting *all; /* the options, which all have */
	struct tocsin *t;
	char **path;
	size_t n, posted, known, failed;
	bool parts;
};

static bool
bulk_add(struct bulk *b, const char *folder, const char *name)
{
	char **grown = realloc(b->path, (b->n + 1) * sizeof(*grown));

	if (grown == NULL)
		return false;
	b->path = grown;
	if (folder == NULL)
		b->path[b->n] = strdup(name);
	else if (asprintf(&b->path[b->n], "%s/%s", folder, name) < 0)
		b->path[b->n] = NULL;
	b->n += b->path[b->n] != NULL;
	return b->path[b->n - (b->n > 0)] != NULL;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* What can be read to an end: a pipe would be waited for. */
static bool
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The files of a folder by their names, none of the folders in it. */
static bool
bulk_folder(struct bulk *b, const char *folder)
{
	struct dirent **found = NULL;
	int n = scandir(folder, &found, not_hidden, alphasort), i;
	bool good = n >= 0;
	char path[4096];

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, found[i]->d_name);
		if (good && is_file(path))
			good = bulk_add(b, folder, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	return good;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same file to the same members is the same ticket, whenever it is. */
static bool
bulk_key(char key[80], const struct posting *p)
{
	const char **to = calloc(p->to.n + 1, sizeof(*to));
	crypto_hash_sha256_state h;
	char hex[65];
	uint8_t sum[32];
	size_t i;

	if (to == NULL)
		return false;
	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, p->hash, sizeof(p->hash));
	for (i = 0; i < p->to.n; i++)
		to[i] = p->to.word[i];
	if (p->to.n > 1)
		qsort(to, p->to.n, sizeof(*to), by_name);
	for (i = 0; i < p->to.n; i++)
		crypto_hash_sha256_update(
		    &h, (const uint8_t *)to[i], strlen(to[i]) + 1);
	crypto_hash_sha256_final(&h, sum);
	snprintf(key, 80, "import/%s",
	    sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum)));
	free(to);
	return true;
}

/* What is wrong with the file; with anything else the next would be too. */
static bool
of_the_file(enum tocsin_err err)
{
	return err == TOCSIN_ETOOLARGE || err == TOCSIN_EMALFORMED ||
	       err == TOCSIN_ENOTFOUND;
}

static void
bulk_tell(const struct bulk *b, const char *path, const char *id, bool known)
{
	char brief[TOCSIN_SHORT_TEXT] = "";
	const char *state = id == NULL ? "failed" : known ? "known" : "queued";

	if (id != NULL)
		view_short(brief, id);
	if (b->all->c->json) {
		print_json(json_pack("{s:o, s:o, s:o, s:s}", "file",
		    view_string(path), "id",
		    id != NULL ? json_string(id) : json_null(), "short_id",
		    id != NULL ? json_string(brief) : json_null(), "state",
		    state));
	} else if (id != NULL) {
		printf("%s  ", brief);
		safe_print(stdout, path);
		puts(known ? "  was posted before" : "");
	}
	fflush(stdout);
}

/* False: the others would fare no better. */
static bool
bulk_one(struct bulk *b, const char *path)
{
	struct posting p = *b->all;
	char id[TOCSIN_ID_TEXT], key[80];
	enum tocsin_err err = TOCSIN_OK;
	bool known = false;
	int status;

	p.file = path;
	status = fill(&p);
	if (status == 0 && !bulk_key(key, &p))
		status = cli_fail(TOCSIN_EINTERNAL, "no memory");
	if (status == 0) {
		p.d.once = key;
		p.d.repeated = &known;
		err = tocsin_post(b->t, &p.d, id);
		if (!of_the_file(err) && ask_first(p.c, b->t, err))
			err = tocsin_post(b->t, &p.d, id);
		if (err != TOCSIN_OK)
			status =
			    cli_fail(err, "%s: %s", path, tocsin_error(b->t));
	}
	b->posted += status == 0 && !known;
	b->known += status == 0 && known;
	b->failed += status != 0;
	b->parts |= p.d.nattachments > 0;
	bulk_tell(b, path, status == 0 ? id : NULL, known);
	posting_release(&p);
	return err == TOCSIN_OK || of_the_file(err);
}

static bool
bulk_files(struct bulk *b)
{
	const struct cli *c = b->all->c;
	bool good = true;
	size_t i;

	for (i = 0; good && i < c->nword; i++)
		good = is_folder(c->words[i]) ? bulk_folder(b, c->words[i])
					      : bulk_add(b, NULL, c->words[i]);
	return good;
}

static void
bulk_all(struct bulk *b)
{
	struct progress shown;
	size_t i;

	progress_begin(&shown);
	shown.things = true;
	for (i = 0; i < b->n; i++) {
		progress_wipe(&shown);
		if (!bulk_one(b, b->path[i])) {
			cli_note("stopped there; run the same again when that "
				 "is mended: what was posted is not posted "
				 "twice");
			break;
		}
		if (b->n > 20)
			progress_show(&shown, "reading files", i + 1, b->n);
	}
	progress_wipe(&shown);
}

/* What could not leave now is in the outbox, and that is said once. */
static void
bulk_end(struct bulk *b)
{
	enum tocsin_err err = b->posted > 0
				  ? cli_sync(b->all->c, b->t,
					b->parts ? SENT_BUSY_PARTS : SENT_BUSY)
				  : TOCSIN_OK;

	if (err != TOCSIN_OK)
		cli_note("not all of it is at the broker yet; the rest waits "
			 "in the outbox: %s [%s]",
		    tocsin_err_text(err), tocsin_err_name(err));
	cli_note("%zu posted, %zu posted before, %zu not, of %zu files",
	    b->posted, b->known, b->failed, b->n);
}

static int
import_many(const struct posting *p)
{
	struct bulk b = { .all = p };
	int status = 0;

	if (p->to.n == 0)
		return cli_usage("say whom they are to: --to mycert@my");
	if (p->d.subject != NULL ||
	    (p->text_path != NULL && strcmp(p->text_path, "-") == 0))
		return cli_usage("a subject, or a text from standard input, "
				 "is for one file, and these are several");
	if (!bulk_files(&b))
		status = cli_fail(TOCSIN_EINTERNAL, "%s", strerror(errno));
	else if (b.n == 0)
		status = cli_fail(
		    TOCSIN_ENOTFOUND, "there is no file in %s", p->c->words[0]);
	else
		status = cli_open(p->c, &b.t);
	if (status == 0) {
		say_circles(b.t, p->to.word);
		bulk_all(&b);
		bulk_end(&b);
		status = b.posted + b.known < b.n;
	}
	while (b.n > 0)
		free(b.path[--b.n]);
	free(b.path);
	tocsin_close(b.t);
	return status;
}

static int
post_with(struct cli *c, int argc, char **argv, bool import)
{
	struct posting p = { .c = c };
	const char *as = NULL;
	const struct opt opts[] = {
		{ "--to", OPT_MANY, &p.to },
		{ "--tlp", OPT_WORD, &p.d.tlp },
		{ "--subject", OPT_WORD, &p.d.subject },
		{ "--text", OPT_WORD, &p.text_path },
		{ "--attach", OPT_LIST, &p.attach },
		{ "--severity", OPT_WORD, &p.d.severity },
		{ "--importance", OPT_WORD, &p.d.importance },
		{ "--loss", OPT_WORD, &p.d.loss },
		{ "--class", OPT_WORD, &p.d.classification },
		{ "--outlook", OPT_WORD, &p.d.outlook },
		{ "--pap", OPT_WORD, &p.d.pap },
		{ "--sector", OPT_LIST, &p.sector },
		{ "--precedence", OPT_WORD, &p.d.precedence },
		{ "--ackby", OPT_WORD, &p.ackby },
		{ "--label", OPT_LIST, &p.label },
		{ "--exercise", OPT_WORD, &p.d.exercise },
		{ "--kind", OPT_WORD, &p.d.kind },
		{ "--occurred", OPT_WORD, &p.occurred },
		{ "--detected", OPT_WORD, &p.detected },
		{ "--reported", OPT_WORD, &p.reported },
		{ import ? "--as" : NULL, OPT_WORD, &as },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, import, import ? SIZE_MAX : 0))
		return 2;
	if (p.d.kind == NULL)
		p.d.kind = "report";
	if (import)
		p.file = c->words[0];
	if (as != NULL && (p.as = form_named(as)) == NULL)
		return cli_no_form(as);
	if (import && (c->nword > 1 || is_folder(p.file)))
		return import_many(&p);
	status = post(&p);
	posting_release(&p);
	return status;
}

int
cmd_post(struct cli *c, int argc, char **argv)
{
	return post_with(c, argc, argv, false);
}

/* ---- what was carried here ---- */

static void
print_counts(const struct cli *c, const struct bundle_counts *n)
{
	size_t new = n->messages - n->known;

	if (c->json)
		print_json(json_pack("{s:I, s:I, s:I, s:I}", "messages",
		    (json_int_t)n->messages, "new", (json_int_t) new, "refused",
		    (json_int_t)n->refused, "attachments",
		    (json_int_t)n->attachments));
	else
		printf("%zu messages, %zu of them new; %zu attachments\n",
		    n->messages, new, n->attachments);
	if (n->refused > 0)
		cli_note("%zu of them cannot be opened here; `tocsin why` says "
			 "of each why",
		    n->refused);
}

static int
take_bundle(struct cli *c, struct span file)
{
	struct bundle_counts n;
	struct tocsin *t = NULL;
	enum tocsin_err err;
	int status = cli_open(c, &t);

	if (status != 0)
		return status;
	err = bundle_read(t, file, &n);
	status = err == TOCSIN_OK ? 0 : cli_error(t, err);
	if (status == 0)
		print_counts(c, &n);
	tocsin_close(t);
	return status;
}

/* Its name stands first; only then is it read as a whole. */
static bool
looks_like_bundle(const char *path)
{
	char head[8] = "";
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(head, 1, sizeof(head), f) : 0;

	if (f != NULL)
		fclose(f);
	return n == sizeof(head) && memcmp(head, "bundle\0", 7) == 0;
}

/* A bundle is complete as it is, and takes no options of post. */
static int
import_bundle(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct buf b = { 0 };
	int status;

	if (!cli_options(c, argc, argv, none, 1, 1))
		return 2;
	status = cli_read(c->words[0], BUNDLE_MAX, &b);
	if (status == 0)
		status = take_bundle(c, buf_span(&b));
	buf_drop(&b);
	return status;
}

int
cmd_import(struct cli *c, int argc, char **argv)
{
	if (argc > 1 && looks_like_bundle(argv[1]))
		return import_bundle(c, argc, argv);
	return post_with(c, argc, argv, true);
}
