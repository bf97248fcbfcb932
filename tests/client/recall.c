/* SPDX-License-Identifier: ISC */
#include "client/recall.h"
#include "client/handle.h"
#include "client/intake.h"
#include "crypto/receipt.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture f;
static struct tocsin *sg, *my;
static uint64_t cursor;
static const char *const to_my[] = { "mycert@my", NULL };
static const char *const to_la[] = { "lacert@la", NULL };

static void
begin(void)
{
	char dir[512];

	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&sg, dir, NULL) != TOCSIN_OK)
		abort();
	home_make(dir, &f, "mycert@my/desk1", HOME_NOBODY);
	if (tocsin_open(&my, dir, NULL) != TOCSIN_OK)
		abort();
	cursor = 0;
}

static void
end(void)
{
	tocsin_close(sg);
	tocsin_close(my);
	fixture_release(&f);
}

static void
give(struct tocsin *to, uint8_t kind, struct span note, struct span body)
{
	home_give(&to->parts, &f, &cursor, kind, note, body);
}

/* The row of a message, copied; the caller frees note and body. */
static bool
row_of(struct tocsin *t, const char *id, struct desk_message *row)
{
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n;

	if (!id_parse(span_of(id), raw) ||
	    desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	if (desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, row) != TOCSIN_OK) {
		desk_end(tx);
		return false;
	}
	row->note.p = xcopy(row->note.p, row->note.n);
	row->body.p = row->body.n > 0 ? xcopy(row->body.p, row->body.n) : NULL;
	desk_end(tx);
	return true;
}

static void
row_free(struct desk_message *row)
{
	free((void *)(uintptr_t)row->note.p);
	free((void *)(uintptr_t)row->body.p);
}

static void
deliver(struct tocsin *from, const char *id, struct tocsin *to)
{
	struct desk_message row;

	if (!row_of(from, id, &row))
		abort();
	give(to, 1, row.note, row.body);
	row_free(&row);
}

/* "ok", "recalled" and whether a body is here, or "none". */
static const char *
state(struct tocsin *t, const char *id)
{
	static char text[64];
	struct desk_message row;

	if (!row_of(t, id, &row))
		return "none";
	snprintf(text, sizeof(text), "%s%s", tocsin_err_name(row.refused),
	    row.body.n > 0 ? " sealed" : "");
	row_free(&row);
	return text;
}

static void
post(struct tocsin *t, const struct tocsin_draft *d, char id[TOCSIN_ID_TEXT])
{
	if (tocsin_post(t, d, id) != TOCSIN_OK) {
		diag("%s", tocsin_error(t));
		abort();
	}
}

static char file[600];

static struct tocsin_draft
report(const char *const *to)
{
	static struct tocsin_attachment a = { .name = "evidence.bin" };
	FILE *out;

	snprintf(file, sizeof(file), "%s/evidence.bin", scratch());
	out = fopen(file, "wb");
	fputs("evidence", out);
	fclose(out);
	a.path = file;
	return (struct tocsin_draft){ .kind = "report",
		.to = to,
		.tlp = "AMBER",
		.subject = "C2",
		.attachments = &a,
		.nattachments = 1 };
}

