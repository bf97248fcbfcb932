/* SPDX-License-Identifier: ISC */
#include "client/bot/chain.h"
#include "client/bot/cond.h"
#include "tests/lib/nth.h"
#include "tests/lib/tap.h"
#include "tests/lib/world.h"

#include <stdio.h>

static struct rules rules;
static struct rules_faults faults;
static struct world world = {
	.name = { "duty.txt", "duty.ics", "days.ics", "bad.txt" },
	.text = { "# from when on, who\n"
		  "2026-11-20 17:30 Siti\n"
		  "2026-11-21 08:30 Ali # by day\n"
		  "2026-11-21 17:30 -\n"
		  "2026-11-22 08:30 Farah\n",
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261121T000000Z\r\n"
	    "DTEND:20261122T000000Z\r\nSUMMARY:Nur\r\nEND:VEVENT\r\n"
	    "END:VCALENDAR\r\n",
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
	    "DTSTART;VALUE=DATE:20261123\r\nSUMMARY:A day\r\n"
	    "END:VEVENT\r\nEND:VCALENDAR\r\n",
	    "2026-11-21 08:30 Ali\n2026-11-20 08:30 Siti\n" },
};

static enum tocsin_err
parse(const char *text)
{
	size_t n = strlen(text);
	uint8_t *copy = xcopy(text, n);
	enum tocsin_err err;

	rules_release(&rules);
	err = rules_parse(
	    &rules, (struct span){ copy, n }, world_io(&world, NOW), &faults);
	free(copy);
	return err;
}

static const char *
told(size_t i)
{
	static struct buf b;

	buf_release(&b);
	if (i < faults.n)
		rules_fault_print(&b, "t.rules", &faults.fault[i]);
	buf_u8(&b, '\0');
	return (const char *)b.p;
}

static bool
taken(const char *text)
{
	enum tocsin_err err = parse(text);
	size_t i;

	for (i = 0; i < faults.n; i++)
		diag("%s", told(i));
	return err == TOCSIN_OK && faults.n == 0;
}

/* ---- what is right ---- */

static void
test_example(void)
{
	size_t n;
	char *text = (char *)slurp(top("docs/examples/escalation.rules"), &n);
	const struct rule *r;

	ok(taken(text), "the example is a rules file");
	free(text);
	is_int((long long)rules.nrule, 7, "of seven rules");
	r = rules_find(&rules, "no-answer");
	if (!ok(r != NULL && rules_find(&rules, "no") == NULL,
		"which are found by their names"))
		return;
	is_int(r->scope, SCOPE_RECIPIENT, "one is for each recipient");
	is_int((long long)r->nstep, 3, "has three steps");
	is_int((long long)r->step[1].naction, 2, "of one action or two");
	is_str(r->step[1].action[0].key, "30m-notify-pager",
	    "a key says what is done when");
	is_str(r->step[1].action[1].key, "30m-escalate-region",
	    "and along which chain");
	is_int(r->step[1].offset, 1800, "after half an hour");
	is_int(r->turns, 6, "again six times");
	is_int(r->again, 4 * HOUR, "every four hours");
	is_str(rules.hook[0].argv[2], "{duty:night}",
	    "a hook's arguments are kept as they stand");
	is_int(rules.hook[0].seconds, 30, "and its time-out");
	is_int((long long)rules.hook[0].argc, 5, "and how many they are");
}

