/* SPDX-License-Identifier: ISC */
#include "client/form/form.h"
#include "client/form/observable.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

static const struct form *was; /* as what the last one was read */

static enum tocsin_err
parse(struct form_in *in, const char *json)
{
	size_t n = strlen(json);
	uint8_t *copy = xcopy(json, n);
	enum tocsin_err err =
	    form_read(in, NULL, (struct span){ copy, n }, &was);

	free(copy);
	return err;
}

static void
read_sample(struct form_in *in, const char *name, const char *want)
{
	char path[128];
	size_t n;
	uint8_t *file;

	snprintf(path, sizeof(path), "docs/examples/samples/%s", name);
	file = slurp(top(path), &n);
	ok(form_read(in, NULL, (struct span){ file, n }, &was) == TOCSIN_OK &&
		strcmp(was->name, want) == 0,
	    "%s is read as %s", name, want);
	free(file);
}

/* A text anywhere in the content. */
static const char *
at(const struct form_in *in, const char *list, size_t i, const char *member)
{
	const json_t *o = json_object_get(in->content, list);

	if (json_is_array(o))
		o = json_array_get(o, i);
	if (member == NULL)
		return json_string_value(o);
	return json_string_value(json_object_get(o, member));
}

static long long
count(const struct form_in *in, const char *list)
{
	return (long long)json_array_size(json_object_get(in->content, list));
}

/* ---- STIX ---- */

static void
test_stix(void)
{
	struct form_in in;

	read_sample(&in, "stix-poisonivy.json", "stix");
	is_str(at(&in, "subject", 0, NULL),
	    "Poison Ivy: Assessing Damage and Extracting Intelligence",
	    "its name is the subject");
	ok(at(&in, "text", 0, NULL) != NULL &&
		strncmp(at(&in, "text", 0, NULL), "This report", 11) == 0,
	    "its description the text");
	is_int(count(&in, "indicators"), 25, "all of its indicators are there");
	is_str(at(&in, "indicators", 0, "pattern"),
	    "[ipv4-addr:value = '219.76.208.163']", "with their patterns");
	is_int(count(&in, "references"), 9, "and what it refers to, once");
	is_int(
	    json_integer_value(json_object_get(
		json_object_get(json_object_get(in.content, "stix"), "objects"),
		"relationship")),
	    90, "what is left out is counted");
	ok(strstr(at(&in, "kept", 0, NULL), "objects.") != NULL,
	    "and named: %s", at(&in, "kept", 0, NULL));
	form_in_release(&in);
}

static void
test_without_report(void)
{
	struct form_in in;

	ok(parse(&in, "{\"type\":\"bundle\",\"objects\":[{\"type\":\"malware\","
		      "\"name\":\"x\"}]}") == TOCSIN_OK &&
		at(&in, "subject", 0, NULL) == NULL &&
		at(&in, "text", 0, NULL) == NULL && in.tlp[0] == '\0',
	    "without a report nothing is guessed");
	form_in_release(&in);
}

#define MARK(color)                                                     \
	"{\"type\":\"marking-definition\",\"definition_type\":\"tlp\"," \
	"\"definition\":{\"tlp\":\"" color "\"}}"
#define BUNDLE(objects) "{\"type\":\"bundle\",\"objects\":[" objects "]}"
#define REF(id)                                                              \
	"{\"type\":\"x\",\"object_marking_refs\":[\"marking-definition--" id \
	"\"]}"

static void
is_tlp(const char *json, const char *want, const char *sentence)
{
	struct form_in in = { 0 };

	is_str(parse(&in, json) == TOCSIN_OK ? in.tlp : "refused", want, "%s",
	    sentence);
	form_in_release(&in);
}