/* The newest message of a desk. */
static bool
newest(struct tocsin *t, char id[TOCSIN_ID_TEXT], size_t *count)
{
	struct desk_message row;
	struct desk_tx *tx;
	uint64_t n = 0, last = 0;

	*count = 0;
	if (desk_read(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	while (desk_next(tx, n, &n) == TOCSIN_OK) {
		last = n;
		++*count;
	}
	if (last > 0 && desk_get(tx, last, &row) == TOCSIN_OK)
		id_print(id, row.id);
	desk_end(tx);
	return last > 0;
}

/* Where a part of the message would lie, made there. */
static void
plant_part(struct tocsin *t, const char *id, char path[768])
{
	struct ticket *h = malloc(sizeof(*h));
	struct desk_message row;
	char folder[700];
	struct note note;
	FILE *out;

	if (!row_of(t, id, &row) ||
	    ticket_parse(h, &note, row.note) != TOCSIN_OK || h->npart != 1)
		abort();
	sync_spool(path, t->parts.keys->home, h->part[0].hash);
	snprintf(folder, sizeof(folder), "%s/spool", t->parts.keys->home);
	(void)mkdir(folder, 0700);
	out = fopen(path, "wb");
	if (out == NULL)
		abort();
	fclose(out);
	row_free(&row);
	free(h);
}

static void
test_recall(void)
{
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT], word[TOCSIN_ID_TEXT];
	struct tocsin_message *m = NULL;
	struct tocsin_status *s = NULL;
	char path[768];
	size_t before, after;

	begin();
	post(sg, &d, id);
	deliver(sg, id, my);
	plant_part(my, id, path);
	d = (struct tocsin_draft){ .kind = "recall", .thread = id };
	is_int(tocsin_post(my, &d, back), TOCSIN_EPOLICYDENIED,
	    "nobody recalls what another has sent");
	post(sg, &d, back);
	deliver(sg, back, my);
	is_str(state(my, id), "recalled", "a recall erases the body");
	ok(access(path, F_OK) != 0, "and the attachments that are here");
	is_str(state(sg, id), "ok sealed", "whoever recalls it keeps it");
	is_int(tocsin_get(my, id, &m), TOCSIN_OK, "its header stays");
	ok(m != NULL && m->refused == TOCSIN_ERECALLED && m->subject == NULL &&
		strcmp(m->from, "singcert@sg/desk1") == 0,
	    "and says whose it was, and that it was recalled");
	tocsin_message_free(m);
	deliver(sg, id, my);
	is_str(state(my, id), "recalled", "it does not come back");

	newest(my, word, &before);
	confirm_recalls(my);
	confirm_recalls(my);
	newest(my, word, &after);
	is_int((long long)(after - before), 1, "its sender is told, once");
	is_int(tocsin_status(sg, id, 0, &s), TOCSIN_OK, "there is a state");
	ok(s->n == 1 && s->place[0].recalled && s->nholder == 0,
	    "of something recalled, that nobody is known to have got");
	tocsin_status_free(s);
	deliver(my, word, sg);
	is_int(tocsin_status(sg, id, 0, &s), TOCSIN_OK, "and then");
	ok(s->nholder == 1 &&
		strcmp(s->holder[0].who, "mycert@my/desk1") == 0 &&
		s->holder[0].erased > 0 &&
		strcmp(s->holder[0].proof, word) == 0,
	    "it is known who has erased it, by a message of theirs");
	ok(s->place[0].rung < TOCSIN_RUNG_OPENED,
	    "which is no answer to the ticket");
	tocsin_status_free(s);
	is_int(tocsin_ack(my, id, TOCSIN_REFUSED, "Other", NULL, word),
	    TOCSIN_OK, "what was recalled can still be answered");
	end();
}

static void
test_late(void)
{
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT];

	begin();
	post(sg, &d, id);
	d = (struct tocsin_draft){ .kind = "recall", .thread = id };
	post(sg, &d, back);
	deliver(sg, back, my);
	is_str(state(my, id), "none", "a recall may overtake");
	deliver(sg, id, my);
	is_str(state(my, id), "recalled", "what comes after it is not kept");
	end();
}

/* What was never good does not become so by being taken back. */
static void
test_refused(void)
{
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT];
	struct desk_message row;
	uint8_t *last;

	begin();
	post(sg, &d, id);
	if (!row_of(sg, id, &row))
		abort();
	last = (uint8_t *)(uintptr_t)&row.note.p[row.note.n - 20];
	*last = *last == 'A' ? 'B' : 'A'; /* of the signature */
	give(my, 1, row.note, row.body);
	row_free(&row);
	is_str(state(my, id), "bad-signature sealed", "a forged one is kept");
	d = (struct tocsin_draft){ .kind = "recall", .thread = id };
	post(sg, &d, back);
	deliver(sg, back, my);
	is_str(state(my, id), "bad-signature",
	    "taken back its body is gone, and it is a forged one still");
	deliver(sg, id, my);
	is_str(state(my, id), "recalled", "the good one is what was recalled");
	end();
}

/* The one that showed it to a third goes as well. */
static void
test_carriers(void)
{
	struct ticket *h = malloc(sizeof(*h));
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], share[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT];
	struct desk_message row;
	struct note note;

	begin();
	post(sg, &d, id);
	d = (struct tocsin_draft){ .kind = "share", .thread = id, .to = to_la };
	post(sg, &d, share);
	deliver(sg, share, my);
	d = (struct tocsin_draft){ .kind = "recall", .thread = id };
	post(sg, &d, back);
	if (!row_of(sg, back, &row) ||
	    ticket_parse(h, &note, row.note) != TOCSIN_OK)
		abort();
	ok(h->nref == 2 && ticket_to_find(h, span_of("lacert@la")) >= 0,
	    "a recall names what carried it, and is to those who got that");
	is_int(h->precedence, TICKET_IMMEDIATE, "it overtakes");
	row_free(&row);
	deliver(sg, back, my);
	is_str(state(my, share), "recalled", "and that is erased");
	free(h);
	end();
}

static void
test_attachment(void)
{
	static const char *const wrong[] = { "evidence.txt", NULL };
	static const char *const one[] = { "evidence.bin", NULL };
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT], word[TOCSIN_ID_TEXT];
	struct tocsin_message *m = NULL;
	struct tocsin_status *s = NULL;
	char path[768];
	size_t n;

	begin();
	post(sg, &d, id);
	deliver(sg, id, my);
	plant_part(my, id, path);
	d = (struct tocsin_draft){
		.kind = "recall", .thread = id, .recall = wrong
	};
	is_int(tocsin_post(sg, &d, back), TOCSIN_ENOTFOUND,
	    "an attachment that there is not is not recalled");
	d.recall = one;
	post(sg, &d, back);
	deliver(sg, back, my);
	is_str(state(my, id), "ok sealed",
	    "the recall of an attachment leaves the message");
	confirm_recalls(my);
	ok(access(path, F_OK) != 0, "and erases the attachment");
	is_int(tocsin_get(my, id, &m), TOCSIN_OK, "the message is opened");
	ok(m->nparts == 1 && m->parts[0].recalled,
	    "and says that its attachment was recalled");
	tocsin_message_free(m);
	is_int(tocsin_save(my, id, "evidence.bin", scratch(), "x", NULL, NULL),
	    TOCSIN_ERECALLED, "it is not fetched any more");
	newest(my, word, &n);
	deliver(my, word, sg);
	is_int(tocsin_status(sg, id, 0, &s), TOCSIN_OK, "there is a state");
	ok(s->nholder == 1 && s->holder[0].erased > 0 && !s->place[0].recalled,
	    "with who has erased it; the ticket itself stands");
	tocsin_status_free(s);
	end();
}

