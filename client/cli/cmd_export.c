/* SPDX-License-Identifier: ISC */
/*
 * A ticket in another tool's format. Whoever holds the file is no longer held
 * by our keys, so the officer says for whom it is, and the labels are asked
 * first.
 */
#include "client/bundle.h"
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/form/form.h"
#include "client/handle.h"
#include "client/vocab.h"
#include "crypto/tar.h"
#include "crypto/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Whom a label lets know, in the order of the labels, narrow to wide. */
static const char *const audiences[] = { "me", "organisation", "clients",
	"community", "public" };

#define AUDIENCES (sizeof(audiences) / sizeof(audiences[0]))

int
cli_no_form(const char *typed)
{
	struct guess g = guess_of(typed);
	size_t i;

	for (i = 0; forms[i] != NULL; i++)
		guess_at(&g, forms[i]->name);
	return cli_usage(
	    "there is no format %s; the nearest is %s", typed, g.best);
}

struct exporting {
	struct cli *c;
	const struct form *as;
	const char *path, *audience;
	struct form_out out;
	struct form_message *message;
	size_t left_out;
	const char *member; /* ours */
	/* By label, and by what its author lets us use. */
	const struct tocsin_message *narrowest, *binding;
};

static int
no_audience(const char *typed)
{
	return cli_usage("%s: the file is for me, organisation, clients, "
			 "community or public",
	    typed);
}

/* Its label, or a wider one that its author lets us use. */
static size_t
allowed_of(const struct tocsin_message *m)
{
	return vocab_place(VOCAB_TLP, m->allowed ? m->allowed : m->tlp);
}

static int
denied(const struct exporting *e, size_t wanted)
{
	const struct tocsin_message *m = e->binding;
	char brief[TOCSIN_SHORT_TEXT];
	bool ours = view_same_member(m->from, e->member);

	view_short(brief, m->id);
	return cli_fail(TOCSIN_EPOLICYDENIED,
	    "a message of it is TLP:%s, %s; for %s %s %.*s, who wrote it: "
	    "`tocsin %s %s --tlp %s`",
	    m->tlp, vocab_says(VOCAB_TLP, m->tlp), audiences[wanted],
	    ours ? "it takes" : "ask", (int)strcspn(m->from, "/"), m->from,
	    ours ? "relabel" : "ask", brief, vocab_word(VOCAB_TLP, wanted));
}

/* The label of every message is obeyed, so the narrowest rules. */
static int
may_leave(struct exporting *e)
{
	size_t allowed = allowed_of(e->binding), wanted;

	if (e->audience == NULL)
		return 0;
	for (wanted = 0;
	     wanted < AUDIENCES && strcmp(audiences[wanted], e->audience) != 0;
	     wanted++)
		;
	if (wanted == AUDIENCES)
		return no_audience(e->audience);
	if (wanted <= allowed)
		return 0;
	return denied(e, wanted);
}

/* A word before the text of one member, and perhaps behind it. */
static bool
mark_member(
    json_t *content, const char *member, const char *exercise, bool foot)
{
	const char *said = json_string_value(json_object_get(content, member));
	json_t *marked;

	if (said == NULL)
		return true;
	marked =
	    json_sprintf("EXERCISE %s%s%s%s%s", exercise, foot ? "\n\n" : ": ",
		said, foot ? "\n\nEXERCISE " : "", foot ? exercise : "");
	return json_object_set_new(content, member, marked) == 0;
}

/*
 * No other tool has homes of an exercise, and most have no field for it: it is
 * said in the words that every one shows.
 */
static bool
mark_exercise(struct form_message *to, const struct tocsin_message *m)
{
	json_t *content = (json_t *)(uintptr_t)to->content;

	return m->exercise == NULL ||
	       (mark_member(content, "subject", m->exercise, false) &&
		   mark_member(content, "text", m->exercise, true));
}