static void
test_marking(void)
{
	is_tlp(BUNDLE(MARK("amber")), "AMBER", "a marking is seen");
	is_tlp(BUNDLE(MARK("white")), "CLEAR", "white is what clear was");
	is_tlp(BUNDLE(MARK("green") "," MARK("red") "," MARK("amber")), "RED",
	    "the narrowest counts");
	is_tlp(
	    BUNDLE(MARK("red") "," MARK("green")), "RED", "in whatever order");
	is_tlp(BUNDLE(MARK("purple")), "", "a colour that is none is none");
	is_tlp(BUNDLE(REF("939a9414-2ddd-4d32-a0cd-375ea402b003")),
	    "AMBER+STRICT", "a published marking need not be in the file");
	is_tlp(BUNDLE(REF("5e57c739-391a-4eb3-b6be-7d15ca92d5ed")), "RED",
	    "nor that of TLP 1");
}

/* ---- the others ---- */

static void
test_misp(void)
{
	struct form_in in;

	read_sample(&in, "misp-event.json", "misp");
	is_str(at(&in, "subject", 0, NULL), "Ransomware - Xorist", "the title");
	is_str(in.tlp, "CLEAR", "tlp:white is CLEAR");
	is_int(count(&in, "indicators"), 4, "file name and three hashes");
	is_str(at(&in, "indicators", 1, "pattern"),
	    "[file:hashes.MD5 = '0749bae92ca336a02c83d126e04ec628']",
	    "as patterns");
	is_int(count(&in, "references"), 2, "two links");
	ok(strstr(at(&in, "text", 0, NULL), "UPX packed") != NULL &&
		strstr(at(&in, "text", 0, NULL), "Algorithm: TEA") != NULL,
	    "words of people");
	is_str(at(&in, "kept", 0, NULL), "Attribute.regkey|value",
	    "and what has no place is named");
	is_int(count(&in, "tags"), 3, "tags of other taxonomies stay");
	is_str(at(&in, "misp", 0, "org"), "CIRCL", "who wrote it");
	form_in_release(&in);
	read_sample(&in, "misp-japanese.json", "misp");
	ok(at(&in, "text", 0, NULL) != NULL &&
		strlen(at(&in, "text", 0, NULL)) > 5000,
	    "a long Japanese text is whole");
	form_in_release(&in);
	ok(parse(&in,
	       "{\"Event\":{\"info\":\"x\",\"Tag\":[{\"name\":"
	       "\"rsit:fraud=\\\"phishing\\\"\"},{\"name\":\"PAP:AMBER\"}],"
	       "\"Object\":[{\"name\":\"url\",\"Attribute\":[{\"type\":"
	       "\"ip-dst\",\"value\":\"2001:db8::1\"},{\"type\":"
	       "\"vulnerability\",\"value\":\"CVE-2024-3400\"},{\"type\":"
	       "\"attachment\",\"value\":\"a.txt\",\"data\":\"YWJj\"}]}]}}") ==
		TOCSIN_OK,
	    "an event with objects");
	is_str(at(&in, "classification", 0, "type"), "phishing",
	    "RSIT in a tag is the class");
	is_str(at(&in, "pap", 0, NULL), "AMBER", "PAP too");
	is_str(at(&in, "indicators", 0, "pattern"),
	    "[ipv6-addr:value = '2001:db8::1']", "an address of version 6");
	is_str(at(&in, "references", 0, "external_id"), "CVE-2024-3400",
	    "a vulnerability is a reference");
	ok(in.nfile == 1 && in.file[0].bytes.n == 3 &&
		memcmp(in.file[0].bytes.p, "abc", 3) == 0,
	    "an attachment is unpacked");
	form_in_release(&in);
}

static void
test_xarf(void)
{
	struct form_in in;

	read_sample(&in, "xarf-ddos.json", "xarf");
	is_str(at(&in, "subject", 0, NULL), "connection ddos from 192.0.2.155",
	    "the title says what it is");
	is_str(at(&in, "classification", 0, "type"), "ddos", "the class");
	is_str(at(&in, "indicators", 0, "pattern"),
	    "[ipv4-addr:value = '192.0.2.155']", "the source");
	is_str(at(&in, "occurred", 0, NULL), "2025-01-11T08:45:00Z", "since");
	is_str(at(&in, "xarf", 0, "attack_vector"), "syn_flood",
	    "what is of that attack alone stays as it is");
	ok(in.nfile == 1 && in.file[0].bytes.n == 51 &&
		strcmp(in.file[0].media, "text/plain") == 0,
	    "its evidence is a file");
	form_in_release(&in);
}

