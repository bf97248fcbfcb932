/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/sent.h"
#include "client/cli/stix.h"
#include "client/cli/view.h"
#include "client/incident.h"
#include "client/vocab.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct posting {
	struct cli *c;
	struct tocsin *t;
	struct tocsin_draft d;
	struct list to, attach, label, sector;
	const char *text_path, *stix_path, *ackby;
	struct buf text;
	struct stix stix;
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

	if (said == NULL || p->stix.tlp[0] == '\0')
		return;
	if (strncasecmp(said, "TLP:", 4) == 0)
		said += 4;
	if (vocab_find(VOCAB_TLP, said) != NULL &&
	    tlp_width(said) > tlp_width(p->stix.tlp))
		cli_note("warning: %s has objects that are marked TLP:%s, and "
			 "the ticket is TLP:%s",
		    p->stix_path, p->stix.tlp, said);
}

static int
take_stix(struct posting *p)
{
	struct buf b = { 0 };
	enum tocsin_err err;
	int status;

	if (p->stix_path == NULL)
		return 0;
	status = cli_read(p->stix_path, STIX_FILE_MAX, &b);
	if (status != 0)
		return status;
	err = stix_parse(&p->stix, buf_span(&b));
	buf_release(&b);
	if (err != TOCSIN_OK)
		return cli_fail(err,
		    "%s is no STIX 2.1 bundle that can be read; attach it",
		    p->stix_path);
	if (p->d.subject == NULL)
		p->d.subject = p->stix.subject;
	if (p->d.text == NULL)
		p->d.text = p->stix.text;
	p->d.json = p->stix.json;
	warn_wider(p);
	return 0;
}

static int
take_attachments(struct posting *p)
{
	size_t i, n = p->attach.n + (p->stix_path != NULL);
	struct tocsin_attachment *a = calloc(n + 1, sizeof(*a));

	if (a == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	for (i = 0; i < p->attach.n; i++)
		a[i].path = p->attach.word[i];
	if (p->stix_path != NULL)
		a[i] = (struct tocsin_attachment){ .path = p->stix_path,
			.media = STIX_MEDIA };
	p->d.attachments = a;
	p->d.nattachments = n;
	return 0;
}

static int
fill(struct posting *p)
{
	int status;

	if (p->to.n == 0)
		return cli_usage("say whom it is to: --to mycert@my");
	if (p->d.tlp == NULL)
		return cli_usage("say who may know: --tlp RED, AMBER+STRICT, "
				 "AMBER, GREEN or CLEAR; it has no default");
	if (p->ackby != NULL && !view_when("--ackby", p->ackby, &p->d.ackby))
		return 2;
	p->d.to = p->to.word;
	p->d.labels = p->label.word;
	p->d.sectors = p->sector.word;
	status = take_text(p);
	if (status == 0)
		status = take_stix(p);
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

int
cmd_post(struct cli *c, int argc, char **argv)
{
	struct posting p = { .c = c };
	const struct opt opts[] = {
		{ "--to", OPT_MANY, &p.to },
		{ "--tlp", OPT_WORD, &p.d.tlp },
		{ "--subject", OPT_WORD, &p.d.subject },
		{ "--text", OPT_WORD, &p.text_path },
		{ "--stix", OPT_WORD, &p.stix_path },
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
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0))
		return 2;
	if (p.d.kind == NULL)
		p.d.kind = "report";
	status = post(&p);
	free((void *)(uintptr_t)p.d.attachments);
	buf_release(&p.text);
	stix_release(&p.stix);
	return status;
}
