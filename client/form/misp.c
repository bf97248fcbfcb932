/* SPDX-License-Identifier: ISC */
/* Events of MISP, as its API and its feeds write them. */
#include "client/form/form.h"
#include "client/form/observable.h"
#include "client/vocab.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ATTRIBUTES_MAX 20000

static const json_t *
event_of(const json_t *root)
{
	const json_t *response = json_object_get(root, "response");

	/* A search answers with a list; its first event is taken. */
	if (json_is_array(response))
		root = json_array_get(response, 0);
	return json_object_get(root, "Event");
}

static bool
is_misp(const json_t *root)
{
	return json_is_object(event_of(root));
}

/* ---- reading ---- */

/* The word of `name:part="word"`, if the tag is of that taxonomy. */
static bool
tag_word(const char *tag, const char *prefix, char out[96])
{
	size_t n = strlen(prefix);
	const char *from = tag + n;

	if (strncasecmp(tag, prefix, n) != 0)
		return false;
	from += *from == '"';
	snprintf(out, 96, "%.*s", (int)strcspn(from, "\""), from);
	return true;
}

/* rsit:malicious-code="c2-server", or without the type */
static bool
read_class(struct form_in *out, const char *tag)
{
	char class[40], type[56] = "", both[100];

	if (sscanf(tag, "rsit:%39[a-z0-9-]=\"%55[a-z0-9-]\"", class, type) < 1)
		return false;
	snprintf(both, sizeof(both), "%s%s%s", class,
	    type[0] != '\0' ? ":" : "", type);
	return form_class(out->content, both);
}

static void
read_tags(struct form_in *out, const json_t *of)
{
	const json_t *list = json_object_get(of, "Tag");
	char word[96];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *tag = form_text(json_array_get(list, i), "name");

		if (tag == NULL)
			continue;
		if (strncasecmp(tag, "tlp:", 4) == 0)
			form_tlp(out, tag);
		else if (tag_word(tag, "PAP:", word) &&
			 vocab_find(VOCAB_PAP, word) != NULL)
			form_set(
			    out->content, "pap", vocab_find(VOCAB_PAP, word));
		else if (!read_class(out, tag))
			form_add(out->content, "tags", json_string(tag));
	}
}

static enum tocsin_err
read_attribute(struct form_in *out, const json_t *a)
{
	const char *type = form_text(a, "type"), *value = form_text(a, "value");
	const char *data = form_text(a, "data");
	enum observable o;

	if (type == NULL || value == NULL)
		return TOCSIN_EMALFORMED;
	o = observable_of_misp(type);
	if (json_is_true(json_object_get(a, "deleted")))
		form_keep(out, "Attribute", "deleted");
	else if (strcmp(type, "attachment") == 0 && data != NULL)
		return form_add_file(out, value, NULL, data);
	else if (strcmp(type, "vulnerability") == 0)
		form_refer(out->content, "cve", value, NULL);
	else if (strcmp(type, "link") == 0)
		form_refer(out->content, "misp", NULL, value);
	else if (strcmp(type, "comment") == 0 || strcmp(type, "text") == 0)
		form_words(out, value);
	else if (!form_indicate(out->content,
		     o == OBS_IPV4 ? observable_of_address(value) : o, value,
		     form_text(a, "comment")))
		form_keep(out, "Attribute", type);
	read_tags(out, a);
	return TOCSIN_OK;
}

static enum tocsin_err
read_attributes(struct form_in *out, const json_t *of)
{
	const json_t *list = json_object_get(of, "Attribute");
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	if (json_array_size(list) > ATTRIBUTES_MAX)
		return TOCSIN_EMALFORMED;
	for (i = 0; err == TOCSIN_OK && i < json_array_size(list); i++)
		err = read_attribute(out, json_array_get(list, i));
	return err;
}

/* The grouping is lost and said so; what is in the groups is read. */
static enum tocsin_err
read_objects(struct form_in *out, const json_t *event)
{
	const json_t *list = json_object_get(event, "Object");
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		const char *name = form_text(o, "name");

		form_keep(out, "Object", name != NULL ? name : "?");
		err = read_attributes(out, o);
	}
	return err;
}

static void
read_reports(struct form_in *out, const json_t *event)
{
	const json_t *list = json_object_get(event, "EventReport");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		form_words(out, form_text(json_array_get(list, i), "content"));
}

/* Lists that are usually there and usually empty. */
static void
keep_rest(struct form_in *out, const json_t *event)
{
	static const char *const lists[] = { "Galaxy", "ShadowAttribute",
		"RelatedEvent", "CryptographicKey" };
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (json_array_size(json_object_get(event, lists[i])) > 0)
			form_keep(out, "Event", lists[i]);
}

static enum tocsin_err
read_misp(struct form_in *out, const json_t *root)
{
	static const char *const about[] = { "uuid", "date", "threat_level_id",
		"analysis" };
	const json_t *event = event_of(root);
	const json_t *orgc = json_object_get(event, "Orgc");
	json_t *misp = json_object();
	enum tocsin_err err;
	char time[21];
	size_t i;

	for (i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		form_set(misp, about[i], form_text(event, about[i]));
	form_set(misp, "org", form_text(orgc, "name"));
	json_object_set_new(out->content, "misp", misp);
	form_set(out->content, "subject", form_text(event, "info"));
	if (form_time(time, form_text(event, "publish_timestamp")) &&
	    strcmp(time, "1970-01-01T00:00:00Z") != 0)
		form_set(out->content, "reported", time);
	read_tags(out, event);
	read_reports(out, event);
	keep_rest(out, event);
	err = read_attributes(out, event);
	return err == TOCSIN_OK ? read_objects(out, event) : err;
}

/* ---- writing ---- */

static void
write_tag(json_t *tags, const char *before, const char *word, const char *after)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s%s", before, word, after);
	json_array_append_new(tags, json_pack("{s:s}", "name", name));
}

