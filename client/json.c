/* SPDX-License-Identifier: ISC */
#include "client/json.h"

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
