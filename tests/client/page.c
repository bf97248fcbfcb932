/* SPDX-License-Identifier: ISC */
#include "client/cli/page.h"
#include "client/cli/serve.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1800000000

static struct buf b;

static const char *
text_of(const char *s)
{
	buf_release(&b);
	page_text(&b, s);
	buf_u8(&b, 0);
	return (const char *)b.p;
}

static void
test_text(void)
{
	static const struct {
		const char *from, *to, *says;
	} rows[] = {
		{ "", "", "nothing is nothing" },
		{ "mycert@my", "mycert@my", "a name is itself" },
		{ "<script>", "&lt;script&gt;", "a tag is text" },
		{ "\"' onload='x", "&quot;&#39; onload=&#39;x",
		    "an attribute stays one" },
		{ "&amp;", "&amp;amp;", "an entity is text" },
		{ "\xe1\x9e\x80\xe0\xba\x81", "\xe1\x9e\x80\xe0\xba\x81",
		    "Khmer and Lao are kept" },
		{ "a\x1b[2Jb", "a\xef\xbf\xbd[2Jb", "an escape is none" },
		{ "a\nb",
		    "a\xef\xbf\xbd"
		    "b",
		    "a line feed neither" },
		{ "a\xe2\x80\xae"
		  "b",
		    "a\xef\xbf\xbd"
		    "b",
		    "nothing turns the line round" },
		{ "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd",
		    "what is no UTF-8 is not passed on" },
		{ "a\xef\xbf\xbe"
		  "b",
		    "a\xef\xbf\xbd"
		    "b",
		    "nor what XML has no place for" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_str(text_of(rows[i].from), rows[i].to, "%s", rows[i].says);
}

static void
test_span(void)
{
	static const struct {
		int64_t s;
		const char *says;
	} rows[] = { { 0, "0s" }, { 59, "59s" }, { 60, "1m" }, { 3599, "59m" },
		{ 3600, "1h00m" }, { 86399, "23h59m" }, { 86400, "1d00h" },
		{ 30 * 86400, "30d00h" } };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_release(&b);
		page_span(&b, rows[i].s);
		buf_u8(&b, 0);
		is_str((const char *)b.p, rows[i].says, "%d seconds",
		    (int)rows[i].s);
	}
}

static unsigned
times(const char *word)
{
	const char *at = (const char *)b.p;
	unsigned n = 0;

	while ((at = strstr(at, word)) != NULL) {
		n++;
		at++;
	}
	return n;
}

static void
draw(const struct picture_ticket *t, size_t n, const struct page_about *a)
{
	struct picture p;

	buf_release(&b);
	if (picture_make(&p, t, n, NOW) != TOCSIN_OK ||
	    page_print(&b, &p, a) != TOCSIN_OK)
		abort();
	buf_u8(&b, 0);
	picture_release(&p);
}

/* Whoever wrote it, and whatever let it through. */
static void
test_hostile(void)
{
	static const char bad[] =
	    "x\"'></bdi><script>alert(1)</script>\xe2\x80\xae";
	const struct picture_place place = {
		.member = bad, .asked = NOW - 100, .ackby = NOW - 50
	};
	const struct picture_ticket t[] = {
		{ .from = bad,
		    .opened = NOW - 100,
		    .severity = bad,
		    .outlook = bad,
		    .place = &place,
		    .n = 1 },
		{ .from = bad,
		    .opened = NOW - 100,
		    .exercise = bad,
		    .place = &place,
		    .n = 1 },
	};

	draw(t, 2,
	    &(struct page_about){
		.federation = bad, .member = bad, .trouble = bad });
	is_int(times("<script"), 0, "no name makes a script");
	is_int(times("alert(1)</bdi>"), 0, "or ends its place");
	ok(times("&lt;script&gt;alert(1)") >= 4, "they are shown as text");
	is_int(times("\xe2\x80\xae"), 0, "and turn nothing round");
	is_int(times("other words"), 1, "a severity of their own is not shown");
}

static void
test_shape(void)
{
	const struct picture_ticket t = {
		.from = "a@sg", .opened = NOW - 100, .tlp = TICKET_GREEN
	};
	const struct page_about file = { .federation = "asean.example",
		.member = "a@sg" };
	const struct page_about served = { .federation = "asean.example",
		.member = "a@sg",
		.headers = true,
		.served = true,
		.queued = 1 };

	draw(&t, 1, &file);
	is_int(times("class=\"tlp tlp-green\">TLP:GREEN<"), 2,
	    "the label is in head and foot");
	is_int(times("<script"), 0, "a file has no script");
	is_int(times("EXERCISE"), 0, "without an exercise none is named");
	is_int(times("Outlook"), 1, "with keys there is an outlook");
	is_int(times("://"), 0, "no address is in it");
	draw(&t, 1, &served);
	is_int(times("<script>"), 1, "what is served has one script");
	is_int(times("Outlook"), 0, "of headers there is no outlook");
	is_int(times("1 message of ours waits"), 1, "what waits is told");
	draw(NULL, 0, &file);
	ok(times("TLP:CLEAR") >= 2 && times("No ticket here") == 1,
	    "an empty picture is one, too");
}

/* Every quantity where a drawing could divide or overflow. */
static void
test_many(void)
{
	struct picture_ticket *t = calloc(70000, sizeof(*t));
	static const struct picture_place place = {
		.member = "b@my", .asked = NOW - 1000000, .answered = NOW
	};
	size_t i;

	for (i = 0; t != NULL && i < 70000; i++)
		t[i] = (struct picture_ticket){ .from = "a@sg",
			.opened = (int64_t)(NOW + 500 - i),
			.precedence = (enum ticket_precedence)(i % 4),
			.place = &place,
			.n = i % 2 };
	draw(t, 70000,
	    &(struct page_about){ .federation = "f.example", .member = "a" });
	ok(times("</p><b>70000</b>") == 1 && times("-1\"") == 0 &&
		times("4294") == 0,
	    "seventy thousand tickets are drawn in bounds");
	free(t);
}

/* ---- where it may listen ---- */

static void
test_addresses(void)
{
	static const struct {
		const char *typed;
		enum tocsin_err err;
		const char *host;
		unsigned port;
	} rows[] = {
		{ NULL, TOCSIN_OK, "127.0.0.1", 0 },
		{ "", TOCSIN_OK, "127.0.0.1", 0 },
		{ "8080", TOCSIN_OK, "127.0.0.1", 8080 },
		{ ":8080", TOCSIN_OK, "127.0.0.1", 8080 },
		{ "localhost", TOCSIN_OK, "127.0.0.1", 0 },
		{ "127.9.9.9:65535", TOCSIN_OK, "127.9.9.9", 65535 },
		{ "::1", TOCSIN_OK, "[::1]", 0 },
		{ "[::1]:80", TOCSIN_OK, "[::1]", 80 },
		{ "[0:0:0:0:0:0:0:1]", TOCSIN_OK, "[::1]", 0 },
		{ "0.0.0.0", TOCSIN_EPERMISSIONS, NULL, 0 },
		{ "128.0.0.1:80", TOCSIN_EPERMISSIONS, NULL, 0 },
		{ "126.255.255.255", TOCSIN_EPERMISSIONS, NULL, 0 },
		{ "[::]:80", TOCSIN_EPERMISSIONS, NULL, 0 },
		{ "::ffff:127.0.0.1", TOCSIN_EPERMISSIONS, NULL, 0 },
		{ "[::1]x", TOCSIN_EUSAGE, NULL, 0 },
		{ "[::1", TOCSIN_EUSAGE, NULL, 0 },
		{ "127.0.0.1:", TOCSIN_EUSAGE, NULL, 0 },
		{ "127.0.0.1:65536", TOCSIN_EUSAGE, NULL, 0 },
		{ "127.0.0.1:-1", TOCSIN_EUSAGE, NULL, 0 },
		{ "127.0.0.1: 80", TOCSIN_EUSAGE, NULL, 0 },
		{ "99999999999999999999", TOCSIN_EUSAGE, NULL, 0 },
		{ "localhost.evil.example:80", TOCSIN_EUSAGE, NULL, 0 },
	};
	struct serve_at at;
	char longest[300];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum tocsin_err err = serve_parse(&at, rows[i].typed);

		ok(err == rows[i].err &&
			(err != TOCSIN_OK ||
			    (strcmp(at.host, rows[i].host) == 0 &&
				at.port == rows[i].port)),
		    "%s is %s", rows[i].typed != NULL ? rows[i].typed : "none",
		    tocsin_err_name(rows[i].err));
	}
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	is_int(serve_parse(&at, longest), TOCSIN_EUSAGE,
	    "what is too long is none");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_text();
	test_span();
	test_hostile();
	test_shape();
	test_many();
	test_addresses();
	buf_release(&b);
	return tap_done();
}