static json_t *
write_tags(struct form_out *from)
{
	const json_t *o = from->message[0].content;
	const json_t *class = json_object_get(o, "classification");
	json_t *tags = json_array(), *one;
	char label[16], head[80];
	size_t i;

	for (i = 0; from->tlp[i] != '\0' && i < sizeof(label) - 1; i++)
		label[i] = (char)(from->tlp[i] >= 'A' && from->tlp[i] <= 'Z'
				      ? from->tlp[i] - 'A' + 'a'
				      : from->tlp[i]);
	label[i] = '\0';
	write_tag(tags, "tlp:", label, "");
	if (form_text(o, "pap") != NULL)
		write_tag(tags, "PAP:", form_text(o, "pap"), "");
	if (form_text(class, "type") != NULL) {
		snprintf(head, sizeof(head), "rsit:%s=\"",
		    form_text(class, "class"));
		write_tag(tags, head, form_text(class, "type"), "\"");
	} else if (class != NULL) {
		write_tag(tags, "rsit:", form_text(class, "class"), "");
	}
	json_array_foreach(json_object_get(o, "tags"), i, one) write_tag(
	    tags, json_string_value(one) ? json_string_value(one) : "", "", "");
	return tags;
}

struct event {
	struct form_out *from;
	json_t *attributes;
	char time[24]; /* seconds */
};

static void
write_attribute(struct event *e, const char *type, const char *category,
    const char *value, const char *comment, bool detect)
{
	char uuid[37], what[64];
	json_t *a;

	snprintf(what, sizeof(what), "attribute %zu",
	    json_array_size(e->attributes));
	form_uuid(uuid, e->from->message[0].id, what);
	a = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "uuid", uuid, "type",
	    type, "category", category, "value", value, "to_ids", detect,
	    "timestamp", e->time);
	form_set(a, "comment", comment);
	json_array_append_new(e->attributes, a);
}

static void
write_indicators(struct event *e)
{
	const json_t *list =
	    json_object_get(e->from->message[0].content, "indicators");
	char value[OBSERVABLE_MAX];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *pattern = form_text(one, "pattern");
		enum observable o = pattern != NULL
					? observable_parse(pattern, value)
					: OBS_NONE;

		if (o != OBS_NONE)
			write_attribute(e, observable_names(o)->misp,
			    observable_names(o)->misp_category, value,
			    form_text(one, "name"), true);
		else if (pattern != NULL)
			write_attribute(e, "stix2-pattern", "Other", pattern,
			    form_text(one, "name"), false);
	}
}

static void
write_references(struct event *e)
{
	const json_t *list =
	    json_object_get(e->from->message[0].content, "references");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *id = form_text(one, "external_id");
		const char *url = form_text(one, "url");

		if (id != NULL && strncmp(id, "CVE-", 4) == 0)
			write_attribute(e, "vulnerability", "External analysis",
			    id, NULL, false);
		else if (url != NULL)
			write_attribute(
			    e, "link", "External analysis", url, id, false);
		else if (id != NULL)
			write_attribute(e, "text", "External analysis", id,
			    form_text(one, "source_name"), false);
	}
}

/* What MISP has no place for goes along as the ticket itself. */
static void
write_original(struct event *e)
{
	char *data = form_original(e->from);
	json_t *a;

	if (data == NULL)
		return;
	write_attribute(e, "attachment", "External analysis", "ticket.json",
	    "the ticket as it was written", false);
	a = json_array_get(e->attributes, json_array_size(e->attributes) - 1);
	form_set(a, "data", data);
	free(data);
}

static json_t *
write_report(struct form_out *from, const char *time)
{
	struct buf story = { 0 };
	json_t *list = json_array();
	char uuid[37];

	form_uuid(uuid, from->message[0].id, "report");
	if (form_story(&story, from) == TOCSIN_OK && story.n > 0)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s%, s:s}", "uuid", uuid, "name",
			form_title(from), "content", (const char *)story.p,
			story.n, "timestamp", time));
	buf_release(&story);
	return list;
}

static json_t *
write_misp(struct form_out *from)
{
	static const char *const said[] = { "subject", "text", "indicators",
		"references", "classification", "pap", "tags", NULL };
	const struct form_message *m = &from->message[0];
	struct event e = { .from = from, .attributes = json_array() };
	char uuid[37], org[128], org_uuid[37], date[TIME_TEXT + 1];

	time_print(date, m->time);
	snprintf(e.time, sizeof(e.time), "%lld", (long long)m->time);
	snprintf(org, sizeof(org), "%.*s", (int)strcspn(m->from, "/"), m->from);
	form_uuid(uuid, m->id, "event");
	form_uuid(org_uuid, "tocsin", org);
	write_indicators(&e);
	write_references(&e);
	form_lose_others(from, said);
	if (json_array_size(from->lost) > 0)
		write_original(&e);
	date[10] = '\0';
	/* Distribution 0: whoever takes it in decides whom to show it to. */
	return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:{s:s, "
			 "s:s}, s:o, s:o, s:o}}",
	    "Event", "uuid", uuid, "info", form_title(from), "date", date,
	    "timestamp", e.time, "threat_level_id", "4", "analysis", "0",
	    "distribution", "0", "published", false, "Orgc", "name", org,
	    "uuid", org_uuid, "Tag", write_tags(from), "Attribute",
	    e.attributes, "EventReport", write_report(from, e.time));
}

const struct form form_misp = { .name = "misp",
	.title = "MISP event",
	.media = "application/json",
	.suffix = "json",
	.is = is_misp,
	.read = read_misp,
	.write = write_misp };