static void
test_forms(void)
{
	static const char *const good[] = {
		"[rule a]\nat once: acknowledge\n",
		"[rule a]\r\nat once: acknowledge\r\n",
		"\xef\xbb\xbf[rule a]\nat once: acknowledge",
		"[rule a]\nwhen severity at least II\nat once: acknowledge\n",
		"[rule a]\nwhen severity at least GB/T 20986:II\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen severity is \"GB/T 20986:II\"\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen class in (malicious-code, fraud:phishing)\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen mine\n and not (closed or exercise)\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen (mine and\n\n# why\nclosed\n) or exercise\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen some recipient (state is queued or answered)\n"
		"at once: acknowledge\n",
		"[rule a]\nwhen every recipient (answered) and escalated at "
		"most 3\nat once: acknowledge\n",
		"[rule a]\nwhen from is *@sg and to is not mycert@my and "
		"nation is sg and label is personal-data and exercise is "
		"Tabletop.2026\nat once: acknowledge\n",
		"[rule a]\nwhen written over 2h ago and detected known and "
		"clock nis2/early-warning under 4h left\n"
		"1h before nis2/early-warning: acknowledge\n",
		"[rule a]\nwhen subject has \"Strom\xc3\xa4\"\n"
		"at once: post to @asean, lead@id \"{{ {short_id}\"\n",
		"[rule a]\nfor us\nuntil never\nlate each within 2d\n"
		"30m before ackby: raise flash and\n acknowledge\n",
		"[rule a]\nfor each recipient\nsince answered\n"
		"after 1h30m since heard: remind\nafter 1w: escalate to "
		"lead@id \"{member}\"\n",
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(taken(good[i]), "form %zu is taken", i);
	ok(taken("[rule a]\nfor each recipient\nsince heard\nafter 1h: "
		 "remind\n") &&
		rules.rule[0].until != NULL &&
		strcmp(rules.rule[0].until->text, "state at least result") == 0,
	    "what waits to hear more ends with a result");
	ok(taken("[rule a]\nfor each recipient\nafter 1h: remind\n") &&
		strcmp(rules.rule[0].until->text, "answered") == 0,
	    "what waits for an answer ends with one");
	ok(taken("[rule a]\nwhen mine\nat once: acknowledge\n") && !rules.words,
	    "who asks for no words needs none");
	ok(taken("[rule a]\nwhen mine and not (closed or text has \"x\")\n"
		 "at once: acknowledge\n") &&
		rules.words,
	    "one condition that asks for them needs them");
	ok(taken("") && rules.nrule == 0, "nothing is a file of no rules");
	ok(taken("# only\n\n   \n# comments"), "and so are comments");
}

/* ---- what is wrong: where, what, and what would be right ---- */

static void
test_faults(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[rule a]\nwhen precedence is flsh\nat once: acknowledge\n",
		    "t.rules:2:20: `flsh` is not a word of the list "
		    "`precedence`; right would be: flash" },
		{ "[rule a]\nwhen severity at least NCISS:hgh\n"
		  "at once: acknowledge\n",
		    "t.rules:2:24: `NCISS:hgh` is not a severity of one scale; "
		    "right would be: NCISS:high" },
		{ "[rule a]\nwhen severity is medium\nat once: acknowledge\n",
		    "t.rules:2:18: `medium` is not a severity" },
		{ "[rule a]\nwhen class is malware\nat once: acknowledge\n",
		    "t.rules:2:15: `malware` is not" },
		{ "[rule a]\nfor each recipient\nwhen state is acepted\n"
		  "at once: remind\n",
		    "t.rules:3:15: `acepted` is not a state of a recipient; "
		    "right would be: accepted" },
		{ "[rule a]\nwhen severty is II\nat once: acknowledge\n",
		    "t.rules:2:6: `severty` is not a condition; right would "
		    "be: severity" },
		{ "[rule a]\nwhen mine and closed or exercise\n"
		  "at once: acknowledge\n",
		    "t.rules:2:22: `and` and `or` beside each other" },
		{ "[rule a]\nwhen (mine and closed\nat once: acknowledge\n",
		    "is not closed before this" },
		{ "[rule a]\nwhen precedence >= flash\nat once: acknowledge\n",
		    "t.rules:2:17: `>` has no meaning here; right would be: "
		    "is, is not, at least" },
		{ "[rule a]\nwhen answered\nat once: acknowledge\n",
		    "t.rules:2:6: `answered` is of a recipient; right would "
		    "be: `for each recipient`" },
		{ "[rule a]\nwhen mine\n", "t.rules:1:7: a rule that does "
					   "nothing" },
		{ "[rule a]\nwhen text is fire\nat once: acknowledge\n",
		    "t.rules:2:11: `is` is not what follows `text`; right "
		    "would be: has \"...\", known" },
		{ "[rule a]\nwhen text contains \"fire\"\n"
		  "at once: acknowledge\n",
		    "right would be: has \"...\", known" },
		{ "[rule a]\nwhen text has fire\nat once: acknowledge\n",
		    "t.rules:2:15: `fire` is not a text in quotes; right "
		    "would be: \"fire\"" },
		{ "[rule a]\nwhen text has \"\"\nat once: acknowledge\n",
		    "everything has \"\" in it; right would be: known" },
		{ "[rule a]\nwhen attachment has \"x\"\n"
		  "at once: acknowledge\n",
		    "t.rules:2:17: `has` is not what follows `attachment`; "
		    "right would be: name has \"...\", type is ..., over "
		    "10M, under 10M" },
		{ "[rule a]\nwhen attachment over 10MB\n"
		  "at once: acknowledge\n",
		    "`10MB` is not a size; right would be: 500K, 10M, 1G" },
		{ "[rule a]\nwhen attachment over 99999999999999999999G\n"
		  "at once: acknowledge\n",
		    "is not a size" },
		{ "[rule a]\nwhen attachments at least 0\n"
		  "at once: acknowledge\n",
		    "`0` is not a number" },
		{ "[rule a]\nwhen id is 7k2m\nat once: acknowledge\n",
		    "`7k2m` is not such a name; right would be: "
		    "7k2m-9xq4-t0af" },
		{ "[rule a]\nwhen unopened is recald\n"
		  "at once: acknowledge\n",
		    "`recald` is not such a name; right would be: "
		    "not-recipient" },
		{ "[rule a]\nwhen field has \"x\"\nat once: acknowledge\n",
		    "t.rules:2:16: `\"x\"` is not what follows `field`" },
		{ "[rule a]\nat once: remind\n",
		    "t.rules:2:10: remind: but of whom?" },
		{ "[rule a]\nfor each recipient\nafter 15: remind\n",
		    "t.rules:3:7: `15` is not a length of time" },
		{ "[rule a]\nfor each recipient\nafter 15m remind\n",
		    "t.rules:3:11: `remind` is not the end of a step's time" },
		{ "[rule a]\nat once: notify pagr\n[hook pager]\nrun /bin/x\n",
		    "t.rules:2:17: `pagr` is not a [hook ...] of this file; "
		    "right would be: pager" },
		{ "[rule a]\nfor us\nat once: escalate along regoin\n"
		  "[chain region]\n* -> lead@id\n",
		    "right would be: region" },
		{ "[rule a]\nat once: raise urgent\n",
		    "`urgent` is not a precedence; right would be: flash, "
		    "immediate, priority, routine" },
		{ "[rule a]\nat once: explode\n",
		    "`explode` is not an action; right would be: remind, "
		    "notify, acknowledge, escalate, post, raise" },
		{ "[rule a]\nwhen flsh\nat once: acknowledge\n",
		    "`flsh` is not a condition; right would be: a "
		    "condition of tocsin-rules(5)" },
		{ "[rule a]\nat once: post to @asean\n",
		    "the line ends where the text of a post should be" },
		{ "[rule a]\nat once: post to @asean \"{membr}\"\n",
		    "there is no field {membr}; right would be: {member}" },
		{ "[rule a]\nat once: post to @asean \"{member}\"\n",
		    "{member} is of a recipient" },
		{ "[rule a]\nat once: post to @asean \"{duty:night}\"\n",
		    "there is no field {duty}" },
		{ "[rule a]\nat once: acknowledge\n[rule a]\n"
		  "at once: acknowledge\n",
		    "t.rules:3:7: a second [rule a]" },
		{ "[rule a]\nat once: acknowledge and acknowledge\n",
		    "t.rules:2:1: the same action at the same time twice" },
		{ "[rules a]\nat once: acknowledge\n",
		    "t.rules:1:2: `rules` is not a section" },
		{ "[rule a b]\n", "t.rules:1:9: `b` is not the end" },
		{ "[rule A]\n", "t.rules:1:7: `A` is not a name for it" },
		{ "at once: acknowledge\n",
		    "t.rules:1:1: a line that is in no section" },
		{ "claim 9s\n",
		    "t.rules:1:7: a claim is 10s to 1h; right would "
		    "be: 2m" },
		{ "claim 1m\nclaim 2m\n", "t.rules:2:1: a second `claim`" },
		{ "claim\n",
		    "t.rules:1:6: the line ends where a length of time" },
		{ "claim 20s more\n",
		    "t.rules:1:11: `more` is not part of this" },
		{ "[hook a]\nrun /x\nclaim 20s\n",
		    "t.rules:3:1: `claim` is not a word" },
		{ "[hook a]\nrun page\n", "t.rules:2:5: a program without its "
					  "absolute path" },
		{ "[hook a]\ntime-out 2h\nrun /x\n",
		    "t.rules:2:10: a time-out is 1s to 1h" },
		{ "[hook a]\n", "t.rules:1:7: a hook that runs nothing" },
		{ "[hook a]\nrun /x \"never ends\n",
		    "t.rules:2:8: a text is not closed" },
		{ "[chain a]\n", "a chain of nobody" },
		{ "[chain a]\nmycert@my\n", "the line ends where an arrow" },
		{ "[chain a]\nmycert -> lead@id\n",
		    "`mycert` is not a member" },
		{ "[calendar a]\nhours daily 00:00-24:00\n",
		    "a calendar without a time zone" },
		{ "[calendar a]\nzone Asia/Kuala_Lumpr\n",
		    "t.rules:2:6: this machine knows no time zone" },
		{ "[calendar a]\nzone UTC\n", "without working hours" },
		{ "[calendar a]\nzone UTC\nhours mon-fry 08:00-09:00\n",
		    "`mon-fry` is not days of the week" },
		{ "[calendar a]\nzone UTC\nhours mon 08:00-25:00\n",
		    "`08:00-25:00` is not hours" },
		{ "[calendar a]\nzone UTC\nhours mon 08:00-12:00 "
		  "11:00-13:00\n",
		    "hours of a day that has others then" },
		{ "[calendar a]\nzone UTC\nhours mon 08:00-12:00\n"
		  "holiday 2026-02-30\n",
		    "t.rules:4:9: `2026-02-30` is not a date" },
		{ "[calendar a]\nzone UTC\nhours mon 08:00-12:00\n"
		  "holidays none.ics\n",
		    "t.rules:4:10: none.ics: " },
		{ "[duty a]\nzone UTC\n", "a duty without a roster" },
		{ "[duty a]\nzone UTC\nroster bad.txt\n",
		    "bad.txt:2:1: a time that is not after that of the line "
		    "before" },
		{ "[rule a]\nwhen working my\nat once: acknowledge\n",
		    "`my` is not a [calendar ...] of this file" },
		{ "[rule a]\nfor each recipient\nafter 1h: remind\n"
		  "again every 1m at most 3 times\n",
		    "t.rules:4:13: too often to be read" },
		{ "[rule a]\nfor each recipient\nafter 1h: remind\n"
		  "again every 1h at most 101 times\n",
		    "t.rules:4:24: `101` is not how often; right would be: 1 "
		    "to 100" },
		{ "[rule a]\nwhen \x01\n", "t.rules:2:6: a byte 01" },
		{ "[rule a]\n# caf\xc3\xa9\n# caf\xe9\n",
		    "t.rules:3:6: a byte e9 that is not UTF-8; right would be: "
		    "the file saved as UTF-8" },
		{ "[rule a]\nwhen text has \xe2\x80\x9cx\xe2\x80\x9d\n",
		    "t.rules:2:15: a text needs the quotes of a keyboard; "
		    "right would be: \"...\"" },
		{ "[rule a]\nfor us\nat once: raise flash 'now then'\n",
		    "t.rules:3:22: a text needs the quotes of a keyboard" },
		{ "[rule a]\nfor each recipient\nat once: remind now\n",
		    "t.rules:3:17: `now` is not part of this line; right would "
		    "be: \"now\", if it is a text; or a new line" },
		{ "[rule a]\nfor each recipient\nat once: remind, raise "
		  "flash\n",
		    "`,` is not part of this line; right would be: `and`, or a "
		    "new line" },
		{ "[rule a]\nfor each recipient\nat once: remind \"{member\"\n",
		    "t.rules:3:17: a { that no } closes; right would be: "
		    "{short_id}; for a brace alone, {{" },
		{ "[rule a]\nwhen tlp is RED or AMBER\nat once: acknowledge\n",
		    "t.rules:2:20: `AMBER` stands alone; right would be: tlp "
		    "in "
		    "(..., AMBER)" },
		{ "[rule a]\nat once: notify pager\n",
		    "`pager` is not a [hook ...] of this file; right would be: "
		    "a "
		    "section [hook NAME] that says what is run" },
		{ "[rule a]\nwhen mine closed\nat once: acknowledge\n",
		    "`closed` is not part of this line; right would be: and, "
		    "or, or a new line" },
		{ "[rule a]\nwhen sector is power\nat once: acknowledge\n",
		    "right would be: one that `tocsin words sector` lists" },
		{ "[rule a]\nat once: close\n",
		    "`close` is not an action; right would be: remind, "
		    "notify" },
		{ "[rule no answer]\nat once: acknowledge\n",
		    "`answer` is not the end of a section's line; right would "
		    "be: a name of one word, as no-answer" },
		{ "[hook a]\nrun /x --n=1 | y\n",
		    "t.rules:2:11: `=` has no meaning here; right would be: "
		    "quotes around it; no shell reads this line" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum tocsin_err err = parse(rows[i].text);
		const char *got = told(0);

		if (!ok(err == TOCSIN_EMALFORMED &&
			    strstr(got, rows[i].want) != NULL,
			"it is told: %s", rows[i].want))
			diag("got %d: %s", err, got);
	}
	parse("[rule a]\nwhen flsh\nafter soon: remind\nlate perhaps\n");
	is_int((long long)faults.n, 3, "all faults of a file are told at once");
	parse("[rule a]\nfor each recipients\nafter 1h: remind\n");
	is_int((long long)faults.n, 1, "and none that another brings about");
	parse("[rule a]\nwhen subject has 'a b' and mine\n"
	      "at once: acknowledge\n");
	is_int((long long)faults.n, 1, "nor what a wrong quote leaves over");
	ok(rules.nrule == 0, "and with one there are no rules");
}

