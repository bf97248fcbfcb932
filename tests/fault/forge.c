/* SPDX-License-Identifier: ISC */
#include "tests/fault/forge.h"

#include "crypto/padding.h"
#include "crypto/part.h"
#include "crypto/tar.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

int64_t
forge_now(void)
{
	return (int64_t)time(NULL);
}

/* ---- who ---- */

static FILE *
chain_file(const struct forger *f, const char *mode)
{
	char path[640];

	keystore_path(path, f->home, "rogue-chain");
	return fopen(path, mode);
}

static void
chain_load(struct forger *f)
{
	FILE *file = chain_file(f, "r");

	if (file == NULL)
		return;
	if (fread(&f->chain, sizeof(f->chain), 1, file) != 1)
		die("%s: rogue-chain cannot be read", f->home);
	fclose(file);
}

void
forger_save(const struct forger *f)
{
	FILE *file = chain_file(f, "w");

	if (file == NULL || fwrite(&f->chain, sizeof(f->chain), 1, file) != 1 ||
	    fclose(file) != 0)
		die("%s: rogue-chain cannot be written", f->home);
}

void
forger_open(struct forger *f, const char *home)
{
	struct desk_tx *tx;
	char path[640];

	f->home = home;
	keystore_path(path, home, "desk");
	if (keystore_open(home, NULL, &f->keys) != TOCSIN_OK ||
	    desk_open(&f->desk, path) != TOCSIN_OK ||
	    desk_read(f->desk, &tx) != TOCSIN_OK ||
	    belief_load(&f->belief, tx) != TOCSIN_OK ||
	    f->belief.roster == NULL)
		die("%s: no home with a roster", home);
	desk_end(tx);
	chain_load(f);
}

void
forger_close(struct forger *f)
{
	belief_release(&f->belief);
	desk_close(f->desk);
	keystore_close(f->keys);
}

/* ---- tickets ---- */

void
made_to(struct made *m, const struct forger *f, const char *member)
{
	const struct keys *k = belief_keys(&f->belief, span_of(member));
	const struct keys_recipient *r =
	    k == NULL ? NULL : keys_recipient(k, m->t.exercise, forge_now());
	uint8_t sk[32];

	m->t.to[m->t.nto].member = span_of(member);
	m->t.to[m->t.nto].epoch = span_of(r ? r->epoch : "none");
	if (r)
		memcpy(m->pk[m->npk], r->pk, 32);
	else
		age_keygen(sk, m->pk[m->npk]);
	m->t.nto++;
	m->npk++;
}

struct made *
made_draft(const struct forger *f)
{
	const struct roster *r = f->belief.roster;
	struct made *m = calloc(1, sizeof(*m));

	if (m == NULL)
		die("no memory");
	snprintf(m->t.federation, sizeof(m->t.federation), "%s", r->federation);
	m->t.roster_serial = r->serial;
	memcpy(m->t.roster_id, r->id, ID_LEN);
	m->t.from = span_of(f->keys->member);
	m->t.device = span_of(f->keys->label);
	m->t.seq = f->chain.seq + 1;
	m->t.has_prev = m->t.seq > 1;
	memcpy(m->t.prev, f->chain.id, ID_LEN);
	m->t.exercise = span_of(f->keys->exercise);
	m->t.kind = TICKET_REPORT;
	m->t.precedence = TICKET_FLASH;
	m->t.tlp = TICKET_RED;
	m->t.time = forge_now();
	memcpy(m->sk, secret_span(f->keys->sign).p, 64);
	snprintf(m->signer, sizeof(m->signer), "%s", f->keys->device);
	return m;
}

void
made_free(struct made *m)
{
	buf_release(&m->note);
	buf_release(&m->body);
	free(m);
}

/* The header's text but its last line, which is the body's. */
static void
inner(struct buf *b, const struct ticket *t)
{
	ticket_print(b, t);
	do
		buf_cut(b, b->n - 1);
	while (b->p[b->n - 1] != '\n');
}

/* A body that its readers open, as long as the header stays. */
void
made_seal(struct made *m)
{
	struct buf text = { 0 }, plain = { 0 }, identity = { 0 };
	uint8_t sk[32];

	inner(&text, &m->t);
	part_identity(sk, &identity);
	tar_add(&plain, "header", buf_span(&text));
	tar_add(
	    &plain, "ticket.json", span_of("{\"subject\":\"From a rogue\"}\n"));
	if (m->t.npart > 0)
		tar_add(&plain, "parts.age", buf_span(&identity));
	tar_end(&plain, (size_t)padme(plain.n + TAR_END, TICKET_PAD_FLOOR));
	buf_release(&m->body);
	if (!buf_ok(&plain) || age_seal(&m->body, (const uint8_t(*)[32])m->pk,
				   m->npk, buf_span(&plain)) != TOCSIN_OK)
		die("no body");
	m->t.body_size = m->body.n;
	crypto_hash_sha256(m->t.body_hash, m->body.p, m->body.n);
	buf_release(&text);
	buf_release(&plain);
	buf_release(&identity);
}

void
made_sign_text(struct made *m, struct span text)
{
	buf_release(&m->note);
	note_id(m->id, text);
	if (note_sign(&m->note, text, span_of(m->signer), m->sk) != TOCSIN_OK)
		die("no signature");
}

void
made_sign(struct made *m)
{
	struct buf text = { 0 };

	ticket_print(&text, &m->t);
	made_sign_text(m, buf_span(&text));
	buf_release(&text);
}

struct span
forger_other_side(const struct forger *f)
{
	return span_of(f->keys->exercise[0] != '\0' ? "" : FORGE_EXERCISE);
}

void
made_cross(struct made *m, const struct forger *f)
{
	struct buf text = { 0 }, note = { 0 };
	const uint8_t *blank = memmem(m->note.p, m->note.n, "\n\n", 2);

	m->t.exercise = forger_other_side(f);
	ticket_print(&text, &m->t);
	note_id(m->id, buf_span(&text));
	buf_add(&note, buf_span(&text));
	buf_add(&note, span_cut(buf_span(&m->note),
			   (size_t)(blank + 1 - m->note.p), m->note.n));
	if (!buf_ok(&note))
		die("no memory");
	buf_release(&m->note);
	buf_release(&text);
	m->note = note;
}

void
made_make(struct made *m)
{
	made_seal(m);
	made_sign(m);
}
