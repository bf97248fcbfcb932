/* SPDX-License-Identifier: ISC */
/* STIX 2.1 bundles, with the TLP 2.0 extension and the markings of TLP 1. */
#include "client/form/form.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 20000
#define SPEC "2.1"

/* ---- the labels ---- */

#define TLP_EXTENSION \
	"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

/* The markings of the extension, and those that STIX 2.1 itself names. */
static const struct {
	const char *label;
	const char *id;
	const char *says; /* as tlp_2_0 has it */
} markings[] = {
	{ "RED", "e828b379-4e03-4974-9ac4-e53a884c97c1", "red" },
	{ "AMBER+STRICT", "939a9414-2ddd-4d32-a0cd-375ea402b003",
	    "amber+strict" },
	{ "AMBER", "55d920b0-5e8b-4f79-9ee9-91f868d9b421", "amber" },
	{ "GREEN", "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "green" },
	{ "CLEAR", "94868c89-83c2-464b-929b-a1a8aa3c8487", "clear" },
	{ "RED", "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", NULL },
	{ "AMBER", "f88d31f6-486f-44da-b317-01333bde0b82", NULL },
	{ "GREEN", "34098fce-860f-48ae-8e50-ebd3cc5e41da", NULL },
	{ "CLEAR", "613f2e26-407d-48c7-9eca-b8e91df99dc9", NULL },
};

#define MARKINGS (sizeof(markings) / sizeof(markings[0]))
#define MARKING "marking-definition--"

/* ---- reading ---- */

/* What is gathered while walking the objects. */
struct gathering {
	struct form_in *out;
	const json_t *report;
	json_t *counts;
};

static bool
is(const json_t *o, const char *type)
{
	const char *t = form_text(o, "type");

	return t != NULL && strcmp(t, type) == 0;
}

static void
copy_text(json_t *to, const json_t *from, const char *name)
{
	form_set(to, name, form_text(from, name));
}

static void
read_indicator(struct gathering *g, const json_t *o)
{
	static const char *const members[] = { "id", "name", "pattern",
		"pattern_type", "valid_from", "valid_until" };
	json_t *one;
	size_t i;

	if (form_text(o, "pattern") == NULL)
		return;
	one = json_object();
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		copy_text(one, o, members[i]);
	form_add(g->out->content, "indicators", one);
}

static void
read_references(struct gathering *g, const json_t *o)
{
	const json_t *list = json_object_get(o, "external_references");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);

		form_refer(g->out->content, form_text(from, "source_name"),
		    form_text(from, "external_id"), form_text(from, "url"));
	}
}

static void
read_sectors(struct gathering *g, const json_t *o)
{
	const json_t *list = json_object_get(o, "sectors");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			form_add(g->out->content, "sectors",
			    json_incref(json_array_get(list, i)));
}

static enum tocsin_err
read_artifact(struct gathering *g, const json_t *o)
{
	const char *payload = form_text(o, "payload_bin");

	return payload == NULL ? TOCSIN_OK
			       : form_add_file(g->out, "artifact",
				     form_text(o, "mime_type"), payload);
}

static void
count_type(struct gathering *g, const json_t *o)
{
	const char *type = form_text(o, "type");
	json_int_t n = json_integer_value(json_object_get(g->counts, type));

	json_object_set_new(g->counts, type, json_integer(n + 1));
}

/* A label of our own making, of the extension, or of STIX 2.1. */
static void
read_marking(struct gathering *g, const json_t *o)
{
	const json_t *extension =
	    json_object_get(json_object_get(o, "extensions"), TLP_EXTENSION);
	const char *old = form_text(json_object_get(o, "definition"), "tlp");
	const char *new = form_text(extension, "tlp_2_0");

	if (new != NULL)
		form_tlp(g->out, new);
	else if (old != NULL)
		form_tlp(g->out, old);
}

/* Who refers to a published marking need not carry it. */
static void
read_refs(struct gathering *g, const json_t *o)
{
	const json_t *list = json_object_get(o, "object_marking_refs");
	size_t i, k;

	for (i = 0; i < json_array_size(list); i++)
		for (k = 0; k < MARKINGS; k++) {
			const char *ref =
			    json_string_value(json_array_get(list, i));

			if (ref != NULL &&
			    strncmp(ref, MARKING, strlen(MARKING)) == 0 &&
			    strcmp(ref + strlen(MARKING), markings[k].id) == 0)
				form_tlp(g->out, markings[k].label);
		}
}