static void
test_bounds(void)
{
	struct buf b = { 0 };
	size_t i;

	buf_addz(&b, "[rule a]\nwhen ");
	for (i = 0; i < 200000; i++)
		buf_addz(&b, "(");
	buf_u8(&b, '\0');
	parse((const char *)b.p);
	ok(strstr(told(0), "conditions more than 32 deep") != NULL,
	    "depth has an end");
	buf_release(&b);
	buf_addz(&b, "[rule a]\nwhen mine");
	for (i = 0; i < 3000; i++)
		buf_addz(&b, " and mine");
	buf_addz(&b, "\nat once: acknowledge\n");
	buf_u8(&b, '\0');
	parse((const char *)b.p);
	ok(strstr(told(0), "more than 2000 conditions") != NULL,
	    "and so has the number of conditions");
	buf_release(&b);
	for (i = 0; i < 300; i++)
		buf_addf(&b, "[rule r%zu]\nat once: acknowledge\n", i);
	buf_u8(&b, '\0');
	parse((const char *)b.p);
	ok(strstr(told(0), "more than 200 [rule ...]") != NULL,
	    "and that of rules");
	buf_release(&b);
	while (b.n <= RULES_FILE_MAX)
		buf_addz(&b, "# a rules file that says nothing at all\n");
	buf_u8(&b, '\0');
	parse((const char *)b.p);
	ok(strstr(told(0), "at most 262144 bytes") != NULL,
	    "and that of bytes");
	buf_release(&b);
}