static void
test_idea(void)
{
	struct form_in in;

	read_sample(&in, "idea-scan.json", "idea");
	is_str(at(&in, "classification", 0, "type"), "scanner", "the class");
	is_int(count(&in, "indicators"), 4, "two sources, two targets");
	is_str(at(&in, "indicators", 0, "name"), "source", "named as such");
	is_str(at(&in, "detected", 0, NULL), "2026-11-20T20:13:42Z",
	    "a time of another zone becomes UTC");
	is_str(at(&in, "source", 0, "Proto") ? "text" : "list", "list",
	    "ports and protocols stay as they are");
	is_str(at(&in, "idea", 0, "ID"), "4dd7cf5e-4a95-49f6-8f44-947de998012c",
	    "so does what has no place");
	form_in_release(&in);
}

/* The same two incidents, in the spellings of two RFCs. */
static void
test_iodef(void)
{
	static const char *const names[][2] = {
		{ "iodef-minimal.xml", "iodef" },
		{ "iodef-minimal.json", "iodef-json" },
		{ "iodef-campaign.xml", "iodef" },
		{ "iodef-campaign.json", "iodef-json" },
	};
	struct form_in in;
	size_t i;

	for (i = 0; i < 4; i++) {
		read_sample(&in, names[i][0], names[i][1]);
		is_str(in.tlp, i < 2 ? "RED" : "GREEN",
		    "private is RED, green is GREEN");
		is_str(at(&in, "reported", 0, NULL),
		    i < 2 ? "2015-07-18T14:00:00Z" : "2015-10-02T16:18:00Z",
		    "its time");
		is_str(at(&in, "subject", 0, NULL),
		    i < 2 ? "csirt.example.com 492382"
			  : "Summarizes the Indicators of Compromise for the "
			    "Orange Giraffe campaign of the Aggressive "
			    "Butterfly crime gang.",
		    "its title, in one line");
		is_int(count(&in, "indicators"),
		    i < 2    ? 0
		    : i == 2 ? 4
			     : 1,
		    "its domains");
		if (i >= 2)
			is_str(at(&in, "indicators", 0, "pattern"),
			    "[domain-name:value = "
			    "'kj290023j09r34.example.com']",
			    "as patterns");
		is_str(at(&in, "iodef", 0, "purpose"),
		    i < 2 ? "reporting" : "watch", "what else it says stays");
		form_in_release(&in);
	}
}

#define XML(inside)                                                          \
	"<?xml version=\"1.0\"?>" inside "<IODEF-Document version=\"2.00\">" \
	"<Incident restriction=\"need-to-know\"><IncidentID name=\"a\">1"    \
	"</IncidentID><Description>&x;</Description></Incident>"             \
	"</IODEF-Document>"

/* Nothing of a file reaches beyond its own bytes. */
static void
test_hostile_xml(void)
{
	static const char *const bad[] = {
		XML("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"),
		XML("<!DOCTYPE a SYSTEM \"http://127.0.0.1/a.dtd\">"),
		XML(""),
		"<IODEF-Document/>",
		"<a><IODEF-Document></IODEF-Document></a>",
		"<?xml version=\"1.0\" encoding=\"UTF-7\"?><IODEF-Document "
		"version=\"2.00\">+ADw-Incident+AD4-</IODEF-Document>",
		"<IODEF-Document>\xff</IODEF-Document>",
	};
	struct form_in in;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_int(parse(&in, bad[i]), TOCSIN_EMALFORMED,
		    "%.60s is refused", bad[i]);
		form_in_release(&in);
	}
}

/* ---- round trips ---- */