static bool
walk(struct gathering *g, const json_t *objects)
{
	size_t i;

	if (!json_is_array(objects) || json_array_size(objects) > OBJECTS_MAX)
		return false;
	for (i = 0; i < json_array_size(objects); i++) {
		const json_t *o = json_array_get(objects, i);

		if (form_text(o, "type") == NULL)
			return false;
		count_type(g, o);
		if (is(o, "indicator"))
			read_indicator(g, o);
		if (is(o, "marking-definition"))
			read_marking(g, o);
		if (g->report == NULL && is(o, "report"))
			g->report = o;
		if (is(o, "artifact") && read_artifact(g, o) != TOCSIN_OK)
			return false;
		read_refs(g, o);
		read_references(g, o);
		read_sectors(g, o);
	}
	return true;
}

/* The kinds of objects that a ticket has no place for. */
static void
keep_objects(struct gathering *g)
{
	static const char *const known[] = { "indicator", "report",
		"marking-definition", "identity", "extension-definition",
		"artifact", NULL };

	form_keep_others(g->out, "objects", g->counts, known);
}

static bool
is_stix(const json_t *root)
{
	return is(root, "bundle");
}

static enum tocsin_err
read_stix(struct form_in *out, const json_t *root)
{
	struct gathering g = { .out = out, .counts = json_object() };
	enum tocsin_err err = TOCSIN_EMALFORMED;
	json_t *about;

	if (!walk(&g, json_object_get(root, "objects")))
		goto out;
	form_set(out->content, "subject", form_text(g.report, "name"));
	form_set(out->content, "text", form_text(g.report, "description"));
	form_set(out->content, "reported", form_text(g.report, "published"));
	keep_objects(&g);
	about = json_object();
	copy_text(about, root, "id");
	json_object_set(about, "objects", g.counts);
	json_object_set_new(out->content, "stix", about);
	err = TOCSIN_OK;
out:
	json_decref(g.counts);
	return err;
}

/* ---- writing ---- */

struct bundle {
	struct form_out *from;
	json_t *objects, *refs; /* of the report */
	char marking[64], identity[64], created[TIME_TEXT + 1];
};

static void
set_id(char out[64], const char *type, const char *of, const char *what)
{
	char uuid[37];

	form_uuid(uuid, of, what);
	snprintf(out, 64, "%.24s--%s", type, uuid);
}

/* The members that every object has. `time` is its creation. */
static json_t *
object(
    const struct bundle *b, const char *type, const char *id, const char *time)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[s]}", "type", type,
	    "spec_version", SPEC, "id", id, "created", time, "modified", time,
	    "created_by_ref", b->identity, "object_marking_refs", b->marking);
}

static void
write_marking(struct bundle *b)
{
	size_t i;

	for (i = 0; strcmp(markings[i].label, b->from->tlp) != 0; i++)
		;
	snprintf(b->marking, sizeof(b->marking), MARKING "%s", markings[i].id);
	json_array_append_new(b->objects,
	    json_pack("{s:s, s:s, s:s, s:s, s:s+, s:{s:{s:s, s:s}}}", "type",
		"marking-definition", "spec_version", SPEC, "id", b->marking,
		"created", "2022-10-01T00:00:00.000Z", "name", "TLP:",
		b->from->tlp, "extensions", TLP_EXTENSION, "extension_type",
		"property-extension", "tlp_2_0", markings[i].says));
}

static void
write_identity(struct bundle *b)
{
	const char *from = b->from->message[0].from;
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, "/"), from);
	set_id(b->identity, "identity", "tocsin", name);
	json_array_append_new(
	    b->objects, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "type",
			    "identity", "spec_version", SPEC, "id", b->identity,
			    "created", b->created, "modified", b->created,
			    "name", name, "identity_class", "organization"));
}

static void
add(struct bundle *b, json_t *o)
{
	json_array_append(b->refs, json_object_get(o, "id"));
	json_array_append_new(b->objects, o);
}

