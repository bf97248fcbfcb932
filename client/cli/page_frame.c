/* SPDX-License-Identifier: ISC */
#include "client/cli/page_frame.h"

#include "client/cli/page_static.h"
#include "client/cli/print.h"
#include "crypto/sha256.h"

#include <time.h>

#define DAY 86400

/* ---- text ---- */

void
page_text(struct buf *out, const char *s)
{
	struct span in = span_of(s);
	size_t i = 0;

	while (i < in.n) {
		size_t from = i;
		uint32_t c = utf8_next(in, &i);

		if (c == '&')
			buf_addz(out, "&amp;");
		else if (c == '<')
			buf_addz(out, "&lt;");
		else if (c == '>')
			buf_addz(out, "&gt;");
		else if (c == '"')
			buf_addz(out, "&quot;");
		else if (c == '\'')
			buf_addz(out, "&#39;");
		else if (c == 0xfffd || c == 0xfffe || c == 0xffff ||
			 char_hostile(c))
			buf_addz(out, "\xef\xbf\xbd");
		else
			buf_add(out, span_cut(in, from, i - from));
	}
}

void
page_span(struct buf *out, int64_t seconds)
{
	long long s = seconds;

	if (s < 60)
		buf_addf(out, "%llds", s);
	else if (s < 3600)
		buf_addf(out, "%lldm", s / 60);
	else if (s < DAY)
		buf_addf(out, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		buf_addf(out, "%lldd%02lldh", s / DAY, s / 3600 % 24);
}

/* "14:03 UTC" of a day that is said, and what clocks on the wall show. */
void
page_time(struct buf *out, int64_t t, bool large)
{
	time_t when = (time_t)t;
	struct tm utc, local;
	char day[32], hour[32], here[64];

	if (gmtime_r(&when, &utc) == NULL || localtime_r(&when, &local) == NULL)
		return;
	strftime(day, sizeof(day), "%Y-%m-%d", &utc);
	strftime(hour, sizeof(hour), "%H:%MZ", &utc);
	buf_addf(out, "%s %s%s%s", day, large ? "<b>" : "", hour,
	    large ? "</b>" : "");
	if (local.tm_gmtoff == 0)
		return;
	strftime(here, sizeof(here),
	    local.tm_mday == utc.tm_mday ? "%H:%M %z" : "%F %H:%M %z", &local);
	buf_addf(out, "%s(%s local)", large ? "<br/>" : " ", here);
}

/* ---- labels ---- */

void
page_tlp(struct buf *out, enum ticket_tlp tlp)
{
	static const char *const classes[TICKET_TLPS] = { "red", "amber",
		"amber", "green", "clear" };

	buf_addf(out, "<strong class=\"tlp tlp-%s\">TLP:%s</strong>",
	    classes[tlp], ticket_tlp_name(tlp));
}

/* ---- style and policy ---- */

/* What depends on the page: the margins of each sheet, and its own rules. */
static void
add_style(struct buf *out, const struct page_frame *p)
{
	const char *tlp = ticket_tlp_name(p->tlp);

	buf_addf(out,
	    "@page{size:A4 landscape;margin:13mm 10mm;"
	    "@top-right{content:'TLP:%s';font:700 12pt sans-serif}"
	    "@bottom-right{content:'TLP:%s';font:700 12pt sans-serif}"
	    "@bottom-left{content:'%s \\2014  ' counter(page) ' / ' "
	    "counter(pages);font:9pt sans-serif}}\n",
	    tlp, tlp, p->foot);
	buf_addz(out, page_style);
	if (p->style != NULL)
		buf_addz(out, p->style);
}

static void
add_hash(struct buf *out, struct span text)
{
	uint8_t hash[32];

	sha256(hash, text);
	buf_addz(out, "'sha256-");
	buf_base64(out, (struct span){ hash, sizeof(hash) });
	buf_addz(out, "'");
}

void
page_frame_policy(struct buf *out, const struct page_frame *p)
{
	struct buf style = { 0 };

	add_style(&style, p);
	if (!buf_ok(&style))
		out->failed = true;
	buf_addz(out, "default-src 'none'; style-src ");
	add_hash(out, buf_span(&style));
	if (p->script != NULL) {
		buf_addz(out, "; script-src ");
		add_hash(out, span_of(p->script));
		buf_addz(out, "; connect-src 'self'");
	}
	buf_addz(out, "; base-uri 'none'; form-action 'none'");
	buf_drop(&style);
}

/* ---- the page around it ---- */

void
page_begin(struct buf *out, const struct page_frame *p, struct span title)
{
	struct buf style = { 0 };

	add_style(&style, p);
	buf_addz(out, "<!DOCTYPE html>\n<html lang=\"en\" data-v=\"");
	add_hash(out, buf_span(&style));
	buf_addz(out,
	    "\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"");
	page_frame_policy(out, p);
	buf_addz(out,
	    "\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n"
	    "<meta name=\"viewport\" content=\"width=device-width, "
	    "initial-scale=1\"/>\n");
	if (p->refresh > 0)
		buf_addf(out,
		    "%s<meta http-equiv=\"refresh\" content=\"%d\"/>%s\n",
		    p->script != NULL ? "<noscript>" : "", p->refresh,
		    p->script != NULL ? "</noscript>" : "");
	buf_addz(out, "<title>");
	buf_add(out, title);
	buf_addz(out, "</title>\n<style>");
	buf_add(out, buf_span(&style));
	buf_addz(out, "</style>\n</head>\n<body>\n");
	if (!buf_ok(&style))
		out->failed = true;
	buf_drop(&style);
}

void
page_end(struct buf *out, const struct page_frame *p)
{
	if (p->script != NULL) {
		buf_addz(out, "<script>");
		buf_addz(out, p->script);
		buf_addz(out, "</script>\n");
	}
	buf_addz(out, "</body>\n</html>\n");
}
