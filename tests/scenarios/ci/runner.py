"""What a forge makes of a repository's pipeline, as JSON: the environment of its one job, the commands that it runs, and for whom the
token of the job is to be.

    runner.py gitlab FOLDER JOB COMMIT
    runner.py github FOLDER WORKFLOW COMMIT

Reads the files as they stand in a checkout, and knows of both languages what our templates use: of GitLab's `include`, `extends`,
`variables`, `id_tokens` and `script`; of GitHub's a step that `uses` an action of the repository, `with`, and what the action's one
step has as `env` and `run`. Anything else fails.
"""

import json
import re
import sys
from pathlib import Path

import yaml


def gitlab(folder, job, commit):
    pipeline = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())
    jobs = dict(yaml.safe_load((folder / pipeline.pop("include")).read_text()))
    jobs.update(pipeline)
    chosen = jobs[job]
    base = jobs[chosen.pop("extends")]
    merged = {**base, **chosen, "variables": {**base["variables"], **chosen.get("variables", {})}}
    known = {"id_tokens", "variables", "resource_group", "script"}
    assert set(merged) <= known, set(merged) - known
    (token, said), = merged["id_tokens"].items()
    predefined = {"CI_COMMIT_SHA": commit}
    filled = {
        name: re.sub(r"\$(\w+)", lambda it: predefined[it[1]], str(value))
        for name, value in merged["variables"].items()
    }
    return {"token": token, "audience": said["aud"], "environment": filled, "script": merged["script"]}


def github(folder, workflow, commit):
    chosen = yaml.safe_load((folder / ".github/workflows" / workflow).read_text())
    (job,) = chosen["jobs"].values()
    assert job["permissions"]["id-token"] == "write", "a job without it gets no token"
    (step,) = (it for it in job["steps"] if it["uses"].startswith("./"))
    at = folder / step["uses"]
    action = yaml.safe_load((at / "action.yml").read_text())
    given = step["with"]
    strange = set(given) - set(action["inputs"])
    assert not strange, f"the action knows no {strange}"
    missing = {name for name, it in action["inputs"].items() if it.get("required")} - set(given)
    assert not missing, f"the action needs {missing}"
    contexts = {f"inputs.{name}": given.get(name, it.get("default")) for name, it in action["inputs"].items()}
    contexts |= {"github.sha": commit, "runner.temp": str(folder.parent)}

    def fill(text):
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda it: str(contexts[it[1]]), text)

    assert action["runs"]["using"] == "composite"
    (run,) = action["runs"]["steps"]
    assert run["shell"] == "bash"
    environment = {name: fill(value) for name, value in run["env"].items()}
    environment["GITHUB_ACTION_PATH"] = str(at)
    return {"token": "", "audience": environment["SLUICE_AUDIENCE"], "environment": environment, "script": [fill(run["run"])]}


forge, folder, name, commit = sys.argv[1:]
print(json.dumps({"gitlab": gitlab, "github": github}[forge](Path(folder).resolve(), name, commit)))