static void
write_indicator(struct bundle *b, const json_t *one)
{
	const char *ticket = b->from->message[0].id;
	const char *pattern = form_text(one, "pattern");
	const char *kind = form_text(one, "pattern_type");
	const char *since = form_text(one, "valid_from");
	char id[64];
	json_t *o;

	if (pattern == NULL) {
		form_lose(b->from, "an indicator without a pattern");
		return;
	}
	/* Its id in the file it came from is that of its first creator. */
	set_id(id, "indicator", ticket, pattern);
	o = object(b, "indicator", id, b->created);
	copy_text(o, one, "name");
	form_set(o, "pattern", pattern);
	form_set(o, "pattern_type", kind != NULL ? kind : "stix");
	form_set(o, "valid_from", since != NULL ? since : b->created);
	copy_text(o, one, "valid_until");
	add(b, o);
}

static void
write_note(struct bundle *b, const struct form_message *m)
{
	const char *text = form_text(m->content, "text");
	const json_t *ack = json_object_get(m->content, "ack");
	char id[64], time[TIME_TEXT + 1], title[160];
	json_t *o;

	time_print(time, m->time);
	set_id(id, "note", m->id, "note");
	o = object(b, "note", id, time);
	snprintf(title, sizeof(title), "%s%s%s by %s", m->kind,
	    form_text(ack, "state") != NULL ? " " : "",
	    form_text(ack, "state") != NULL ? form_text(ack, "state") : "",
	    m->from);
	form_set(o, "abstract", title);
	form_set(o, "content", text != NULL ? text : title);
	json_object_set_new(o, "object_refs", json_array());
	add(b, o);
}

/* What a report has no place for goes along as the ticket itself. */
static void
write_original(struct bundle *b)
{
	char *data = form_original(b->from);
	char id[64];

	set_id(id, "artifact", b->from->message[0].id, "ticket");
	if (data != NULL)
		add(b, json_pack("{s:s, s:s, s:s, s:[s], s:s, s:s}", "type",
			   "artifact", "spec_version", SPEC, "id", id,
			   "object_marking_refs", b->marking, "mime_type",
			   "application/json", "payload_bin", data));
	free(data);
}

/* A note is about the report, which is there when all else is. */
static void
write_report(struct bundle *b)
{
	const struct form_message *m = &b->from->message[0];
	const json_t *refs = json_object_get(m->content, "references");
	char id[64];
	json_t *o, *one;
	size_t i;

	set_id(id, "report", m->id, "report");
	o = object(b, "report", id, b->created);
	form_set(o, "name", form_title(b->from));
	copy_text(o, m->content, "text");
	if (json_object_get(o, "text") != NULL) {
		json_object_set(o, "description", json_object_get(o, "text"));
		json_object_del(o, "text");
	}
	form_set(o, "published", b->created);
	if (json_array_size(refs) > 0)
		json_object_set_new(
		    o, "external_references", json_deep_copy(refs));
	json_array_foreach(b->objects, i, one) if (is(one, "note"))
	    json_array_append_new(
		json_object_get(one, "object_refs"), json_string(id));
	/* A report refers to something, in the worst case to who wrote it. */
	if (json_array_size(b->refs) == 0)
		json_array_append_new(b->refs, json_string(b->identity));
	json_object_set(o, "object_refs", b->refs);
	json_array_append_new(b->objects, o);
}

static json_t *
write_stix(struct form_out *from)
{
	static const char *const said[] = { "subject", "text", "indicators",
		"references", NULL };
	const json_t *list =
	    json_object_get(from->message[0].content, "indicators");
	struct bundle b = {
		.from = from, .objects = json_array(), .refs = json_array()
	};
	char id[64];
	json_t *root;
	size_t i;

	time_print(b.created, from->message[0].time);
	set_id(id, "bundle", from->message[0].id, "bundle");
	write_marking(&b);
	write_identity(&b);
	for (i = 0; i < json_array_size(list); i++)
		write_indicator(&b, json_array_get(list, i));
	for (i = 1; i < from->n; i++)
		write_note(&b, &from->message[i]);
	form_lose_others(from, said);
	if (json_array_size(from->lost) > 0)
		write_original(&b);
	write_report(&b);
	root = json_pack("{s:s, s:s, s:o}", "type", "bundle", "id", id,
	    "objects", b.objects);
	json_decref(b.refs);
	return root;
}

const struct form form_stix = { .name = "stix",
	.title = "STIX 2.1",
	.media = "application/stix+json;version=2.1",
	.suffix = "json",
	.is = is_stix,
	.read = read_stix,
	.write = write_stix };
