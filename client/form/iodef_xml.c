/* SPDX-License-Identifier: ISC */
/*
 * IODEF version 2 as XML (RFC 7970).
 *
 * libxml2 reads it with everything off that reaches beyond the bytes: no
 * document type, so no entities of the file's own, no network, no other
 * encoding than UTF-8, which could hide one. What it gives is walked once into
 * the JSON of RFC 8727, with a bound on elements.
 */
#include "client/form/iodef.h"

#include <libxml/parser.h>
#include <libxml/xmlwriter.h>
#include <string.h>

#define ELEMENTS_MAX 100000

/* ---- XML to JSON ---- */

/* RFC 8727 3.2: these elements are left out, their children kept. */
static bool
transparent(const char *name)
{
	static const char *const names[] = { "Flow", "ApplicationHeader",
		"SignatureData", "IndicatorData", "Record" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* A second one of a name makes a list of it. */
static void
put(json_t *o, const char *name, json_t *value)
{
	json_t *there = json_object_get(o, name);

	if (there == NULL) {
		json_object_set_new(o, name, value);
		return;
	}
	if (!json_is_array(there)) {
		json_object_set_new(o, name, json_pack("[O]", there));
		there = json_object_get(o, name);
	}
	json_array_append_new(there, value);
}

static bool
has_elements(const xmlNode *n)
{
	const xmlNode *child;

	for (child = n->children; child != NULL; child = child->next)
		if (child->type == XML_ELEMENT_NODE)
			return true;
	return false;
}

/* The text without the space around it. */
static json_t *
text_of(const xmlNode *n)
{
	xmlChar *all = xmlNodeGetContent((xmlNode *)(uintptr_t)n);
	const char *s = all != NULL ? (const char *)all : "";
	json_t *out;
	size_t len;

	s += strspn(s, " \t\r\n");
	len = strlen(s);
	while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL)
		len--;
	out = json_stringn(s, len);
	xmlFree(all);
	return out;
}

static bool
has_id(const char *name)
{
	return strcmp(name, "IncidentID") == 0 ||
	       strcmp(name, "IndicatorID") == 0;
}

static void
put_attributes(json_t *o, const xmlNode *n)
{
	const xmlAttr *a;

	for (a = n->properties; a != NULL; a = a->next)
		if (a->children != NULL && a->children->content != NULL &&
		    (a->ns == NULL ||
			strcmp((const char *)a->name, "lang") == 0))
			form_set(o, (const char *)a->name,
			    (const char *)a->children->content);
}

static json_t *element(const xmlNode *n, size_t *left, unsigned depth);

static void
put_children(json_t *o, const xmlNode *n, size_t *left, unsigned depth)
{
	const xmlNode *child;

	for (child = n->children; child != NULL && *left > 0;
	     child = child->next) {
		const char *name = (const char *)child->name;

		if (child->type != XML_ELEMENT_NODE)
			continue;
		--*left;
		if (transparent(name) && depth < FORM_DEPTH_MAX)
			put_children(o, child, left, depth + 1);
		else
			put(o, name, element(child, left, depth + 1));
	}
}

static json_t *
element(const xmlNode *n, size_t *left, unsigned depth)
{
	json_t *o;

	if (depth >= FORM_DEPTH_MAX ||
	    (n->properties == NULL && !has_elements(n)))
		return text_of(n);
	o = json_object();
	put_attributes(o, n);
	if (has_elements(n))
		put_children(o, n, left, depth);
	else
		json_object_set_new(o,
		    has_id((const char *)n->name) ? "id" : "value", text_of(n));
	return o;
}

/* ---- reading ---- */

static bool
contains(struct span s, const char *word)
{
	return s.n > 0 && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static bool
is_xml(struct span file)
{
	struct span head = span_cut(file, 0, 4096);

	return contains(head, "<IODEF-Document") ||
	       contains(head, ":IODEF-Document");
}

static xmlDoc *
parse(struct span file)
{
	const int options = XML_PARSE_NONET | XML_PARSE_NOERROR |
			    XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
			    XML_PARSE_NODICT;

	if (contains(file, "<!DOCTYPE") || contains(file, "<!ENTITY"))
		return NULL;
	return xmlReadMemory(
	    (const char *)file.p, (int)file.n, NULL, "UTF-8", options);
}

static enum tocsin_err
read_xml(struct form_in *out, struct span file)
{
	enum tocsin_err err = TOCSIN_EMALFORMED;
	xmlDoc *doc = parse(file);
	const xmlNode *top = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
	size_t left = ELEMENTS_MAX;
	json_t *root = NULL;

	if (top == NULL || doc->intSubset != NULL ||
	    strcmp((const char *)top->name, "IODEF-Document") != 0)
		goto out;
	root = element(top, &left, 0);
	if (left > 0 && json_is_object(root))
		err = iodef_read(out, root);
out:
	json_decref(root);
	xmlFreeDoc(doc);
	return err;
}

/* ---- writing ---- */

/* XML has no place for what controls; the ticket inside has it all. */
static char *
without_controls(const char *s)
{
	char *copy = strdup(s), *at;

	for (at = copy; at != NULL && *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 && *at != '\n' && *at != '\t')
			*at = '?';
	return copy;
}

static void
write_text(xmlTextWriter *w, const char *s)
{
	char *good = without_controls(s);

	if (good != NULL)
		xmlTextWriterWriteString(w, (const xmlChar *)good);
	free(good);
}

/* A member in lower case is an attribute, save for the text itself. */
static bool
is_attribute(const char *name, const json_t *value)
{
	return json_is_string(value) && name[0] >= 'a' && name[0] <= 'z' &&
	       strcmp(name, "id") != 0 && strcmp(name, "value") != 0;
}

static void write_element(xmlTextWriter *w, const char *name, json_t *value);

static void
write_inside(xmlTextWriter *w, json_t *o)
{
	const char *name;
	json_t *value;

	json_object_foreach(o, name, value) if (is_attribute(name, value))
	    xmlTextWriterWriteAttribute(w, (const xmlChar *)name,
		(const xmlChar *)json_string_value(value));
	json_object_foreach(o, name, value)
	{
		if (is_attribute(name, value))
			continue;
		if (strcmp(name, "id") == 0 || strcmp(name, "value") == 0)
			write_text(w, json_string_value(value));
		else
			write_element(w, name, value);
	}
}

static void
write_element(xmlTextWriter *w, const char *name, json_t *value)
{
	bool within = strcmp(name, "Indicator") == 0;
	json_t *one;
	size_t i;

	if (within)
		xmlTextWriterStartElement(w, (const xmlChar *)"IndicatorData");
	if (json_is_array(value)) {
		json_array_foreach(value, i, one)
		{
			xmlTextWriterStartElement(w, (const xmlChar *)name);
			if (json_is_object(one))
				write_inside(w, one);
			else if (json_is_string(one))
				write_text(w, json_string_value(one));
			xmlTextWriterEndElement(w);
		}
	} else {
		xmlTextWriterStartElement(w, (const xmlChar *)name);
		if (json_is_object(value))
			write_inside(w, value);
		else if (json_is_string(value))
			write_text(w, json_string_value(value));
		xmlTextWriterEndElement(w);
	}
	if (within)
		xmlTextWriterEndElement(w);
}

static void
write_document(xmlTextWriter *w, json_t *root)
{
	xmlTextWriterSetIndent(w, 1);
	xmlTextWriterStartDocument(w, NULL, "UTF-8", NULL);
	xmlTextWriterStartElement(w, (const xmlChar *)"IODEF-Document");
	xmlTextWriterWriteAttribute(
	    w, (const xmlChar *)"version", (const xmlChar *)"2.00");
	xmlTextWriterWriteAttribute(
	    w, (const xmlChar *)"xml:lang", (const xmlChar *)"en");
	xmlTextWriterWriteAttribute(w, (const xmlChar *)"xmlns",
	    (const xmlChar *)"urn:ietf:params:xml:ns:iodef-2.0");
	write_element(w, "Incident", json_object_get(root, "Incident"));
	xmlTextWriterEndDocument(w);
}

static enum tocsin_err
write_xml(struct buf *out, struct form_out *from)
{
	xmlBuffer *b = xmlBufferCreate();
	xmlTextWriter *w = b != NULL ? xmlNewTextWriterMemory(b, 0) : NULL;
	enum tocsin_err err = TOCSIN_EINTERNAL;
	json_t *root;

	if (w != NULL) {
		root = iodef_write(from);
		write_document(w, root);
		json_decref(root);
		xmlFreeTextWriter(w); /* what it holds back is written now */
		buf_addz(out, (const char *)xmlBufferContent(b));
		err = buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
	}
	xmlBufferFree(b);
	return err;
}

const struct form form_iodef = { .name = "iodef",
	.title = "IODEF 2",
	.media = "application/xml",
	.suffix = "xml",
	.is_text = is_xml,
	.read_text = read_xml,
	.write_text = write_xml };
