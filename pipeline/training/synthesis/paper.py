"""What happens to paper and ink: stains, folds, shadows, show-through, fading.

Same contract as `pagewash.training.synthesis.noise`: page, generator and level in, a new page out,
(H, W) or (H, W, 3) float32 with 0 black. Most of it is light that paper
absorbs: a transmittance in 0..1 for every pixel, which a tint spreads over
red, green and blue, and which multiplies the page.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.grey import luminance
from pagewash.training.synthesis.noise import (
    Image,
    fractal_field,
    from_bytes,
    normal,
    smooth_field,
    soften,
    spread,
)

NEUTRAL = (1.0, 1.0, 1.0)
YELLOW = (0.45, 0.85, 2.0)
BROWN = (0.6, 1.1, 1.9)


def absorb(page: Image, transmittance: Image, tint: tuple[float, float, float] = NEUTRAL) -> Image:
    """Multiply the page by a transmittance, on a colour page raised to the tint per channel."""
    if page.ndim == 2:
        return page * transmittance
    clipped = np.clip(transmittance, 1e-3, 4)
    return page * np.stack([clipped ** np.float32(power) for power in tint], axis=2)


def yellowing(page: Image, rng: Generator, level: float) -> Image:
    """Tone the paper evenly down to half its brightness, blue most."""
    tone = np.full(page.shape[:2], 1 - 0.5 * level * rng.uniform(0.7, 1), np.float32)
    return absorb(page, tone, YELLOW)


def uneven_paper(page: Image, rng: Generator, level: float) -> Image:
    """Tone the paper in large soft clouds."""
    clouds = fractal_field(rng, page.shape, max(page.shape[:2]) * rng.uniform(0.15, 0.6), 5)
    return absorb(page, 1 - np.float32(0.13 * level) * np.abs(clouds), YELLOW)


def texture(page: Image, rng: Generator, level: float) -> Image:
    """Add the tooth of the paper: fibres and grain of a few pixels, or the lines of laid paper."""
    along = rng.uniform(0.6, 3) if rng.random() < 0.75 else rng.uniform(6, 40)
    across = rng.uniform(0.6, 3)
    sigma = (along, across) if rng.random() < 0.7 else (across, along)
    fibres = soften(normal(rng, page.shape[:2]), *sigma)
    fibres /= np.float32(fibres.std() + 1e-6)
    return absorb(page, 1 + np.float32(0.005 + 0.06 * level) * fibres)


def stains(page: Image, rng: Generator, level: float) -> Image:
    """Spill coffee: rings, crescents and drops, with a dark rim where the liquid dried."""
    height, width = page.shape[:2]
    side = max(height, width)
    light = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        radius = side * 0.04 * (0.5 / 0.04) ** rng.random()
        centre = rng.uniform(-0.1, 1.1, 2)
        wet = _blot(rng, page.shape, centre, radius)
        if rng.random() < 0.4:
            # the liquid ran off and left a crescent
            wet = wet * (1 - _blot(rng, page.shape, centre + rng.normal(0, 0.4, 2), radius))
        fill = rng.uniform(0, 0.65) * (rng.random() < 0.75)
        dark = np.float32(fill) * wet + np.float32(rng.uniform(0.2, 1.6)) * wet * (1 - wet)
        light *= 1 - np.float32(level) * dark * (
            1 + np.float32(rng.uniform(0, 0.3)) * smooth_field(rng, page.shape, 6)
        )
    return absorb(page, np.clip(light, 0.05, 1.2), BROWN)


def ribs(page: Image, rng: Generator, level: float) -> Image:
    """Press ribs into the paper, as laid paper or cloth has them: parallel lines, uneven in depth.

    Some are crossed by others.
    """
    height, width = page.shape[:2]
    light = np.ones((height, width), np.float32)
    pitch, upright = rng.uniform(5, 36), rng.random() < 0.5
    for _ in range(2 if rng.random() < 0.3 else 1):
        across = np.arange(width if upright else height, dtype=np.float32)
        wander = np.float32(pitch * rng.uniform(0.05, 0.5)) * smooth_field(rng, page.shape, 60)
        place = wander + (across[None] if upright else across[:, None])
        long, wide = rng.uniform(10, 80), pitch * rng.uniform(0.08, 0.3)
        rough = soften(normal(rng, page.shape[:2]), *((wide, long) if upright else (long, wide)))
        rough /= np.float32(rough.std() + 1e-6)
        rib = np.sin(np.float32(2 * np.pi / pitch) * place)
        rib += np.float32(rng.uniform(0, 0.8)) * rough
        light -= np.float32(level * rng.uniform(0.02, 0.14)) * rib
        upright = not upright
    return absorb(page, np.clip(light, 0.1, 1.3))


def patches(page: Image, rng: Generator, level: float) -> Image:
    """Darken whole parts of the page down to a third, mottled and with a sharp edge.

    Old glue, a second paper or a photocopier does so; here and there the paper beneath shows.
    """
    light = np.ones(page.shape[:2], np.float32)
    for _ in range(int(rng.integers(1, 3))):
        radius = max(page.shape[:2]) * rng.uniform(0.15, 0.6)
        if rng.random() < 0.6:
            part = _box(rng, page.shape)
        else:
            part = _blot(rng, page.shape, rng.uniform(-0.1, 1.1, 2), radius)
        mottle = fractal_field(rng, page.shape, rng.uniform(8, 80), 4)
        part[mottle > rng.uniform(1.2, 4)] = 0
        deep = np.float32(level * rng.uniform(0.25, 0.7))
        light *= 1 - deep * part * (1 + np.float32(rng.uniform(0, 0.2)) * mottle)
    tint = NEUTRAL if rng.random() < 0.6 else BROWN
    return absorb(page, np.clip(light, 0.1, 1.2), tint)


def _box(rng: Generator, shape: tuple[int, ...]) -> Image:
    """Cover a box of the page that may reach beyond its edges, 1 inside; its edges waver."""
    inside = np.ones(shape[:2], np.float32)
    edge, wander = rng.uniform(0.5, 4), np.float32(rng.uniform(0, 6))
    for axis, length in enumerate(shape[:2]):
        first = rng.uniform(-0.4, 0.7) * length
        last = first + rng.uniform(0.3, 1.0) * length
        place = np.arange(length, dtype=np.float32)
        place = place[:, None] if axis == 0 else place[None]
        place = place + wander * smooth_field(rng, shape, 30)
        away = np.maximum(np.float32(first) - place, place - np.float32(last))
        inside *= 1 / (1 + np.exp(np.clip(away / np.float32(edge), -30, 30)))
    return inside


def _blot(
    rng: Generator, shape: tuple[int, ...], centre: NDArray[np.float64], radius: float
) -> Image:
    """Wet a ragged disc or oval, 1 inside; its centre is in shares of height and width."""
    height, width = shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    narrow = np.float32(rng.uniform(1, 2.5))
    y, x = y - np.float32(centre[0] * height), x - np.float32(centre[1] * width)
    away = np.hypot(y, x * narrow) if rng.random() < 0.5 else np.hypot(y * narrow, x)
    away += smooth_field(rng, shape, max(radius / 4, 3)) * np.float32(radius * rng.uniform(0, 0.08))
    edge = np.float32(rng.uniform(0.5, 6))
    wet: Image = 1 / (1 + np.exp(np.clip((away - np.float32(radius)) / edge, -30, 30)))
    return wet


def folds(page: Image, rng: Generator, level: float) -> Image:
    """Fold the page: straight creases, light on one side and dark on the other."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.08)
        point = rng.uniform(0, 1, 2) * (height, width)
        away = (y - np.float32(point[0])) * np.float32(np.cos(angle)) + (
            x - np.float32(point[1])
        ) * np.float32(np.sin(angle))
        crease, shade = np.float32(rng.uniform(0.8, 4)), np.float32(rng.uniform(10, 80))
        light -= np.float32(0.45 * level * rng.uniform(-0.4, 1)) * np.exp(-((away / crease) ** 2))
        side = np.float32(0.3 * level) * np.exp(-np.abs(away) / shade)
        light += np.where(away > 0, -side, side * np.float32(0.3))
    return absorb(page, np.clip(light, 0.05, 1.3))


