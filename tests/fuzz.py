"""Mutated logs in, broken promises out: ``python -m tests.fuzz --seconds 60``.

Every execution mutates a seed and holds one target to what reliability.md promises of any input:
only a ``LogparseError``, each byte accounted for, the same result however the input is cut, the
fast path equal to the slow one. Where the package ``atheris`` is installed, half of the time goes
to it: it mutates what reaches new code. A find is saved in ``tests/corpus`` and replayed by the
tests from then on; the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import itertools
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from polars.testing import assert_frame_equal

import logparse
from logparse.errors import LogparseError
from tests import fuzz_events
from tests.checks import Reading, difference, eager, read, slow_path, some_cuts, tables

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(__file__).resolve().parent / "corpus"
LARGEST = 1 << 16
"""Bytes of an input."""
HANG = 60
"""Seconds after which an execution counts as a hang: one takes some milliseconds."""


def keras(data: bytes, rng: random.Random) -> None:
    """The reader of text: account, any cuts, both fast ways against the slow one."""
    whole = read(data)
    _same("cut", whole, read(data, some_cuts(rng, len(data))))
    with eager():
        _same("strides", whole, read(data, some_cuts(rng, len(data))))
    with slow_path():
        _same("slow path", whole, read(data))


def csv(data: bytes, rng: random.Random) -> None:
    """The reader of CSVLogger files: account, any cuts."""
    whole = read(data, reader="csv")
    _same("cut", whole, read(data, some_cuts(rng, len(data)), reader="csv"))


def analyze(data: bytes, rng: random.Random) -> None:
    """The whole way: tables, findings and the full JSON document, and any cuts."""
    reader = rng.choice([None, "keras", "csv"])
    if reader:
        one, other = tables(data, (), reader), tables(data, some_cuts(rng, len(data)), reader)
        assert one.keys() == other.keys(), "cut, something in it or not"
        for name, table in one.items():
            # Sums over epochs are rounded differently in batches of other sizes.
            assert_frame_equal(table, other[name], rel_tol=1e-9, abs_tol=1e-9)
    try:
        found = logparse.analyze(io.BytesIO(data), reader=reader)
    except LogparseError:
        return
    source = found.source
    sum_ = source.read + sum(source.ignored.values()) + source.rejected + source.pending
    assert sum_ == source.size, (sum_, source.size)
    json.loads(found.to_json(full=True), parse_constant=_refuse)
    batches = found.batches
    wrong = batches.filter(
        (batches["low"] > batches["value"]) | (batches["value"] > batches["high"])
    )
    assert wrong.is_empty(), f"value outside its bounds: {wrong.row(0)}"


def _same(how: str, one: Reading, other: Reading) -> None:
    found = difference(one, other)
    assert found is None, f"{how}, {found}"


TARGETS: dict[str, Callable[[bytes, random.Random], None]] = {
    "keras": keras,
    "csv": csv,
    "analyze": analyze,
    "events": fuzz_events.events,
}


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} in a JSON document")


def seeds() -> list[bytes]:
    """The samples, what broke something before, and the shared logs where they are."""
    folders = [ROOT / "sample_logs", CORPUS, ROOT.parent / "shared" / "logs"]
    paths = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    known = [p for p in sorted(paths) if p.suffix in (".log", ".csv", ".bin")]
    made = [
        b"epoch,acc,loss,val_loss\r\n0,0.5,1.25,NA\r\n1,0.75,0.5,0.625\r\n",
        b"epoch;loss\n0;1e-07\nepoch;loss\n0;nan\n1;-inf\n",
    ]
    return [path.read_bytes() for path in known] + made


JUNK = (
    b"^H", b"^M", b"^[[1m", b"#010", b"#015", b"#012", b"#033[0m", b"\\b", b"\\r", b"\\n",
    b"\\u0008", b"\\u000d", b"\\u001b[1m", b"\\u2501", b"\x1b[", b"\x1b[1m", b"\x1b[32m", b"\x9b",
    b"\b", b"\r", b"\n", b"\r\n", b"\r\r\n", b"\v", b"\f", b"\t", b"\0", b"\x7f", b"\xff", b" ",
    "━".encode(), "é".encode(), b"\xe2\x94", b"\xef\xbb\xbf", b"\xff\xfe", b"?", b"9" * 400,
    b"1e400", b"-", b"nan", b"inf", b"-inf", b"0.0000e+00", b"1.0000e-03", b"Epoch 1/3\n",
    b"Epoch 3/3", b"Epoch 00002: ", b"Train on 500 samples\n", b"1/1 ", b"500/500 ", b"7/Unknown",
    b"[==>...]", b"[", b" - ETA: 0s", b" - ETA: 1:02:03", b" - 1s", b" - 1s 2ms/step",
    b" - loss: 0.1234", b" - loss: ", b" - 130ms/epoch - 9ms/step", b"[1,0]<stdout>:",
    b"(pid=12) ", b"rank 1: ", b"2022-02-20 15:30:50", b"2022-02-20T15:30:50.123456Z ",
    b"worker_1  | ", b'Model: "sequential"\n', b"_" * 65 + b"\n", b"Total params: 12\n",
    b"ValueError: x\n", b"KeyboardInterrupt", b",", b";", b'"', b"NA", b"epoch,loss\n",
)  # fmt: skip


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """A few random changes of the kinds that happen to logs, and some that do not."""
    if len(data) > 8192 and rng.random() < 0.9:
        start = rng.randrange(len(data) - 2048)
        data = data[start : start + rng.randint(64, 8192)]
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 8, 20])):
        data = rng.choice(_CHANGES)(data, rng, others)
    return data[:LARGEST]


def _span(data: bytes, rng: random.Random, most: int = 400) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(0, most))


def _flip(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _i in range(rng.randint(1, 8) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _digit(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    places = [m.start() for m in re.finditer(rb"\d", data)]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + b"%d" % rng.randrange(10) + data[at + 1 :]


def _insert(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(JUNK) * rng.choice([1, 1, 1, 2, 30]) + data[at:]


def _noise(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    start, end = _span(data, rng, 40)
    return data[:start] + rng.randbytes(rng.randint(0, 40)) + data[end:]


def _delete(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice([1, 1, 3, 20]) + data[end:]


def _cut(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[start:] if rng.random() < 0.5 else data[:end]


def _splice(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    start, end = _span(other, rng, 4000)
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at:]


def _interleave(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Two writers on one stream: lines, or pieces of them, in turn."""
    start, end = _span(rng.choice(others), rng, 4000)
    cut = rb"(?<=\n)" if rng.random() < 0.5 else rb"(?<=[ \n\r])"
    one, two = re.split(cut, data), re.split(cut, rng.choice(others)[start:end])
    mixed = []
    while one or two:
        side = one if (rng.random() < 0.5 and one) or not two else two
        mixed += [side.pop(0) for _ in range(min(len(side), rng.randint(1, 9)))]
    return b"".join(mixed)


