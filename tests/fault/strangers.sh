#!/bin/sh
# SPDX-License-Identifier: ISC
#
# strangers.sh - hostile connections at the public port: make strangers N=5000
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

each=${N:-5000}
seed_begin strangers
fed_two
for kind in garbage oversize truncated no-frame hello forged publish; do
	wire abuse "$(fed_port sg)" $kind "$each"
	post singcert-desk1 mycert@my --tlp GREEN --subject "$kind" >/dev/null ||
		bail "no post beside $kind"
done
printf 'strangers: seed %s, %s connections of each kind\n' "$seed" "$each"
