/* SPDX-License-Identifier: ISC */
#include "client/proof.h"

#include "client/export.h"
#include "client/handle.h"
#include "client/intake.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct file {
	char name[96];
	struct buf bytes;
};

/* Copied out of the desk first, written afterwards. */
struct proving {
	struct tocsin *t;
	const struct tocsin_status *s;
	struct file *file;
	size_t n;
	struct buf list;
};

static const char readme[] =
    "What is in this folder\n"
    "======================\n"
    "\n"
    "status.txt    where each recipient of one ticket stands: MEMBER STATE "
    "TIME\n"
    "              FILE BY, a line for each step; FILE is what proves it\n"
    "message-*     the signed header of a message: who, when, to whom, its "
    "kind\n"
    "body-*        its sealed content; the header's last line has its SHA-256\n"
    "disclosed-*   the key of one such body, as base64: whoever has it reads "
    "it\n"
    "receipt-*     a broker's signed word: stored, delivered, refused, "
    "erased,\n"
    "              or taken without the part of that hash\n"
    "keys-*        the keys of a member's devices, signed with its root key\n"
    "roster-*      members' root keys and brokers' keys, signed by "
    "authorities\n"
    "\n"
    "All are signed notes (c2sp.org/signed-note): a text, an empty line, and\n"
    "signature lines. A signature is Ed25519 over the text, up to and with "
    "the\n"
    "LF before the empty line. The line is an em dash, the key's name, and\n"
    "base64 of 4 bytes that identify the key and 64 bytes of signature. A key\n"
    "is NAME+ID+base64 of one byte 01 and the 32 bytes of the public key.\n"
    "\n"
    "To check one, here receipt-X against the KEY of its broker's line in the\n"
    "newest roster (the second of the two keys with a plus in them, "
    "NAME/sign),\n"
    "with sed and openssl 3:\n"
    "\n"
    "  sed -n '/^$/q;p' receipt-X >text\n"
    "  sed -n '$p' receipt-X | sed 's/.* //' | openssl base64 -d -A |\n"
    "      tail -c 64 >sig\n"
    "  { printf "
    "'\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'\n"
    "    printf %s \"${KEY#*+*+}\" | openssl base64 -d -A | tail -c 32; } |\n"
    "      openssl pkey -pubin -inform DER -out key.pem\n"
    "  openssl pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile sig \\\n"
    "      -in text\n"
    "\n"
    "A message is checked the same way with the key of the `device` line in "
    "the\n"
    "keys file of its sender, that with the key of the `member` line in the\n"
    "roster, and a roster with the keys of the `authority` lines in the one\n"
    "before it, of which `threshold` must have signed. The first roster is\n"
    "believed because somebody compared its fingerprint.\n"
    "\n"
    "`tocsin verify` of this folder makes all of these checks; it needs no "
    "home.\n"
    "\n"
    "What an answer says, accepted or refused and why, is in its sealed body.\n"
    "A member that it is to opens it with its own key and open-ticket.sh, "
    "which\n"
    "checks that header and body belong together. Of those that were "
    "disclosed\n"
    "to you the file key is here (c2sp.org/age), by which this one body "
    "opens;\n"
    "the header's MAC says that it is the only one. Mind the label.\n"
    "\n"
    "A line without a file is what the desk knows by itself: that a message "
    "is\n"
    "in its outbox, at its broker, or here.\n";

/* ---- what is to be written ---- */

static struct buf *
add_file(struct proving *p, const char *name)
{
	struct file *grown;
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->file[i].name, name) == 0)
			return NULL; /* it is there */
	grown = realloc(p->file, (p->n + 1) * sizeof(*grown));
	if (grown == NULL) {
		p->list.failed = true;
		return NULL;
	}
	p->file = grown;
	grown += p->n++;
	memset(grown, 0, sizeof(*grown));
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	return &grown->bytes;
}

/* KIND-0123456789abcdef */
static void
name_file(char out[96], const char *kind, const char *id, uint8_t raw[ID_LEN])
{
	char hex[2 * ID_LEN + 1] = "";

	if (id_parse(span_of(id), raw))
		sodium_bin2hex(hex, sizeof(hex), raw, ID_LEN);
	snprintf(out, 96, "%s-%.16s", kind, hex);
}

static enum tocsin_err
add_message(
    struct proving *p, struct desk_tx *tx, const char *id, char name[96])
{
	struct desk_message row;
	uint8_t raw[ID_LEN] = { 0 };
	char body[96];
	struct buf *b;
	uint64_t n;
	enum tocsin_err err;

	name_file(name, "message", id, raw);
	name_file(body, "body", id, raw);
	err = desk_find(tx, raw, &n);
	if (err == TOCSIN_OK)
		err = desk_get(tx, n, &row);
	if (err != TOCSIN_OK)
		return err;
	b = add_file(p, name);
	if (b == NULL)
		return TOCSIN_OK;
	buf_add(b, row.note);
	b = row.body.n > 0 ? add_file(p, body) : NULL;
	if (b != NULL)
		buf_add(b, row.body);
	return TOCSIN_OK;
}

