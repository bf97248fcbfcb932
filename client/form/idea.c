/* SPDX-License-Identifier: ISC */
/* IDEA0, the events of Warden: who did what to whom, in lists of addresses. */
#include "client/form/form.h"
#include "client/form/observable.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDES_MAX 200 /* sources or targets that are read */

/* The first row of a class is the one that is written for it. */
static const struct {
	const char *category, *class;
} classes[] = {
	{ "Abusive.Spam", "abusive-content:spam" },
	{ "Abusive.Harassment", "abusive-content:harmful-speech" },
	{ "Abusive.Violence", "abusive-content:violence" },
	{ "Abusive.Child", "abusive-content:violence" },
	{ "Abusive.Sexual", "abusive-content:violence" },
	{ "Abusive", "abusive-content" },
	{ "Malware", "malicious-code" },
	{ "Malware.Virus", "malicious-code" },
	{ "Malware.Worm", "malicious-code" },
	{ "Malware.Trojan", "malicious-code" },
	{ "Malware.Spyware", "malicious-code" },
	{ "Malware.Dialer", "malicious-code" },
	{ "Malware.Rootkit", "malicious-code" },
	{ "Intrusion.Botnet", "malicious-code:infected-system" },
	{ "Recon.Scanning", "information-gathering:scanner" },
	{ "Recon.Sniffing", "information-gathering:sniffing" },
	{ "Recon.SocialEngineering",
	    "information-gathering:social-engineering" },
	{ "Recon.Searching", "information-gathering" },
	{ "Recon", "information-gathering" },
	{ "Attempt.Exploit", "intrusion-attempts:ids-alert" },
	{ "Attempt.Login", "intrusion-attempts:brute-force" },
	{ "Attempt.NewSignature", "intrusion-attempts:exploit" },
	{ "Attempt", "intrusion-attempts" },
	{ "Intrusion.AdminCompromise",
	    "intrusions:privileged-account-compromise" },
	{ "Intrusion.UserCompromise",
	    "intrusions:unprivileged-account-compromise" },
	{ "Intrusion.AppCompromise", "intrusions:application-compromise" },
	{ "Intrusion", "intrusions" },
	{ "Availability.DoS", "availability:dos" },
	{ "Availability.DDoS", "availability:ddos" },
	{ "Availability.Sabotage", "availability:sabotage" },
	{ "Availability.Outage", "availability:outage" },
	{ "Availability", "availability" },
	{ "Information.UnauthorizedAccess",
	    "information-content-security:unauthorised-information-access" },
	{ "Information.UnauthorizedModification",
	    "information-content-security:"
	    "unauthorised-information-modification" },
	{ "Information", "information-content-security" },
	{ "Fraud.UnauthorizedUsage", "fraud:unauthorised-use-of-resources" },
	{ "Fraud.Copyright", "fraud:copyright" },
	{ "Fraud.Masquerade", "fraud:masquerade" },
	{ "Fraud.Phishing", "fraud:phishing" },
	{ "Fraud.Scam", "fraud" },
	{ "Fraud", "fraud" },
	{ "Vulnerable.Open", "vulnerable:potentially-unwanted-accessible" },
	{ "Vulnerable.Config", "vulnerable" },
	{ "Vulnerable", "vulnerable:vulnerable-system" },
	{ "Other", "other:other" },
	{ "Test", "test:test" },
};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

/* The lists of a source or target, and what their values are. */
static const struct {
	const char *list;
	enum observable o;
} lists[] = {
	{ "IP4", OBS_IPV4 },
	{ "IP6", OBS_IPV6 },
	{ "Hostname", OBS_DOMAIN },
	{ "URL", OBS_URL },
	{ "Email", OBS_EMAIL },
	{ "MAC", OBS_MAC },
};

#define LISTS (sizeof(lists) / sizeof(lists[0]))

static bool
is_idea(const json_t *root)
{
	const char *format = form_text(root, "Format");

	return format != NULL && strcmp(format, "IDEA0") == 0;
}

/* ---- reading ---- */

