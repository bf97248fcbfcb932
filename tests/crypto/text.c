/* SPDX-License-Identifier: ISC */
#include "crypto/text.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct name {
	bool (*is)(struct span);
	bool good;
	const char *s;
};

/* clang-format off */
static const struct name names[] = {
	{ name_federation, true, "asean.example" },
	{ name_federation, true, "a.b.c-d.9" },
	{ name_federation, false, "asean" },
	{ name_federation, false, "asean." },
	{ name_federation, false, ".example" },
	{ name_federation, false, "a..b" },
	{ name_federation, false, "Asean.example" },
	{ name_federation, false, "-a.b" },
	{ name_federation, false, "a-.b" },
	{ name_federation, false, "a.b/roster" },
	{ name_federation, false, "" },
	{ name_federation, true,
	    "a23456789.123456789.123456789.123456789.123456789.123456789.1234" },
	{ name_federation, false,
	    "a23456789.123456789.123456789.123456789.123456789.123456789.12345" },
	{ name_nation, true, "my" },
	{ name_nation, true, "a-2345678901234b" },
	{ name_nation, false, "a-2345678901234bc" },
	{ name_nation, false, "m" },
	{ name_nation, false, "MY" },
	{ name_nation, false, "1a" },
	{ name_nation, false, "m_y" },
	{ name_broker, true, "my-2" },
	{ name_broker, false, "2my" },
	{ name_broker, true, "a2345678901234567890123456789012" },
	{ name_broker, false, "a23456789012345678901234567890123" },
	{ name_member, true, "mycert@my" },
	{ name_member, false, "mycert" },
	{ name_member, false, "mycert@" },
	{ name_member, false, "@my" },
	{ name_member, false, "mycert@my@sg" },
	{ name_member, false, "my cert@my" },
	{ name_member, false, "mycert@my/desk1" },
	{ name_device, true, "mycert@my/desk1" },
	{ name_device, false, "mycert@my" },
	{ name_device, false, "mycert@my/" },
	{ name_device, false, "mycert@my/a/b" },
	{ name_device, false, "mycert/desk1" },
	{ name_token, true, "personal-data" },
	{ name_token, true, "2026-11" },
	{ name_token, true, "x" },
	{ name_token, false, "-" },
	{ name_token, false, "-x" },
	{ name_token, false, "Personal" },
	{ name_token, false, "" },
	{ name_exercise, true, "Tabletop.2026" },
	{ name_exercise, true, "x" },
	{ name_exercise, false, "-" },
	{ name_exercise, false, "a b" },
	{ name_exercise, false, "" },
	{ name_circle, true, "@asean" },
	{ name_circle, false, "asean" },
	{ name_circle, false, "@" },
	{ name_url, true, "tcp://my.example:4700" },
	{ name_url, true, "tcp://192.0.2.1:1" },
	{ name_url, true, "tcp://[2001:db8::1]:65535" },
	{ name_url, false, "tcp://my.example" },
	{ name_url, false, "tcp://my.example:" },
	{ name_url, false, "tcp://my.example:0" },
	{ name_url, false, "tcp://my.example:65536" },
	{ name_url, false, "tcp://my.example:080" },
	{ name_url, false, "tcp://:80" },
	{ name_url, false, "tcp://a b:80" },
	{ name_url, false, "tcp://2001:db8::1:80" },
	{ name_url, false, "tcp://[]:80" },
	{ name_url, false, "tcp://a/b:80" },
	{ name_url, false, "ws://my.example:80" },
	{ name_url, false, "-" },
	{ name_url_opt, true, "-" },
	{ name_url_opt, false, "" },
};
/* clang-format on */

static void
test_names(void)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i].s);
		uint8_t *copy = xcopy(names[i].s, n);

		ok(names[i].is((struct span){ copy, n }) == names[i].good,
		    "\"%s\" %s such a name", names[i].s,
		    names[i].good ? "is" : "is not");
		free(copy);
	}
	ok(!name_exercise((struct span){ (const uint8_t *)"a\0b", 3 }),
	    "a NUL is in no name");
	ok(span_is(member_nation(span_of("mycert@my")), "my") &&
		span_is(device_member(span_of("mycert@my/d1")), "mycert@my") &&
		span_is(device_label(span_of("mycert@my/d1")), "d1"),
	    "names have parts");
	ok(device_member(span_of("mycert@my")).n == 0 &&
		device_label(span_of("mycert@my")).n == 0,
	    "a member is no device");
}

