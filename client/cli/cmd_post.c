/* SPDX-License-Identifier: ISC */
#include "client/bundle.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"
#include "client/form/form.h"
#include "client/incident.h"
#include "client/vocab.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

	if (!cli_options(c, argc, argv, opts, import, import))
		return 2;
	if (p.d.kind == NULL)
		p.d.kind = "report";
	if (import)
		p.file = c->words[0];
	if (as != NULL && (p.as = form_named(as)) == NULL)
		return cli_no_form(as);
	status = post(&p);
	free((void *)(uintptr_t)p.d.attachments);
	free(p.json);
	buf_release(&p.text);
	form_in_release(&p.in);
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
