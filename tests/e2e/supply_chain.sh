#!/usr/bin/env bash
# What the program is made of: licences, sources and banned crates, and a valid list
# (SBOM) for the release. Known vulnerabilities are in databases of the network; they are
# checked where those can be reached (the workflow's job must), and it is said where not.
#
# supply_chain.sh [OUT_DIR]     with OUT_DIR the lists stay there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tools=$(tests/e2e/tools.sh)
out=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$out"' EXIT

"$tools/cargo-deny" --log-level warn check bans licenses sources
if timeout 120 "$tools/cargo-deny" --log-level off fetch db 2>/dev/null; then
    "$tools/cargo-deny" --log-level warn --offline check advisories
else
    echo "known vulnerabilities of crates: the database cannot be reached here"
fi

"$tools/python" .ci/sbom.py "$out"
for crate in redb tantivy rustls argon2; do
    grep -q "\"purl\": \"pkg:cargo/$crate@" "$out/call-analytics.cdx.json" || {
        echo "the list of crates lacks $crate" >&2
        exit 1
    }
done
# Crates of the tests are not part of the program.
if grep -q '"purl": "pkg:cargo/tokio-tungstenite@0.30' "$out/call-analytics.cdx.json" &&
    ! cargo tree --locked --edges normal,build --prefix none 2>/dev/null | grep -q '^tokio-tungstenite v0.30'; then
    echo "the list of crates has crates of the tests" >&2
    exit 1
fi
grep -q '"purl": "pkg:npm/react@' "$out/call-analytics-page.cdx.json" || {
    echo "the list of the page lacks react" >&2
    exit 1
}
# A list that is no CycloneDX is found: the check can fail.
if "$tools/python" - "$out/call-analytics.cdx.json" <<'PYTHON'; then
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
document = json.load(open(sys.argv[1]))
document["components"][0]["type"] = "nonsense"
fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(document))
sys.exit(1 if fault else 0)
PYTHON
    echo "a damaged list passes for a valid one" >&2
    exit 1
fi

if (cd web && npm audit --omit=dev --json) >"$out/npm-audit.json" 2>/dev/null; then
    echo "npm audit: nothing known"
elif grep -q '"auditReportVersion"' "$out/npm-audit.json"; then
    cat "$out/npm-audit.json"
    exit 1
else
    echo "npm audit: the registry does not answer here"
fi
rm -f "$out/npm-audit.json"
