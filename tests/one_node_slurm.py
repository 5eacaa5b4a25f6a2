"""A cluster of one node: Debian's Slurm, started for a test in a folder of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun"]
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
AccountingStorageType=accounting_storage/none
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:1
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
START_SECONDS = 30.0


class NotStarted(Exception):
    """Raised if Slurm is not here, or does not start."""


@contextlib.contextmanager
def running(folder: Path):
    """Start a cluster of this machine alone, with a partition `main` and a GPU in name only.

    Args:
        folder: Where its files go. The path must be short, as it holds a socket.

    Yields:
        The environment variables by which Slurm's programs find it.

    Raises:
        NotStarted: If Slurm is not installed, or does not start.
    """
    if os.getuid() or not all(map(shutil.which, PROGRAMS)):
        raise NotStarted("no Slurm, or not root; Debian's packages are slurmctld, slurmd, slurm-client and munge")
    environment = os.environ | _configured(folder)
    commands = [
        ["munged", "--force", "--foreground", f"--key-file={folder}/munge.key"]
        + [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
        + [f"--socket={folder}/munge.socket"],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]
    with contextlib.ExitStack() as started:
        for command in commands:
            log = started.enter_context(open(folder / f"{command[0]}.out", "w"))
            started.callback(_end, subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            time.sleep(0.5)  # each needs the one before
        _wait_for_node(environment, folder)
        yield environment


def _configured(folder: Path) -> dict[str, str]:
    """Write the cluster's configuration. Return the environment variables that name it."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    file, ports = folder / "slurm.conf", {"controller_port": _free_port(), "node_port": _free_port()}
    file.write_text(CONFIGURATION.format(folder=folder, host=host, **ports).lstrip())
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\n")
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    # In a job, Snakemake's plugin removes the variables of Slurm before it calls srun, and SLURM_CONF with them.
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={file} exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    return {"SLURM_CONF": str(file), "PATH": f"{srun.parent}:{os.environ['PATH']}"}


def _wait_for_node(environment: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        told = subprocess.run(["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True)
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = [line for file in sorted(folder.glob("*.log")) for line in file.read_text().splitlines()[-2:]]
    raise NotStarted(f"Slurm did not start: {told.stdout}{told.stderr} {' '.join(logs)}")


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
