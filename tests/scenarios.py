"""Things that programs do to a delegate, each run in a process of its own by test_scenarios.py.

    scenarios.py NAME LIBRARY FOLDER [PRECISION]

A scenario is a function; it raises where something is not as it should be.  FOLDER holds the small models
that test_scenarios.py built.  Needs numpy and a host package only.
"""

import gc
import json
import os
import shutil
import stat
import sys
import threading
import xml.etree.ElementTree

import numpy as np
from memory_scenarios import loops, one_packing, resizes_in_one  # noqa: F401  scenarios too
from scenario_tools import (
    DEVICE,
    FOLDER,
    LIBRARY,
    close,
    draw,
    host,
    interpreter,
    invoke,
    load,
    reference,
    require,
    shape_for,
)


def several():
    """Several interpreters at once take turns, one goes, one comes; each gives what it gives alone."""
    xs = [draw(shape_for(n), n) for n in range(4)]
    alone = [invoke(interpreter("network"), x) for x in xs]
    its = [interpreter("network") for _ in xs]
    for _turn in range(3):
        for it, x, want in zip(its, xs, alone):
            require(np.array_equal(invoke(it, x), want), "another result beside other interpreters")
        its[1] = interpreter("network")


def shared_delegate():
    """One delegate given to two interpreters."""
    delegate = host.load_delegate(LIBRARY, DEVICE)
    a, b = interpreter("network", delegate), interpreter("chain", delegate)
    x, y = draw((1, 16, 24, 3), 1), draw((1, 8, 8, 4), 2)
    close(reference("network", x), invoke(a, x))
    close(reference("chain", y), invoke(b, y))
    close(reference("network", x), invoke(a, x))


def threads():
    """Four threads with an interpreter each, made in the main thread, invoke at the same time."""
    xs = [draw(shape_for(n), n) for n in range(4)]
    wanted = [reference("network", x) for x in xs]
    its, faults = [interpreter("network") for _ in xs], []

    def work(it, x, want):
        try:
            for _ in range(10):
                close(want, invoke(it, x))
        except RuntimeError as fault:
            faults.append(str(fault))

    run_threads([threading.Thread(target=work, args=a) for a in zip(its, xs, wanted)])
    require(not faults, f"in threads: {faults}")


def wandering():
    """One interpreter, invoked by one thread after another."""
    it, x = interpreter("network"), draw((1, 16, 24, 3), 1)
    want, got = reference("network", x), []
    for _ in range(5):
        run_threads([threading.Thread(target=lambda: got.append(invoke(it, x)))])
    require(len(got) == 5, "a thread failed")
    for result in got:
        close(want, result)


def creating_threads():
    """Threads that create, use and destroy interpreters at the same time."""
    x, faults = draw((1, 16, 24, 3), 1), []
    want = reference("network", x)

    def work():
        try:
            for _ in range(5):
                close(want, invoke(interpreter("network"), x))
        except (RuntimeError, ValueError) as fault:
            faults.append(str(fault))

    run_threads([threading.Thread(target=work) for _ in range(3)])
    require(not faults, f"in threads: {faults}")


def run_threads(started):
    """Starts threads and waits for them."""
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def delegate_first():
    """The delegate object goes before the interpreter that uses it."""
    delegate = host.load_delegate(LIBRARY, DEVICE)
    it = interpreter("chain", delegate)
    x = draw((1, 8, 8, 4), 1)
    want = invoke(it, x)
    it._delegates.clear()
    del delegate
    gc.collect()
    del it
    gc.collect()
    require(np.array_equal(invoke(interpreter("chain"), x), want), "another result afterwards")


def globals_at_exit():
    """Delegate and interpreters are still there when Python ends, in module globals."""
    global keep
    keep = [host.load_delegate(LIBRARY, DEVICE), interpreter("chain"), interpreter("network")]
    invoke(keep[1], draw((1, 8, 8, 4), 1))
    keep.append(keep[1].tensor(0))
    print("end of main")


def never_invoked():
    """Interpreters that are loaded, or allocated, and then dropped."""
    host.load_delegate(LIBRARY, DEVICE)
    interpreter("chain")
    interpreter("chain").allocate_tensors()


def partly():
    """An operator that is not ours between two that are: two partitions, the right result."""
    it, x = load("gap"), draw((1, 8, 8, 4), 1)
    taken = host.coverage(it)
    require("BUCKETIZE" in taken["left"] and taken["partitions"] == 2, f"taken: {taken}")
    close(reference("gap", x), invoke(it, x))