/* What every format must give back, out of the ticket that it carries. */
static const char ticket[] =
    "{\"format\":\"tocsin-ticket/v1\",\"subject\":\"Beacons \\u202e\","
    "\"text\":\"every hour\\nfrom two hosts\",\"severity\":{\"scale\":"
    "\"NCSC\",\"level\":\"2\"},\"classification\":{\"class\":\"availability\","
    "\"type\":\"ddos\"},\"pap\":\"AMBER\",\"sectors\":[\"energy\"],"
    "\"indicators\":[{\"pattern\":\"[ipv4-addr:value = '192.0.2.7']\","
    "\"pattern_type\":\"stix\",\"name\":\"source\"},{\"pattern\":"
    "\"[file:name = 'it\\\\'s.exe']\",\"pattern_type\":\"stix\"}],"
    "\"references\":[{\"source_name\":\"cve\",\"external_id\":"
    "\"CVE-2024-3400\"}],\"x-ours\":{\"a\":[1,null]}}";

static enum tocsin_err
write_ticket(struct buf *out, const struct form *f, const char *content,
    struct form_out *from)
{
	static struct form_message m[2];
	enum tocsin_err err;

	m[0] = (struct form_message){
		.id = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		.from = "singcert@sg/desk1",
		.kind = "report",
		.tlp = "AMBER+STRICT",
		.time = 1795230000,
		.content = json_loads(content, 0, NULL),
	};
	m[1] = (struct form_message){
		.id = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		.from = "mycert@my/night",
		.kind = "ack",
		.tlp = "AMBER+STRICT",
		.time = 1795230060,
		.content = json_pack("{s:{s:s}, s:s}", "ack", "state",
		    "accepted", "text", "Ours."),
	};
	*from = (struct form_out){ .tlp = "AMBER+STRICT",
		.message = m,
		.n = 2,
		.lost = json_array() };
	err = form_write(out, f, from);
	json_decref((json_t *)(uintptr_t)m[0].content);
	json_decref((json_t *)(uintptr_t)m[1].content);
	return err;
}

static void
has_all(const struct form_in *in, const char *name)
{
	static const char *const members[] = { "severity", "classification",
		"pap", "sectors", "subject", "x-ours" };
	json_t *want = json_loads(ticket, 0, NULL);
	size_t i;

	for (i = 0; want != NULL && i < sizeof(members) / sizeof(members[0]);
	     i++)
		if (!json_equal(json_object_get(want, members[i]),
			json_object_get(in->content, members[i])) &&
		    (strcmp(name, "xarf") != 0 ||
			strcmp(members[i], "subject") != 0))
			break;
	ok(i == sizeof(members) / sizeof(members[0]),
	    "%s gives back what it has no place for (%s)", name,
	    i < sizeof(members) / sizeof(members[0]) ? members[i] : "all");
	ok(at(in, "indicators", 0, "pattern") != NULL &&
		strstr(at(in, "indicators", 0, "pattern"), "192.0.2.7"),
	    "and the address");
	json_decref(want);
}

static void
test_round(const struct form *f)
{
	struct buf b = { 0 }, again = { 0 };
	struct form_out from;
	struct form_in in;

	is_int(write_ticket(&b, f, ticket, &from), TOCSIN_OK, "%s is written",
	    f->name);
	ok(json_array_size(from.lost) > 0, "it names what it cannot say");
	json_decref(from.lost);
	(void)write_ticket(&again, f, ticket, &from);
	json_decref(from.lost);
	ok(again.n == b.n && memcmp(again.p, b.p, b.n) == 0,
	    "and once more it is the same file");
	ok(form_read(&in, NULL, buf_span(&b), &was) == TOCSIN_OK && was == f,
	    "and read again, as the same");
	is_str(in.tlp, "AMBER+STRICT", "with its label");
	ok(strncmp(at(&in, "text", 0, NULL), "every hour", 10) == 0,
	    "and its text, without a label in front");
	has_all(&in, f->name);
	form_in_release(&in);
	buf_release(&b);
	buf_release(&again);
}