/* Every prefix is taken or refused, and says why. */
static void
test_truncated(void)
{
	size_t n, cut, silent = 0;
	uint8_t *text = slurp(top("docs/examples/escalation.rules"), &n);

	for (cut = 0; cut < n; cut += cut < 200 ? 1 : 7) {
		uint8_t *copy = xcopy(text, cut);
		enum tocsin_err err = rules_parse(&rules,
		    (struct span){ copy, cut }, world_io(&world, NOW), &faults);

		free(copy);
		silent += (err == TOCSIN_EMALFORMED) != (faults.n > 0);
		rules_release(&rules);
	}
	free(text);
	is_int((long long)silent, 0, "no prefix is refused without a reason");
}

/* Rules of several chunks of memory, each of which is not there once. */
static void
test_no_memory(void)
{
	struct buf b = { 0 };
	unsigned n, taken_all = 0, odd = 0;
	bool met = true;
	size_t i;

	buf_addz(&b, "[duty a]\nzone UTC\nroster duty.ics\n"
		     "[duty b]\nzone UTC\nroster duty.txt\n"
		     "[calendar c]\nzone UTC\nhours mon 08:00-09:00\n"
		     "holidays days.ics\n");
	for (i = 0; i < 60; i++)
		buf_addf(&b,
		    "[rule r%zu]\nfor each recipient\nwhen subject has \"%zu\" "
		    "and label in (aa, bb)\nafter 1h: remind \"{member}\"\n",
		    i, i);
	for (n = 1; met && n < 1000; n++) {
		enum tocsin_err err;

		nth_set(n);
		err = rules_parse(
		    &rules, buf_span(&b), world_io(&world, NOW), &faults);
		met = nth_clear();
		taken_all += met && err == TOCSIN_OK;
		odd += err == TOCSIN_EMALFORMED && faults.n == 0;
		rules_release(&rules);
	}
	ok(n > 8 && !met, "of %u allocations each fails once", n - 2);
	is_int(taken_all + odd, 0, "and no half of the rules is taken then");
	buf_release(&b);
}