def malformed():
    """Models that contradict themselves load, and what is wrong in them is left to the CPU."""
    x = draw((2, 8), 1)
    for model in ("circle", "twice", "int_result", "wide_index", "wide_shape", "sparse_bomb", "huge"):
        it = load(model, log_level="info")
        taken = host.coverage(it)
        left = {"sparse_bomb": {"PADV2"}, "twice": {"NEG", "RELU", "ABS"}}.get(model, set(taken["left"]))
        require(taken["delegated"] == 0 and left <= set(taken["left"]), f"{model}, taken: {taken}")
        if model in ("twice", "int_result", "wide_index", "wide_shape"):
            close(reference(model, x), invoke(it, x))


def filled_input():
    """An input for which the model's file has contents: these count until the caller gives others."""
    for options in ({}, {"precision": "fp16"}):
        it, content = interpreter("filled", **options), (FOLDER / "filled.tflite").read_bytes()
        ours, stock = it, host.reference(content)
        for seed in range(4):
            for it in (ours, stock):
                if not seed:
                    it.allocate_tensors()
                x, w = (d["index"] for d in it.get_input_details())
                it.set_tensor(x, draw((2, 8), seed))
                if seed > 1:
                    it.set_tensor(w, draw((2, 8), 10 + seed))
                it.invoke()
            close(host.results(stock)[0], host.results(ours)[0], 1e-2 if options else 1e-6)


def one_partition():
    """max_delegated_partitions=1 takes one of the two partitions."""
    it, x = load("gap", max_delegated_partitions="1"), draw((1, 8, 8, 4), 1)
    taken = host.coverage(it)
    require(taken["partitions"] == 1 and "CONV_2D" in taken["left"], f"taken: {taken}")
    close(reference("gap", x), invoke(it, x))


def nothing_taken():
    """A graph without any operator of ours runs on the CPU as if we were not there."""
    it, x = load("foreign"), draw((1, 8, 8, 4), 1)
    taken = host.coverage(it)
    require(taken["delegated"] == 0 and taken["partitions"] == 0, f"taken: {taken}")
    close(reference("foreign", x), invoke(it, x))


def precision_loss():
    """TFLite's own key is_precision_loss_allowed=1 is the same as precision=fp16."""
    x = draw((1, 16, 24, 3), 1)
    want = reference("network", x)
    half = invoke(interpreter("network", precision="fp16"), x)
    allowed = invoke(interpreter("network", is_precision_loss_allowed="1"), x)
    denied = invoke(interpreter("network", is_precision_loss_allowed="0"), x)
    close(want, half, 1e-2)
    close(want, denied)
    require(np.array_equal(half, allowed), "is_precision_loss_allowed=1 differs from precision=fp16")
    require(not np.array_equal(half, denied), "fp16 is exactly as fp32")


def fp16_without_hardware():
    """precision=fp16 on a device without fp16 computes something at least as exact."""
    x = draw((1, 16, 24, 3), 1)
    close(reference("network", x), invoke(interpreter("network", precision="fp16"), x), 1e-2)


def first_inputs():
    """fp16 is tried on the first inputs, and they give the same later; what overflows has 32 bits."""
    x = draw((1, 8, 8, 4), 1)
    for inputs in (x, 8 * x, 0 * x):
        half, single = interpreter("large", precision="fp16"), interpreter("large")
        first = invoke(half, inputs)
        close(invoke(single, inputs), first, 1e-2)
        require(np.array_equal(invoke(half, inputs), first), "the repeated input gives other outputs")
        for later in (x, inputs):
            want, got = invoke(single, later), invoke(half, later)
            close(want, got, 1e-2)
            require(np.array_equal(want, got) != later.any(), "fp16 is exactly as fp32, or zero is not zero")


def no_device():
    """Nothing usable: the delegate loads, takes nothing and says why in the log; the CPU does the work."""
    delegate = host.load_delegate(LIBRARY, {"log_level": "warn"})
    it, x = load("chain", delegate), draw((1, 8, 8, 4), 1)
    taken = host.coverage(it)
    require(taken["delegated"] == 0 and taken["partitions"] == 0, f"taken: {taken}")
    close(reference("chain", x), invoke(it, x))


