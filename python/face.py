"""What belongs around the face models: letters in, numbers out.  Plain numpy and Pillow.

Boxes and points are in pixels of the picture, x before y.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

DETECTOR_SIZE, MESH_SIZE = 128, 192
SCORE, OVERLAP = 0.5, 0.3  # a face is at least this sure; boxes that overlap more are the same face
MARGIN = 1.5  # the mesh model wants to see this much more than the detected box


class Face(NamedTuple):
    """A detected face: its score, (left, top, right, bottom), and six points, first the two eyes."""

    score: float
    box: np.ndarray
    points: np.ndarray


def anchors():
    """Centres (896, 2), in units of the picture, of the boxes that the detector speaks about.

    Two for each cell of a 16x16 grid, then six for each cell of an 8x8 grid.
    """
    centres = []
    for cells, boxes in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2) + 0.5, boxes, 0) / cells)
    return np.concatenate(centres)


def detector_input(picture):
    """The picture as the detector takes it: 128x128, -1 to 1, with black bars where it is not square."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    small = square.resize((DETECTOR_SIZE, DETECTOR_SIZE), Image.Resampling.BILINEAR)
    return (np.asarray(small, np.float32) / 127.5 - 1)[None]


def decode_faces(regressors, scores, size):
    """The faces in a picture of this size, surest first, from the detector's two outputs."""
    scores = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -80, 80)))
    sure = np.flatnonzero(scores >= SCORE)
    values = regressors.reshape(-1, 8, 2)[sure] / DETECTOR_SIZE  # centre, size, six points
    side = max(size)
    bars = (np.array([side, side]) - size) / 2
    points = (values + anchors()[sure, None]) * side - bars
    half = values[:, 1] * side / 2
    boxes = np.concatenate([points[:, 0] - half, points[:, 0] + half], 1)

    faces, left = [], sure[np.argsort(-scores[sure])]
    row = {anchor: i for i, anchor in enumerate(sure)}
    while left.size:
        rows = np.array([row[a] for a in left])
        same = overlap(boxes[rows[0]], boxes[rows]) > OVERLAP
        weights = scores[left[same]][:, None]  # the same face many times: take the weighted mean
        box = (boxes[rows[same]] * weights).sum(0) / weights.sum()
        marks = (points[rows[same], 2:] * weights[..., None]).sum(0) / weights.sum()
        faces.append(Face(float(scores[left[0]]), box, marks))
        left = left[~same]
    return faces


def overlap(box, boxes):
    """Intersection over union of one box with others."""
    corner = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.clip(corner, 0, None), 1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    return common / (np.prod(box[2:] - box[:2]) + area - common)


def upright_square(face):
    """The square around a face, eyes level, as an affine map (2, 3) from the mesh model's pixels."""
    right_eye, left_eye = face.points[:2]
    angle = math.atan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])
    scale = MARGIN * max(face.box[2:] - face.box[:2]) / MESH_SIZE
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = (face.box[:2] + face.box[2:]) / 2
    return np.column_stack([turn, centre - turn @ [MESH_SIZE / 2, MESH_SIZE / 2]])


def mesh_input(picture, square):
    """The square cut out of the picture and turned upright, as the mesh model takes it: 0 to 1."""
    size, how = (MESH_SIZE, MESH_SIZE), Image.Resampling.BILINEAR
    crop = picture.transform(size, Image.Transform.AFFINE, tuple(square.ravel()), how)
    return (np.asarray(crop, np.float32) / 255)[None]


def decode_mesh(landmarks, square):
    """The 468 points in the picture, from the mesh model's output."""
    points = landmarks.reshape(-1, 3)[:, :2]
    return points @ square[:, :2].T + square[:, 2]
