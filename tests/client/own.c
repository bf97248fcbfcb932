/* SPDX-License-Identifier: ISC */
#include "client/own.h"
#include "crypto/text.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static const char file[] = "# the ministries\n"
			   "192.0.2.0/24\n"
			   "198.51.100.7   the old web server\n"
			   "\t2001:db8:5::/48\r\n"
			   "Example.my\n"
			   "; a ministry's mail\n"
			   "mail.gov.example\n";

static enum tocsin_err
parse(struct own *o, const char *text, struct own_fault *f)
{
	size_t n = strlen(text);
	/* Of the exact size, so that a read past the end is seen. */
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum tocsin_err err;

	memcpy(copy, text, n);
	err = own_parse(o, (struct span){ copy, n }, f);
	free(copy);
	return err;
}

static void
finds(struct own *o, const char *text, const char *want)
{
	size_t n = strlen(text);
	uint8_t *copy = malloc(n > 0 ? n : 1);
	const char *got;

	memcpy(copy, text, n);
	got = own_find(o, (struct span){ copy, n });
	is_str(got != NULL ? got : "nothing", want, "%s", text);
	free(copy);
}

static void
test_found(void)
{
	struct own o = { .n = 0 };
	struct own_fault f;

	ok(parse(&o, file, &f) == TOCSIN_OK && o.n == 5, "a file of five");
	finds(&o, "beacons from 192.0.2.77 every hour", "192.0.2.0/24");
	finds(&o, "[ipv4-addr:value = '192.0.2.0/28']", "192.0.2.0/24");
	finds(&o, "all of 192.0.0.0/16 is scanned", "192.0.2.0/24");
	finds(&o, "192[.]0[.]2[.]1", "192.0.2.0/24");
	finds(&o, "see 198.51.100.7.", "198.51.100.7");
	finds(&o, "198.51.100.7:8080/x", "198.51.100.7");
	finds(&o, "[2001:db8:5::17]:443", "2001:db8:5::/48");
	finds(&o, "2001:0DB8:0005:1::", "2001:db8:5::/48");
	finds(&o, "hxxps://login[.]example[.]my/a?b=c", "Example.my");
	finds(&o, "mailto:tan@EXAMPLE.MY", "Example.my");
	finds(&o, "example.my", "Example.my");
	finds(&o, "(www.example.my:443)", "Example.my");
	finds(&o, "mx.mail.gov.example.", "mail.gov.example");
	own_release(&o);
}

static void
test_not_found(void)
{
	struct own o = { .n = 0 };
	struct own_fault f;

	if (parse(&o, file, &f) != TOCSIN_OK)
		abort();
	finds(&o, "", "nothing");
	finds(&o, "192.0.3.77, 192.0.20.1, 1192.0.2.1", "nothing");
	finds(&o, "198.51.100.70", "nothing");
	finds(&o, "version 192.0.2", "nothing");
	finds(&o, "2001:db8:6::1", "nothing");
	finds(&o, "notexample.my, example.my.evil.test", "nothing");
	finds(&o, "gov.example", "nothing");
	finds(&o, "at 12:30:05 a.m. ...", "nothing");
	own_release(&o);
}

static void
test_wrong(void)
{
	static const struct {
		const char *text;
		unsigned line;
	} bad[] = { { "192.0.2.0/33\n", 1 }, { "\n192.0.2.300\n", 2 },
		{ "localhost\n", 1 }, { "example..my\n", 1 },
		{ "example.my\n10.0.0.0/8/8", 2 },
		{ "b\xc3\xa4.example\n", 1 } };
	struct own_fault f;
	size_t i, n;
	char cut[sizeof(file)];

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct own o = { .n = 0 };

		ok(parse(&o, bad[i].text, &f) == TOCSIN_EMALFORMED &&
			f.line == bad[i].line && f.what[0] != '\0',
		    "refused with its line, number %zu", i);
		own_release(&o);
	}
	for (n = 0; n < sizeof(file); n++) {
		struct own o = { .n = 0 };
		enum tocsin_err err;

		memcpy(cut, file, n);
		cut[n] = '\0';
		err = parse(&o, cut, &f);
		(void)own_find(&o, (struct span){ (const uint8_t *)cut, n });
		own_release(&o);
		if (err != TOCSIN_OK && err != TOCSIN_EMALFORMED)
			break;
	}
	ok(n == sizeof(file), "a file cut anywhere is judged");
}

static void
test_no_memory(void)
{
	struct own o = { .n = 0 };
	struct own_fault fault;

	if (parse(&o, file, &fault) != TOCSIN_OK)
		abort();
	o.plain.max = 12;
	finds(&o, "of 192.0.2.77, and more", "nothing");
	ok(!own_looked(&o), "a text that there was no memory for is none that "
			    "has nothing of ours");
	finds(&o, "192.0.2.77", "192.0.2.0/24");
	ok(own_looked(&o), "and the next one is looked through");
	own_release(&o);
}

int
main(void)
{
	test_no_memory();
	test_found();
	test_not_found();
	test_wrong();
	return tap_done();
}
