/* SPDX-License-Identifier: ISC */
/*
 * IODEF version 2 as JSON (RFC 8727). The XML of RFC 7970 is brought into this
 * form first, and written from it, in iodef_xml.c.
 *
 * An element that may come several times is an array in RFC 8727, but not in
 * what everybody writes; each() takes one for a list of one.
 */
#include "client/form/iodef.h"
#include "client/form/observable.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH_MAX 2000 /* of one element */
#define DEPTH_MAX 8   /* of events within events */

/* ---- reading ---- */

static size_t
how_many(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	size_t n = json_is_array(v) ? json_array_size(v) : v != NULL;

	return n < EACH_MAX ? n : EACH_MAX;
}

static const json_t *
each(const json_t *o, const char *name, size_t i)
{
	const json_t *v = json_object_get(o, name);

	return json_is_array(v) ? json_array_get(v, i) : v;
}

/* A text, or an object that has it as its value. */
static const char *
words_of(const json_t *v)
{
	return json_is_string(v) ? json_string_value(v) : form_text(v, "value");
}

static const char *
first_words(const json_t *o, const char *name)
{
	return words_of(each(o, name, 0));
}

/* RFC 7970 3.3.1; what is not said is private. */
static void
read_restriction(struct form_in *out, const json_t *incident)
{
	static const char *const words[][2] = { { "public", "CLEAR" },
		{ "white", "CLEAR" }, { "partner", "GREEN" },
		{ "green", "GREEN" }, { "need-to-know", "AMBER" },
		{ "amber", "AMBER" }, { "private", "RED" }, { "red", "RED" },
		{ "default", "RED" } };
	const char *said = form_text(incident, "restriction");
	const char *ext = form_text(incident, "ext-restriction");
	size_t i;

	if (ext != NULL)
		form_tlp(out, ext);
	for (i = 0; said != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], said) == 0)
			form_tlp(out, words[i][1]);
	if (out->tlp[0] == '\0')
		form_tlp(out, "RED");
}

static void
read_times(struct form_in *out, const json_t *incident)
{
	static const char *const times[][2] = { { "DetectTime", "detected" },
		{ "StartTime", "occurred" }, { "EndTime", "ended" },
		{ "ReportTime", "reported" },
		{ "GenerationTime", "reported" } };
	char time[21];
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (json_object_get(out->content, times[i][1]) == NULL &&
		    form_time(time, form_text(incident, times[i][0])))
			form_set(out->content, times[i][1], time);
}

/* Lines that a writer broke to fit a page are one. */
static void
unfold(struct buf *out, const char *s)
{
	bool space = false;

	for (; *s != '\0'; s++) {
		if (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r') {
			space = out->n > 0;
			continue;
		}
		if (space)
			buf_u8(out, ' ');
		space = false;
		buf_u8(out, (uint8_t)*s);
	}
	buf_u8(out, '\0');
}

/* IODEF has no title: it is the first description, or the number. */
static void
read_words(struct form_in *out, const json_t *incident)
{
	const json_t *id = json_object_get(incident, "IncidentID");
	const char *first = first_words(incident, "Description");
	struct buf title = { 0 };
	size_t i, n = how_many(incident, "Description");
	char number[160];

	snprintf(number, sizeof(number), "%.60s %.90s",
	    form_text(id, "name") != NULL ? form_text(id, "name") : "incident",
	    form_text(id, "id") != NULL ? form_text(id, "id") : "");
	unfold(&title, first != NULL ? first : number);
	if (buf_ok(&title))
		form_set(out->content, "subject", (const char *)title.p);
	buf_release(&title);
	/* The first of several is the title that tocsin wrote. */
	for (i = n > 1; i < n; i++)
		form_words(out, words_of(each(incident, "Description", i)));
}

static bool
indicate(
    struct form_in *out, const char *type, const char *value, const char *name)
{
	enum observable o = observable_of_address(value);

	if (o == OBS_NONE && type != NULL)
		o = observable_of_iodef(type);
	return form_indicate(out->content, o, value, name);
}

/* One value on each line. */
static void
read_bulk(struct form_in *out, const json_t *bulk, const char *name)
{
	const char *type = form_text(bulk, "type");
	const char *s = first_words(bulk, "BulkObservableList");
	char value[OBSERVABLE_MAX];
	size_t n;

	for (; s != NULL && *s != '\0'; s += n + (s[n] != '\0')) {
		n = strcspn(s, "\r\n");
		snprintf(value, sizeof(value), "%.*s",
		    (int)(n < sizeof(value) ? n : sizeof(value) - 1), s);
		for (char *at = value; *at != '\0'; at++)
			if (strspn(at, " \t") == strlen(at))
				*at = '\0';
		if (value[strspn(value, " \t")] != '\0' &&
		    !indicate(out, type, value + strspn(value, " \t"), name))
			form_keep(
			    out, "BulkObservable", type != NULL ? type : "?");
	}
}

