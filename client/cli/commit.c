/* SPDX-License-Identifier: ISC */
#include "client/cli/commit.h"

#include "client/json.h"

#include <jansson.h>

bool
commit_line_parse(struct commit_line *out, struct span line)
{
	const json_t *why;
	size_t n;

	*out = (struct commit_line){ .number = 0 };
	if (json_shallow(line, 1))
		out->root = json_loadb(
		    (const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	n = json_object_size(out->root);
	why = json_object_get(out->root, "why");
	if (!json_whole(json_object_get(out->root, n == 2 ? "aside" : "commit"),
		&out->number) ||
	    out->number == 0 || n > 2 ||
	    (n == 2 && json_string_length(why) == 0))
		return false;
	out->why = json_string_value(why);
	return true;
}

void
commit_line_release(struct commit_line *l)
{
	json_decref(l->root);
	*l = (struct commit_line){ .number = 0 };
}