/* What is not opened has no words to export. */
static int
take_messages(struct exporting *e, const struct tocsin_list *l)
{
	size_t i;

	e->message = calloc(l->n + 1, sizeof(*e->message));
	if (e->message == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	for (i = 0; i < l->n; i++) {
		const struct tocsin_message *m = l->message[i];
		struct form_message *to = &e->message[e->out.n];

		if (m->refused != TOCSIN_OK || m->json == NULL) {
			e->left_out++;
			continue;
		}
		*to = (struct form_message){ .id = m->id,
			.from = m->from,
			.kind = m->kind,
			.tlp = m->tlp,
			.time = m->time,
			.content =
			    json_loads(m->json, JSON_REJECT_DUPLICATES, NULL) };
		e->out.n++;
		if (to->content == NULL || !mark_exercise(to, m))
			return cli_fail(TOCSIN_EINTERNAL, "no memory");
		if (e->narrowest == NULL ||
		    vocab_place(VOCAB_TLP, m->tlp) <
			vocab_place(VOCAB_TLP, e->narrowest->tlp))
			e->narrowest = m;
		if (e->binding == NULL ||
		    allowed_of(m) < allowed_of(e->binding))
			e->binding = m;
	}
	e->out.message = e->message;
	return 0;
}

static void
say_lost(const struct exporting *e)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < json_array_size(e->out.lost); i++)
		buf_addf(&b, "%s%s", i > 0 ? ", " : "",
		    json_string_value(json_array_get(e->out.lost, i)));
	buf_u8(&b, '\0');
	if (i > 0 && buf_ok(&b))
		cli_note("%s has no place for %s; the ticket is in the file as "
			 "it was written",
		    e->as->title, (const char *)b.p);
	if (e->left_out > 0)
		cli_note("%zu messages of it could not be opened and are left "
			 "out",
		    e->left_out);
	buf_release(&b);
}

static int
write_out(struct exporting *e)
{
	struct buf b = { 0 };
	enum tocsin_err err;
	int status;

	e->out.tlp = e->audience == NULL
			 ? e->narrowest->tlp
			 : vocab_word(VOCAB_TLP, allowed_of(e->binding));
	e->out.now = cli_now();
	e->out.lost = json_array();
	err = form_write(&b, e->as, &e->out);
	status = err == TOCSIN_EUNSUPPORTED
		     ? cli_fail(err, "%s",
			   e->out.why != NULL ? e->out.why
					      : "this format is only read")
		 : err != TOCSIN_OK ? cli_fail(err, "%s", tocsin_err_text(err))
				    : cli_write(e->path, buf_span(&b), false);
	if (status == 0)
		say_lost(e);
	json_decref(e->out.lost);
	buf_release(&b);
	return status;
}

static int export(struct exporting *e, struct tocsin *t)
{
	struct tocsin_list *l = NULL;
	enum tocsin_err err = tocsin_thread(t, e->c->words[0], &l);
	int status;
	size_t i;

	e->member = t->parts.keys->member;
	if (err != TOCSIN_OK)
		return cli_error(t, err);
	status = l->n > 0 && l->message[0]->refused == TOCSIN_ERECALLED
		     ? cli_fail(TOCSIN_ERECALLED,
			   "its sender has taken the ticket back; no other "
			   "tool should have it any more")
		     : take_messages(e, l);
	if (status == 0 && e->out.n == 0)
		status = cli_fail(TOCSIN_ENOTFOUND,
		    "nothing of that ticket is here and opened");
	if (status == 0)
		status = may_leave(e);
	if (status == 0)
		status = write_out(e);
	for (i = 0; i < e->out.n; i++)
		json_decref((json_t *)(uintptr_t)e->message[i].content);
	free(e->message);
	tocsin_list_free(l);
	return status;
}

/* As it is sealed, so its label needs no asking: only recipients open it. */
static int
export_bundle(struct exporting *e, struct tocsin *t, bool with_attachments)
{
	struct buf b = { .max = BUNDLE_MAX + TAR_ENTRY(0) };
	struct bundle_counts n;
	enum tocsin_err err =
	    bundle_write(t, e->c->words[0], with_attachments, &b, &n);
	int status = err == TOCSIN_OK ? cli_write(e->path, buf_span(&b), false)
				      : cli_error(t, err);

	if (status == 0 && n.left_out > 0)
		cli_note("%zu attachments are not in it; --attachments puts "
			 "them there",
		    n.left_out);
	buf_drop(&b);
	return status;
}

int
cmd_export(struct cli *c, int argc, char **argv)
{
	struct exporting e = { .c = c };
	const char *as = NULL;
	bool with_attachments = false, bundle;
	const struct opt opts[] = {
		{ "--as", OPT_WORD, &as },
		{ "--attachments", OPT_FLAG, &with_attachments },
		{ "--for", OPT_WORD, &e.audience },
		{ "-o", OPT_WORD, &e.path },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin *t = NULL;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (as == NULL)
		return cli_usage("say in which format: --as stix, misp, iodef, "
				 "iodef-json, xarf, idea, markdown or "
				 "bundle");
	bundle = strcmp(as, "bundle") == 0;
	e.as = form_named(as);
	if (e.as == NULL && !bundle)
		return cli_no_form(as);
	if (with_attachments && !bundle)
		return cli_usage("--attachments is for a bundle; others are "
				 "saved with `tocsin save`");
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	status =
	    bundle ? export_bundle(&e, t, with_attachments) : export(&e, t);
	tocsin_close(t);
	return status;
}
