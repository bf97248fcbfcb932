/* SPDX-License-Identifier: ISC */
#include "client/incident.h"
#include "crypto/ticket.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ticket.json ---- */

static enum tocsin_err
parse_copy(struct incident *out, const char *json)
{
	size_t n = strlen(json);
	uint8_t *copy = xcopy(json, n);
	enum tocsin_err err = incident_parse(out, (struct span){ copy, n });

	free(copy);
	return err;
}

static void
is_refused(const char *json, const char *sentence)
{
	struct incident in;
	enum tocsin_err err = parse_copy(&in, json);

	if (err == TOCSIN_OK)
		incident_release(&in);
	is_int(err, TOCSIN_EMALFORMED, "%s", sentence);
}

static void
test_round_trip(void)
{
	const struct incident_attachment a = { .name = "a b.pcap",
		.media = "application/vnd.tcpdump.pcap",
		.size = 5000000000,
		.part = { 7 } };
	const struct incident_draft d = { .subject = "C2 at 192.0.2.1",
		.text = "seen since\nyesterday",
		.severity = "GB/T 20986:II",
		.classification = "malicious-code:c2-server",
		.answer = "refused",
		.reason = "CannotProcess",
		.resolution = "resolved",
		.json =
		    "{\"subject\":\"not this\",\"x-ours\":[1,{\"a\":null}]}",
		.attachment = &a,
		.nattachment = 1 };
	struct buf b = { 0 };
	struct incident in;
	json_t *v;

	is_int(incident_print(&b, &d), TOCSIN_OK, "a draft is printed");
	if (!ok(incident_parse(&in, buf_span(&b)) == TOCSIN_OK,
		"and read back"))
		return;
	ok(strcmp(in.subject, d.subject) == 0 && strcmp(in.text, d.text) == 0 &&
		strcmp(in.answer, d.answer) == 0 &&
		strcmp(in.reason, d.reason) == 0 &&
		strcmp(in.resolution, d.resolution) == 0,
	    "with the same strings; what joins replaces none of them");
	ok(in.nattachment == 1 && in.attachment[0].size == a.size &&
		strcmp(in.attachment[0].name, a.name) == 0 &&
		strcmp(in.attachment[0].media, a.media) == 0 &&
		memcmp(in.attachment[0].part, a.part, ID_LEN) == 0,
	    "and the same attachment");
	v = json_object_get(in.root, "severity");
	is_str(json_string_value(json_object_get(v, "scale")), "GB/T 20986",
	    "a severity names its scale");
	is_str(json_string_value(json_object_get(v, "level")), "II",
	    "and its level");
	v = json_object_get(json_object_get(in.root, "classification"), "type");
	is_str(json_string_value(v), "c2-server", "a class has its type");
	ok(json_array_size(json_object_get(in.root, "x-ours")) == 2,
	    "members that we don't know are kept");
	incident_release(&in);
	buf_release(&b);
}

static void
test_refused(void)
{
	char deep[200], *p = deep;
	size_t i;

	is_refused("", "nothing is no ticket");
	is_refused("[]", "nor is a list");
	is_refused("{\"subject\":\"a\",\"subject\":\"b\"}",
	    "a doubled member has no meaning");
	is_refused("{\"x\":{\"a\":1,\"a\":1}}", "nor has one further in");
	is_refused("{\"subject\":1}", "a subject is a string");
	is_refused("{\"ack\":\"yes\"}", "an answer is an object");
	is_refused("{\"attachments\":{}}", "attachments are a list");
	is_refused("{\"attachments\":[{\"name\":\"x\",\"size\":-1,\"part\":"
		   "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}",
	    "of sizes that can be");
	is_refused("{\"attachments\":[{\"name\":\"x\",\"size\":1,"
		   "\"part\":\"AAAA\"}]}",
	    "and with a whole hash");
	is_refused("{\"recall\":{\"parts\":[]}}", "a recall says of what");
	is_refused("{\"recall\":{\"message\":\"x\",\"parts\":[\"AAAA\"]}}",
	    "and which parts, by whole hashes");
	is_refused("{\"resolution\":[]}", "a resolution is a word");
	is_refused("{\"text\":\"\xff\"}", "a text is UTF-8");
	is_refused("{\"text\":\"a\\u0000b\"}", "without a NUL");
	is_refused("{} {}", "one object, and no more");

	p += snprintf(p, sizeof(deep), "{\"x\":");
	for (i = 0; i < INCIDENT_DEPTH; i++)
		*p++ = '[';
	for (i = 0; i < INCIDENT_DEPTH; i++)
		*p++ = ']';
	memcpy(p, "}", 2);
	is_refused(deep, "what is too deep is refused before it is parsed");
}

