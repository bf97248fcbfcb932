/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/shortid.h"

#include <string.h>

/* What people type and what fields hold: ids, times, numbers, names. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool (*const names[])(struct span) = { name_federation,
		name_nation, name_broker, name_member, name_device, name_label,
		name_token, name_exercise, name_circle, name_url };
	struct span s = { data, n };
	char text[TIME_TEXT + ID_TEXT];
	struct id_prefix p;
	uint8_t id[ID_LEN];
	int64_t t;
	size_t i, j;

	if (shortid_parse(&p, s) == TOCSIN_OK)
		MUST(p.nbits >= 20 && p.nbits <= 255 &&
		     shortid_fits(&p, p.bits));
	if (time_parse(s, &t)) {
		time_print(text, t);
		MUST(span_is(s, text));
	}
	if (id_parse(s, id)) {
		id_print(text, id);
		MUST(span_is(s, text));
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i](s))
			for (j = 0; j < n; j++)
				MUST(data[j] > 0x20 && data[j] < 0x7f);
	if (name_device(s))
		MUST(name_member(device_member(s)) &&
		     name_label(device_label(s)));
	return 0;
}
