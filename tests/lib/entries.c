/* SPDX-License-Identifier: ISC */
#include "tests/lib/entries.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void
noise(struct buf *b, uint64_t i, size_t n)
{
	uint8_t seed[randombytes_SEEDBYTES] = { 0 };
	uint8_t *at = buf_grow(b, n);

	if (at == NULL)
		abort();
	memcpy(seed, &i, sizeof(i));
	if (n > 0)
		randombytes_buf_deterministic(at, n, seed);
}

void
made_init(struct made *m, uint64_t i, size_t size)
{
	struct buf sig = { 0 };
	size_t text;

	memset(m, 0, sizeof(*m));
	buf_addf(&m->note, "test.example/ticket/v1\nnumber %llu\n",
	    (unsigned long long)i);
	text = m->note.n;
	crypto_hash_sha256(m->e.id, m->note.p, text);
	noise(&sig, i, 4 + 64);
	buf_addz(&m->note, "\n\xe2\x80\x94 test ");
	buf_base64(&m->note, buf_span(&sig));
	buf_addz(&m->note, "\n");
	noise(&m->body, i, size);
	buf_release(&sig);
	m->e.kind = STORE_TICKET;
	m->e.time = 1700000000 + (int64_t)i;
	m->e.member = span_of("mycert@my");
	m->e.via = i % 2 ? span_of("sg") : (struct span){ 0 };
	m->e.note = buf_span(&m->note);
	m->e.body = buf_span(&m->body);
}

void
made_release(struct made *m)
{
	buf_release(&m->note);
	buf_release(&m->body);
}

bool
made_is(const struct store_entry *got, uint64_t i, size_t size)
{
	struct made m;
	bool same;

	made_init(&m, i, size);
	same = got->kind == m.e.kind && got->time == m.e.time &&
	       memcmp(got->id, m.e.id, 32) == 0 &&
	       span_eq(got->member, m.e.member) && span_eq(got->via, m.e.via) &&
	       span_eq(got->note, m.e.note) && span_eq(got->body, m.e.body) &&
	       !got->detached;
	made_release(&m);
	return same;
}