def wrinkles(page: Image, rng: Generator, level: float) -> Image:
    """Crumple the page: facets lit from one side, with sharp ridges between them."""
    field = fractal_field(rng, page.shape, rng.uniform(30, 160), 4)
    ridges = -np.abs(field) + np.float32(0.6) * -np.abs(fractal_field(rng, page.shape, 50, 3))
    slope = cv2.Sobel(ridges, cv2.CV_32F, 1, 1 if rng.random() < 0.5 else 0, ksize=3)
    if not slope.any():
        return page
    slope = np.clip(slope / np.float32(slope.std() * 2.5), -1.5, 1.5)
    return absorb(page, 1 - np.float32(0.25 * level) * (np.float32(0.4) + slope))


def footprints(page: Image, rng: Generator, level: float) -> Image:
    """Step on the page: the rubbed-off pattern of a sole, in patches."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(8, 40)
    along = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))) / np.float32(pitch)
    across = (y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) / np.float32(pitch)
    bend = np.float32(rng.uniform(0, 2)) * np.sin(across)
    tread = np.sin(np.float32(2 * np.pi) * along + bend)
    if rng.random() < 0.5:
        tread = np.maximum(tread, np.sin(np.float32(2 * np.pi) * across))
    sole = smooth_field(rng, page.shape, max(height, width) * 0.25) > 0.2
    rubbed = smooth_field(rng, page.shape, 3) + np.float32(0.6) * smooth_field(rng, page.shape, 20)
    dirt = np.clip(np.float32(1.5) * tread - np.float32(0.2), 0, 1) * np.clip(
        rubbed + np.float32(0.6), 0, 1.2
    )
    dirt = soften(dirt * sole, 0.8)
    return absorb(page, np.clip(1 - np.float32(0.75 * level) * dirt, 0.05, 1))


def dust(page: Image, rng: Generator, level: float) -> Image:
    """Drop specks and hairs, dark and a few pixels wide."""
    height, width = page.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    count = rng.poisson((2 + 60 * level) * height * width / 4e5)
    for _ in range(int(count)):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        shade = int(rng.integers(60, 256))
        if rng.random() < 0.85:
            # smaller than a full stop, which nobody could tell from one
            axes = (int(rng.uniform(0, 1.6 + level)), int(rng.uniform(0, 1.6 + level)))
            cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
        else:
            axes = (int(rng.integers(8, 40)), int(rng.integers(2, 20)))
            start = float(rng.uniform(0, 360))
            cv2.ellipse(
                mask, centre, axes, start, 0, float(rng.uniform(60, 200)), shade, 1, cv2.LINE_AA
            )
    return absorb(page, 1 - mask.astype(np.float32) * np.float32(0.9 / 255))


def show_through(page: Image, rng: Generator, level: float, verso: Image | None = None) -> Image:
    """Let the other side shine through: mirrored, blurred, weaker than the ink above it.

    Args:
        page: (H, W) or (H, W, 3) in 0..1.
        rng: chooses blur, shift and clouding.
        level: 0 is a breath, 1 is nearly as strong as faint ink.
        verso: (H, W) of the other side; without it the page itself is taken.
    """
    back = page if verso is None else verso
    back = luminance(back)[:, ::-1]
    shift = (int(rng.integers(-20, 21)), int(rng.integers(-20, 21)))
    ink = soften(1 - np.roll(back, shift, (0, 1)), rng.uniform(0.6, 3))
    clouds = np.clip(1 + np.float32(0.4) * smooth_field(rng, page.shape, 90), 0.1, 1.8)
    return absorb(page, np.clip(1 - np.float32(0.04 + 0.5 * level) * ink * clouds, 0.3, 1), YELLOW)


def uneven_light(page: Image, rng: Generator, level: float) -> Image:
    """Light the page from one side, or darken it toward its edges."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y / height - np.float32(0.5), x / width - np.float32(0.5)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    bowl = (x * x + y * y) * np.float32(rng.uniform(0, 1))
    return absorb(
        page, np.clip(1 - np.float32(0.6 * level) * (ramp + bowl + np.float32(0.3)), 0.1, 1.3)
    )