static void
test_numbers(void)
{
	static const char *const bad[] = { "", "00", "01", "-1", "+1", " 1",
		"1 ", "1a", "18446744073709551616", "99999999999999999999",
		"100000000000000000000" };
	uint64_t v = 7;
	size_t i;

	ok(num_parse(span_of("0"), &v) && v == 0, "0 is a number");
	ok(num_parse(span_of("18446744073709551615"), &v) && v == UINT64_MAX,
	    "2^64 - 1 is the last one");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!num_parse(span_of(bad[i]), &v) && v == UINT64_MAX,
		    "\"%s\" is no number", bad[i]);
}

static void
test_times(void)
{
	static const char *const bad[] = { "2026-11-21T03:14:15",
		"2026-11-21T03:14:15z", "2026-11-21 03:14:15Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z", "1969-12-31T23:59:59Z",
		"2026-1-01T00:00:00Z", "2026-01-01T00:00:00.0Z",
		"-026-01-01T00:00:00Z", "" };
	char s[TIME_TEXT + 1], want[64];
	int64_t t = 0, back;
	struct tm tm;
	time_t at;
	size_t i;

	ok(time_parse(span_of("1970-01-01T00:00:00Z"), &t) && t == 0,
	    "time begins with 1970");
	ok(time_parse(span_of("2026-11-21T03:14:15Z"), &t) && t == 1795230855,
	    "a time as date(1) has it");
	ok(time_parse(span_of("2000-02-29T23:59:59Z"), &t) && t == 951868799,
	    "2000 was a leap year");
	ok(time_parse(span_of("9999-12-31T23:59:59Z"), &t) && t == 253402300799,
	    "and ends with 9999");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!time_parse(span_of(bad[i]), &t), "\"%s\" is no time",
		    bad[i]);
	/* A prime step, so that all days of the year and hours are met. */
	for (t = 0; t < 253402300800; t += 86399 * 97 + 13) {
		time_print(s, t);
		at = (time_t)t;
		gmtime_r(&at, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (strcmp(s, want) != 0 || !time_parse(span_of(s), &back) ||
		    back != t)
			break;
	}
	ok(t >= 253402300800, "times agree with libc and come back (at %lld)",
	    (long long)t);
	time_print(s, -1);
	is_str(s, "1970-01-01T00:00:00Z", "what is before time is its start");
	time_print(s, INT64_MAX);
	is_str(s, "9999-12-31T23:59:59Z", "what is after it is its end");
}

static void
test_ids(void)
{
	uint8_t id[ID_LEN], back[ID_LEN];
	char s[ID_TEXT + 1], bent[ID_TEXT + 1];
	unsigned i;

	memset(id, 0xfb, sizeof(id));
	id_print(s, id);
	ok(strlen(s) == ID_TEXT && id_parse(span_of(s), back) &&
		memcmp(id, back, ID_LEN) == 0,
	    "an id comes back");
	strcpy(bent, s);
	bent[42]++;
	ok(!id_parse(span_of(bent), back), "bits that mean nothing are zero");
	strcpy(bent, s);
	bent[43] = 'A';
	ok(!id_parse(span_of(bent), back), "33 bytes are no id");
	strcpy(bent, s);
	bent[3] = '_';
	ok(!id_parse(span_of(bent), back), "the URL alphabet is not ours");
	bent[3] = '\n';
	ok(!id_parse(span_of(bent), back), "there is no line break in an id");
	for (i = 0x80; i < 0x100; i++) {
		bent[3] = (char)i;
		if (id_parse(span_of(bent), back))
			break;
	}
	ok(i == 0x100, "nor a byte beyond ASCII (got to %#x)", i);
	ok(!id_parse(span_cut(span_of(s), 0, 43), back),
	    "the padding is there");
}

static const char good[] = "asean.example/x/v1\n"
			   "from mycert@my 7\n"
			   "ref b\n"
			   "ref c\n"
			   "end\n";

