/* SPDX-License-Identifier: ISC */
/*
 * ledger - what a broker has logged, as text
 *
 *	ledger FOLDER
 *
 * The store of a broker, which may be running: for each ticket and receipt a
 * line
 *
 *	entry KIND TIME ID
 *
 * with when the broker took it, then its signed text, each line behind a tab.
 */
#include "broker/store.h"
#include "crypto/text.h"

#include <inttypes.h>
#include <stdio.h>

static void
print_text(struct span note)
{
	struct rd r = rd_init(note);

	while (r.rest.n > 0) {
		struct span line = rd_text_line(&r);

		if (line.n == 0) /* signatures follow */
			break;
		printf("\t%.*s\n", (int)line.n, (const char *)line.p);
	}
}

int
main(int argc, char **argv)
{
	struct store_rx *rx = NULL;
	struct store *s = NULL;
	struct store_entry e;
	uint64_t seq, last;
	char id[ID_TEXT + 1];
	const char *why = "";

	if (argc != 2)
		return 2;
	if (store_open_beside(&s, argv[1], &why) != TOCSIN_OK ||
	    store_read(s, &rx) != TOCSIN_OK) {
		fprintf(stderr, "ledger: %s: %s\n", argv[1], why);
		return 1;
	}
	last = store_head(rx);
	for (seq = 1; seq <= last; seq++) {
		if (store_get(rx, seq, &e) != TOCSIN_OK)
			return 1;
		if (e.kind != STORE_TICKET && e.kind != STORE_RECEIPT)
			continue;
		id_print(id, e.id);
		printf("entry %s %" PRId64 " %s\n",
		    e.kind == STORE_TICKET ? "ticket" : "receipt", e.time, id);
		print_text(e.note);
	}
	store_read_end(rx);
	store_close(s);
	return 0;
}