/* ---- conditions ---- */

static const struct fact_place places[] = {
	{ .member = "singcert@sg",
	    .rung = TOCSIN_RUNG_ACCEPTED,
	    .asked = NOW - HOUR,
	    .answered = NOW - 600,
	    .heard = NOW - 600 },
	{ .member = "thaicert@th",
	    .rung = TOCSIN_RUNG_DELIVERED,
	    .asked = NOW - HOUR },
	{ .member = "mycert@my", .ours = true, .rung = TOCSIN_RUNG_OPENED },
};
static const char *const labels[] = { "personal-data", "power" };
static const char *const to[] = { "singcert@sg", "thaicert@th" };
static const struct fact_deadline deadlines[] = {
	{ "nis2/early-warning", NOW + 5 * HOUR, 0 },
	{ "nis2/notification", NOW - 1, 0 },
	{ "cac-other/report", NOW - 1, NOW - 2 },
};
static const struct fact_attachment attachments[] = {
	{ "invoice.pdf.EXE", "application/x-dosexec", 11 << 20 },
	{ "screen.png", "image/png", 2048 },
};
static const struct fact_word words[] = {
	{ "subject", "Power station: SCADA", true },
	{ "text", "Beacons to 203.0.113.9,\nevery minute", true },
	{ "indicators", "[ipv4-addr:value = '203.0.113.9']", true },
	{ "references", "CVE-2026-1234", true },
	{ "severity", "important", true },
	{ "text", "Ransom is asked for", false },
};
static const struct facts ticket = { .id = "id",
	.short_id = "7k2m-9xq4-t0af",
	.from = "mycert@my/desk1",
	.member = "mycert@my",
	.mine = true,
	.kind = "report",
	.precedence = "immediate",
	.tlp = "AMBER",
	.severity = "NCISS:high",
	.classification = "malicious-code:c2-server",
	.pap = "AMBER",
	.outlook = "worsening",
	.subject = "Power station: SCADA",
	.unopened = "not-recipient",
	.resolution = "false-positive",
	.attachment = attachments,
	.nattachment = 2,
	.word = words,
	.nword = 6,
	.label = labels,
	.nlabel = 2,
	.to = to,
	.nto = 2,
	.written = NOW - HOUR,
	.received = NOW - HOUR + 2,
	.detected = NOW - 2 * HOUR,
	.escalated = 1,
	.place = places,
	.nplace = 3,
	.deadline = deadlines,
	.ndeadline = 3 };