/* The recall of an attachment comes first. */
static void
test_late_attachment(void)
{
	static const char *const one[] = { "evidence.bin", NULL };
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT], back[TOCSIN_ID_TEXT];
	struct tocsin_message *m = NULL;

	begin();
	post(sg, &d, id);
	d = (struct tocsin_draft){
		.kind = "recall", .thread = id, .recall = one
	};
	post(sg, &d, back);
	deliver(sg, back, my);
	deliver(sg, id, my);
	is_str(state(my, id), "ok sealed",
	    "a message comes after the recall of its attachment");
	is_int(tocsin_get(my, id, &m), TOCSIN_OK, "it is opened");
	ok(m->nparts == 1 && m->parts[0].recalled,
	    "and its attachment is recalled");
	tocsin_message_free(m);
	d.recall = NULL;
	post(sg, &d, back);
	deliver(sg, back, my);
	is_str(state(my, id), "recalled", "then all of it may be");
	end();
}

/* Signed, sealed, sent: and about somebody else's message. */
static void
take_back(struct ticket *t, void *arg)
{
	const uint8_t *id = arg;

	t->kind = TICKET_RECALL;
	t->has_thread = true;
	memcpy(t->thread, id, ID_LEN);
	t->nref = 1;
	memcpy(t->ref[0], id, ID_LEN);
}

static void
test_forged(void)
{
	struct tocsin_draft d = report(to_my);
	char id[TOCSIN_ID_TEXT];
	struct fx_ticket sly;
	uint8_t raw[ID_LEN];

	begin();
	post(sg, &d, id);
	deliver(sg, id, my);
	if (!id_parse(span_of(id), raw))
		abort();
	fixture_ticket(&sly, &f, "lacert@la/desk1", "mycert@my singcert@sg", 1,
	    NULL, take_back, raw);
	give(my, 1, buf_span(&sly.note), buf_span(&sly.body));
	is_str(state(my, id), "ok sealed",
	    "a recall by somebody else does nothing");
	fx_ticket_release(&sly);
	end();
}

/* A message of his own names another's attachment, and he takes it back. */
static void
name_part(struct ticket *t, void *arg)
{
	t->npart = 1;
	t->part[0] = *(struct ticket_part *)arg;
}

struct taking {
	uint8_t id[ID_LEN], other[ID_LEN], part[32];
};

static void
take_part(struct ticket *t, void *arg)
{
	const struct taking *what = arg;

	take_back(t, (void *)(uintptr_t)what->id);
	t->nref = 3;
	memcpy(t->ref[1], what->other, ID_LEN);
	memcpy(t->ref[2], what->part, 32);
}

static void
test_sly(void)
{
	struct ticket *h = malloc(sizeof(*h));
	struct tocsin_draft d = report(to_my);
	struct tocsin_message *m = NULL;
	char id[TOCSIN_ID_TEXT];
	struct fx_ticket his, sly;
	struct desk_message row;
	struct ticket_part part;
	struct taking what;
	struct note note;

	begin();
	post(sg, &d, id);
	deliver(sg, id, my);
	if (!row_of(my, id, &row) ||
	    ticket_parse(h, &note, row.note) != TOCSIN_OK)
		abort();
	part = h->part[0];
	memcpy(what.part, part.hash, 32);
	memcpy(what.other, row.id, ID_LEN);
	row_free(&row);
	fixture_ticket(&his, &f, "lacert@la/desk1", "mycert@my", 1, NULL,
	    name_part, &part);
	give(my, 1, buf_span(&his.note), buf_span(&his.body));
	memcpy(what.id, his.id, ID_LEN);
	fixture_ticket(&sly, &f, "lacert@la/desk1", "mycert@my", 2, his.id,
	    take_part, &what);
	give(my, 1, buf_span(&sly.note), buf_span(&sly.body));
	is_int(tocsin_get(my, id, &m), TOCSIN_OK, "the message is opened");
	ok(m->nparts == 1 && !m->parts[0].recalled,
	    "nobody takes another's attachment back by naming it himself");
	tocsin_message_free(m);
	fx_ticket_release(&his);
	fx_ticket_release(&sly);
	free(h);
	end();
}

int
main(void)
{
	test_recall();
	test_late();
	test_refused();
	test_carriers();
	test_attachment();
	test_late_attachment();
	test_forged();
	test_sly();
	return tap_done();
}
