"""Scenarios of scenarios.py that judge how the process grows."""

import sys

from scenario_tools import (
    DEVICE,
    FOLDER,
    LIBRARY,
    close,
    draw,
    host,
    interpreter,
    invoke,
    reference,
    require,
    resident,
    shape_for,
)

LOOPS, WARM_UP = 200, 80
# What 120 loops may add to the process's memory: less than one of the network's tensors each, 4 MiB in all.
GROWTH = 4 << 20


def loops():
    """200 times create, resize twice, invoke, destroy; the memory must not grow after a warm-up.

    With the word "keep" a delegate stays alive beside them, so that the device does, with its pipelines:
    SwiftShader takes seconds to make those.
    """
    keeper = host.load_delegate(LIBRARY, DEVICE) if "keep" in sys.argv else None
    for number in range(LOOPS):
        it = interpreter("network")
        for n in (number, number + 1):
            x = draw(shape_for(n), n)
            got = invoke(it, x)
            if number % 40 == 0:
                close(reference("network", x), got)
        del it
        if number == WARM_UP - 1:
            before = resident()
    growth = resident() - before
    print(f"{LOOPS} loops: {growth / 1024:.0f} KiB more after the last {LOOPS - WARM_UP}")
    del keeper
    if "nomemory" not in sys.argv:
        require(growth <= GROWTH, f"memory grew by {growth} bytes")


def resizes_in_one():
    """200 resizes of one interpreter, same bounds."""
    it = interpreter("network")
    for number in range(LOOPS):
        x = draw(shape_for(number), number)
        got = invoke(it, x)
        if number % 40 == 0:
            close(reference("network", x), got)
        if number == WARM_UP - 1:
            before = resident()
    growth = resident() - before
    print(f"{LOOPS} resizes: {growth / 1024:.0f} KiB more after the last {LOOPS - WARM_UP}")
    if "nomemory" not in sys.argv:
        require(growth <= GROWTH, f"memory grew by {growth} bytes")


def one_packing():
    """Shapes of one interpreter that want other packings of the weights: one is in memory at a time."""
    shapes = {"matrix": [(1, 2048), (8, 2048)], "filter": [(1, 4, 4, 512), (1, 5, 5, 512)]}
    for model, pair in shapes.items():
        it = interpreter(model)
        for number, shape in enumerate(pair * 2):
            x = draw(shape, number)
            close(reference(model, x), invoke(it, x))
            if number == 0:
                before = resident()
        growth = resident() - before
        weights = (FOLDER / f"{model}.tflite").stat().st_size
        print(f"{model}: {growth / weights:.2f} times the weights more after other shapes")
        require(growth <= 0.3 * weights, f"memory grew by {growth} bytes, of {weights} of weights")
        del it
