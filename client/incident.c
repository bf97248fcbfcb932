/* SPDX-License-Identifier: ISC */
#include "client/incident.h"

#include "client/json.h"
#include "crypto/text.h"
#include "crypto/ticket.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static const char *
string(const json_t *o, const char *key, bool *good)
{
	const json_t *v = json_object_get(o, key);

	if (v != NULL && !json_is_string(v))
		*good = false;
	return json_string_value(v);
}

static bool
read_attachment(struct incident_attachment *a, const json_t *o)
{
	const json_t *size = json_object_get(o, "size");
	const char *part;
	bool good = true;

	a->name = string(o, "name", &good);
	a->media = string(o, "media", &good);
	part = string(o, "part", &good);
	if (!good || a->name == NULL || part == NULL ||
	    !id_parse(span_of(part), a->part) || !json_is_integer(size) ||
	    json_integer_value(size) < 0)
		return false;
	if (a->media == NULL)
		a->media = "application/octet-stream";
	a->size = (uint64_t)json_integer_value(size);
	return true;
}

static json_t *
carried(const json_t *root)
{
	return json_object_get(json_object_get(root, "original"), "ticket");
}

static enum tocsin_err
read_attachments(struct incident *out)
{
	json_t *list = json_object_get(out->root, "attachments");
	size_t i, n;

	if (list == NULL)
		list = json_object_get(carried(out->root), "attachments");
	n = json_array_size(list);
	if (list == NULL)
		return TOCSIN_OK;
	if (!json_is_array(list) || n > TICKET_PARTS_MAX)
		return TOCSIN_EMALFORMED;
	out->attachment = calloc(n + 1, sizeof(*out->attachment));
	if (out->attachment == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < n; i++)
		if (!read_attachment(
			&out->attachment[i], json_array_get(list, i)))
			return TOCSIN_EMALFORMED;
	out->nattachment = n;
	return TOCSIN_OK;
}

/* Words of others: what is no time is none. */
static int64_t
time_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	int64_t t = 0;

	return text != NULL && time_parse(span_of(text), &t) ? t : 0;
}

/* What deadlines count from; of what is carried, that of the original. */
static void
read_times(struct incident *out)
{
	const json_t *o = out->root, *pair, *clock;
	const char *scale, *level;

	if (json_is_object(carried(o)))
		o = carried(o);
	out->occurred = time_of(o, "occurred");
	out->detected = time_of(o, "detected");
	out->reported = time_of(o, "reported");
	out->pap = json_string_value(json_object_get(out->root, "pap"));
	if (out->pap == NULL)
		out->pap = json_string_value(json_object_get(o, "pap"));
	pair = json_object_get(o, "severity");
	scale = json_string_value(json_object_get(pair, "scale"));
	level = json_string_value(json_object_get(pair, "level"));
	if (scale != NULL && level != NULL)
		snprintf(out->severity, sizeof(out->severity), "%.30s:%.30s",
		    scale, level);
	clock = json_object_get(out->root, "clock");
	out->clock_start = json_string_value(json_object_get(clock, "start"));
	out->clock_stop = json_string_value(json_object_get(clock, "stop"));
	out->clock_done = json_string_value(json_object_get(clock, "done"));
	out->clock_at = time_of(clock, "at");
}

/* An id is compared and shown: what is no such word is none. */
static const char *
record_word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	size_t i;

	for (i = 0; s != NULL && s[i] != '\0'; i++)
		if (i == INCIDENT_ACTION_MAX || s[i] <= ' ' || s[i] > '~')
			return NULL;
	return i > 0 ? s : NULL;
}

static void
read_records(struct incident *out)
{
	const json_t *o = json_object_get(out->root, "action");

	out->action = record_word(o, "id");
	if (out->action != NULL) {
		out->action_rule = record_word(o, "rule");
		out->action_hook = record_word(o, "hook");
		out->action_step =
		    json_integer_value(json_object_get(o, "step"));
		out->action_failed = json_is_true(json_object_get(o, "failed"));
	}
	o = json_object_get(out->root, "claim");
	out->claim = record_word(o, "id");
	if (out->claim != NULL)
		out->claim_until = time_of(o, "until");
}