static void
test_conditions(void)
{
	static const struct {
		const char *cond;
		const char *scope; /* "" of the ticket, else of places[0] */
		bool holds;
		int64_t changes; /* from NOW on; 0: never */
	} rows[] = {
		{ "mine", "", true, 0 },
		{ "closed or exercise", "", false, 0 },
		{ "severity at least NCISS:high", "", true, 0 },
		{ "severity at least NCISS:severe", "", false, 0 },
		{ "severity at most NCISS:severe", "", true, 0 },
		{ "severity at most NCISS:medium", "", false, 0 },
		{ "severity at least GB/T 20986:IV", "", false, 0 },
		{ "not severity at least GB/T 20986:IV", "", true, 0 },
		{ "severity is NCISS:high and severity known", "", true, 0 },
		{ "class is malicious-code", "", true, 0 },
		{ "class is malicious-code:c2-server", "", true, 0 },
		{ "class is malicious-code:infected-system", "", false, 0 },
		{ "class in (fraud, malicious-code)", "", true, 0 },
		{ "class not in (fraud, vulnerable)", "", true, 0 },
		{ "precedence at least immediate", "", true, 0 },
		{ "precedence at least flash", "", false, 0 },
		{ "precedence at most priority", "", false, 0 },
		{ "tlp at least AMBER", "", true, 0 },
		{ "tlp at most GREEN", "", false, 0 },
		{ "pap is AMBER and outlook is worsening", "", true, 0 },
		{ "kind is request", "", false, 0 },
		{ "label is power", "", true, 0 },
		{ "label is pow", "", false, 0 },
		{ "sector is energy", "", false, 0 },
		{ "from is mycert@my", "", true, 0 },
		{ "from is mycert@my/desk1", "", true, 0 },
		{ "from is mycert@my/desk2", "", false, 0 },
		{ "from is *@my and nation is my", "", true, 0 },
		{ "from is *@m2", "", false, 0 },
		{ "to is *@th", "", true, 0 },
		{ "to is lead@id", "", false, 0 },
		{ "subject has \"scada\"", "", true, 0 },
		{ "subject has \"scadb\"", "", false, 0 },
		{ "subject has (\"scadb\", \"scada\") and subject known", "",
		    true, 0 },
		{ "id is 7k2m-9xq4-t0af", "", true, 0 },
		{ "id not in (7k2m-9xq4-t0af, 7k2m-9xq4-t0ag)", "", false, 0 },
		{ "unopened and unopened is not-recipient", "", true, 0 },
		{ "unopened in (recalled, malformed)", "", false, 0 },
		{ "resolution is false-positive", "", true, 0 },
		{ "resolution known and resolution is resolved", "", false, 0 },
		{ "text has \"BEACONS\"", "", true, 0 },
		{ "text has \"9,\\nevery\"", "", true, 0 },
		{ "text has \"ransom\"", "", false, 0 },
		{ "text known and not text has \"SCADA\"", "", true, 0 },
		{ "words has \"ransom\" and words has \"scada\"", "", true, 0 },
		{ "words has (\"locker\", \"extort\")", "", false, 0 },
		{ "indicator has \"203.0.113.9'\"", "", true, 0 },
		{ "indicator has \"beacons\"", "", false, 0 },
		{ "reference is CVE-2026-1234 and reference known", "", true,
		    0 },
		{ "reference in (CVE-2026-1, CVE-2026-2)", "", false, 0 },
		{ "field severity is important", "", true, 0 },
		{ "field severity is not ordinary", "", true, 0 },
		{ "field \"severity\" has \"PORT\"", "", true, 0 },
		{ "field loss known", "", false, 0 },
		{ "field text is \"Ransom is asked for\"", "", false, 0 },
		{ "attachments is 2 and attachments at least 2", "", true, 0 },
		{ "attachments at least 3", "", false, 0 },
		{ "attachments known", "", true, 0 },
		{ "attachment name has (\".js\", \".exe\")", "", true, 0 },
		{ "attachment name is screen.png", "", true, 0 },
		{ "attachment name is screen.PNG", "", false, 0 },
		{ "attachment type is image/*", "", true, 0 },
		{ "attachment type is IMAGE/png", "", true, 0 },
		{ "attachment type in (image/jpeg, text/*)", "", false, 0 },
		{ "attachment over 11M", "", false, 0 },
		{ "attachment over 10M and attachment under 3K", "", true, 0 },
		{ "attachment under 2K", "", false, 0 },
		{ "escalated is 1 and escalated at least 1", "", true, 0 },
		{ "escalated at least 2", "", false, 0 },
		{ "written over 1h ago", "", true, 0 },
		{ "written over 61m ago", "", false, 60 },
		{ "written under 61m ago", "", true, 60 },
		{ "not written under 61m ago", "", false, 60 },
		{ "occurred over 1m ago", "", false, 0 },
		{ "occurred known", "", false, 0 },
		{ "detected known", "", true, 0 },
		{ "clock nis2/early-warning running", "", true, 0 },
		{ "clock nis2/early-warning under 5h left", "", true, 0 },
		{ "clock nis2/early-warning under 4h left", "", false, HOUR },
		{ "clock nis2/early-warning over 4h left", "", true, HOUR },
		{ "clock nis2/early-warning missed", "", false, 5 * HOUR + 1 },
		{ "clock nis2/notification missed", "", true, 0 },
		{ "clock cac-other/report missed", "", false, 0 },
		{ "clock cac-other/report done", "", true, 0 },
		{ "clock cac-other/report running", "", false, 0 },
		{ "clock no/such running", "", false, 0 },
		{ "written over 61m ago and written over 62m ago", "", false,
		    120 },
		{ "written over 61m ago or written over 62m ago", "", false,
		    60 },
		{ "written under 61m ago and written under 62m ago", "", true,
		    60 },
		{ "written over 61m ago and closed", "", false, 0 },
		{ "some recipient (answered)", "", true, 0 },
		{ "every recipient (answered)", "", false, 0 },
		{ "some recipient (state is opened)", "", false, 0 },
		{ "every recipient (asked over 2h ago)", "", false, HOUR },
		{ "state at least accepted", "for", true, 0 },
		{ "state is accepted and state at most accepted", "for", true,
		    0 },
		{ "state at most opened", "for", false, 0 },
		{ "state in (deferred, in-progress)", "for", false, 0 },
		{ "answered", "for", true, 0 },
		{ "answered over 10m ago", "for", true, 0 },
		{ "heard over 11m ago", "for", false, 60 },
		{ "read known", "for", false, 0 },
		{ "recipient is *@sg", "for", true, 0 },
		{ "recipient is not singcert@sg", "for", false, 0 },
		{ "reason known", "for", false, 0 },
		/* Saturday, 15:00 there */
		{ "working my", "", false, DAYS(2) - HOUR * 13 / 2 },
		{ "holiday my", "", false, 9 * HOUR },
		{ "duty night is Ali", "", true, 2 * HOUR + 1800 },
		{ "duty night is Siti", "", false, 2 * HOUR + 1800 },
		{ "duty night known", "", true, 2 * HOUR + 1800 },
		{ "duty rota is Nur", "", true, 17 * HOUR },
	};
	char text[600];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cond_env env = { &ticket, NULL, NOW };
		struct verdict v;
		int64_t changes =
		    rows[i].changes != 0 ? NOW + rows[i].changes : NEVER;

		snprintf(text, sizeof(text),
		    "[calendar my]\nzone Asia/Kuala_Lumpur\n"
		    "hours mon-fri 08:30-17:30\n"
		    "[duty night]\nzone Asia/Kuala_Lumpur\nroster duty.txt\n"
		    "[duty rota]\nzone UTC\nroster duty.ics\n"
		    "[rule a]\n%s\nwhen %s\nat once: acknowledge\n",
		    rows[i].scope[0] != '\0' ? "for each recipient" : "",
		    rows[i].cond);
		if (!ok(taken(text), "`%s` is a condition", rows[i].cond))
			continue;
		if (rows[i].scope[0] != '\0')
			env.place = &places[0];
		v = cond_judge(rules.rule[0].when, &env);
		if (!ok(v.holds == rows[i].holds && v.until == changes,
			"which %s, %s", rows[i].holds ? "holds" : "fails",
			rows[i].changes != 0 ? "for some time" : "for good"))
			diag("%d, changes in %lld s", v.holds,
			    (long long)(v.until - NOW));
	}
}