def _notation(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    """Control characters as a pager, syslog or JSON writes them."""
    back, cr, escape, newline = rng.choice(
        [
            (b"^H", b"^M", b"^[", b"\n"),
            (b"#010", b"#015", b"#033", b"#012"),
            (b"\\b", b"\\r", b"\\u001b", b"\\n"),
            (b"\\u0008", b"\\u000d", b"\\u001b", b"\\u000a"),
        ]
    )
    data = data.replace(b"\x1b", escape).replace(b"\r", cr).replace(b"\b", back)
    return data.replace(b"\n", newline) if rng.random() < 0.3 else data


def _prefix(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    """A container, launcher or paste puts something before each line."""
    prefix = rng.choice(
        [b"[1,%d]<stdout>:", b"2024-05-01T00:00:%02d.5Z ", b"w_%d  | ", b"(pid=%d) ", b"    # %d "]
    )
    lines = data.splitlines(keepends=True)
    return b"".join(prefix % rng.randrange(3) + line for line in lines)


def _newlines(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    old, new = rng.choice(
        [(b"\n", b"\r\n"), (b"\r", b"\n"), (b"\b", b""), (b"\r", b""), (b"\n", b" "), (b"\n", b"")]
    )
    return data.replace(old, new)


def _utf16(data: bytes, rng: random.Random, _: list[bytes]) -> bytes:
    encoding = rng.choice(["utf-16", "utf-16-le", "latin-1", "utf-32"])
    return data.decode("utf-8", "replace").encode(encoding, "replace")


_CHANGES = (
    _flip, _flip, _digit, _digit, _insert, _insert, _insert, _noise, _delete, _delete, _duplicate,
    _duplicate, _cut, _splice, _splice, _interleave, _notation, _prefix, _newlines, _utf16,
)  # fmt: skip


def _alarm(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {HANG} s")


def broken(target: str, data: bytes, seed: str) -> str | None:
    """What the target does wrong with ``data``; None if all is well."""
    signal.alarm(HANG)
    try:
        with warnings.catch_warnings():
            # What numpy warns of would be printed over the report.
            warnings.simplefilter("error", RuntimeWarning)
            TARGETS[target](data, random.Random(seed))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = str(error).splitlines()[0][:200] if str(error) else ""
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {text}"
    finally:
        signal.alarm(0)
    return None


def _sort(kind: str) -> str:
    """What is wrong without its details: one find of a sort is enough."""
    return re.sub(r"\W.*", "", kind) + " ".join(kind.split(": ")[: 2 if "fuzz.py" in kind else 1])


def smaller(target: str, data: bytes, seed: str, kind: str, seconds: float = 5) -> bytes:
    """A shorter input that breaks in the same place, by leaving out ever smaller pieces."""
    end = time.monotonic() + seconds
    size = len(data) // 2
    while size and time.monotonic() < end:
        at = 0
        while at < len(data) and time.monotonic() < end:
            shorter = data[:at] + data[at + size :]
            found = broken(target, shorter, seed)
            if found is not None and _sort(found) == _sort(kind):
                data = shorter
            else:
                at += size
        size //= 2
    return data


def mutations(targets: list[str], seconds: float, seed: int) -> tuple[Counter[str], list[str]]:
    """Our own mutations for so long: executions a target, and one line a find."""
    known = seeds()
    binary = fuzz_events.seeds()
    count: Counter[str] = Counter()
    kinds: dict[tuple[str, str], str] = {}
    end = time.monotonic() + seconds
    for round_ in itertools.count():
        if time.monotonic() > end:
            break
        name = f"{seed}/{round_}"
        rng = random.Random(name)
        data = mutate(rng.choice(known), rng, known)
        for target in targets:
            # These take ten times as long as the readers of text.
            if target in ("analyze", "events") and round_ % 4:
                continue
            count[target] += 1
            one = mutate(rng.choice(binary), rng, binary) if target == "events" else data
            kind = broken(target, one, name)
            if kind is None or (target, _sort(kind)) in kinds:
                continue
            kinds[target, _sort(kind)] = kind
            path = save(target, smaller(target, one, name, kind))
            print(f"{target}: {kind}\n  saved as {path}", flush=True)
    return count, [f"{target}: {kind}" for (target, _), kind in kinds.items()]


def save(target: str, data: bytes) -> Path:
    """Keep a find for the tests."""
    CORPUS.mkdir(exist_ok=True)
    path = CORPUS / f"{target}-{hashlib.sha256(data).hexdigest()[:8]}.bin"
    path.write_bytes(data)
    return path


def guided(target: str, seconds: float) -> tuple[int, bool]:
    """Atheris on one target, in its own process: executions, and whether it found something."""
    with tempfile.TemporaryDirectory() as folder:
        for i, data in enumerate(fuzz_events.seeds() if target == "events" else seeds()):
            (Path(folder) / str(i)).write_bytes(data[:4096])
        command = [sys.executable, "-m", "tests.fuzz", "--guided", target, folder]
        command += [f"-max_total_time={max(1, int(seconds))}", f"-timeout={HANG}", "-max_len=4096"]
        command += [f"-artifact_prefix={folder}/find-", "-print_final_stats=1"]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        saved = [save(target, path.read_bytes()) for path in Path(folder).glob("find-*")]
    ran = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode:
        print(done.stdout[-1500:], *(f"saved as {path}" for path in saved), sep="\n")
    return int(ran[1]) if ran else 0, done.returncode != 0


def _guided(arguments: list[str]) -> None:
    """The process that atheris runs in."""
    import atheris

    for name in [*sys.modules]:
        if name.startswith(("logparse", "tests.")):
            del sys.modules[name]
    with atheris.instrument_imports(include=["logparse"]):
        from tests import fuzz
    target = fuzz.TARGETS[arguments[0]]

    def one(data: bytes) -> None:
        target(data, random.Random(len(data)))

    atheris.Setup([sys.argv[0], *arguments[1:]], one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz for as long as asked and say what came of it."""
    if sys.argv[1:2] == ["--guided"]:
        _guided(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--target", choices=TARGETS, action="append")
    given = parser.parse_args()
    targets = given.target or list(TARGETS)
    signal.signal(signal.SIGALRM, _alarm)
    coverage = importlib.util.find_spec("atheris") is not None
    seconds = given.seconds / 2 if coverage else given.seconds
    started = time.monotonic()
    count, finds = mutations(targets, seconds, given.seed)
    for target in targets if coverage else ():
        ran, found = guided(target, seconds / len(targets))
        count[f"{target}, coverage-guided"] += ran
        finds += [f"{target}: found by atheris"] * found
    took = time.monotonic() - started
    print(f"seed {given.seed}, {took:.0f} s, {count.total():,} executions, {len(finds)} finds")
    for name, ran in count.items():
        print(f"  {name}: {ran:,}")
    for find in finds:
        print(f"  {find}")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
