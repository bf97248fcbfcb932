/* SPDX-License-Identifier: ISC */
/* Abuse reports in XARF 4: one source, what it does, and the evidence. */
#include "client/form/form.h"
#include "client/form/observable.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first row of a class is the one that is written for it. */
static const struct {
	const char *category, *type, *class;
} classes[] = {
	{ "connection", "ddos", "availability:ddos" },
	{ "connection", "ddos", "availability:dos" },
	{ "connection", "login_attack", "intrusion-attempts:brute-force" },
	{ "connection", "port_scan", "information-gathering:scanner" },
	{ "connection", "scraping", "information-gathering" },
	{ "connection", "sql_injection", "intrusion-attempts:exploit" },
	{ "connection", "vulnerability_scan", "information-gathering:scanner" },
	{ "connection", "reconnaissance", "information-gathering" },
	{ "messaging", "spam", "abusive-content:spam" },
	{ "messaging", "bulk_messaging", "abusive-content:spam" },
	{ "content", "phishing", "fraud:phishing" },
	{ "content", "malware", "malicious-code:malware-distribution" },
	{ "content", "fraud", "fraud" },
	{ "content", "brand_infringement", "fraud:masquerade" },
	{ "content", "suspicious_registration", "fraud:masquerade" },
	{ "content", "remote_compromise", "intrusions:application-compromise" },
	{ "content", "exposed_data", "information-content-security:data-leak" },
	{ "content", "csam", "abusive-content:violence" },
	{ "content", "csem", "abusive-content:violence" },
	{ "infrastructure", "botnet", "malicious-code:c2-server" },
	{ "connection", "infected_host", "malicious-code:infected-system" },
	{ "infrastructure", "compromised_server",
	    "intrusions:system-compromise" },
	{ "copyright", "copyright", "fraud:copyright" },
	{ "copyright", "cyberlocker", "fraud:copyright" },
	{ "copyright", "link_site", "fraud:copyright" },
	{ "copyright", "p2p", "fraud:copyright" },
	{ "copyright", "ugc_platform", "fraud:copyright" },
	{ "copyright", "usenet", "fraud:copyright" },
	{ "vulnerability", "cve", "vulnerable:vulnerable-system" },
	{ "vulnerability", "open_service",
	    "vulnerable:potentially-unwanted-accessible" },
	{ "vulnerability", "misconfiguration", "vulnerable" },
};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static bool
is_xarf(const json_t *root)
{
	const char *version = form_text(root, "xarf_version");

	return version != NULL && strncmp(version, "4.", 2) == 0;
}

/* ---- reading ---- */

static void
read_class(struct form_in *out, const char *category, const char *type)
{
	size_t i;

	for (i = 0; i < CLASSES; i++)
		if (strcmp(classes[i].category, category) == 0 &&
		    strcmp(classes[i].type, type) == 0) {
			form_class(out->content, classes[i].class);
			return;
		}
	form_keep(out, category, type);
}

static void
read_subject(struct form_in *out, const json_t *root)
{
	const char *source = form_text(root, "source_identifier");
	char line[256];

	snprintf(line, sizeof(line), "%.60s %.60s%s%.120s",
	    form_text(root, "category"), form_text(root, "type"),
	    source != NULL ? " from " : "", source != NULL ? source : "");
	form_set(out->content, "subject", line);
}

static void
read_source(struct form_in *out, const char *value)
{
	enum observable o;

	if (value == NULL)
		return;
	o = observable_of_address(value);
	if (o == OBS_NONE)
		o = strstr(value, "://") != NULL ? OBS_URL
		    : strchr(value, '@') != NULL ? OBS_EMAIL
						 : OBS_DOMAIN;
	(void)form_indicate(out->content, o, value, "source");
}

static enum tocsin_err
read_evidence(struct form_in *out, const json_t *root)
{
	const json_t *list = json_object_get(root, "evidence");
	enum tocsin_err err = TOCSIN_OK;
	char name[32];
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		const char *payload = form_text(e, "payload");

		if (payload == NULL)
			continue;
		snprintf(name, sizeof(name), "evidence-%zu", i + 1);
		err = form_add_file(
		    out, name, form_text(e, "content_type"), payload);
	}
	return err;
}