static enum tocsin_err
read_recall(struct incident *out)
{
	const json_t *o = json_object_get(out->root, "recall"), *list;
	const char *hash;
	bool good = true;
	size_t i, n;

	if (o == NULL)
		return TOCSIN_OK;
	out->recall_of = string(o, "message", &good);
	list = json_object_get(o, "parts");
	n = json_array_size(list);
	if (!good || out->recall_of == NULL || !json_is_array(list) ||
	    n > TICKET_PARTS_MAX)
		return TOCSIN_EMALFORMED;
	out->recall = calloc(n + 1, sizeof(*out->recall));
	if (out->recall == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < n; i++) {
		hash = json_string_value(json_array_get(list, i));
		if (hash == NULL || !id_parse(span_of(hash), out->recall[i]))
			return TOCSIN_EMALFORMED;
	}
	out->nrecall = n;
	return TOCSIN_OK;
}

enum tocsin_err
incident_parse(struct incident *out, struct span json)
{
	const json_t *ack;
	enum tocsin_err err;
	json_error_t why;
	bool good = true;

	*out = (struct incident){ 0 };
	if (!json_shallow(json, INCIDENT_DEPTH))
		return TOCSIN_EMALFORMED;
	out->root = json_loadb(
	    (const char *)json.p, json.n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(out->root)) {
		err = out->root == NULL &&
			      json_error_code(&why) == json_error_out_of_memory
			  ? TOCSIN_EINTERNAL
			  : TOCSIN_EMALFORMED;
		incident_release(out);
		return err;
	}
	out->subject = string(out->root, "subject", &good);
	if (out->subject == NULL)
		out->subject = string(carried(out->root), "subject", &good);
	out->text = string(out->root, "text", &good);
	ack = json_object_get(out->root, "ack");
	if (ack != NULL && !json_is_object(ack))
		good = false;
	out->answer = string(ack, "state", &good);
	out->reason = string(ack, "reason", &good);
	out->resolution = string(out->root, "resolution", &good);
	err = good ? read_attachments(out) : TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = read_recall(out);
	if (err == TOCSIN_OK) {
		read_times(out);
		read_records(out);
	}
	if (err != TOCSIN_OK)
		incident_release(out);
	return err;
}

void
incident_release(struct incident *i)
{
	json_decref(i->root);
	free(i->attachment);
	free(i->recall);
	*i = (struct incident){ 0 };
}

/* ---- writing ---- */

static int
set_string(json_t *o, const char *key, const char *value)
{
	return value == NULL ? 0
			     : json_object_set_new(o, key, json_string(value));
}

/* "scale:level" or "class:type" as an object of two members. */
static int
set_pair(json_t *o, const char *key, const char *head, const char *tail,
    const char *value)
{
	const char *colon;
	json_t *pair;

	if (value == NULL)
		return 0;
	colon = strrchr(value, ':');
	pair = colon == NULL ? json_pack("{s:s}", head, value)
			     : json_pack("{s:s%, s:s}", head, value,
				   (size_t)(colon - value), tail, colon + 1);
	return json_object_set_new(o, key, pair);
}

/* The level, and what it was made of. */
static int
set_severity(json_t *o, const struct incident_draft *d)
{
	json_t *made;

	if (set_pair(o, "severity", "scale", "level", d->severity) != 0)
		return -1;
	made = json_object_get(o, "severity");
	return set_string(made, "importance", d->importance) != 0
		   ? -1
		   : set_string(made, "loss", d->loss);
}

static int
set_sectors(json_t *o, const struct incident_draft *d)
{
	json_t *list;
	size_t i;

	if (d->sector == NULL || d->sector[0] == NULL)
		return 0;
	list = json_array();
	for (i = 0; d->sector[i] != NULL; i++)
		if (json_array_append_new(list, json_string(d->sector[i])) !=
		    0) {
			json_decref(list);
			return -1;
		}
	return json_object_set_new(o, "sectors", list);
}

static int
set_answer(json_t *o, const struct incident_draft *d)
{
	json_t *ack;

	if (d->answer == NULL)
		return 0;
	ack = json_pack("{s:s}", "state", d->answer);
	if (set_string(ack, "reason", d->reason) != 0) {
		json_decref(ack);
		return -1;
	}
	return json_object_set_new(o, "ack", ack);
}

static int
set_attachments(json_t *o, const struct incident_draft *d)
{
	json_t *list;
	size_t i;

	if (d->nattachment == 0)
		return 0;
	list = json_array();
	for (i = 0; i < d->nattachment; i++) {
		const struct incident_attachment *a = &d->attachment[i];

		char part[ID_TEXT + 1];

		id_print(part, a->part);
		if (json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:s}", "name", a->name,
				  "media", a->media, "size",
				  (json_int_t)a->size, "part", part)) != 0) {
			json_decref(list);
			return -1;
		}
	}
	return json_object_set_new(o, "attachments", list);
}