def cache():
    """cache_dir: the same results with a cold, a warm, a torn and a foreign file, and in a bad directory."""
    folder, x = FOLDER / f"cache-{os.getpid()}", draw((1, 16, 24, 3), 1)
    shutil.rmtree(folder, ignore_errors=True)
    want = invoke(interpreter("network"), x)

    def same(**options):
        got = invoke(interpreter("network", **options), x)
        gc.collect()
        require(np.array_equal(want, got), f"another result with {options}")

    try:
        same(cache_dir=str(folder))
        (file,) = folder.iterdir()
        whole = file.read_bytes()
        same(serialization_dir=str(folder))
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        for bad in (b"", whole[:20], whole[:-1], whole + b"x", flipped, b"x" * 200):
            file.write_bytes(bad)
            same(cache_dir=str(folder), log_level="info")
            require(file.read_bytes() != bad, f"a torn file of {len(bad)} bytes was not replaced")
        same(cache_dir=str(folder), model_token="my/model")
        require(len(list(folder.iterdir())) == 2, "the token has a file of its own")
        same(cache_dir=str(file / "below a file"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def hostile_cache():
    """cache_dir: links, pipes, devices and files of others count as empty; private files replace them."""
    folder, x = FOLDER / f"hostile-{os.getpid()}", draw((1, 16, 24, 3), 1)
    shutil.rmtree(folder, ignore_errors=True)
    victim = FOLDER / f"victim-{os.getpid()}"
    want = invoke(interpreter("network"), x)

    def start():
        got = invoke(interpreter("network", cache_dir=str(folder)), x)
        gc.collect()
        require(np.array_equal(want, got), "another result")

    try:
        start()
        (file,) = folder.iterdir()
        victim.write_bytes(file.read_bytes())
        kept = victim.read_bytes()
        hostile = {
            "a link": lambda: file.symlink_to(victim),
            "a link to nothing": lambda: file.symlink_to(folder / "nothing"),
            "a link to a device": lambda: file.symlink_to("/dev/zero"),
            "a pipe": lambda: os.mkfifo(file),
        }
        if os.geteuid() == 0:
            hostile["a file of another user"] = lambda: (
                file.write_bytes(kept),
                os.chown(file, 12345, -1),
            )
        for name, place in hostile.items():
            file.unlink()
            place()
            start()
            facts = file.lstat()
            require(stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid(), f"{name} stays")
            require(stat.S_IMODE(facts.st_mode) == 0o600, f"{name}: mode {facts.st_mode:o}")
        require([file] == list(folder.iterdir()), "temporary files stay")
        require(victim.read_bytes() == kept, "something was written through a link")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        victim.unlink(missing_ok=True)


def learned():
    """fp16's verdicts and what was tuned: found out once, kept, and found out again where files are torn."""
    folder, x = FOLDER / f"learned-{os.getpid()}", draw((1, 16, 24, 3), 1)
    shutil.rmtree(folder, ignore_errors=True)
    options = {"precision": "fp16", "tune": "fast", "cache_dir": str(folder)}
    want = invoke(interpreter("network"), x)

    def start():
        close(want, invoke(interpreter("network", **options), x), 1e-2)
        gc.collect()
        return {file: file.stat().st_mtime_ns for file in folder.iterdir() if file.suffix != ".pipelines"}

    try:
        first = start()
        require(".tuning" in {file.suffix for file in first}, f"nothing was kept: {first}")
        require(start() == first, "a warm start has found something out again")
        for torn in (b"", b"x" * 200, None):
            for file in first:
                file.write_bytes(file.read_bytes()[:-1] if torn is None else torn)
            before = {file: file.stat().st_mtime_ns for file in first}
            after = start()
            require(all(after[file] != before[file] for file in first), f"torn files stay: {torn}")
            require(start() == after, "what was found out again is not kept")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def profile():
    """profile: a table in the log, JSON files and a picture per interpreter; the result stays the same."""
    folder, x = FOLDER / f"profile-{os.getpid()}", draw((1, 16, 24, 3), 1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        want = invoke(interpreter("network"), x)
        it = interpreter("network", profile=str(folder / "p"), log_level="info")
        for _ in range(3):
            require(np.array_equal(want, invoke(it, x)), "another result while profiling")
        del it
        gc.collect()
        table = json.loads((folder / f"p.{os.getpid()}.0.json").read_text())
        trace = json.loads((folder / f"p.{os.getpid()}.0.trace.json").read_text())["traceEvents"]
        require(table["runs"] == 3 and table["peaks"]["copy_gb_per_s"] > 0, f"{table}")
        require(all(node["us"] > 0 and node["dispatches"] for node in table["nodes"]), f"{table}")
        require(sum(event["ph"] == "X" and event["name"] == "run" for event in trace) == 3, f"{trace}")
        picture = xml.etree.ElementTree.parse(folder / f"p.{os.getpid()}.0.svg").getroot()
        require(len(picture.findall("{*}rect")) > len(table["nodes"]), "a picture without bars")
        invoke(interpreter("network", profile=str(folder / "no" / "p")), x)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def custom_operators():
    """face_landmark_with_attention: its custom operators stay on the CPU, all the rest is taken."""
    delegate = host.load_delegate(LIBRARY, DEVICE | {"log_level": "info"})
    path = FOLDER.parents[1] / "models" / "mediapipe" / "face_landmark_with_attention.tflite"
    it = host.Interpreter(model_path=str(path), experimental_delegates=[delegate])
    taken = host.coverage(it)
    wanted = {"Landmarks2TransformMatrix": 3, "TransformTensorBilinear": 3, "TransformLandmarks": 5}
    print(f"taken: {taken}")
    require(taken["left"] == wanted, f"left on the CPU: {taken['left']}")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
