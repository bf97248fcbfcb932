/* SPDX-License-Identifier: ISC */
#include "client/cli/print.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What a function prints, as a string. */
struct caught {
	FILE *to;
	char *text;
	size_t n;
};

static void
capture(struct caught *c)
{
	*c = (struct caught){ 0 };
	c->to = open_memstream(&c->text, &c->n);
}

static char *
line(const char *s)
{
	struct caught c;

	capture(&c);
	safe_print(c.to, s);
	fclose(c.to);
	return c.text;
}

static void
is_line(const char *in, const char *want, const char *sentence)
{
	char *got = line(in);

	is_str(got, want, "%s", sentence);
	free(got);
}

static void
test_fixtures(void)
{
	is_line("plain text, 42", "plain text, 42", "ASCII stays");
	is_line("日本 Malmö ไทย", "日本 Malmö ไทย", "letters stay");
	is_line("a\033[2Jb", "a<U+001B>[2Jb", "an escape sequence is shown");
	is_line("a\rb\bc", "a<U+000D>b<U+0008>c", "so are \\r and \\b");
	is_line("a\nb\tc", "a<U+000A>b<U+0009>c",
	    "a title has one line: \\n and \\t are shown");
	is_line("\x7f", "<U+007F>", "DEL");
	is_line("\xc2\x9b"
		"2J",
	    "<U+009B>2J", "the C1 form of an escape");
	is_line("gpj.\xe2\x80\xae"
		"exe",
	    "gpj.<U+202E>exe", "an override of direction");
	is_line("\xe2\x81\xa6x\xe2\x81\xa9", "<U+2066>x<U+2069>", "isolates");
	is_line("a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf",
	    "a<U+200B><U+200D><U+FEFF>", "zero width");
	is_line("\xe2\x80\xa8\xe2\x80\xa9", "<U+2028><U+2029>",
	    "separators of lines");
	is_line("\xf3\xa0\x81\x81", "<U+E0041>", "tags");
	is_line("\xef\xbf\xbe", "<U+FFFE>", "no characters");
	is_line("\xc3", "\xef\xbf\xbd", "a cut sequence is U+FFFD");
	is_line("\xc0\xaf\xe0\x80\xaf",
	    "\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd",
	    "overlong forms are, byte by byte");
	is_line("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
	    "surrogates are");
	is_line("\xf4\x90\x80\x80",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
	    "and what is beyond U+10FFFF");
	is_line("e\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
	    "e\xcc\x81\xcc\x81\xcc\x81<U+0301>",
	    "three marks on a letter stay, a fourth is shown");
}

static void
test_lookalikes(void)
{
	is_line("p\u0430ypal.com", "p<U+0430>ypal.com",
	    "a Cyrillic letter in a Latin word is shown");
	is_line("Cбербанк", "<U+0043>бербанк",
	    "and a Latin one in a Cyrillic word: the rarer ones");
	is_line("g\u03bfv.sg m\u0585f.sg", "g<U+03BF>v.sg m<U+0585>f.sg",
	    "Greek and Armenian ones, too");
	is_line("\u0440\u0430\u0443.example",
	    "<U+0440><U+0430><U+0443>.example",
	    "a word that looks Latin and is not, in a text that is");
	is_line("\U0001d429aypal", "<U+1D429>aypal",
	    "a letter of mathematics is none");
	is_line("Атака на Windows и роса", "Атака на Windows и роса",
	    "words of two alphabets side by side are shown as they are");
	is_line("роса", "роса", "so is one of doubles alone, in its alphabet");
	is_line("Tấn công vào máy chủ của Bộ 2",
	    "Tấn công vào máy chủ của Bộ 2", "and Vietnamese");
	is_line("日本Asahi社 ລາວ Wi-Fi 3G", "日本Asahi社 ລາວ Wi-Fi 3G",
	    "other scripts go with all");
	is_line("α-Test β2", "α-Test β2", "Greek letters beside Latin words");
}

static void
test_body(void)
{
	struct caught c;

	capture(&c);
	safe_body(c.to, "one\nTLP:CLEAR\ttwo\033\n\nend", "  | ");
	fclose(c.to);
	is_str(c.text, "  | one\n  | TLP:CLEAR\ttwo<U+001B>\n  | \n  | end\n",
	    "each line of a text is behind a margin");
	free(c.text);
}