static void
read_categories(struct form_in *out, const json_t *root)
{
	const json_t *list = json_object_get(root, "Category");
	bool found = false;
	size_t i, k;

	for (i = 0; i < json_array_size(list); i++) {
		const char *c = json_string_value(json_array_get(list, i));

		for (k = 0; c != NULL && k < CLASSES &&
			    strcmp(classes[k].category, c) != 0;
		     k++)
			;
		if (c == NULL)
			continue;
		if (k < CLASSES && !found)
			found = form_class(out->content, classes[k].class);
		else
			form_keep(out, "Category", c);
	}
}

/* "Source" and "Target"; what they have besides is shown as it is. */
static void
read_side(struct form_in *out, const json_t *side, const char *name)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)side);
	size_t i, k;

	for (k = 0; k < LISTS; k++) {
		const json_t *list = json_object_get(side, lists[k].list);

		for (i = 0; i < json_array_size(list); i++) {
			const char *v =
			    json_string_value(json_array_get(list, i));

			if (v == NULL ||
			    !form_indicate(out->content, lists[k].o, v, name))
				form_keep(out, name, lists[k].list);
		}
		json_object_del(rest, lists[k].list);
	}
	if (json_object_size(rest) > 0)
		form_add(out->content, name, json_incref(rest));
	json_decref(rest);
}

static void
read_sides(
    struct form_in *out, const json_t *root, const char *list, const char *name)
{
	const json_t *sides = json_object_get(root, list);
	size_t i;

	for (i = 0; i < json_array_size(sides) && i < SIDES_MAX; i++)
		read_side(out, json_array_get(sides, i), name);
	if (i < json_array_size(sides))
		form_keep(out, list, "more");
}

static enum tocsin_err
read_attached(struct form_in *out, const json_t *root)
{
	const json_t *list = json_object_get(root, "Attach");
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i);
		const char *content = form_text(a, "Content");
		const char *encoding = form_text(a, "ContentEncoding");
		const json_t *names = json_object_get(a, "FileName");

		if (content != NULL && encoding != NULL &&
		    strcmp(encoding, "base64") == 0)
			err = form_add_file(out,
			    json_string_value(json_array_get(names, 0)),
			    form_text(a, "ContentType"), content);
		else
			form_add(out->content, "attach",
			    json_incref((json_t *)(uintptr_t)a));
	}
	return err;
}

static void
read_times(struct form_in *out, const json_t *root)
{
	static const char *const times[][2] = { { "DetectTime", "detected" },
		{ "EventTime", "occurred" }, { "CeaseTime", "ended" } };
	char time[21];
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (form_time(time, form_text(root, times[i][0])))
			form_set(out->content, times[i][1], time);
}

static void
read_refs(struct form_in *out, const json_t *root)
{
	const json_t *list = json_object_get(root, "Ref");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *ref = json_string_value(json_array_get(list, i));

		if (ref == NULL)
			continue;
		if (strncmp(ref, "cve:", 4) == 0)
			form_refer(out->content, "cve", ref + 4, NULL);
		else if (strstr(ref, "://") != NULL)
			form_refer(out->content, "idea", NULL, ref);
		else
			form_refer(out->content, "idea", ref, NULL);
	}
}

static void
read_words(struct form_in *out, const json_t *root)
{
	const char *says = form_text(root, "Description");
	const char *first = json_string_value(
	    json_array_get(json_object_get(root, "Category"), 0));

	form_set(out->content, "subject", says != NULL ? says : first);
	form_words(out, form_text(root, "Note"));
}

static enum tocsin_err
read_idea(struct form_in *out, const json_t *root)
{
	static const char *const known[] = { "Format", "Category", "Source",
		"Target", "Attach", "DetectTime", "EventTime", "CeaseTime",
		"Ref", "Description", "Note", NULL };
	json_t *rest;
	size_t i;

	if (!json_is_array(json_object_get(root, "Category")))
		return TOCSIN_EMALFORMED;
	read_categories(out, root);
	read_words(out, root);
	read_times(out, root);
	read_refs(out, root);
	read_sides(out, root, "Source", "source");
	read_sides(out, root, "Target", "target");
	rest = json_copy((json_t *)(uintptr_t)root);
	for (i = 0; known[i] != NULL; i++)
		json_object_del(rest, known[i]);
	json_object_set_new(out->content, "idea", rest);
	return read_attached(out, root);
}