static void
test_cannot(void)
{
	struct buf b = { 0 };
	struct form_out from;

	is_int(
	    write_ticket(&b, form_named("xarf"), "{\"subject\":\"x\"}", &from),
	    TOCSIN_EUNSUPPORTED, "XARF needs a class that it knows");
	ok(from.why != NULL && b.n == 0, "and says so: %s", from.why);
	json_decref(from.lost);
	ok(form_named("xml") == NULL, "there is no format of that name");
}

static void
test_markdown(void)
{
	struct form_out from;
	struct buf b = { 0 };
	struct form_in in;
	const char *text;

	(void)write_ticket(&b, form_named("markdown"), ticket, &from);
	json_decref(from.lost);
	buf_u8(&b, '\0');
	text = (const char *)b.p;
	ok(strstr(text, "TLP:AMBER+STRICT") - text < 40,
	    "the label stands in the head");
	ok(strstr(text + strlen(text) - 50, "TLP:AMBER+STRICT") != NULL,
	    "and in the foot");
	ok(strstr(text, "# Beacons <U+202E>\n") != NULL,
	    "what would turn the line round is shown");
	ok(strstr(text, "> every hour\n> from two hosts\n") != NULL,
	    "their words are quoted");
	ok(strstr(text, "mycert@my/night ack") != NULL, "all messages are in");
	ok(strstr(text, "- classification: class availability; type ddos\n") &&
		strstr(text, "- indicators:\n  - pattern \\[ipv4-addr"),
	    "members stand in words, lists of things in lines");
	buf_release(&b);
	(void)write_ticket(&b, form_named("markdown"),
	    "{\"subject\":\"<script>\",\"x\":\"a\\n# TLP:CLEAR [b](c)\"}",
	    &from);
	json_decref(from.lost);
	buf_u8(&b, '\0');
	text = (const char *)b.p;
	ok(strstr(text, "# \\<script>\n") != NULL &&
		strstr(text, "- x: a # TLP:CLEAR \\[b](c)\n") != NULL,
	    "and no word of theirs is a tag, a link, or a line of ours");
	is_int(form_read(&in, form_named("markdown"), buf_span(&b), &was),
	    TOCSIN_EUNSUPPORTED, "it is not read");
	form_in_release(&in);
	buf_release(&b);
}

/* ---- what they share ---- */

static void
test_times(void)
{
	static const char *const good[][2] = {
		{ "2026-11-21T03:14:15Z", "2026-11-21T03:14:15Z" },
		{ "2026-11-21T03:14:15.999+08:00", "2026-11-20T19:14:15Z" },
		{ "2015-07-18T09:00:00-05:00", "2015-07-18T14:00:00Z" },
		{ "2016-08-29", "2016-08-29T00:00:00Z" },
		{ "1472541011", "2016-08-30T07:10:11Z" },
		{ "2026-11-21 03:14:15", "2026-11-21T03:14:15Z" },
	};
	static const char *const bad[] = { "", "now", "2026-13-01",
		"2026-11-21T03:14:15+8", "2026-11-21T03:14:15+08:00x",
		"1970-01-01T00:00:00+00:01", "99999999999999" };
	char out[21];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		is_str(form_time(out, good[i][0]) ? out : "refused", good[i][1],
		    "%s is a time", good[i][0]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!form_time(out, bad[i]), "\"%s\" is none", bad[i]);
}

