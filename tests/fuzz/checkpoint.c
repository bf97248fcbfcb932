/* SPDX-License-Identifier: ISC */
#include "tests/lib/fuzz.h"

#include "crypto/checkpoint.h"

static void
text(struct span all)
{
	struct buf again = { 0 };
	struct checkpoint c;

	if (checkpoint_parse(&c, all) == TOCSIN_OK) {
		checkpoint_print(&again, &c);
		MUST(span_eq(buf_span(&again), all));
	}
	buf_release(&again);
}

static void
proof(struct span all)
{
	struct buf again = { 0 };
	struct log_proof p;

	if (log_proof_parse(&p, all) == TOCSIN_OK) {
		log_proof_print(&again, p.index, (struct span){ p.hashes, p.n },
		    p.checkpoint);
		MUST(span_eq(buf_span(&again), all));
	}
	buf_release(&again);
}

/* The keys of the vectors, so that the seeds get past the key's id. */
static void
note(struct span all)
{
	static const char log_key[] =
	    "sum.golang.org+033de0ae+"
	    "Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
	struct checkpoint c;
	struct vkey log, witness;
	int64_t time = 0;
	struct note n;

	MUST(vkey_parse(&log, span_of(log_key)) == TOCSIN_OK);
	MUST(vkey_make_cosigner(&witness, span_of("witness"), log.pk) ==
	     TOCSIN_OK);
	/* Its origin isn't its name, so nothing can be taken for its own. */
	MUST(checkpoint_open(&c, all, &log) != TOCSIN_OK);
	if (note_parse(&n, all, CHECKPOINT_MAX) == TOCSIN_OK)
		MUST(checkpoint_cosigned(&n, &witness, &time) != TOCSIN_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = { data, n };

	text(all);
	proof(all);
	note(all);
	return 0;
}