static void
why_of(const struct cond *c, struct buf *b)
{
	const struct cond_env env = { &ticket, NULL, NOW };
	struct verdict v = cond_judge(c, &env);

	buf_cut(b, 0);
	cond_why(b, &v, &env);
	buf_u8(b, '\0');
}

static void
test_why(void)
{
	struct buf b = { 0 };
	struct cond_env env = { &ticket, NULL, NOW };
	struct verdict v;

	taken("[rule a]\nwhen mine and severity   at least NCISS:severe\n"
	      "at once: acknowledge\n");
	v = cond_judge(rules.rule[0].when, &env);
	cond_why(&b, &v, &env);
	buf_u8(&b, '\0');
	is_str((const char *)b.p,
	    "`severity at least NCISS:severe`: it is NCISS:high",
	    "the test that decides is told, with what is");
	buf_release(&b);
	taken("[rule a]\nwhen every recipient (answered)\n"
	      "at once: acknowledge\n");
	v = cond_judge(rules.rule[0].when, &env);
	cond_why(&b, &v, &env);
	buf_u8(&b, '\0');
	is_str((const char *)b.p, "`answered` of thaicert@th: it is delivered",
	    "and for whom");
	buf_release(&b);
	taken("[rule a]\nwhen indicator is x and (text has \"x\" or attachment "
	      "over 1G or field text has \"ransom\")\nat once: acknowledge\n");
	why_of(rules.rule[0].when->a, &b);
	is_str((const char *)b.p,
	    "`indicator is x`: it is [ipv4-addr:value = '203.0.113.9']",
	    "of what it says");
	why_of(rules.rule[0].when->b->a->a, &b);
	is_str((const char *)b.p, "`text has \"x\"`: no",
	    "but not the whole text");
	why_of(rules.rule[0].when->b->a->b, &b);
	is_str((const char *)b.p,
	    "`attachment over 1G`: 11534336 bytes, 2048 bytes",
	    "and of its files");
	why_of(rules.rule[0].when->b->b, &b);
	is_str((const char *)b.p,
	    "`field text has \"ransom\"`: it is Beacons to 203.0.113.9, "
	    "every minute",
	    "on one line, whatever it says");
	buf_release(&b);
}