static enum tocsin_err
add_receipt(
    struct proving *p, struct desk_tx *tx, const char *id, char name[96])
{
	uint8_t raw[ID_LEN] = { 0 };
	char hex[2 * ID_LEN + 1], value[128];
	struct span note;
	struct buf *b;
	enum tocsin_err err;

	name_file(name, "receipt", id, raw);
	sodium_bin2hex(hex, sizeof(hex), raw, ID_LEN);
	snprintf(value, sizeof(value), RECEIPT_VALUE "%s", hex);
	err = desk_value_get(tx, value, &note);
	b = err == TOCSIN_OK ? add_file(p, name) : NULL;
	if (b != NULL)
		buf_add(b, note);
	return err;
}

/* One line of status.txt, and the file that is behind it. */
static enum tocsin_err
add_line(struct proving *p, struct desk_tx *tx, const char *who,
    const char *state, int64_t time, const char *by, const char *reason,
    const char *message, const char *receipt)
{
	enum tocsin_err err = TOCSIN_OK;
	char name[96] = "-";

	if (message != NULL)
		err = add_message(p, tx, message, name);
	else if (receipt != NULL)
		err = add_receipt(p, tx, receipt, name);
	if (err == TOCSIN_ENOTFOUND) {
		snprintf(name, sizeof(name), "-");
		err = TOCSIN_OK;
	}
	buf_addf(&p->list, "%s %s ", who, state);
	text_put_time(&p->list, time);
	buf_addf(&p->list, " %s %s%s%s\n", name, by != NULL ? by : "-",
	    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	return err;
}

static enum tocsin_err
add_place(struct proving *p, struct desk_tx *tx, const struct tocsin_place *pl)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < pl->nstep; i++) {
		const struct tocsin_step *s = &pl->step[i];

		err = add_line(p, tx, pl->member, tocsin_rung_name(s->rung),
		    s->time, s->by, s->reason, s->message, s->receipt);
	}
	return err;
}

static enum tocsin_err
add_holder(struct proving *p, struct desk_tx *tx, const struct tocsin_holder *h)
{
	char name[96];
	enum tocsin_err err = add_message(p, tx, h->recall, name);

	if (err != TOCSIN_OK)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	return add_line(p, tx, h->who, h->erased != 0 ? "erased" : "holds",
	    h->erased != 0 ? h->erased : h->since, h->by, NULL, h->proof,
	    h->receipt);
}

/* NATION without TIME FILE BROKER: HASH REASON */
static enum tocsin_err
add_left(struct proving *p, struct desk_tx *tx, const struct tocsin_left *l)
{
	char name[96], part[ID_TEXT + TOKEN_MAX + 2];
	enum tocsin_err err = add_message(p, tx, l->message, name);

	if (err != TOCSIN_OK)
		return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
	snprintf(part, sizeof(part), "%s %s", l->part, l->reason);
	return add_line(p, tx, l->nation, "without", l->time, l->by, part, NULL,
	    l->receipt);
}

/* Of another's words the label says whether a third party may have them. */
static enum tocsin_err
may_disclose(const struct proving *p, const struct opened *o)
{
	const struct ticket *t = &o->ticket;

	if (o->row.refused != TOCSIN_OK || o->contents.json.n == 0)
		return fail(o->row.refused != TOCSIN_OK ? o->row.refused
							: TOCSIN_ENOTFOUND,
		    "what it says is not here");
	if (t->tlp >= TICKET_AMBER ||
	    span_is(t->from, p->t->parts.keys->member))
		return TOCSIN_OK;
	return fail(TOCSIN_EPOLICYDENIED,
	    "TLP:%s: only %.*s, who wrote it, may show it to a third party",
	    ticket_tlp_name(t->tlp), (int)t->from.n, (const char *)t->from.p);
}

static enum tocsin_err
put_key(struct proving *p, struct desk_tx *tx, const struct opened *o)
{
	uint8_t key[TICKET_BODY_KEY], raw[ID_LEN];
	char id[ID_TEXT + 1], name[96], text[32];
	enum tocsin_err err = body_key_of(p->t, o, key);
	struct buf *b;

	if (err != TOCSIN_OK)
		return fail(err, "what it says cannot be shown: %s",
		    tocsin_err_text(err));
	id_print(id, o->ticket.id);
	err = add_message(p, tx, id, name);
	name_file(name, "disclosed", id, raw);
	b = err == TOCSIN_OK ? add_file(p, name) : NULL;
	sodium_bin2base64(text, sizeof(text), key, sizeof(key),
	    sodium_base64_VARIANT_ORIGINAL);
	if (b != NULL)
		buf_addf(b, "%s\n", text);
	sodium_memzero(key, sizeof(key));
	return err;
}