static void
test_patterns(void)
{
	char value[OBSERVABLE_MAX];
	size_t i, good = 0;

	for (i = 0; i < OBSERVABLES; i++) {
		struct buf b = { 0 };

		observable_pattern(&b, (enum observable)i,
		    i == OBS_ASN ? "64496" : "o'Neil\\x");
		buf_u8(&b, '\0');
		good +=
		    observable_parse((const char *)b.p, value) == i &&
		    strcmp(value, i == OBS_ASN ? "64496" : "o'Neil\\x") == 0;
		buf_release(&b);
	}
	is_int((long long)good, OBSERVABLES, "every pattern is read back");
	ok(observable_parse("[ file:hashes.'MD5'= 'ab' ]", value) == OBS_MD5,
	    "with spaces and quotes as writers like");
	ok(observable_parse("[a:b = 'c']", value) == OBS_NONE &&
		observable_parse("[url:value = 'a' OR url:value = 'b']",
		    value) == OBS_NONE &&
		observable_parse("[url:value = 'a", value) == OBS_NONE &&
		observable_parse("[url:value = 'a\\", value) == OBS_NONE &&
		observable_parse("[url:value LIKE 'a']", value) == OBS_NONE &&
		observable_parse("", value) == OBS_NONE,
	    "what says more, or less, is no value");
	ok(observable_of_address("192.0.2.0/24") == OBS_IPV4 &&
		observable_of_address("192.0.2.0/33") == OBS_NONE &&
		observable_of_address("2001:db8::/32") == OBS_IPV6 &&
		observable_of_address("192.0.2") == OBS_NONE,
	    "an address, with a prefix or without");
}

/* ---- what is no such file ---- */

static void
is_refused(const char *json, const char *sentence)
{
	struct form_in in = { 0 };

	is_int(parse(&in, json), TOCSIN_EMALFORMED, "%s", sentence);
	form_in_release(&in);
}

static void
test_refused(void)
{
	char deep[2000];

	is_refused("", "nothing is no report");
	is_refused("[]", "nor is a list");
	is_refused("{\"type\":\"report\"}", "nor is a single object");
	is_refused("{\"type\":\"bundle\"}", "a bundle has objects");
	is_refused(BUNDLE("1"), "which are objects");
	is_refused(BUNDLE("{}"), "with a type");
	is_refused("{\"type\":\"bundle\",\"type\":\"bundle\",\"objects\":[]}",
	    "a doubled member is refused");
	is_refused("{\"Event\":{\"Attribute\":[{}]}}",
	    "an attribute has a type and a value");
	is_refused("{\"Event\":{\"Attribute\":[{\"type\":\"attachment\","
		   "\"value\":\"x\",\"data\":\"?\"}]}}",
	    "a file in it is base64");
	is_refused("{\"xarf_version\":\"4.2.0\"}", "abuse has a category");
	is_refused("{\"Format\":\"IDEA0\"}", "so has an event of IDEA");
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	is_refused(deep, "and what is too deep, before it is parsed");
}

/* Members of other types than the standard's are passed over. */
static void
test_odd(void)
{
	struct form_in s;

	ok(parse(&s, BUNDLE("{\"type\":\"indicator\",\"pattern\":7},"
			    "{\"type\":\"report\",\"name\":[],"
			    "\"external_references\":{\"url\":1},"
			    "\"sectors\":[1,null]},"
			    "{\"type\":\"marking-definition\","
			    "\"definition\":\"red\"}")) == TOCSIN_OK &&
		at(&s, "subject", 0, NULL) == NULL &&
		count(&s, "indicators") == 0 && count(&s, "sectors") == 0,
	    "what is of a wrong type is passed over");
	form_in_release(&s);
}

static void
test_truncated(void)
{
	static const char whole[] =
	    BUNDLE(MARK("red") ",{\"type\":\"report\",\"name\":\"a\"}");
	char cut[sizeof(whole)];
	struct form_in s;
	size_t n, good = 0;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		good += parse(&s, cut) == TOCSIN_OK;
		form_in_release(&s);
	}
	is_int((long long)good, 0, "no beginning of a bundle is one");
}

int
main(void)
{
	size_t i;

	test_stix();
	test_without_report();
	test_marking();
	test_misp();
	test_xarf();
	test_idea();
	test_iodef();
	test_hostile_xml();
	for (i = 0; forms[i] != NULL; i++)
		if (forms[i]->read != NULL || forms[i]->read_text != NULL)
			test_round(forms[i]);
	test_cannot();
	test_markdown();
	test_times();
	test_patterns();
	test_refused();
	test_odd();
	test_truncated();
	return tap_done();
}
