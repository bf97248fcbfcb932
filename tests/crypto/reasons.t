#!/bin/sh
# PROTOCOL.md 9 lists the rows of the one table of reasons, in order.
set -u

cd "${TOP:-.}" || exit 1
want=$(sed -n 's/^	\[TOCSIN_[A-Z]*\] = { "\([^"]*\)", \([0-9]\),.*/\1 | \2/p' \
    crypto/tocsin_err.c)
have=$(sed -n '/^## 9 /,/^## 10 /s/^| \([0-9]*\) | \([a-z-]*\) | \([0-9]\) | .* |$/\1 \2 | \3/p' \
    docs/PROTOCOL.md)
texts=$(sed -n 's/^	.*"\([^"]*\)" },$/\1/p' crypto/tocsin_err.c)
page=$(sed -n '/^## 9 /,/^## 10 /s/^| [0-9]* | [a-z-]* | [0-9] | \(.*\) |$/\1/p' \
    docs/PROTOCOL.md)

n=0
# sentence, then a test
check() {
	n=$((n + 1))
	what=$1
	shift
	if "$@"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
	fi
}

check "the table has rows" test -n "$want"
check "name and exit status are the same, in order, with the code in front" \
    test "$(printf '%s\n' "$want" | awk '{ print NR - 1, $0 }')" = "$have"
check "so is the text" test "$texts" = "$page"
check "every reason of the header has a row" \
    test "$(grep -c '^	TOCSIN_[A-Z]* = [0-9]*,' crypto/tocsin_err.h)" -eq \
    "$(printf '%s\n' "$want" | wc -l)"
check "no name comes twice" \
    test -z "$(printf '%s\n' "$want" | sed 's/ .*//' | sort | uniq -d)"
echo "1..$n"
