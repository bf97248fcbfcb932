/* SPDX-License-Identifier: ISC */
/* A ticket for people to read, print and file. It is only written. */
#include "client/cli/print.h"
#include "client/form/form.h"
#include "crypto/text.h"

#include <stdlib.h>
#include <string.h>

/* What would control a terminal, or hide, is written as its number. */
static void
add_safe(struct buf *out, const char *text)
{
	struct span s = span_of(text);
	size_t i = 0, from;
	uint32_t c;

	while (i < s.n) {
		from = i;
		c = utf8_next(s, &i);
		if (c == 0xfffd)
			buf_addz(out, "\xef\xbf\xbd");
		else if (c != '\n' && c != '\t' && char_hostile(c))
			buf_addf(out, "<U+%04X>", (unsigned)c);
		else
			buf_add(out, span_cut(s, from, i - from));
	}
}

/* Their words, as a quotation: no line of it is one of ours. */
static void
add_quoted(struct buf *out, const char *text)
{
	const char *end;

	for (; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
		char line[1024];
		size_t n;

		end = strchrnul(text, '\n');
		buf_addz(out, "> ");
		for (; text < end; text += n) {
			n = (size_t)(end - text);
			if (n > sizeof(line) - 1)
				n = sizeof(line) - 1;
			memcpy(line, text, n);
			line[n] = '\0';
			add_safe(out, line);
		}
		buf_addz(out, "\n");
	}
}

/* The label stands right, in head and foot, as TLP asks of documents. */
static void
add_label(struct buf *out, const char *tlp)
{
	buf_addf(out, "<p align=\"right\"><b>TLP:%s</b></p>\n", tlp);
}

static void
add_value(struct buf *out, const char *name, const json_t *value)
{
	char *text = json_is_string(value)
			 ? NULL
			 : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);

	add_safe(out, "- ");
	add_safe(out, name);
	add_safe(out, ": ");
	add_safe(out, text != NULL		 ? text
		      : json_string_value(value) ? json_string_value(value)
						 : "");
	buf_addz(out, "\n");
	free(text);
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
	add_safe(out, form_title(from));
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
