"""The process that trains: jobs as JSON on standard input, a folder for each, news as JSON lines.

Run as ``python -m logparse.replay.child``. Standard output at start is where the news go; while a
job trains it is the job's ``train.log``, so that the log holds the bytes that Keras printed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

from logparse.errors import LogparseError
from logparse.files import write_atomic

SCHEMA_VERSION = "1.1"
"""Of ``meta.json``. 1.0: the first. 1.1: ``changed``, settings that are not those of the scale."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

MAKE_ROOM = "free some space, then the same command with --resume: what is finished is kept"


def main() -> None:
    """Do all jobs, one after the other."""
    order = json.load(sys.stdin)
    news = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what an import prints belongs to no log
    keras, tf, device = start(order)
    _tell(news, device=device)
    if device is None:
        return
    for job in order["jobs"]:
        _tell(news, job=job["name"])
        try:
            seconds = _train(job, order, keras, tf, device, news)
        except BrokenPipeError:
            return  # who asked for it is gone
        except Exception as error:
            _tell(news, failed=_reason(error))
            with contextlib.suppress(OSError):  # where it goes may be full, too
                traceback.print_exc()
        else:
            _tell(news, done=job["name"], seconds=seconds)
        finally:
            os.dup2(null, 1)
            keras.backend.clear_session()


def start(order: dict[str, Any]) -> tuple[Any, Any, str | None]:
    """Keras, TensorFlow and the device's name; None for a GPU that is not there."""
    import tensorflow as tf

    if order["keras"] == "tf-keras":
        import tf_keras as keras
    else:
        import keras
    found = tf.config.list_physical_devices("GPU") if order["device"] != "cpu" else []
    if order["device"] == "gpu" and not found:
        return keras, tf, None
    if not found:
        return keras, tf, f"CPU, {os.cpu_count()} cores{_processor()}"
    details = tf.config.experimental.get_device_details(found[0])
    return keras, tf, str(details.get("device_name", found[0].name))


def _processor() -> str:
    """What the processor is called, in brackets, where the system tells."""
    name = platform.processor()
    with contextlib.suppress(OSError):  # Linux tells more
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f" ({name})" if name else ""


def _train(
    job: dict[str, Any], order: dict[str, Any], keras: Any, tf: Any, device: str, news: TextIO
) -> float:
    """One job, from an empty folder to a whole one; seconds that it took."""
    from logparse.replay.scenarios import scenario
    from logparse.replay.training import Training

    final = Path(order["root"]) / job["name"]
    folder = final.with_name(final.name + ".partial")
    folder.mkdir()
    for name, descriptor in (("train.log", 1), ("stderr.txt", 2)):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(file, descriptor)
        os.close(file)
    # A pipe that no one writes into blocks, a file does not: say that Keras prints into a file.
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    started, begun = time.time(), time.perf_counter()
    training = Training(
        keras,
        tf,
        job["settings"],
        folder,
        Path(order["root"]) / "images",
        lambda text: _tell(news, progress=text),
    )
    chosen = scenario(job["scenario"])
    chosen.train(training)
    sys.stdout.flush()
    seconds = time.perf_counter() - begun
    meta = {
        "schema_version": SCHEMA_VERSION,
        **{key: job[key] for key in ("scenario", "variant", "scale", "settings", "changed")},
        "seed_question": chosen.seed,
        "device": device,
        "versions": _versions(keras, tf),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "started": started,
        "seconds": seconds,
        "epochs": training.recorder.epochs,
        "facts": training.facts,
    }
    with write_atomic(folder / "meta.json", force=True) as out:
        out.write(json.dumps(meta, indent=2).encode())
    (folder / "stderr.txt").unlink()
    _flush(folder)
    _replace(final, folder)
    return seconds


def _replace(final: Path, folder: Path) -> None:
    """Give a whole folder its name; what had it goes then, and not before."""
    old = final.with_name(final.name + ".old")
    if final.exists():
        os.rename(final, old)
    os.rename(folder, final)
    _flush(final.parent, deep=False)
    if old.exists():
        shutil.rmtree(old)


def _versions(keras: Any, tf: Any) -> dict[str, str]:
    import numpy as np

    import logparse

    return {
        "logparse": logparse.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        keras.__name__: keras.__version__,
        "numpy": np.__version__,
    }


def _flush(folder: Path, *, deep: bool = True) -> None:
    """Have a folder, with all in it if ``deep``, on disk."""
    paths = [*folder.rglob("*"), folder] if deep else [folder]
    for path in paths:
        if path.is_file() or os.name != "nt":
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _reason(error: Exception) -> str:
    """Why a job failed, in one line, and what to do."""
    if isinstance(error, LogparseError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full ({(error.strerror or str(error)).lower()}); {MAKE_ROOM}"
    if os.strerror(errno.ENOSPC).lower() in str(error).lower():  # as TensorFlow's writers say it
        return f"the disk is full ({os.strerror(errno.ENOSPC).lower()}); {MAKE_ROOM}"
    if isinstance(error, MemoryError):
        return "not enough memory; take a smaller --scale"
    first = (str(error).strip() or "?").splitlines()[0][:300]
    return f"{type(error).__name__}: {first}"


def _tell(news: TextIO, **what: Any) -> None:
    """One line of news."""
    news.write(json.dumps(what) + "\n")
    news.flush()


if __name__ == "__main__":
    main()
