/* SPDX-License-Identifier: ISC */
/* A ticket for people to read, print and file. It is only written. */
#include "client/cli/print.h"
#include "client/form/form.h"
#include "crypto/text.h"

#include <stdlib.h>
#include <string.h>

/*
 * What would control a terminal, or hide, is written as its number; what would
 * be a tag, a link or code is kept from being one.
 */
static void
add_safe(struct buf *out, struct span s)
{
	size_t i = 0, from;
	uint32_t c;

	while (i < s.n) {
		from = i;
		c = utf8_next(s, &i);
		if (c == 0xfffd)
			buf_addz(out, "\xef\xbf\xbd");
		else if (c == '\n')
			buf_addz(out, " ");
		else if (c != '\t' && char_hostile(c))
			buf_addf(out, "<U+%04X>", (unsigned)c);
		else {
			if (c < 0x80 && c != 0 && strchr("<[`\\", (int)c))
				buf_addz(out, "\\");
			buf_add(out, span_cut(s, from, i - from));
		}
	}
}

/* Their words, as a quotation: no line of it is one of ours. */
static void
add_quoted(struct buf *out, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		buf_addz(out, "> ");
		add_safe(out, (struct span){ (const uint8_t *)text, n });
		buf_addz(out, "\n");
		text += n + (text[n] == '\n');
	}
}

/* The label stands right, in head and foot, as TLP asks of documents. */
static void
add_label(struct buf *out, const char *tlp)
{
	buf_addf(out, "<p align=\"right\"><b>TLP:%s</b></p>\n", tlp);
}

/* In one line: a list with commas, members with their names. */
static void
add_inline(struct buf *out, const json_t *v)
{
	json_t *o = (json_t *)(uintptr_t)v;
	const char *name;
	char *text;
	json_t *at;
	size_t i;

	if (json_is_string(v)) {
		add_safe(out, span_of(json_string_value(v)));
	} else if (json_is_array(v)) {
		json_array_foreach(o, i, at)
		{
			buf_addz(out, i > 0 ? ", " : "");
			add_inline(out, at);
		}
	} else if (json_is_object(v)) {
		const char *between = "";

		json_object_foreach(o, name, at)
		{
			buf_addz(out, between);
			add_safe(out, span_of(name));
			buf_addz(out, " ");
			add_inline(out, at);
			between = "; ";
		}
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY);
		buf_addz(out, text != NULL ? text : "");
		free(text);
	}
}

/* A list of things with members has a line for each. */
static void
add_value(struct buf *out, const char *name, const json_t *v)
{
	size_t i;

	buf_addz(out, "- ");
	add_safe(out, span_of(name));
	buf_addz(out, ":");
	if (!json_is_object(json_array_get(v, 0))) {
		buf_addz(out, " ");
		add_inline(out, v);
		buf_addz(out, "\n");
		return;
	}
	buf_addz(out, "\n");
	for (i = 0; i < json_array_size(v); i++) {
		buf_addz(out, "  - ");
		add_inline(out, json_array_get(v, i));
		buf_addz(out, "\n");
	}
}

static void
add_content(struct buf *out, const json_t *content)
{
	static const char *const apart[] = { "format", "subject", "text" };
	json_t *o = (json_t *)(uintptr_t)content;
	void *at;
	size_t i, n = sizeof(apart) / sizeof(apart[0]);

	for (at = json_object_iter(o); at != NULL;
	     at = json_object_iter_next(o, at)) {
		for (i = 0;
		     i < n && strcmp(apart[i], json_object_iter_key(at)) != 0;
		     i++)
			;
		if (i == n)
			add_value(out, json_object_iter_key(at),
			    json_object_iter_value(at));
	}
}

static void
add_message(struct buf *out, const struct form_message *m)
{
	const char *text = form_text(m->content, "text");
	char time[TIME_TEXT + 1];

	time_print(time, m->time);
	buf_addf(out, "\n## %s %s %s\n\nTLP:%s, id %s\n\n", time, m->from,
	    m->kind, m->tlp, m->id);
	add_content(out, m->content);
	if (text != NULL) {
		buf_addz(out, "\n");
		add_quoted(out, text);
	}
}

static enum tocsin_err
write_markdown(struct buf *out, struct form_out *from)
{
	size_t i;

	add_label(out, from->tlp);
	buf_addz(out, "\n# ");
	add_safe(out, span_of(form_title(from)));
	buf_addz(out, "\n");
	for (i = 0; i < from->n; i++)
		add_message(out, &from->message[i]);
	buf_addz(out, "\n");
	add_label(out, from->tlp);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

const struct form form_markdown = { .name = "markdown",
	.title = "Markdown",
	.media = "text/markdown",
	.suffix = "md",
	.write_text = write_markdown };
