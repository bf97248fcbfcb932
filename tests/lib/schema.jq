# SPDX-License-Identifier: ISC
#
# schema.jq - what is wrong with a JSON value by a schema of docs/schema
#
#	jq -r --slurpfile s schemas.json --arg f message.json \
#		'include "schema"; check($s[0]; $f)'
#
# schemas.json is one object of all files, by name. The part of JSON Schema
# 2020-12 that ours use; a keyword that is not known here is an error, not
# passed over. Beyond the standard, a member of an object that the schema lists
# members for, and not this one, is told: what is printed is documented.

def known: ["$schema", "$id", "$ref", "$defs", "title", "description", "type",
	"enum", "const", "properties", "required", "additionalProperties",
	"items", "minItems", "maxItems", "oneOf", "anyOf", "allOf", "pattern", "minimum",
	"maximum", "minLength", "maxLength"];

def resolve($all; $file; $ref):
	($ref | split("#")) as $p |
	(if $p[0] == "" then $file else $p[0] end) as $f |
	($p[1] // "" | ltrimstr("/") | if . == "" then [] else split("/") end)
		as $at |
	{ f: $f, s: ($all[$f] | getpath($at) //
		error("no schema \($ref) of \($file)")) };

def is($want):
	if $want == "integer" then type == "number" and floor == .
	else type == $want end;

# The members that a schema lists, with those that it builds on.
def listed($all; $file; $s):
	($s.properties // {} | keys[]),
	($s.allOf // [] | .[] | listed($all; $file; .)),
	($s["$ref"] // empty | resolve($all; $file; .) |
		listed($all; .f; .s));

def wrong($all; $file; $s; $path; $top):
	def sub($schema; $where): wrong($all; $file; $schema; $where; true);
	# Of what has its own members, others only say which go together.
	def other($schema; $where): wrong($all; $file; $schema; $where;
		$s | has("properties") | not);
	. as $v |
	($s | keys - known | if length > 0 then error("\($file): \(.)")
		else empty end),
	($s["$ref"] // empty | resolve($all; $file; .) as $r |
		$v | wrong($all; $r.f; $r.s; $path; $top)),
	(if $s | has("type") then
		([$s.type] | flatten) as $types |
		if any($types[]; . as $t | $v | is($t)) then empty
		else "\($path): \(type) is not \($types | join(" or "))" end
	else empty end),
	(if $s | has("enum") then
		if any($s.enum[]; . == $v) then empty
		else "\($path): \($v) is none of \($s.enum)" end
	else empty end),
	(if $s | has("const") then
		if $s.const == $v then empty
		else "\($path): \($v) is not \($s.const)" end
	else empty end),
	(if type == "string" then
		(if $s.pattern != null and (test($s.pattern) | not) then
			"\($path): \($v) does not match \($s.pattern)"
		else empty end),
		(if $s.minLength != null and length < $s.minLength then
			"\($path): too short" else empty end),
		(if $s.maxLength != null and length > $s.maxLength then
			"\($path): too long" else empty end)
	else empty end),
	(if type == "number" then
		(if $s.minimum != null and . < $s.minimum then
			"\($path): \($v) is below \($s.minimum)"
		else empty end),
		(if $s.maximum != null and . > $s.maximum then
			"\($path): \($v) is above \($s.maximum)"
		else empty end)
	else empty end),
	(if type == "array" then
		(if $s.maxItems != null and length > $s.maxItems then
			"\($path): too many" else empty end),
		(if $s.minItems != null and length < $s.minItems then
			"\($path): too few" else empty end),
		(if $s | has("items") then
			range(length) as $i | .[$i] |
			sub($s.items; "\($path)[\($i)]")
		else empty end)
	else empty end),
	(if type == "object" then
		(($s.required // []) - keys | .[] |
			"\($path): \(.) is missing"),
		([listed($all; $file; $s)] as $may |
			if ($s.additionalProperties | type) == "object"
			then keys - $may | .[] as $k | $v[$k] |
				sub($s.additionalProperties; "\($path).\($k)")
			elif $s | has("$ref") and (has("properties") | not)
			then empty # by what it refers to
			elif $top and ($may | length) > 0 or
				$s.additionalProperties == false
			then keys - $may | .[] |
				"\($path): \(.) is not in the schema"
			else empty end),
		(($s.properties // {}) | to_entries[] |
			select(.key as $k | $v | has($k)) |
			.key as $k | .value as $schema | $v[$k] |
			sub($schema; "\($path).\($k)"))
	else empty end),
	($s.allOf // [] | .[] as $one | $v |
		wrong($all; $file; $one; $path; false)),
	(if $s | has("anyOf") then
		if any($s.anyOf[]; . as $one |
			[$v | other($one; $path)] | length == 0)
		then empty
		else $s.anyOf[0] as $one | $v | other($one; $path) end
	else empty end),
	(if $s | has("oneOf") then
		[$s.oneOf[] | . as $one | [$v | other($one; $path)]] as $each |
		([$each[] | select(length == 0)] | length) as $fit |
		if $fit == 1 then empty
		else "\($path): fits \($fit) of \($each | length): \($each |
			min_by(length) | .[0])" end
	else empty end);

def check($all; $file): wrong($all; $file; $all[$file]; ""; true);
