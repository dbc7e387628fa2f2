"""What a run leaves when it is refused, stopped, repeated or out of room: nothing is lost."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from logparse.errors import UsageError
from logparse.replay import all_scenarios, child, estimate, jobs_of, run, score
from logparse.replay.jobs import amount, announcement
from logparse.replay.process import environment
from logparse.replay.scenario import SCALES
from logparse.replay.scenarios import scenario
from tests.replay.conftest import Replays

pytestmark = pytest.mark.xdist_group("replay")

COMMAND = [sys.executable, "-m", "logparse", "replay"]


def _bytes(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("words", "scale", "reason"),
    [
        (["epoch-jum"], "smoke", "no scenario 'epoch-jum'; did you mean epoch-jump?"),
        (["x"], "smoke", "no scenario 'x'; there are epoch-jump, first-epoch"),
        (
            ["pipelines/cache"],
            "smoke",
            "pipelines has no variant 'cache'; did you mean cache-file?",
        ),
        (["clean"], "tiny", "no scale 'tiny'; there are smoke, small, full"),
    ],
)
def test_a_mistyped_name_is_told(words: list[str], scale: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(words, tmp_path / "out", scale=scale)
    assert reason in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 2}, "none of these has a setting 'epoch'; did you mean epochs?"),
        ({"seed": 2}, "none of these has a setting 'seed'; there are batch"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1,000,000,000, not 0"),
        ({"epochs": 1.5}, "epochs must be a whole number from 1 to 1,000,000,000, not 1.5"),
        ({"epochs": float("inf")}, "epochs must be a whole number from 1 to 1,000,000,000, not"),
        ({"rate": -1}, "rate must be a number from 0 to 1,000,000,000, not -1"),
        ({"rate": float("nan")}, "rate must be a number from 0 to 1,000,000,000, not nan"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told(changes: dict[str, float], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        jobs_of(["clean"], "smoke", changes=changes)
    assert reason in str(caught.value)


def test_a_setting_is_changed_where_there_is_one(tmp_path: Path) -> None:
    jobs = {job.name: job for job in jobs_of(["all"], "full", changes={"delay": 2, "epochs": 1})}
    assert {job.settings["epochs"] for job in jobs.values()} == {1}
    slow, clean = jobs["first-epoch-slow-storage"], jobs["clean-clean"]
    assert (slow.settings["delay"], slow.changed) == (2.0, ("delay", "epochs"))
    assert ("delay" in clean.settings, clean.changed) == (False, ("epochs",))
    assert estimate([clean], tmp_path).seconds is None
    assert "time unknown with other settings" in announcement([clean], tmp_path)


def test_every_scenario_states_its_needs_at_every_scale(tmp_path: Path) -> None:
    for one in all_scenarios():
        needs = [estimate(jobs_of([one.name], scale), tmp_path) for scale in SCALES]
        assert [need.seconds for need in needs] == sorted(need.seconds for need in needs)
        assert [need.disk for need in needs] == sorted(need.disk for need in needs)
        assert all(variant.says for variant in one.variants.values())


def test_the_seed_s_cache_of_ninety_gigabytes_is_foreseen(tmp_path: Path) -> None:
    (job,) = jobs_of(["pipelines/cache-memory"], "full")
    need = estimate([job], tmp_path)
    assert amount(need.memory) == "92 GB"
    assert amount(need.disk) == "19 GB"  # of JPEG files: the seed's were 18
    made = scenario("pipelines").need(job.settings).images
    assert made is not None
    assert need.seconds == scenario("pipelines").seconds["full"] + made.seconds


def test_a_cache_that_does_not_fit_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    outcome = run(["pipelines/cache-memory"], tmp_path, memory=1_000_000)
    assert outcome.made == []
    assert outcome.failed == {
        "pipelines-cache-memory": "refused: it keeps 6.6 MB in memory and may take 1.0 MB; take "
        "pipelines/imagedatagenerator, pipelines/tfdata, pipelines/cache-file, a smaller --scale, "
        "or allow more with --memory"
    }
    assert [path.name for path in tmp_path.iterdir()] == [".replay.lock"]


def test_a_disk_that_is_too_small_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 2 * 10**8))
    with pytest.raises(UsageError, match=r"needs 5\.. MB of disk and 200 MB are free"):
        run(["clean"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".replay.lock"]


def test_without_tensorflow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'logparse\[replay\]'"):
        run(["clean"], tmp_path)


def test_a_gpu_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}  # also where there is one
    done = subprocess.run(
        [*COMMAND, "run", "clean", "--device", "gpu", "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("logparse: TensorFlow sees no GPU here")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("device", "details", "named"),
    [
        ("auto", {"device_name": "NVIDIA H100"}, "NVIDIA H100"),
        ("gpu", {"device_name": "NVIDIA H100"}, "NVIDIA H100"),
        ("gpu", {}, "/physical_device:GPU:0"),  # a driver that tells no name
        ("cpu", {"device_name": "NVIDIA H100"}, "CPU, "),
        ("auto", None, "CPU, "),
        ("gpu", None, None),
    ],
)
def test_the_device_is_named(
    device: str, details: dict[str, str] | None, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a TensorFlow that sees one GPU, or none where ``details`` is None."""
    found = [] if details is None else [SimpleNamespace(name="/physical_device:GPU:0")]
    told = SimpleNamespace(get_device_details=lambda one: details)
    config = SimpleNamespace(list_physical_devices=lambda kind: found, experimental=told)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace())
    name = child.start({"device": device, "keras": "keras"})[2]
    assert name is None if named is None else str(name).startswith(named)


