"""Checks that checkov finds exactly the findings of allowed.yaml."""

import json
import pathlib
import subprocess
import tempfile

import yaml

ALLOWED = yaml.safe_load((pathlib.Path(__file__).parent / "allowed.yaml").read_text())


def check(deployments):
    with tempfile.TemporaryDirectory() as folder:
        for deployment in deployments:
            path = pathlib.Path(folder) / f"{deployment.name}.yaml"
            path.write_text(yaml.safe_dump_all(deployment.objects))
        command = ["checkov", "--framework", "kubernetes", "--directory", folder]
        command += ["--skip-download", "--quiet", "--compact", "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True)
    report = json.loads(done.stdout)
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        return [f"checkov did not read the manifests: {report['summary']}"]
    problems, used = [], set()
    for failed in report["results"]["failed_checks"]:
        name = pathlib.Path(failed["file_path"]).stem
        overlay = "combinations" if "+" in name else name
        check_id = failed["check_id"]
        if any(a["check"] == check_id and overlay in a.get("overlays", [overlay]) for a in ALLOWED):
            used.add(check_id)
        else:
            problems.append(f"{name}: {check_id} {failed['check_name']}: {failed['resource']}")
    idle = {a["check"] for a in ALLOWED} - used if len(deployments) > 1 else set()
    return problems + [f"allowed.yaml: {check_id} is not found any more" for check_id in sorted(idle)]