static int
set_time(json_t *o, const char *key, int64_t t)
{
	char text[TIME_TEXT + 1];

	if (t == 0)
		return 0;
	time_print(text, t);
	return json_object_set_new(o, key, json_string(text));
}

static int
set_clock(json_t *o, const struct incident_draft *d)
{
	json_t *clock;

	if (d->clock_start == NULL && d->clock_stop == NULL &&
	    d->clock_done == NULL)
		return 0;
	clock = json_object();
	if (set_string(clock, "start", d->clock_start) != 0 ||
	    set_string(clock, "stop", d->clock_stop) != 0 ||
	    set_string(clock, "done", d->clock_done) != 0 ||
	    set_time(clock, "at", d->clock_at) != 0) {
		json_decref(clock);
		return -1;
	}
	return json_object_set_new(o, "clock", clock);
}

static int
set_recall(json_t *o, const struct incident_draft *d)
{
	json_t *list;
	size_t i;

	if (d->recall_of == NULL)
		return 0;
	list = json_array();
	for (i = 0; i < d->nrecall; i++) {
		char part[ID_TEXT + 1];

		id_print(part, d->recall[i]);
		if (json_array_append_new(list, json_string(part)) != 0) {
			json_decref(list);
			return -1;
		}
	}
	return json_object_set_new(o, "recall",
	    json_pack("{s:s, s:o}", "message", d->recall_of, "parts", list));
}

static int
set_original(json_t *o, const struct incident_draft *d)
{
	json_t *content, *pair;

	if (d->original == NULL)
		return 0;
	content = json_loads(d->original, JSON_REJECT_DUPLICATES, NULL);
	pair = json_pack("{s:s, s:o}", "id", d->original_id, "ticket", content);
	return json_object_set_new(o, "original", pair);
}

static int
set_list(json_t *o, const char *key, const char *const *s)
{
	json_t *list;

	if (s == NULL || *s == NULL)
		return 0;
	list = json_array();
	for (; *s != NULL; s++)
		if (json_array_append_new(list, json_string(*s)) != 0) {
			json_decref(list);
			return -1;
		}
	return json_object_set_new(o, key, list);
}

/* What the caller adds may not replace what we say ourselves. */
static enum tocsin_err
join(json_t *o, const char *json)
{
	struct incident extra;
	enum tocsin_err err;
	int rc;

	if (json == NULL)
		return TOCSIN_OK;
	err = incident_parse(&extra, span_of(json));
	if (err != TOCSIN_OK)
		return err;
	rc = json_object_update_missing(o, extra.root);
	incident_release(&extra);
	return rc == 0 ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

enum tocsin_err
incident_print(struct buf *out, const struct incident_draft *d)
{
	json_t *o = json_pack("{s:s}", "format", "tocsin-ticket/v1");
	enum tocsin_err err = TOCSIN_EMALFORMED; /* text that is not UTF-8 */
	char *text = NULL;

	if (set_string(o, "subject", d->subject) != 0 ||
	    set_string(o, "text", d->text) != 0 || set_severity(o, d) != 0 ||
	    set_pair(o, "classification", "class", "type", d->classification) !=
		0 ||
	    set_string(o, "outlook", d->outlook) != 0 ||
	    set_string(o, "pap", d->pap) != 0 || set_sectors(o, d) != 0 ||
	    set_string(o, "resolution", d->resolution) != 0 ||
	    set_answer(o, d) != 0 || set_attachments(o, d) != 0 ||
	    set_time(o, "occurred", d->occurred) != 0 ||
	    set_time(o, "detected", d->detected) != 0 ||
	    set_time(o, "reported", d->reported) != 0 || set_clock(o, d) != 0 ||
	    set_recall(o, d) != 0 || set_original(o, d) != 0 ||
	    set_list(o, "grants", d->grants) != 0 ||
	    set_list(o, "clients", d->clients) != 0)
		goto out;
	err = join(o, d->json);
	if (err != TOCSIN_OK)
		goto out;
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	err = TOCSIN_EINTERNAL;
	if (text == NULL)
		goto out;
	buf_addz(out, text);
	err = !buf_ok(out)			 ? TOCSIN_EINTERNAL
	      : strlen(text) > INCIDENT_TEXT_MAX ? TOCSIN_ETOOLARGE
						 : TOCSIN_OK;
out:
	if (text != NULL)
		sodium_memzero(text, strlen(text));
	free(text);
	json_decref(o);
	return err;
}
