/* SPDX-License-Identifier: ISC */
#include "client/cli/stix.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static enum tocsin_err
parse(struct stix *s, const char *json)
{
	size_t n = strlen(json);
	uint8_t *copy = xcopy(json, n);
	enum tocsin_err err = stix_parse(s, (struct span){ copy, n });

	free(copy);
	return err;
}

static void
test_report(void)
{
	size_t n;
	uint8_t *file =
	    slurp(top("docs/examples/samples/stix-poisonivy.json"), &n);
	struct stix s;
	json_t *o, *list;

	if (!ok(stix_parse(&s, (struct span){ file, n }) == TOCSIN_OK,
		"a published report is read"))
		return;
	is_str(s.subject,
	    "Poison Ivy: Assessing Damage and Extracting Intelligence",
	    "its name is the subject");
	ok(s.text != NULL && strncmp(s.text, "This report", 11) == 0,
	    "its description the text");
	o = json_loads(s.json, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(o, "indicators");
	is_int((long long)json_array_size(list), 25,
	    "all of its indicators are there");
	is_str(json_string_value(
		   json_object_get(json_array_get(list, 0), "pattern")),
	    "[ipv4-addr:value = '219.76.208.163']", "with their patterns");
	list = json_object_get(o, "references");
	is_int(
	    (long long)json_array_size(list), 9, "and what it refers to, once");
	list = json_object_get(json_object_get(o, "stix"), "objects");
	is_int(json_integer_value(json_object_get(list, "relationship")), 90,
	    "what is left out is counted");
	json_decref(o);
	stix_release(&s);
	free(file);
}

static void
test_without_report(void)
{
	struct stix s;

	ok(parse(&s, "{\"type\":\"bundle\",\"objects\":[{\"type\":\"malware\","
		     "\"name\":\"x\"}]}") == TOCSIN_OK &&
		s.subject == NULL && s.text == NULL && s.tlp[0] == '\0',
	    "without a report nothing is guessed");
	stix_release(&s);
}

#define MARK(color)                                                     \
	"{\"type\":\"marking-definition\",\"definition_type\":\"tlp\"," \
	"\"definition\":{\"tlp\":\"" color "\"}}"
#define BUNDLE(objects) "{\"type\":\"bundle\",\"objects\":[" objects "]}"

static void
is_tlp(const char *json, const char *want, const char *sentence)
{
	struct stix s = { 0 };

	is_str(parse(&s, json) == TOCSIN_OK ? s.tlp : "refused", want, "%s",
	    sentence);
	stix_release(&s);
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
}

static void
is_refused(const char *json, const char *sentence)
{
	struct stix s = { 0 };

	is_int(parse(&s, json), TOCSIN_EMALFORMED, "%s", sentence);
	stix_release(&s);
}

static void
test_refused(void)
{
	char deep[2000];

	is_refused("", "nothing is no bundle");
	is_refused("[]", "nor is a list");
	is_refused("{\"type\":\"report\"}", "nor is a single object");
	is_refused("{\"type\":\"bundle\"}", "a bundle has objects");
	is_refused(BUNDLE("1"), "which are objects");
	is_refused(BUNDLE("{}"), "with a type");
	is_refused("{\"type\":\"bundle\",\"type\":\"bundle\",\"objects\":[]}",
	    "a doubled member is refused");
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	is_refused(deep, "and what is too deep, before it is parsed");
}

/* Members of other types than the standard's are passed over. */
static void
test_odd(void)
{
	struct stix s;

	ok(parse(&s, BUNDLE("{\"type\":\"indicator\",\"pattern\":7},"
			    "{\"type\":\"report\",\"name\":[],"
			    "\"external_references\":{\"url\":1},"
			    "\"sectors\":[1,null]},"
			    "{\"type\":\"marking-definition\","
			    "\"definition\":\"red\"}")) == TOCSIN_OK &&
		s.subject == NULL && strstr(s.json, "indicators") == NULL &&
		strstr(s.json, "sectors") == NULL,
	    "what is of a wrong type is passed over");
	stix_release(&s);
}

static void
test_truncated(void)
{
	static const char whole[] =
	    BUNDLE(MARK("red") ",{\"type\":\"report\",\"name\":\"a\"}");
	char cut[sizeof(whole)];
	struct stix s;
	size_t n, good = 0;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		good += parse(&s, cut) == TOCSIN_OK;
		stix_release(&s);
	}
	is_int((long long)good, 0, "no beginning of a bundle is one");
}

int
main(void)
{
	test_report();
	test_without_report();
	test_marking();
	test_refused();
	test_odd();
	test_truncated();
	return tap_done();
}