/* All the rest is figures of that attack: shown as they are. */
static void
read_rest(struct form_in *out, const json_t *root)
{
	static const char *const read[] = { "source_identifier", "evidence",
		"description", NULL };
	json_t *rest = json_copy((json_t *)(uintptr_t)root);
	size_t i;

	for (i = 0; read[i] != NULL; i++)
		json_object_del(rest, read[i]);
	json_object_set_new(out->content, "xarf", rest);
}

static enum tocsin_err
read_xarf(struct form_in *out, const json_t *root)
{
	const char *category = form_text(root, "category");
	const char *type = form_text(root, "type");
	char time[21];

	if (category == NULL || type == NULL)
		return TOCSIN_EMALFORMED;
	read_class(out, category, type);
	read_subject(out, root);
	form_words(out, form_text(root, "description"));
	if (form_time(time, form_text(root, "timestamp")))
		form_set(out->content, "detected", time);
	if (form_time(time, form_text(root, "first_seen")))
		form_set(out->content, "occurred", time);
	read_source(out, form_text(root, "source_identifier"));
	read_rest(out, root);
	return read_evidence(out, root);
}

/* ---- writing ---- */

/* Who does it: what came in as a source, else the first address or name. */
static bool
source_of(const json_t *content, char value[OBSERVABLE_MAX])
{
	const json_t *list = json_object_get(content, "indicators");
	char one[OBSERVABLE_MAX];
	bool found = false;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		const char *pattern = form_text(o, "pattern");
		const char *name = form_text(o, "name");
		enum observable kind =
		    pattern != NULL ? observable_parse(pattern, one) : OBS_NONE;
		bool said = name != NULL && strcmp(name, "source") == 0;

		if (kind > OBS_EMAIL || (found && !said))
			continue;
		strcpy(value, one);
		found = true;
		if (said)
			break;
	}
	return found;
}

static json_t *
contact_of(const char *device)
{
	char member[128];

	snprintf(
	    member, sizeof(member), "%.*s", (int)strcspn(device, "/"), device);
	return json_pack("{s:s, s:s, s:s}", "org", member, "contact", member,
	    "domain",
	    strchr(member, '@') != NULL ? strchr(member, '@') + 1 : member);
}

static json_t *
write_xarf(struct form_out *from)
{
	static const char *const said[] = { "subject", "text", "classification",
		"xarf", NULL };
	const struct form_message *m = &from->message[0];
	char class[100], source[OBSERVABLE_MAX], uuid[37], time[TIME_TEXT + 1];
	struct buf story = { 0 };
	json_t *root, *kept = json_object_get(m->content, "xarf");
	char *data;
	size_t i;

	form_class_of(class, m->content);
	for (i = 0; i < CLASSES && strcmp(classes[i].class, class) != 0; i++)
		;
	if (i == CLASSES || !source_of(m->content, source)) {
		from->why = i == CLASSES
				? "XARF reports abuse of a few kinds, and the "
				  "ticket's class is none of them"
				: "XARF reports one source, and the ticket "
				  "names no address, domain or URL";
		return NULL;
	}
	form_uuid(uuid, m->id, "xarf");
	time_print(time, m->time);
	root = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}",
	    "xarf_version", "4.2.0", "report_id", uuid, "timestamp", time,
	    "reporter", contact_of(m->from), "sender", contact_of(m->from),
	    "source_identifier", source, "category", classes[i].category,
	    "type", classes[i].type);
	/* What came in as XARF goes out with its figures. */
	if (json_is_object(kept))
		json_object_update_missing(root, kept);
	if (form_story(&story, from) == TOCSIN_OK && story.n > 0)
		json_object_set_new(root, "description",
		    json_stringn((const char *)story.p, story.n));
	buf_release(&story);
	form_lose_others(from, said);
	data = form_original(from);
	if (data != NULL && json_array_size(from->lost) > 0)
		json_object_set_new(root, "evidence",
		    json_pack("[{s:s, s:s, s:s}]", "content_type",
			"application/json", "description",
			"the ticket as it was written", "payload", data));
	free(data);
	return root;
}

const struct form form_xarf = { .name = "xarf",
	.title = "XARF 4",
	.media = "application/json",
	.suffix = "json",
	.is = is_xarf,
	.read = read_xarf,
	.write = write_xarf };