static bool
read_x(struct span s)
{
	struct text t = text_init(s);
	char fed[FEDERATION_MAX + 1], from[MEMBER_MAX + 1];
	struct span f[2], last = { 0 };
	unsigned refs = 0;
	uint64_t n;

	text_head(&t, "x/v1", fed);
	text_line(&t, "from", 2, f);
	text_copy(&t, f[0], name_member, from, sizeof(from));
	n = text_u64(&t, f[1]);
	for (; text_has(&t, "ref"); refs++) {
		text_line(&t, "ref", 1, f);
		text_ascend(&t, &last);
	}
	text_line(&t, "end", 0, NULL);
	return text_done(&t) && strcmp(fed, "asean.example") == 0 && n == 7 &&
	       strcmp(from, "mycert@my") == 0 && refs == 2;
}

struct bent {
	const char *from;
	const char *to;
	const char *why;
};

/* clang-format off */
static const struct bent bents[] = {
	{ "/x/v1", "/x/v2", "another context" },
	{ "asean.example", "asean", "no federation" },
	{ "from ", "from  ", "two spaces" },
	{ "from ", "from\t", "a tab" },
	{ "from ", " from ", "a space before the key" },
	{ " 7\n", " 7 \n", "a space at the end" },
	{ " 7\n", " 7 8\n", "a field too many" },
	{ " 7\n", "\n", "a field too few" },
	{ " 7\n", " 7\r\n", "a carriage return" },
	{ " 7\n", " 07\n", "a leading zero" },
	{ " 7\n", " 7\n\n", "a blank line" },
	{ "mycert@my", "mycert\x7f@my", "a control character" },
	{ "mycert@my", "myc\xc3\xa9rt@my", "a character beyond ASCII" },
	{ "ref c", "ref b", "a line twice" },
	{ "ref c", "ref a", "a list that descends" },
	{ "ref c", "ref bb\nref", "a key alone" },
	{ "from", "form", "an unknown key" },
	{ "end\n", "end\nend\n", "a line too many" },
	{ "end\n", "end", "no LF at the end" },
	{ "end\n", "end \n", "a space after a key alone" },
};
/* clang-format on */

static void
test_cursor(void)
{
	size_t i, cut, n = sizeof(good) - 1;

	ok(read_x(span_of(good)), "the good text is read");
	for (cut = 0; cut < n; cut++) {
		uint8_t *copy = xcopy(good, cut);
		bool got = read_x((struct span){ copy, cut });

		free(copy);
		if (got)
			break;
	}
	ok(cut == n, "no proper prefix is (got to %zu)", cut);
	for (i = 0; i < sizeof(bents) / sizeof(bents[0]); i++) {
		const char *at = strstr(good, bents[i].from);
		struct buf b = { 0 };

		buf_add(&b, span_cut(span_of(good), 0, (size_t)(at - good)));
		buf_addz(&b, bents[i].to);
		buf_addz(&b, at + strlen(bents[i].from));
		ok(!read_x(buf_span(&b)), "%s is refused", bents[i].why);
		buf_release(&b);
	}
}

static void
test_sticky(void)
{
	static const char *const words[] = { "red", "green", NULL };
	struct text t = text_init(span_of("a b\nc d\n"));
	uint8_t id[ID_LEN];
	struct span f[1];
	char name[4];

	ok(text_word(&t, span_of("green"), words) == 1 && !t.bad,
	    "a word has a place");
	ok(text_word(&t, span_of("gree"), words) == 0 && t.bad,
	    "half a word has none");
	ok(!text_has(&t, "a") && !text_line(&t, "a", 1, f) && f[0].n == 0,
	    "a bad cursor yields nothing more");
	t = text_init(span_of("a b\n"));
	text_copy(&t, span_of("abcd"), name_token, name, sizeof(name));
	ok(t.bad && name[0] == '\0', "a name that does not fit is refused");
	t = text_init(span_of(""));
	ok(!text_id_opt(&t, span_of("-"), id) && !t.bad && id[0] == 0,
	    "- is no id, and no mistake");
	ok(!text_id_opt(&t, span_of("--"), id) && t.bad, "-- is a mistake");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_names();
	test_numbers();
	test_times();
	test_ids();
	test_cursor();
	test_sticky();
	return tap_done();
}
