"""The files of docs/scale and docs/cluster: read as those who run them do, but for the cluster."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from blocks import ROOT, check, torchrun

SCRIPTS = sorted((ROOT / "docs").glob("*/*.sh"))
MANIFESTS = [ROOT / "docs/scale/kuberay.yaml", ROOT / "docs/cluster/kubernetes.yaml"]
RECIPE = ["renet_synfacs", "--fold", "1", "--set", "batch=8", "--out", "/shared/a run"]


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.parent.name)
def test_scripts_are_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text("utf-8").splitlines()
    options = [line for line in lines if line.startswith("#SBATCH ")]
    first = next(line for line in lines if not line.startswith("#"))
    assert options
    assert lines.index(options[-1]) < lines.index(first)  # SLURM reads no further


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.stem)
def test_manifests_are_whole(manifest: Path) -> None:
    for document in documents(manifest):
        assert {"apiVersion", "kind", "metadata", "spec"} <= document.keys()


def slurm(folder: Path, *arguments: str, **environment: str) -> tuple[int, list[list[str]]]:
    """Run the job with a SLURM that only notes what it is asked for."""
    notes = folder / "notes"
    stub = f'#!/bin/bash\nprintf "%s\\0" "${{0##*/}}" "$@" >> {notes}; echo >> {notes}\n'
    for name, more in (("srun", 'exec sleep "${STEP:-0}"\n'), ("scontrol", "echo n1; echo n2\n")):
        (folder / name).write_text(stub + more)
        (folder / name).chmod(0o755)
    given = {"SLURM_CPUS_ON_NODE": "8", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]"}
    run = subprocess.Popen(
        ["bash", ROOT / "docs/cluster/slurm.sh", *arguments],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **given, **environment},
        stderr=subprocess.PIPE,
    )
    if "STEP" in environment:
        while not notes.is_file() or "srun" not in notes.read_text():
            assert run.poll() is None
        run.terminate()
    run.communicate(timeout=60)
    told = notes.read_text().splitlines() if notes.is_file() else []
    return run.returncode, [line.rstrip("\0").split("\0") for line in told]


def test_the_job_of_slurm_starts_what_it_was_given(tmp_path: Path) -> None:
    code, asked = slurm(tmp_path, *RECIPE, PROCESSES="4")
    assert code == 0
    (step,) = (words for words in asked if words[0] == "srun")
    launch = torchrun(step[2:])
    assert (launch.nnodes, launch.nproc_per_node, launch.rdzv_id) == ("2", "4", "7")
    assert launch.rdzv_endpoint == "n1:29500"
    assert launch.training_script_args == ["train", *RECIPE]
    check(step[1:])


def test_the_job_of_slurm_queues_itself_again(tmp_path: Path) -> None:
    _, asked = slurm(tmp_path, *RECIPE, STEP="600")
    assert asked[-1] == ["scontrol", "requeue", "7"]


def test_the_job_of_slurm_wants_a_recipe(tmp_path: Path) -> None:
    code, asked = slurm(tmp_path)
    assert code != 0
    assert not asked


def test_the_job_of_kubernetes_is_one_group() -> None:
    service, job = documents(MANIFESTS[1])
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    check(container["command"])
    launch = torchrun(container["command"][1:])
    assert job["spec"]["completionMode"] == "Indexed"
    pods = job["spec"]["completions"]
    assert (int(launch.nnodes), job["spec"]["parallelism"]) == (pods, pods)
    name = job["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    host, _, port = launch.rdzv_endpoint.partition(":")
    assert host == f"{name}-0.{pod['subdomain']}"
    assert int(port) in [each["port"] for each in service["spec"]["ports"]]
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }


def test_the_job_of_kuberay_is_a_command_of_ours() -> None:
    (job,) = documents(MANIFESTS[0])
    check(job["spec"]["entrypoint"].split())
