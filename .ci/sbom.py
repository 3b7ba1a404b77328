#!/usr/bin/env python3
"""Writes what the program is made of as CycloneDX, and checks that it is valid.

sbom.py OUT_DIR    makes OUT_DIR/call-analytics.cdx.json (crates that are compiled in)
                   and OUT_DIR/call-analytics-page.cdx.json (packages of the page)

Needs cargo, npm (after `npm ci` in web) and cyclonedx-python-lib[json-validation] (.ci/requirements.txt).
"""

import json
import pathlib
import subprocess
import sys
import tomllib

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.output.json import JsonV1Dot5
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

HERE = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"


def crates() -> str:
    """The crates of the program: those for tests are not among them."""
    told = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET],
        cwd=HERE, check=True, capture_output=True, text=True,
    ).stdout
    metadata = json.loads(told)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    lock = tomllib.loads((HERE / "Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}

    def needs(node):
        for dep in nodes[node]["deps"]:
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
                yield dep["pkg"]

    reached, waiting = {root}, [root]
    while waiting:
        for other in needs(waiting.pop()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)

    licenses = LicenseFactory()
    bom = Bom()
    components = {}
    for package_id in sorted(reached):
        package = packages[package_id]
        name, version = package["name"], package["version"]
        checksum = checksums.get((name, version))
        component = Component(
            name=name,
            version=version,
            type=ComponentType.APPLICATION if package_id == root else ComponentType.LIBRARY,
            bom_ref=f"cargo:{name}@{version}",
            purl=PackageURL("cargo", None, name, version),
            description=package["description"],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
            # Crates of old write MIT/Apache-2.0.
            licenses=[licenses.make_from_string(package["license"].replace("/", " OR "))]
            if package["license"] else [],
        )
        components[package_id] = component
        if package_id == root:
            bom.metadata.component = component
        else:
            bom.components.add(component)
    for package_id, component in components.items():
        bom.register_dependency(component, [components[other] for other in needs(package_id)])
    return JsonV1Dot5(bom).output_as_string(indent=1)


def page() -> str:
    """The packages that the page is made of, with all that they need."""
    told = subprocess.run(
        ["npm", "sbom", "--sbom-format", "cyclonedx"],
        cwd=HERE / "web", check=True, capture_output=True, text=True,
    ).stdout
    document = json.loads(told)
    wanted = json.loads((HERE / "web/package.json").read_text())["dependencies"]
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    by_name = {one["bom-ref"].rsplit("@", 1)[0]: one["bom-ref"] for one in document["components"]}
    # npm's own `--omit dev` leaves out what tools of the build need as well, such as react.
    root = document["metadata"]["component"]["bom-ref"]
    waiting = [ref for ref in needs[root] if ref.rsplit("@", 1)[0] in wanted]
    missing = set(wanted) - {ref.rsplit("@", 1)[0] for ref in waiting}
    if missing:
        sys.exit(f"npm does not tell of {sorted(missing)}; it knows {len(by_name)} packages")
    reached = set(waiting)
    while waiting:
        for ref in needs.get(waiting.pop(), []):
            if ref not in reached:
                reached.add(ref)
                waiting.append(ref)
    document["components"] = [one for one in document["components"] if one["bom-ref"] in reached]
    document["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in reached]}
        for one in document["dependencies"] if one["ref"] == root or one["ref"] in reached
    ]
    return json.dumps(document, indent=1)


def check(what: str, text: str) -> None:
    document = json.loads(text)
    version = SchemaVersion.from_version(document["specVersion"])
    fault = JsonStrictValidator(version).validate_str(text)
    if fault:
        sys.exit(f"{what} is no valid CycloneDX: {fault}")
    if not document.get("components"):
        sys.exit(f"{what} names nothing")
    print(f"{what}: {len(document['components'])} components, CycloneDX {document['specVersion']}")


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, text in [("call-analytics.cdx.json", crates()), ("call-analytics-page.cdx.json", page())]:
        check(name, text)
        (out / name).write_text(text)


main()
