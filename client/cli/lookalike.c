/* SPDX-License-Identifier: ISC */
#include "client/cli/lookalike.h"

#include "client/cli/print.h"

#define SCRIPTS (STYLED + 1)

static enum script
script_of(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		enum script script;
	} blocks[] = {
		{ 'A', 'Z', LATIN },
		{ 'a', 'z', LATIN },
		{ 0x00c0, 0x00d6, LATIN },
		{ 0x00d8, 0x00f6, LATIN },
		{ 0x00f8, 0x02af, LATIN },
		{ 0x0370, 0x03ff, GREEK },
		{ 0x0400, 0x052f, CYRILLIC },
		{ 0x0531, 0x0587, ARMENIAN },
		{ 0x13a0, 0x13fd, CHEROKEE },
		{ 0x1c80, 0x1c8f, CYRILLIC },
		{ 0x1e00, 0x1eff, LATIN },
		{ 0x1f00, 0x1fff, GREEK },
		{ 0x2de0, 0x2dff, CYRILLIC },
		{ 0xa640, 0xa69f, CYRILLIC },
		{ 0xab70, 0xabbf, CHEROKEE },
		{ 0xff21, 0xff3a, LATIN },
		{ 0xff41, 0xff5a, LATIN },
		{ 0x1d400, 0x1d7ff, STYLED },
	};
	size_t i;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (c >= blocks[i].from && c <= blocks[i].to)
			return blocks[i].script;
	return NO_LETTER;
}

/* Cyrillic letters that a Latin font would draw the same. */
static bool
has_double(uint32_t c)
{
	static const uint32_t doubles[] = { 0x405, 0x406, 0x408, 0x410, 0x412,
		0x415, 0x41a, 0x41c, 0x41d, 0x41e, 0x420, 0x421, 0x422, 0x423,
		0x425, 0x430, 0x435, 0x43e, 0x440, 0x441, 0x443, 0x445, 0x455,
		0x456, 0x458, 0x475, 0x4ae, 0x4af, 0x4ba, 0x4bb, 0x4c0, 0x4cf,
		0x501, 0x51a, 0x51b, 0x51c, 0x51d };
	size_t i;

	for (i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++)
		if (doubles[i] == c)
			return true;
	return false;
}

/* Marks and digits go on with a word. */
static bool
in_word(uint32_t c)
{
	return script_of(c) != NO_LETTER || (c >= '0' && c <= '9') ||
	       (c >= 0x300 && c <= 0x36f);
}

static bool
is_disguised(struct span text)
{
	bool latin = false, cyrillic = false;
	size_t i = 0;
	uint32_t c;

	while (i < text.n) {
		c = utf8_next(text, &i);
		if (script_of(c) == LATIN)
			latin = true;
		if (script_of(c) != CYRILLIC)
			continue;
		if (!has_double(c))
			return false;
		cyrillic = true;
	}
	return latin && cyrillic;
}

/* The word from `at` on: its end, and the alphabet of most of its letters. */
static void
look_at_word(struct lookalike *l, struct span text, size_t at)
{
	size_t count[SCRIPTS] = { 0 }, next = at;
	unsigned s, scripts = 0;

	for (l->end = at; next < text.n; l->end = next) {
		uint32_t c = utf8_next(text, &next);

		if (!in_word(c))
			break;
		count[script_of(c)]++;
	}
	l->common = LATIN;
	for (s = LATIN; s < SCRIPTS; s++) {
		scripts += count[s] > 0;
		if (count[s] > count[l->common])
			l->common = (enum script)s;
	}
	if (scripts < 2)
		l->common = NO_LETTER;
}

bool
lookalike_odd(struct lookalike *l, struct span text, size_t at, uint32_t c)
{
	enum script s;

	if (!l->begun) {
		l->begun = true;
		l->disguised = is_disguised(text);
	}
	if (c < 0x80 && at >= l->end && !in_word(c))
		return false;
	if (at >= l->end)
		look_at_word(l, text, at);
	s = script_of(c);
	if (s == NO_LETTER || s == STYLED)
		return s == STYLED;
	return (l->disguised && s == CYRILLIC) ||
	       (l->common != NO_LETTER && s != l->common);
}