def shadow(page: Image, rng: Generator, level: float) -> Image:
    """Cast a shadow with a soft edge: a hand, a book's gutter, a curled corner."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    point = rng.uniform(0.1, 0.9, 2) * (height, width)
    away = (x - np.float32(point[1])) * np.float32(np.cos(angle)) + (
        y - np.float32(point[0])
    ) * np.float32(np.sin(angle))
    away += smooth_field(rng, page.shape, max(height, width) / 5) * np.float32(rng.uniform(0, 20))
    soft = np.float32(rng.uniform(3, 60))
    dark = 1 / (1 + np.exp(np.clip(away / soft, -30, 30)))
    return absorb(page, 1 - np.float32(0.1 + 0.5 * level) * dark)


def shadow_of_limbs(page: Image, rng: Generator, level: float) -> Image:
    """Cast the shadow of a hand, an arm or a camera, whose edge may be hard, and its light cold."""
    dark = np.zeros(page.shape[:2], np.float32)
    for _ in range(int(rng.integers(1, 5))):
        dark = np.maximum(dark, _limb(rng, page.shape))
    dark = soften(dark, 1.5 * 30 ** rng.random())
    cold = rng.uniform(0.8, 1.2)
    return absorb(page, 1 - np.float32(0.1 + 0.6 * level) * dark, (cold, 1.0, 2 - cold))


def _limb(rng: Generator, shape: tuple[int, ...]) -> Image:
    """A finger, an arm, a camera's edge: a thick line with round ends from beyond it, 1 inside."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    turn = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(0.4, 1)
    first = (0.5 + away) * (width, height)
    last = rng.uniform(0.1, 0.9, 2) * (width, height)
    thick = int(max(height, width) * 0.08 * (0.6 / 0.08) ** rng.random()) + 1
    cv2.line(mask, first.astype(int).tolist(), last.astype(int).tolist(), 255, thick, cv2.LINE_AA)
    return from_bytes(mask)


