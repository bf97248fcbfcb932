/* SPDX-License-Identifier: ISC */
#include "client/cli/stix.h"

#include "client/vocab.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define REFERENCES_MAX 100
#define SECTORS_MAX 50
#define OBJECTS_MAX 20000

/* What is gathered while walking the objects. */
struct gathering {
	const json_t *report;
	json_t *indicators, *references, *sectors, *counts;
	const char *tlp; /* narrowest so far, or NULL */
};

/* jansson's own limit is 2,048, and it recurses. */
static bool
shallow(struct span s)
{
	bool quoted = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < s.n && depth <= DEPTH_MAX; i++) {
		uint8_t c = s.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return depth <= DEPTH_MAX;
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static bool
is(const json_t *o, const char *type)
{
	const char *t = text_of(o, "type");

	return t != NULL && strcmp(t, type) == 0;
}

static void
copy_text(json_t *to, const json_t *from, const char *name)
{
	json_t *v = json_object_get(from, name);

	if (json_is_string(v))
		json_object_set(to, name, v);
}

static void
add_indicator(struct gathering *g, const json_t *o)
{
	json_t *one;

	if (text_of(o, "pattern") == NULL ||
	    json_array_size(g->indicators) >= STIX_INDICATORS_MAX)
		return;
	one = json_object();
	copy_text(one, o, "id");
	copy_text(one, o, "name");
	copy_text(one, o, "pattern");
	copy_text(one, o, "pattern_type");
	copy_text(one, o, "valid_from");
	copy_text(one, o, "valid_until");
	json_array_append_new(g->indicators, one);
}

static bool
listed(const json_t *list, const json_t *value)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

static void
add_once(json_t *list, json_t *value, size_t max)
{
	if (json_array_size(list) < max && !listed(list, value))
		json_array_append(list, value);
	json_decref(value);
}

static void
add_references(struct gathering *g, const json_t *o)
{
	const json_t *list = json_object_get(o, "external_references");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		json_t *one = json_object();

		copy_text(one, from, "source_name");
		copy_text(one, from, "external_id");
		copy_text(one, from, "url");
		if (json_object_get(one, "external_id") != NULL ||
		    json_object_get(one, "url") != NULL)
			add_once(g->references, one, REFERENCES_MAX);
		else
			json_decref(one);
	}
}

static void
add_sectors(struct gathering *g, const json_t *o)
{
	const json_t *list = json_object_get(o, "sectors");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			add_once(g->sectors,
			    json_incref(json_array_get(list, i)), SECTORS_MAX);
}

static void
count_type(struct gathering *g, const json_t *o)
{
	const char *type = text_of(o, "type");
	json_int_t n = json_integer_value(json_object_get(g->counts, type));

	json_object_set_new(g->counts, type, json_integer(n + 1));
}

/* TLP 1's WHITE is CLEAR; the list of words goes from narrow to wide. */
static void
add_marking(struct gathering *g, const json_t *o)
{
	const char *word = json_string_value(
	    json_object_get(json_object_get(o, "definition"), "tlp"));
	size_t i;

	if (word != NULL && strcmp(word, "white") == 0)
		word = "CLEAR";
	word = word != NULL ? vocab_find(VOCAB_TLP, word) : NULL;
	for (i = 0; word != NULL && vocab_word(VOCAB_TLP, i) != NULL; i++) {
		const char *w = vocab_word(VOCAB_TLP, i);

		if (strcmp(w, word) == 0)
			g->tlp = w;
		else if (g->tlp == NULL || strcmp(w, g->tlp) != 0)
			continue;
		return;
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

		if (text_of(o, "type") == NULL)
			return false;
		count_type(g, o);
		if (is(o, "indicator"))
			add_indicator(g, o);
		if (is(o, "marking-definition"))
			add_marking(g, o);
		if (g->report == NULL && is(o, "report"))
			g->report = o;
		add_references(g, o);
		add_sectors(g, o);
	}
	return true;
}

static char *
copy(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

static void
set_list(json_t *o, const char *name, json_t *list)
{
	if (json_array_size(list) > 0)
		json_object_set(o, name, list);
}

static bool
give(struct stix *out, const struct gathering *g, const json_t *bundle)
{
	json_t *o = json_object(), *about = json_object();

	out->subject = copy(text_of(g->report, "name"));
	out->text = copy(text_of(g->report, "description"));
	snprintf(
	    out->tlp, sizeof(out->tlp), "%s", g->tlp != NULL ? g->tlp : "");
	set_list(o, "indicators", g->indicators);
	set_list(o, "references", g->references);
	set_list(o, "sectors", g->sectors);
	if (text_of(g->report, "published") != NULL)
		json_object_set(
		    o, "reported", json_object_get(g->report, "published"));
	copy_text(about, bundle, "id");
	json_object_set(about, "objects", g->counts);
	json_object_set_new(o, "stix", about);
	out->json = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return out->json != NULL;
}

enum tocsin_err
stix_parse(struct stix *out, struct span file)
{
	struct gathering g = { .indicators = json_array(),
		.references = json_array(),
		.sectors = json_array(),
		.counts = json_object() };
	enum tocsin_err err = TOCSIN_EMALFORMED;
	json_t *bundle = NULL;

	*out = (struct stix){ 0 };
	if (file.n > STIX_FILE_MAX || !shallow(file))
		goto out;
	bundle = json_loadb(
	    (const char *)file.p, file.n, JSON_REJECT_DUPLICATES, NULL);
	if (bundle == NULL || !is(bundle, "bundle") ||
	    !walk(&g, json_object_get(bundle, "objects")))
		goto out;
	err = give(out, &g, bundle) ? TOCSIN_OK : TOCSIN_EINTERNAL;
out:
	json_decref(g.indicators);
	json_decref(g.references);
	json_decref(g.sectors);
	json_decref(g.counts);
	json_decref(bundle);
	return err;
}

void
stix_release(struct stix *s)
{
	free(s->subject);
	free(s->text);
	free(s->json);
	*s = (struct stix){ 0 };
}
