"""The crates that are linked into the library or build it, as a CycloneDX bill of materials.

From `cargo metadata` and Cargo.lock alone; the same sources give the same bytes.
"""

import json
import subprocess
import tomllib
import uuid

from project import PACKAGE, ROOT, VERSION


def crates():
    """Packages by id, and for each the ids that it depends on with their kinds (None, "build", "dev")."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    told = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    packages = {package["id"]: package for package in told["packages"]}
    edges = {
        node["id"]: [(d["pkg"], {kind["kind"] for kind in d["dep_kinds"]}) for d in node["deps"]]
        for node in told["resolve"]["nodes"]
    }
    return packages, edges


def reached(root, edges, kinds):
    """What the root depends on, by dependencies of these kinds at its own edge."""
    found = set()
    wanted = [to for to, of in edges[root] if of & kinds]
    while wanted:
        crate = wanted.pop()
        if crate not in found:
            found.add(crate)
            wanted += [to for to, of in edges[crate] if of & {None, "build"}]
    return found


def purl(package):
    """The package's URL."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def bill():
    """The document."""
    packages, edges = crates()
    (root,) = (id for id, package in packages.items() if package["name"] == PACKAGE["name"])
    linked, building = reached(root, edges, {None}), reached(root, edges, {"build"})
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in lock}

    def component(id):
        package = packages[id]
        checksum = checksums.get((package["name"], package["version"]))
        return {
            "type": "library",
            "bom-ref": purl(package),
            "name": package["name"],
            "version": package["version"],
            "purl": purl(package),
            "scope": "required" if id in linked else "excluded",
            "licenses": [{"expression": package["license"].replace("/", " OR ")}],
            "hashes": [{"alg": "SHA-256", "content": checksum}] if checksum else [],
        }

    def depends(id):
        of = linked | building
        return sorted(purl(packages[to]) for to, kinds in edges[id] if to in of and kinds & {None, "build"})

    members = sorted(linked | building, key=lambda id: purl(packages[id]))
    main = purl(packages[root])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{main} {members}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": main,
                "name": PACKAGE["name"],
                "version": VERSION,
                "purl": main,
                "licenses": [{"expression": PACKAGE["license"]}],
            }
        },
        "components": [component(id) for id in members],
        "dependencies": [{"ref": purl(packages[id]), "dependsOn": depends(id)} for id in [root, *members]],
    }