static enum tocsin_err
disclose(struct proving *p, struct desk_tx *tx, const char *typed)
{
	struct opened *o = calloc(1, sizeof(*o));
	uint64_t number = 0;
	uint8_t thread[ID_LEN];
	enum tocsin_err err;

	if (o == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	err = find_message(p->t, tx, typed, &number);
	if (err == TOCSIN_OK)
		err = open_message(p->t, tx, number, o);
	if (err == TOCSIN_OK && (!id_parse(span_of(p->s->id), thread) ||
				    memcmp(o->row.thread, thread, ID_LEN) != 0))
		err = fail(
		    TOCSIN_ENOTFOUND, "%s is no message of this ticket", typed);
	if (err == TOCSIN_OK)
		err = may_disclose(p, o);
	if (err == TOCSIN_OK)
		err = put_key(p, tx, o);
	opened_release(o);
	free(o);
	return err;
}

/* All values of the desk that begin so, as KIND-REST. */
static enum tocsin_err
add_values(
    struct proving *p, struct desk_tx *tx, const char *prefix, const char *kind)
{
	struct span name = { 0 }, value;
	enum tocsin_err err;

	while (
	    (err = desk_value_next(tx, prefix, &name, &value)) == TOCSIN_OK) {
		struct span rest = span_cut(name, strlen(prefix), name.n);
		char file[96];
		struct buf *b;
		size_t i;

		if (span_is(rest, "current"))
			continue;
		snprintf(file, sizeof(file), "%s-%.*s", kind, (int)rest.n,
		    (const char *)rest.p);
		for (i = 0; file[i] != '\0'; i++)
			if (file[i] == '/')
				file[i] = '-';
		b = add_file(p, file);
		if (b != NULL)
			buf_add(b, value);
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
gather(struct proving *p, struct desk_tx *tx)
{
	enum tocsin_err err = TOCSIN_OK;
	struct buf *b;
	size_t i;

	buf_addf(&p->list, "ticket %s\n", p->s->id);
	for (i = 0; err == TOCSIN_OK && i < p->s->n; i++)
		err = add_place(p, tx, &p->s->place[i]);
	for (i = 0; err == TOCSIN_OK && i < p->s->nholder; i++)
		err = add_holder(p, tx, &p->s->holder[i]);
	for (i = 0; err == TOCSIN_OK && i < p->s->nleft; i++)
		err = add_left(p, tx, &p->s->left[i]);
	if (err == TOCSIN_OK && p->s->turned_in != NULL)
		err = add_line(p, tx, "ticket",
		    p->s->closed ? "closed" : "open", p->s->turned,
		    p->s->turned_by, p->s->resolution, p->s->turned_in, NULL);
	if (err == TOCSIN_OK)
		err = add_values(p, tx, "keys/", "keys");
	if (err == TOCSIN_OK)
		err = add_values(p, tx, "roster/", "roster");
	b = err == TOCSIN_OK ? add_file(p, "status.txt") : NULL;
	if (b != NULL)
		buf_add(b, buf_span(&p->list));
	b = err == TOCSIN_OK ? add_file(p, "README") : NULL;
	if (b != NULL)
		buf_addz(b, readme);
	return err;
}

/* ---- writing ---- */

static enum tocsin_err
put(const struct file *f, const char *dir)
{
	if (!buf_ok(&f->bytes))
		return fail(TOCSIN_EINTERNAL, "no memory");
	return export_file(dir, f->name, buf_span(&f->bytes));
}

enum tocsin_err
proof_export(struct tocsin *t, const struct tocsin_status *s, const char *dir,
    const char *const *ids)
{
	struct proving p = { .t = t, .s = s };
	struct desk_tx *tx = NULL;
	enum tocsin_err err = begin_read(t, &tx);
	size_t i;

	if (err == TOCSIN_OK) {
		err = gather(&p, tx);
		if (err != TOCSIN_OK)
			fail(err, "the desk: %s", tocsin_err_text(err));
	}
	for (i = 0; err == TOCSIN_OK && ids != NULL && ids[i] != NULL; i++)
		err = disclose(&p, tx, ids[i]);
	desk_end(tx);
	if (err == TOCSIN_OK && !buf_ok(&p.list))
		err = fail(TOCSIN_EINTERNAL, "no memory");
	if (err == TOCSIN_OK && mkdir(dir, 0700) != 0 && errno != EEXIST)
		err = fail(file_error(errno), "%s: %s", dir, strerror(errno));
	for (i = 0; err == TOCSIN_OK && i < p.n; i++)
		err = put(&p.file[i], dir);
	for (i = 0; i < p.n; i++)
		buf_release(&p.file[i].bytes);
	free(p.file);
	buf_release(&p.list);
	return err;
}