def streaks(page: Image, rng: Generator, level: float) -> Image:
    """Draw the lines of a dirty photocopier or scanner along the page."""
    height, width = page.shape[:2]
    profile = np.zeros(width, np.float32)
    for _ in range(int(rng.integers(1, 6))):
        at, wide = int(rng.integers(0, width)), int(rng.integers(1, 4))
        profile[at : at + wide] = rng.uniform(-0.3, 1)
    wear = np.clip(
        smooth_field(rng, (height, 4), 80)[:, :1] * np.float32(0.4) + np.float32(0.7), 0, 1
    )
    return absorb(page, np.clip(1 - np.float32(0.5 * level) * profile[None] * wear, 0.1, 1.2))


def dark_borders(page: Image, rng: Generator, level: float) -> Image:
    """Darken toward one edge, as at a gutter or where a lid was left open."""
    height, width = page.shape[:2]
    quarter = int(rng.integers(0, 4))
    length = (height, width)[quarter % 2]
    from_edge = np.arange(length, dtype=np.float32)
    if quarter >= 2:
        from_edge = from_edge[::-1]
    reach = np.float32(length * (0.03 + 0.2 * level) * rng.uniform(0.4, 1))
    dark = np.float32(0.3 + 0.5 * level) * np.exp(-((from_edge / reach) ** 2))
    field = dark[:, None] if quarter % 2 == 0 else dark[None, :]
    return absorb(page, np.broadcast_to(1 - field, (height, width)).astype(np.float32))


def faded_ink(page: Image, rng: Generator, level: float) -> Image:
    """Bleach the ink unevenly, down to a quarter of its darkness."""
    patches = np.clip(np.float32(0.7) + np.float32(0.3) * fractal_field(rng, page.shape, 60), 0, 1)
    left: Image = 1 - np.float32(0.75 * level) * patches
    return 1 - (1 - page) * spread(left, page)


def broken_ink(page: Image, rng: Generator, level: float) -> Image:
    """Break strokes where the type did not touch the paper."""
    cell = float(rng.uniform(2, 7))
    holes = smooth_field(rng, page.shape, cell) + np.float32(0.5) * smooth_field(
        rng, page.shape, 40
    )
    missing = np.clip((holes - np.float32(2.4 - 1.5 * level)) * 3, 0, 1)
    return 1 - (1 - page) * spread(1 - missing, page)