static void
read_node(struct form_in *out, const json_t *node, const char *name)
{
	const char *value;
	size_t i;

	for (i = 0; i < how_many(node, "Address"); i++) {
		const json_t *a = each(node, "Address", i);

		value = words_of(a);
		if (value == NULL)
			value = form_text(a, "address");
		if (value != NULL &&
		    !indicate(out, form_text(a, "category"), value, name))
			form_keep(out, "Address", value);
	}
	for (i = 0; i < how_many(node, "DomainData"); i++) {
		value = first_words(each(node, "DomainData", i), "Name");
		if (value != NULL)
			(void)form_indicate(
			    out->content, OBS_DOMAIN, value, name);
	}
}

static void
read_system(struct form_in *out, const json_t *system, const char *name)
{
	const char *is = form_text(system, "category");

	if (is != NULL && strcmp(is, "source") == 0)
		name = "source";
	else if (is != NULL && strcmp(is, "target") == 0)
		name = "target";
	read_node(out, json_object_get(system, "Node"), name);
}

static void
read_observable(struct form_in *out, const json_t *o, const char *name)
{
	size_t i;

	for (i = 0; i < how_many(o, "BulkObservable"); i++)
		read_bulk(out, each(o, "BulkObservable", i), name);
	for (i = 0; i < how_many(o, "System"); i++)
		read_system(out, each(o, "System", i), name);
	read_node(out, o, name);
}

static void
read_indicators(struct form_in *out, const json_t *incident)
{
	size_t i, k;

	for (i = 0; i < how_many(incident, "Indicator"); i++) {
		const json_t *one = each(incident, "Indicator", i);
		const char *name = first_words(one, "Description");

		for (k = 0; k < how_many(one, "Observable"); k++)
			read_observable(out, each(one, "Observable", k), name);
	}
}

static void
read_events(struct form_in *out, const json_t *of, unsigned depth)
{
	size_t i, k;

	for (i = 0; depth < DEPTH_MAX && i < how_many(of, "EventData"); i++) {
		const json_t *e = each(of, "EventData", i);

		for (k = 0; k < how_many(e, "System"); k++)
			read_system(out, each(e, "System", k), NULL);
		read_events(out, e, depth + 1);
	}
}

static void
read_related(struct form_in *out, const json_t *incident)
{
	size_t i, k;

	for (i = 0; i < how_many(incident, "RelatedActivity"); i++) {
		const json_t *r = each(incident, "RelatedActivity", i);

		for (k = 0; k < how_many(r, "URL"); k++)
			form_refer(out->content, "iodef", NULL,
			    words_of(each(r, "URL", k)));
		for (k = 0; k < how_many(r, "IncidentID"); k++)
			form_refer(out->content,
			    form_text(each(r, "IncidentID", k), "name"),
			    form_text(each(r, "IncidentID", k), "id"), NULL);
	}
}

/* The ticket that tocsin put there, or anybody's file. */
static enum tocsin_err
read_additional(struct form_in *out, const json_t *incident)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0;
	     err == TOCSIN_OK && i < how_many(incident, "AdditionalData");
	     i++) {
		const json_t *a = each(incident, "AdditionalData", i);
		const char *dtype = form_text(a, "dtype");

		if (dtype != NULL && strcmp(dtype, "file") == 0 &&
		    words_of(a) != NULL)
			err = form_add_file(
			    out, form_text(a, "name"), NULL, words_of(a));
		else
			form_keep(out, "Incident", "AdditionalData");
	}
	return err;
}

enum tocsin_err
iodef_read(struct form_in *out, const json_t *root)
{
	static const char *const read[] = { "Description", "Indicator",
		"AdditionalData", "DetectTime", "StartTime", "EndTime",
		"ReportTime" };
	const json_t *incident = each(root, "Incident", 0);
	json_t *rest;
	size_t i;

	if (!json_is_object(incident) ||
	    json_object_get(incident, "IncidentID") == NULL)
		return TOCSIN_EMALFORMED;
	if (how_many(root, "Incident") > 1)
		form_keep(out, "IODEF-Document", "further incidents");
	read_restriction(out, incident);
	read_times(out, incident);
	read_words(out, incident);
	read_indicators(out, incident);
	read_events(out, incident, 0);
	read_related(out, incident);
	rest = json_copy((json_t *)(uintptr_t)incident);
	for (i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		json_object_del(rest, read[i]);
	json_object_set_new(out->content, "iodef", rest);
	return read_additional(out, incident);
}

static bool
is_iodef(const json_t *root)
{
	const json_t *incident = each(root, "Incident", 0);

	return form_text(root, "version") != NULL &&
	       json_object_get(incident, "IncidentID") != NULL;
}

/* ---- writing ---- */

static void
write_restriction(json_t *incident, const char *tlp)
{
	static const char *const words[][2] = { { "CLEAR", "white" },
		{ "GREEN", "green" }, { "AMBER", "amber" }, { "RED", "red" } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], tlp) == 0) {
			form_set(incident, "restriction", words[i][1]);
			return;
		}
	form_set(incident, "restriction", "ext-value");
	form_set(incident, "ext-restriction", tlp);
}