/* ---- writing ---- */

static const char *
category_of(struct form_out *from)
{
	char class[100];
	size_t i;

	form_class_of(class, from->message[0].content);
	for (i = 0; i < CLASSES; i++)
		if (strcmp(classes[i].class, class) == 0)
			return classes[i].category;
	if (class[0] != '\0')
		form_lose(from, "classification");
	return "Other";
}

/* One source or target with all that the indicators name as such. */
static void
write_side(
    json_t *root, struct form_out *from, const char *list, const char *name)
{
	const json_t *all =
	    json_object_get(from->message[0].content, "indicators");
	json_t *side = json_object();
	char value[OBSERVABLE_MAX];
	size_t i, k;

	for (i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const char *pattern = form_text(one, "pattern");
		const char *is = form_text(one, "name");
		bool target = is != NULL && strcmp(is, "target") == 0;
		enum observable o = pattern != NULL
					? observable_parse(pattern, value)
					: OBS_NONE;

		for (k = 0; k < LISTS && lists[k].o != o; k++)
			;
		if (k == LISTS)
			form_lose(from, "an indicator");
		else if (target == (strcmp(name, "target") == 0))
			form_add(side, lists[k].list, json_string(value));
	}
	if (json_object_size(side) > 0)
		json_object_set_new(root, list, json_pack("[O]", side));
	json_decref(side);
}

static void
write_refs(json_t *root, const struct form_out *from)
{
	const json_t *list =
	    json_object_get(from->message[0].content, "references");
	char ref[512];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *id = form_text(one, "external_id");
		const char *url = form_text(one, "url");

		if (id != NULL && strncmp(id, "CVE-", 4) == 0)
			snprintf(ref, sizeof(ref), "cve:%s", id);
		else
			snprintf(ref, sizeof(ref), "%s",
			    url != NULL	 ? url
			    : id != NULL ? id
					 : "");
		if (ref[0] != '\0')
			form_add(root, "Ref", json_string(ref));
	}
}

static void
write_times(json_t *root, const json_t *content)
{
	form_set(root, "DetectTime", form_text(content, "detected"));
	form_set(root, "EventTime", form_text(content, "occurred"));
	form_set(root, "CeaseTime", form_text(content, "ended"));
}

static void
write_original(json_t *root, const struct form_out *from)
{
	char *data = form_original(from);

	if (data != NULL)
		json_object_set_new(root, "Attach",
		    json_pack("[{s:s, s:[s], s:s, s:s, s:s}]", "Handle",
			"ticket", "FileName", "ticket.json", "ContentType",
			"application/json", "ContentEncoding", "base64",
			"Content", data));
	free(data);
}

static json_t *
write_idea(struct form_out *from)
{
	static const char *const said[] = { "subject", "text", "indicators",
		"references", "classification", "detected", "occurred", "ended",
		"idea", NULL };
	const struct form_message *m = &from->message[0];
	char uuid[37], time[TIME_TEXT + 1];
	struct buf story = { 0 };
	json_t *root;

	form_uuid(uuid, m->id, "idea");
	time_print(time, m->time);
	root = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:[{s:s}]}", "Format",
	    "IDEA0", "ID", uuid, "CreateTime", time, "DetectTime", time,
	    "Category", category_of(from), "Node", "Name", m->from);
	write_times(root, m->content);
	form_set(root, "Description", form_title(from));
	if (form_story(&story, from) == TOCSIN_OK && story.n > 0)
		json_object_set_new(
		    root, "Note", json_stringn((const char *)story.p, story.n));
	buf_release(&story);
	write_side(root, from, "Source", "source");
	write_side(root, from, "Target", "target");
	write_refs(root, from);
	form_lose_others(from, said);
	if (json_array_size(from->lost) > 0)
		write_original(root, from);
	return root;
}

const struct form form_idea = { .name = "idea",
	.title = "IDEA0",
	.media = "application/json",
	.suffix = "json",
	.is = is_idea,
	.read = read_idea,
	.write = write_idea };