/* The same wide letters and long words whatever the terminal: 80 columns. */
static void
test_wrap(void)
{
	char text[400];
	struct caught c;
	size_t column = 0, most = 0, bare = 0, i;

	memset(text, 'x', sizeof(text));
	memcpy(text + 20, " TLP:CLEAR ", 11);
	text[sizeof(text) - 1] = '\0';
	capture(&c);
	safe_body(c.to, text, "  | ");
	fclose(c.to);
	for (i = 0; i < c.n; i++) {
		column = c.text[i] == '\n' ? 0 : column + 1;
		most = column > most ? column : most;
		bare += column == 1 && strncmp(c.text + i, "  | ", 4) != 0;
	}
	ok(most <= 80 && bare == 0,
	    "a long line is wrapped, each piece behind the margin");
	free(c.text);
	capture(&c);
	safe_field(c.to,
	    "one two three four five six seven eight nine ten eleven "
	    "twelve thirteen fourteen",
	    12);
	fclose(c.to);
	is_str(c.text,
	    "one two three four five six seven eight nine ten eleven twelve\n"
	    "            thirteen fourteen",
	    "a long field is wrapped between words, in its column");
	free(c.text);
	capture(&c);
	for (i = 0; i < 30; i++)
		memcpy(text + 3 * i, "日", 3);
	text[90] = '\0';
	safe_field(c.to, text, 60);
	fclose(c.to);
	is_int((long long)strcspn(c.text, "\n"), 30,
	    "a wide letter counts two columns");
	free(c.text);
}

static void
test_title(void)
{
	struct caught c;

	capture(&c);
	safe_title(c.to, "0123456789", 10);
	putc('/', c.to);
	safe_title(c.to, "0123456789a", 10);
	putc('/', c.to);
	safe_title(c.to, "012345\033[2J", 10);
	fclose(c.to);
	is_str(c.text, "0123456789/012345678…/012345…",
	    "a title is cut, never inside of a character that is shown");
	free(c.text);
}

static void
test_json(void)
{
	const char *hostile = "x\x7f\xe2\x80\xae\xf3\xa0\x81\x81é p\u0430y";
	json_t *o = json_pack("{s:s}", "s", hostile), *back;
	char *text = json_dumps(o, JSON_COMPACT);
	struct caught c;

	capture(&c);
	safe_json(c.to, span_of(text));
	fclose(c.to);
	is_str(c.text, "{\"s\":\"x\\u007f\\u202e\\udb40\\udc41é p\u0430y\"}",
	    "JSON has escapes instead, of pairs where it takes two, and no "
	    "other");
	back = json_loads(c.text, 0, NULL);
	is_str(json_string_value(json_object_get(back, "s")), hostile,
	    "and a program reads what was sent");
	json_decref(back);
	json_decref(o);
	free(text);
	free(c.text);
}

/* ---- random ---- */

static uint64_t state = 42;

static uint32_t
next(void)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Bytes that are more often special than chance would have it. */
static size_t
random_bytes(uint8_t *out, size_t max)
{
	static const char *const bits[] = { "\033]8;;", "\xe2\x80\xae",
		"\xf3\xa0\x80\xa1", "\xcc\x81", "\xc2\x9d", "\xef\xbb\xbf",
		"\xe2\x81", "\r\n", "ok", "\xf0\x9f\x98\x80" };
	size_t n = 0, want = next() % (max - 8);

	while (n < want) {
		const char *bit = bits[next() % 10];
		size_t len = strlen(bit);

		if (next() % 2 == 0) {
			out[n++] = (uint8_t)next();
			continue;
		}
		memcpy(out + n, bit, len);
		n += len;
	}
	return n;
}

/* Whether a terminal would only print what it is given. */
static bool
harmless(struct span s, bool body)
{
	uint32_t c, marks = 0;
	size_t i = 0, before;

	while (i < s.n) {
		before = i;
		c = utf8_next(s, &i);
		if (c == 0xfffd && i - before != 3)
			return false; /* not UTF-8 */
		if (body && (c == '\n' || c == '\t'))
			c = ' ';
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) ||
		    (c >= 0x200b && c <= 0x200f) ||
		    (c >= 0x2028 && c <= 0x202e) ||
		    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
		    c == 0x061c || (c >= 0xe0000 && c <= 0xe0fff))
			return false;
		marks = c >= 0x300 && c <= 0x36f ? marks + 1 : 0;
		if (marks > 3)
			return false;
	}
	return true;
}

static bool
one_random(const uint8_t *bytes, size_t n)
{
	struct caught c, j, b;
	struct span s = { bytes, n };
	bool good;

	capture(&c);
	capture(&b);
	capture(&j);
	safe_span(c.to, s, SAFE_LINE);
	safe_span(b.to, s, SAFE_BODY);
	safe_json(j.to, s);
	fclose(c.to);
	fclose(b.to);
	fclose(j.to);
	good = harmless((struct span){ (uint8_t *)c.text, c.n }, false) &&
	       harmless((struct span){ (uint8_t *)b.text, b.n }, true) &&
	       harmless((struct span){ (uint8_t *)j.text, j.n }, false);
	free(c.text);
	free(b.text);
	free(j.text);
	return good;
}

static void
test_random(void)
{
	uint8_t bytes[96], *copy;
	size_t i, n, bad = 0;

	for (i = 0; i < 100000; i++) {
		n = random_bytes(bytes, sizeof(bytes));
		copy = xcopy(bytes, n);
		bad += !one_random(copy, n);
		free(copy);
	}
	is_int((long long)bad, 0,
	    "of 100,000 random strings none comes out harmful");
}

int
main(void)
{
	test_fixtures();
	test_lookalikes();
	test_body();
	test_wrap();
	test_title();
	test_json();
	test_random();
	return tap_done();
}