def test_of_a_gpu_only_the_memory_that_is_needed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    assert environment("gpu", "keras")["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")  # who says otherwise is heard
    assert environment("gpu", "keras")["TF_FORCE_GPU_ALLOW_GROWTH"] == "false"
    assert environment("cpu", "keras")["CUDA_VISIBLE_DEVICES"] == "-1"


def test_two_runs_into_one_folder_at_once_do_not_mix(tmp_path: Path) -> None:
    with open(tmp_path / ".replay.lock", "wb") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another replay is writing here"):
            run(["clean"], tmp_path)


def test_a_second_run_asks_what_to_do_and_changes_nothing(replays: Replays) -> None:
    before = _bytes(replays.root / "clean-clean")
    with pytest.raises(UsageError, match=r"exists; --resume keeps it and does the rest, --force"):
        run(["clean"], replays.root, device="cpu")
    kept = run(["clean"], replays.root, device="cpu", resume=True)
    assert [path.name for path in kept.kept] == ["clean-clean"]
    assert kept.made == []
    for other, difference in (
        ({"seed": 2}, "seed 1, not 2"),
        ({"scale": "small"}, "scale smoke, not small"),
        ({"changes": {"epochs": 5}}, "epochs 4, not 5"),
        ({"keras": "tf-keras"}, "with keras, not tf-keras"),
        ({"device": "gpu"}, "device cpu, not gpu"),
    ):
        with pytest.raises(UsageError, match=rf"was made with other settings \(.*{difference}"):
            run(["clean"], replays.root, resume=True, **{"device": "cpu", **other})
    assert _bytes(replays.root / "clean-clean") == before


def test_with_force_the_old_run_stays_until_the_new_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    old = tmp_path / "clean-clean"
    old.mkdir()
    (old / "train.log").write_text("old")
    monkeypatch.setattr("logparse.replay.trainer.train", lambda lot, folder, **rest: len(lot))
    run(["clean"], tmp_path, force=True)  # and fails before it has begun
    assert (old / "train.log").read_text() == "old"
    new = tmp_path / "clean-clean.partial"
    new.mkdir()
    (new / "train.log").write_text("new")
    child._replace(old, new)
    assert (old / "train.log").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".replay.lock", "clean-clean"]


def test_a_killed_run_is_kept_beside_and_done_anew(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    process = subprocess.Popen(
        [*COMMAND, "run", "clean", "--device", "cpu", "--seed", "3", "-o", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1 of 4" in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stderr.close()
    left = (tmp_path / "clean-clean.partial" / "train.log").read_bytes()
    assert left.startswith(b"Epoch 1/4")
    assert not (tmp_path / "clean-clean").exists()
    with pytest.raises(UsageError, match="left by a run that was stopped; --resume does it anew"):
        run(["clean"], tmp_path, device="cpu", seed=3)
    outcome = run(["clean"], tmp_path, device="cpu", seed=3, resume=True)
    assert [path.name for path in outcome.made] == ["clean-clean"]
    assert [one.found for one in score(tmp_path)] == [(), ()]  # of its log and its events
    assert (tmp_path / "clean-clean.stopped-1" / "train.log").read_bytes() == left


def test_a_full_disk_is_told_and_what_is_finished_stays(tmp_path: Path) -> None:
    """No file may grow beyond 4 kB, as if the disk were full: also what Keras prints."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    done = tmp_path / "clean-clean"
    done.mkdir()
    (job,) = jobs_of(["clean"], "smoke")
    made = {"settings": job.settings, "scale": "smoke", "versions": {"keras": "3"}, "device": "CPU"}
    (done / "meta.json").write_text(json.dumps(made))
    found = subprocess.run(
        [*COMMAND, "run", "clean", "augmentation/plain", "--resume", "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        check=False,
    )
    assert found.returncode == 4
    (last,) = [line for line in found.stderr.splitlines() if "the disk is full" in line]
    assert "free some space, then the same command with --resume" in last
    assert "Traceback" not in found.stderr
    assert found.stdout == f"{done}\n"
    assert not (tmp_path / "augmentation-plain").exists()
    assert len((tmp_path / "augmentation-plain.partial" / "train.log").read_bytes()) <= 4096


def test_sizes_are_told_in_words() -> None:
    assert [amount(n) for n in (0, 999, 1500, 18e9, 9.2e10, 2e15)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "18 GB",
        "92 GB",
        "2000 TB",
    ]


def test_a_disk_too_full_for_the_traceback_is_told_as_well() -> None:
    """The error stream of a training lies on the same disk."""
    script = """
import errno, sys
from types import SimpleNamespace
from logparse.replay import child

def fail(*args):
    raise OSError(errno.ENOSPC, "No space left on device")

keras = SimpleNamespace(backend=SimpleNamespace(clear_session=lambda: None))
child.start = lambda order: (keras, None, "CPU")
child._train = child.traceback.print_exc = fail
child.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"jobs": [{"name": "a"}, {"name": "b"}]}),
        capture_output=True,
        text=True,
        check=True,
    )
    news = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["job"] for one in news if "job" in one] == ["a", "b"]
    failed = [one["failed"] for one in news if "failed" in one]
    assert len(failed) == 2
    assert all(one.startswith("the disk is full (no space left on device)") for one in failed)


def test_what_tensorflow_says_of_a_full_disk_is_understood() -> None:
    said = RuntimeError(
        "{{function_node x}} /a/cache.tempstate1; No space left on device [Op:Next]"
    )
    assert child._reason(said).startswith("the disk is full (no space left on device); free some")