static json_t *
write_indicator(const struct form_message *m, size_t i, const char *name,
    const char *type, const char *value)
{
	char member[128], number[24];
	json_t *o;

	snprintf(member, sizeof(member), "%.*s", (int)strcspn(m->from, "/"),
	    m->from);
	snprintf(number, sizeof(number), "%zu", i + 1);
	o = json_pack("{s:{s:s, s:s, s:s}}", "IndicatorID", "name", member,
	    "version", "1", "id", number);
	if (name != NULL)
		json_object_set_new(o, "Description", json_pack("[s]", name));
	json_object_set_new(o, "Observable",
	    json_pack("{s:{s:s, s:s}}", "BulkObservable", "type", type,
		"BulkObservableList", value));
	return o;
}

/* A network is a type of its own there. */
static const char *
type_of(enum observable o, const char *value)
{
	if (strchr(value, '/') == NULL || (o != OBS_IPV4 && o != OBS_IPV6))
		return observable_names(o)->iodef;
	return o == OBS_IPV4 ? "ipv4-net" : "ipv6-net";
}

static void
write_indicators(json_t *incident, struct form_out *from)
{
	const struct form_message *m = &from->message[0];
	const json_t *list = json_object_get(m->content, "indicators");
	char value[OBSERVABLE_MAX];
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *pattern = form_text(one, "pattern");
		enum observable o = pattern != NULL
					? observable_parse(pattern, value)
					: OBS_NONE;

		if (o == OBS_NONE || type_of(o, value) == NULL)
			form_lose(from, "an indicator");
		else
			json_array_append_new(
			    all, write_indicator(m, i, form_text(one, "name"),
				     type_of(o, value), value));
	}
	if (json_array_size(all) > 0)
		json_object_set(incident, "Indicator", all);
	json_decref(all);
}

static void
write_words(json_t *incident, struct form_out *from)
{
	struct buf story = { 0 };
	json_t *list = json_array();

	json_array_append_new(list, json_string(form_title(from)));
	if (form_story(&story, from) == TOCSIN_OK)
		json_array_append_new(
		    list, json_stringn((const char *)story.p, story.n));
	json_object_set_new(incident, "Description", list);
	buf_release(&story);
}

static void
write_times(json_t *incident, const struct form_message *m)
{
	char time[TIME_TEXT + 1];

	time_print(time, m->time);
	form_set(incident, "DetectTime", form_text(m->content, "detected"));
	form_set(incident, "StartTime", form_text(m->content, "occurred"));
	form_set(incident, "EndTime", form_text(m->content, "ended"));
	form_set(incident, "GenerationTime", time);
}

static void
write_original(json_t *incident, const struct form_out *from)
{
	char *data = form_original(from);

	if (data != NULL)
		json_object_set_new(incident, "AdditionalData",
		    json_pack("[{s:s, s:s, s:s}]", "name", "ticket.json",
			"dtype", "file", "value", data));
	free(data);
}

/* In the order of the schema of RFC 7970, which the XML must keep. */
json_t *
iodef_write(struct form_out *from)
{
	static const char *const said[] = { "subject", "text", "indicators",
		"detected", "occurred", "ended", "iodef", NULL };
	const struct form_message *m = &from->message[0];
	json_t *incident = json_object();
	char uuid[37], member[128];

	form_uuid(uuid, m->id, "iodef");
	snprintf(member, sizeof(member), "%.*s", (int)strcspn(m->from, "/"),
	    m->from);
	form_set(incident, "purpose", "reporting");
	write_restriction(incident, from->tlp);
	json_object_set_new(incident, "IncidentID",
	    json_pack("{s:s, s:s}", "name", member, "id", uuid));
	write_times(incident, m);
	write_words(incident, from);
	json_object_set_new(incident, "Contact",
	    json_pack("[{s:s, s:s, s:[s]}]", "role", "creator", "type",
		"organization", "ContactName", member));
	write_indicators(incident, from);
	form_lose_others(from, said);
	if (json_array_size(from->lost) > 0)
		write_original(incident, from);
	return json_pack("{s:s, s:s, s:[o]}", "version", "2.0", "lang", "en",
	    "Incident", incident);
}

const struct form form_iodef_json = { .name = "iodef-json",
	.title = "IODEF 2 as JSON",
	.media = "application/json",
	.suffix = "json",
	.is = is_iodef,
	.read = iodef_read,
	.write = iodef_write };