/* ---- chains, durations ---- */

struct asked {
	const char *who[4];
};

static bool
was_asked(void *arg, const char *member)
{
	const struct asked *a = arg;
	size_t i;

	for (i = 0; i < 4; i++)
		if (a->who[i] != NULL && strcmp(a->who[i], member) == 0)
			return true;
	return false;
}

static void
test_chain(void)
{
	struct asked a = { { NULL } };
	const struct chain *c;

	if (!ok(taken("[chain r]\nsingcert@sg -> csa@sg -> lead@id\n"
		      "csa@sg -> boss@sg\n* -> other@id -> last@id\n"),
		"a chain has rows"))
		return;
	c = &rules.chain[0];
	is_str(chain_next(c, "singcert@sg", was_asked, &a), "csa@sg",
	    "the backup is next");
	a.who[0] = "csa@sg";
	is_str(chain_next(c, "singcert@sg", was_asked, &a), "lead@id",
	    "then the lead, when the backup was asked");
	is_str(chain_next(c, "csa@sg", was_asked, &a), "boss@sg",
	    "a backup with a row of its own has that");
	a.who[1] = "lead@id";
	ok(chain_next(c, "singcert@sg", was_asked, &a) == NULL,
	    "in the end nobody is left");
	ok(chain_next(c, "lead@id", was_asked, &a) == NULL,
	    "and nobody stands behind the last");
	is_str(chain_next(c, "thaicert@th", was_asked, &a), "other@id",
	    "who has no row has that of all others");
}

static void
test_durations(void)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = { { "15m", 900 }, { "1h30m", 5400 }, { "2d", DAYS(2) },
		{ "1w", DAYS(7) }, { "0s", 0 }, { "400d", DAYS(400) } };
	static const char *const bad[] = { "", "m", "15", "1h30", "30m1h",
		"1m1m", "401d", "99999999999999999999h", "-1h", "1 h", "1y" };
	struct buf b = { 0 };
	int64_t s;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(duration_parse(span_of(good[i].text), &s) &&
			s == good[i].seconds,
		    "%s is a length of time", good[i].text);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!duration_parse(span_of(bad[i]), &s), "`%s` is none",
		    bad[i]);
	duration_print(&b, DAYS(1) + 3661);
	buf_u8(&b, '\0');
	is_str((const char *)b.p, "1d1h1m1s", "and is printed");
	buf_release(&b);
}

int
main(void)
{
	test_example();
	test_forms();
	test_faults();
	test_bounds();
	test_truncated();
	test_no_memory();
	test_conditions();
	test_why();
	test_chain();
	test_durations();
	rules_release(&rules);
	told(SIZE_MAX);
	return tap_done();
}