/* What an escalation shows to those who never had the ticket. */
static void
test_carried(void)
{
	struct incident in;

	ok(parse_copy(&in,
	       "{\"text\":\"help\",\"original\":{\"id\":\"x\",\"ticket\":"
	       "{\"subject\":\"what it is about\",\"attachments\":[{\"name\":"
	       "\"a\",\"size\":1,\"part\":"
	       "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}}}") ==
		    TOCSIN_OK &&
		strcmp(in.subject, "what it is about") == 0 &&
		in.nattachment == 1,
	    "the subject and attachments of what is carried are its own");
	incident_release(&in);
	is_refused("{\"original\":{\"ticket\":{\"subject\":[]}}}",
	    "and are of the same types");
	ok(parse_copy(&in, "{\"original\":[1]}") == TOCSIN_OK &&
		in.subject == NULL,
	    "something else of that name is kept, and means nothing");
	incident_release(&in);
}

static void
test_truncated(void)
{
	const char whole[] =
	    "{\"subject\":\"a\",\"ack\":{\"state\":\"opened\"},"
	    "\"x\":[1,2,{\"y\":\"\\u00e9\"}]}";
	struct incident in;
	char cut[sizeof(whole)];
	size_t n, good = 0;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		if (parse_copy(&in, cut) == TOCSIN_OK) {
			good++;
			incident_release(&in);
		}
	}
	is_int((long long)good, 0, "no proper prefix is a ticket");
	ok(parse_copy(&in, whole) == TOCSIN_OK && strcmp(in.subject, "a") == 0,
	    "the whole is");
	incident_release(&in);
}

static void
test_limits(void)
{
	struct incident_draft d = { .subject = "s" };
	struct buf b = { 0 };
	char *text = malloc(INCIDENT_TEXT_MAX + 1);

	memset(text, 'x', INCIDENT_TEXT_MAX);
	text[INCIDENT_TEXT_MAX] = '\0';
	d.text = text;
	is_int(incident_print(&b, &d), TOCSIN_ETOOLARGE,
	    "a text that is too long is refused by whoever writes it");
	d.text = "\xff\xfe";
	is_int(incident_print(&b, &d), TOCSIN_EMALFORMED,
	    "so is one that is not UTF-8");
	d.text = NULL;
	d.json = "[1]";
	is_int(incident_print(&b, &d), TOCSIN_EMALFORMED,
	    "and what joins must be an object");
	free(text);
	buf_release(&b);
}

/* PROTOCOL.md 8.12. What is no id is none, and makes nothing malformed. */
static void
test_records(void)
{
	struct incident in;
	char json[400], id[160];

	is_int(parse_copy(&in,
		   "{\"action\":{\"id\":\"r/1h/x\",\"rule\":\"r\",\"step\":2,"
		   "\"hook\":\"sms\",\"failed\":true}}"),
	    TOCSIN_OK, "an action is read");
	ok(in.action != NULL && strcmp(in.action, "r/1h/x") == 0 &&
		strcmp(in.action_rule, "r") == 0 && in.action_step == 2 &&
		strcmp(in.action_hook, "sms") == 0 && in.action_failed &&
		in.claim == NULL,
	    "with its rule, step and hook");
	incident_release(&in);
	is_int(parse_copy(&in, "{\"claim\":{\"id\":\"r/1h/x\",\"until\":"
			       "\"2026-11-21T03:14:15Z\"}}"),
	    TOCSIN_OK, "a claim is read");
	ok(in.claim != NULL && in.claim_until == 1795230855 &&
		in.action == NULL,
	    "with its time");
	incident_release(&in);
	memset(id, 'x', sizeof(id));
	id[129] = '\0';
	snprintf(json, sizeof(json), "{\"action\":{\"id\":\"%s\"}}", id);
	is_int(parse_copy(&in, json), TOCSIN_OK, "one with a long id");
	ok(in.action == NULL, "is none");
	incident_release(&in);
	is_int(parse_copy(&in, "{\"action\":{\"id\":\"a b\"},\"claim\":7}"),
	    TOCSIN_OK, "one with a space, and a claim that is a number");
	ok(in.action == NULL && in.claim == NULL, "are none");
	incident_release(&in);
	is_int(parse_copy(&in, "{\"claim\":{\"id\":\"a\",\"until\":7}}"),
	    TOCSIN_OK, "a claim without a time");
	ok(in.claim != NULL && in.claim_until == 0, "is over");
	incident_release(&in);
}

int
main(void)
{
	test_round_trip();
	test_refused();
	test_carried();
	test_truncated();
	test_limits();
	test_records();
	return tap_done();
}
