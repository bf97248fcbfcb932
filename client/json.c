/* SPDX-License-Identifier: ISC */
#include "client/json.h"

#include <jansson.h>
#include <stdio.h>

#define WHOLE_MAX 9007199254740992.0 /* above, doubles have gaps */

bool
json_shallow(struct span text, unsigned most)
{
	bool quoted = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > most)
			return false;
	}
	return true;
}

void
json_fault(char *out, size_t room, const struct json_error_t *e)
{
	static const struct {
		enum json_error_code code;
		const char *says;
	} faults[] = {
		{ json_error_end_of_input_expected,
		    "there is more behind the object, and a line has one" },
		{ json_error_premature_end_of_input,
		    "the line ends within the object" },
		{ json_error_duplicate_key, "it has a member twice" },
		{ json_error_invalid_utf8, "it is not UTF-8" },
		{ json_error_null_character, "a string has a NUL in it" },
		{ json_error_null_byte_in_key, "a string has a NUL in it" },
		{ json_error_numeric_overflow, "a number is out of range" },
	};
	const char *says = "it is no JSON";
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].code == json_error_code(e))
			says = faults[i].says;
	snprintf(out, room, "%s, near byte %d", says,
	    e->position > 0 ? e->position : 1);
}

bool
json_whole(const json_t *v, uint64_t *out)
{
	double d = json_is_real(v) ? json_real_value(v) : -1;
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

	if (d >= 0 && d <= WHOLE_MAX && d == (double)(json_int_t)d)
		n = (json_int_t)d;
	if (n >= 0)
		*out = (uint64_t)n;
	return n >= 0;
}
