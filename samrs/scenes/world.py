"""The canvas of a scene: paints ground and sprites, and keeps who owns which pixel."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from samrs.scenes import exact
from samrs.scenes.filters import blur, shares
from samrs.scenes.noise import NoiseBank
from samrs.scenes.raster import fill, label_raster, stroke, sweep
from samrs.scenes.scene import LAND_COVERS, SceneObject
from samrs.scenes.sprite import Array, Part, Sprite, rotated

COVER = {name: index for index, name in enumerate(LAND_COVERS)}
# Layers of reserved area: roads are free for vehicles only, objects for nobody.
ROADS, OBJECTS, ANYTHING = np.uint8(1), np.uint8(2), np.uint8(3)
MIN_VISIBLE_PX = 12
MIN_VISIBLE_SHARE = 0.3

Window = tuple[int, int, int, int]


@dataclass
class _Placed:
    """A painted sprite: its silhouette, what is still visible of it, and who it stands on."""

    kind: str
    obb: Array
    window: Window
    mask: Array
    full_px: float
    visible_px: int
    size_m: tuple[float, float]
    parent: int


@dataclass
class _Raster:
    """A sprite on the pixel grid: window, premultiplied colour, alpha, mask, cover."""

    window: Window
    colour: Array
    alpha: Array
    mask: Array
    cover: Array | None
    polygons: list[Array]


class World:
    """A scene being painted. Positions are metres from the top-left corner, x right, y down.

    In all functions of this package points (`at`, `centre`, `root`), `length` and `width` are in
    metres, and `heading` is in radians, clockwise on screen from the x axis to the front.

    Args:
        rng: Source of all randomness.
        size_hw: Height and width of the image in pixels.
        gsd: Metres per pixel.
        kinds: The kinds that may become annotated objects.
        density: How crowded it is, 1 as usual.

    Attributes:
        image: (H, W, 3) float32 RGB in 0..1.
        cover: (H, W) uint8 land cover.
        shadow_m: Vector in metres that a shadow runs per metre of height.
        lean_m: Vector in metres that a top is displaced per metre of height (off-nadir view).
        darkness: Share of the light missing in shadow.
        infrared: Chance that the photograph is false-colour infrared.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        gsd: float,
        kinds: frozenset[str],
        density: float = 1.0,
    ):
        self.rng = rng
        self.size_hw = size_hw
        self.gsd = gsd
        self.kinds = kinds
        self.density = density
        h, w = size_hw
        self.size_m = np.array([w * gsd, h * gsd])
        self.image = np.full((h, w, 3), 0.4, np.float32)
        self.cover = np.full((h, w), COVER["clutter"], np.uint8)
        self.noise = NoiseBank(rng, size_hw)
        self._taken = np.zeros((h, w), np.uint8)
        self._owner = np.zeros((h, w), np.int32)
        self._shade = np.zeros((h, w), np.float32)
        self._placed: list[_Placed] = []
        azimuth = rng.uniform(0, 2 * np.pi)
        length = rng.choice([rng.uniform(0.25, 0.7), rng.uniform(0.6, 1.6)])
        self.shadow_m = length * exact.unit(azimuth)
        self.infrared = 0.07
        self.darkness = float(rng.uniform(0.3, 0.75))
        if rng.random() < 0.12:
            self.darkness *= 0.25
        lean = rng.uniform(0, 0.4) if rng.random() < 0.5 else 0.0
        azimuth = rng.uniform(0, 2 * np.pi)
        self.lean_m = lean * exact.unit(azimuth)

    # -- placing ------------------------------------------------------------------------------

    def wants(self, kind: str) -> bool:
        """Whether objects of this kind may be painted; trees and buildings always may."""
        return kind in self.kinds or kind in ("tree", "building", "")

    def footprint(self, sprite: Sprite, at: Array, heading: float, margin: float = 0.0) -> Array:
        """(4, 2) continuous pixels of the sprite's oriented box grown by `margin` metres."""
        x0, y0, x1, y1 = sprite.extent()
        m = margin
        corners = np.array([[x1 + m, y0 - m], [x1 + m, y1 + m], [x0 - m, y1 + m], [x0 - m, y0 - m]])
        return np.asarray((rotated(corners, heading) + at) / self.gsd)

    def is_free(self, polygon_px: Array, layers: np.uint8 = ANYTHING) -> bool:
        """Whether nothing in `layers` takes the area of a convex polygon in pixels."""
        window, mask = self._window_mask(polygon_px)
        if mask is None:
            return True
        x0, y0, x1, y1 = window
        return not bool(np.any(self._taken[y0:y1, x0:x1] & (mask * layers)))

    def reserve(self, polygon_px: Array, layers: np.uint8 = ANYTHING) -> None:
        """Marks the area of a convex polygon in pixels as taken in `layers`."""
        window, mask = self._window_mask(polygon_px)
        if mask is not None:
            x0, y0, x1, y1 = window
            self._taken[y0:y1, x0:x1] |= mask * layers

    def _window_mask(self, polygon_px: Array) -> tuple[Window, Array | None]:
        window = self.clip(polygon_px)
        x0, y0, x1, y1 = window
        if x1 <= x0 or y1 <= y0:
            return window, None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fill(mask, polygon_px - (x0, y0), 1)
        return window, mask

    def place(
        self,
        sprite: Sprite,
        at: Array,
        heading: float,
        margin: float = 0.3,
        parent: int = 0,
    ) -> int:
        """Paints a sprite where nothing is reserved, and reserves its place.

        Args:
            margin: metres around it that must be free.
            parent: id of the object that it stands on; 0 for none.

        Returns:
            The object's id for `parent`, or 0 when it was not painted.
        """
        outline = self.footprint(sprite, at, heading, margin)
        if not self.is_free(outline):
            return 0
        number = self.paint(sprite, at, heading, parent)
        if number:
            self.reserve(outline)
        return number

    def clip(self, points: Array, pad: int = 0) -> Window:
        """Window of the image that holds points in pixels, grown by `pad`; may be empty."""
        h, w = self.size_hw
        x0, y0 = points.min(0).tolist()
        x1, y1 = points.max(0).tolist()
        return (
            min(max(math.floor(x0) - pad, 0), w),
            min(max(math.floor(y0) - pad, 0), h),
            min(max(math.ceil(x1) + pad, 0), w),
            min(max(math.ceil(y1) + pad, 0), h),
        )

    def inside(self, at: Array, border_m: float = 0.0) -> bool:
        """Whether a point in metres lies in the scene grown by `border_m`."""
        x, y = float(at[0]), float(at[1])
        w, h = self.size_m.tolist()
        return bool(-border_m <= x <= w + border_m and -border_m <= y <= h + border_m)

    def shows(self, sprite: Sprite, at: Array, heading: float) -> bool:
        """Whether a sprite of an annotated kind could be painted without breaking a rule."""
        raster = self._rasterise(sprite, np.asarray(at, float), heading)
        if raster is None or self._hidden_by(raster.window, raster.mask, 0) is None:
            return False
        visible = int(raster.mask.sum())
        return _enough(visible, self._full_area(raster, visible))

    def bare(self, window: Window) -> Array:
        """(h, w) bool, where no object lies: ground is painted under objects, never over them."""
        x0, y0, x1, y1 = window
        return np.asarray(self._owner[y0:y1, x0:x1] == 0)

    # -- painting -----------------------------------------------------------------------------

    def paint(self, sprite: Sprite, at: Array, heading: float, parent: int = 0) -> int:
        """Paints a sprite and its shadow unless a rule forbids it.

        Forbidden are kinds that are not wanted, sprites of which too little lies inside the
        image, and sprites that would hide too much of an annotated one.

        Args:
            sprite: What to paint.
            at: (2,) metres, where the local origin goes.
            heading: Radians clockwise on screen from the x axis to the sprite's front.
            parent: Id of the object it stands on or belongs to, whose mask keeps these pixels.

        Returns:
            The object's id, or 0 when it was not painted.
        """
        if not self.wants(sprite.kind):
            return 0
        at = np.asarray(at, float)
        raster = self._rasterise(sprite, at, heading)
        if raster is None:
            return 0
        x0, y0, x1, y1 = raster.window
        mask = raster.mask
        visible = int(mask.sum())
        full = self._full_area(raster, visible)
        annotated = sprite.kind in self.kinds
        if annotated and not _enough(visible, full):
            return 0
        hidden = self._hidden_by(raster.window, mask, parent)
        if hidden is None:
            return 0
        for number, pixels in hidden:
            self._placed[number - 1].visible_px -= pixels
        if sprite.casts:
            self._cast(sprite, at, heading)
        self._blend(raster, mask, sprite)
        obb = self._tight_obb(sprite, at, heading)
        ex = sprite.extent()
        size = (ex[2] - ex[0], ex[3] - ex[1])
        kind = sprite.kind if annotated else ""
        self._placed.append(_Placed(kind, obb, raster.window, mask, full, visible, size, parent))
        self._owner[y0:y1, x0:x1][mask] = len(self._placed)
        return len(self._placed)

    def _hidden_by(self, window: Window, mask: Array, parent: int) -> list[tuple[int, int]] | None:
        """(id, pixels) newly hidden by a mask; None where an annotated one would be lost."""
        x0, y0, x1, y1 = window
        ids, counts = np.unique(self._owner[y0:y1, x0:x1][mask], return_counts=True)
        family = set(self._ancestors(parent))
        hidden = []
        for number, pixels in zip(ids.tolist(), counts.tolist(), strict=True):
            for above in self._ancestors(number):
                if above in family:
                    break
                under = self._placed[above - 1]
                if under.kind and not _enough(under.visible_px - pixels, under.full_px):
                    return None
                hidden.append((above, pixels))
        return hidden

    def _ancestors(self, number: int) -> list[int]:
        chain = []
        while number:
            chain.append(number)
            number = self._placed[number - 1].parent
        return chain

    def _pixels(self, part: Part, at: Array, heading: float) -> Array:
        return np.asarray((rotated(part.points, heading) + at) / self.gsd)

    def _rasterise(self, sprite: Sprite, at: Array, heading: float) -> _Raster | None:
        lean = self.lean_m / self.gsd
        outlines: list[Array] = []
        solids: list[Array] = []
        for part in sprite.parts:
            points = self._pixels(part, at, heading)
            outlines.append(points)
            if part.solid:
                walled = part.wall is not None
                solids += sweep(points, lean * (part.base if walled else part.z), lean * part.z)
        window = self.clip(np.concatenate(solids))
        x0, y0, x1, y1 = window
        if x1 <= x0 or y1 <= y0:
            return None
        h, w = y1 - y0, x1 - x0
        scale = 4 if max(h, w) < 160 else (3 if max(h, w) < 300 else 2)
        canvas: Array = np.zeros((h * scale, w * scale, 3), np.uint8)
        ink = np.zeros((h * scale, w * scale), np.uint8) if sprite.ghost else None
        cover = np.full((h, w), 255, np.uint8) if _covers(sprite) else None
        for part, points in zip(sprite.parts, outlines, strict=True):
            if ink is None or not part.solid:
                self._draw(canvas, part, points - (x0, y0), scale)
            if ink is not None and not part.solid:
                fill(ink, (points + lean * part.z - (x0, y0)) * scale, 1)
            if cover is not None and part.cover is not None and not part.line:
                fill(cover, points + lean * part.z - (x0, y0), part.cover)
        inside = label_raster([(p - (x0, y0)) * scale for p in solids], h * scale, w * scale)
        full = scale * scale
        alpha = held = shares(inside, scale)
        painted = inside if ink is None else inside & ink
        canvas = cv2.bitwise_and(canvas, canvas, mask=painted)
        colour = shares(canvas, scale) / np.float32(255 * full)
        if ink is not None:
            alpha = shares(painted, scale)
        for amplitude, scale_m in sprite.grain:
            field = self.noise.crop((h, w), scale_m / self.gsd)
            colour *= np.maximum(1 + np.float32(amplitude) * field, np.float32(0.2))[..., None]
        return _Raster(window, colour, alpha / np.float32(full), 2 * held >= full, cover, solids)

    def _draw(self, canvas: Array, part: Part, points: Array, scale: int) -> None:
        lean = self.lean_m / self.gsd
        colour = np.asarray(part.colour, float) * 255
        top = (points + lean * part.z) * scale
        if part.line:
            stroke(canvas, top, part.line / self.gsd * scale, colour, part.closed)
            return
        if part.wall is not None and np.abs(lean).max() * (part.z - part.base) > 0.2:
            self._draw_walls(canvas, part, (points + lean * part.base) * scale, top)
        fill(canvas, top, colour)

    def _draw_walls(self, canvas: Array, part: Part, low: Array, high: Array) -> None:
        wall = np.asarray(part.wall, float) * 255
        sun = -self.shadow_m / (exact.length(self.shadow_m) + 1e-9)
        centre = low.mean(0)
        low2, high2 = np.roll(low, -1, 0), np.roll(high, -1, 0)
        for a, b, c, d in zip(low, low2, high2, high, strict=True):
            normal = np.array([b[1] - a[1], a[0] - b[0]])
            normal /= exact.length(normal) + 1e-9
            if exact.dot(normal, (a + b) / 2 - centre) < 0:
                normal = -normal
            light = 0.75 + 0.3 * exact.dot(normal, sun)
            fill(canvas, np.stack([a, b, c, d]), wall * light)

    def _full_area(self, raster: _Raster, visible: int) -> float:
        """Area in pixels of the whole silhouette, outside parts included."""
        points = np.concatenate(raster.polygons)
        h, w = self.size_hw
        if (points >= 0).all() and (points <= (w, h)).all():
            return float(visible)
        low = np.floor(points.min(0))
        shape = np.ceil(points.max(0) - low).astype(int) + 1
        moved = [p - low for p in raster.polygons]
        return float(label_raster(moved, int(shape[1]), int(shape[0])).sum())

    def _cast(self, sprite: Sprite, at: Array, heading: float) -> None:
        run = self.shadow_m / self.gsd
        shapes: list[Array] = []
        for part in sprite.parts:
            if part.solid and part.z > 0 and not part.line:
                points = self._pixels(part, at, heading)
                shapes += sweep(points, run * part.base, run * part.z)
        if not shapes:
            return
        x0, y0, x1, y1 = self.clip(np.concatenate(shapes), pad=3)
        if x1 <= x0 or y1 <= y0:
            return
        dark = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for points in shapes:
            fill(dark, points - (x0, y0), 255, smooth=True)
        soft = blur(dark / np.float32(255), max(sprite.soft_shadow, 0.3))
        self.shade(soft, (x0, y0, x1, y1))

    def shade(self, amount: Array, window: Window) -> None:
        """Adds shadow of strength 0..1, (h, w) float32, without darkening twice.

        Args:
            amount: the strength.
        """
        x0, y0, x1, y1 = window
        before = self._shade[y0:y1, x0:x1]
        after = np.maximum(before, amount)
        k = self.darkness
        # Skylight is blue: shadows lose red first.
        tint = np.array([1.0, 0.97, 0.88], np.float32)
        gain = (1 - k * after[..., None] * tint) / (1 - k * before[..., None] * tint)
        self.image[y0:y1, x0:x1] *= gain
        self._shade[y0:y1, x0:x1] = after

    def _blend(self, raster: _Raster, mask: Array, sprite: Sprite) -> None:
        x0, y0, x1, y1 = raster.window
        alpha = raster.alpha
        view = self.image[y0:y1, x0:x1]
        view *= (1 - alpha)[..., None]
        view += raster.colour
        self._shade[y0:y1, x0:x1] *= 1 - alpha
        cover = self.cover[y0:y1, x0:x1]
        if sprite.cover is not None:
            cover[mask] = sprite.cover
        if raster.cover is not None:
            set_here = mask & (raster.cover != 255)
            cover[set_here] = raster.cover[set_here]

    def _tight_obb(self, sprite: Sprite, at: Array, heading: float) -> Array:
        lean = rotated(self.lean_m[None], -heading)[0]
        points = []
        for part in sprite.parts:
            if part.solid:
                points.append(part.points + lean * part.z)
                if part.wall is not None:
                    points.append(part.points + lean * part.base)
        stacked = np.concatenate(points)
        (x0, y0), (x1, y1) = stacked.min(0), stacked.max(0)
        corners = np.array([[x1, y0], [x1, y1], [x0, y1], [x0, y0]])
        return np.asarray((rotated(corners, heading) + at) / self.gsd)

    # -- result -------------------------------------------------------------------------------

    def objects(self) -> tuple[SceneObject, ...]:
        """The annotated objects with what is visible of them, in painting order."""
        related: dict[int, list[int]] = {}
        for number in range(1, len(self._placed) + 1):
            for above in self._ancestors(number):
                related.setdefault(above, []).append(number)
        found = []
        for number, placed in enumerate(self._placed, 1):
            if not placed.kind:
                continue
            x0, y0, x1, y1 = placed.window
            owner = self._owner[y0:y1, x0:x1]
            own = related[number]
            mine = owner == number if len(own) == 1 else np.isin(owner, own)
            visible = placed.mask & mine
            ys, xs = np.nonzero(visible.any(1))[0], np.nonzero(visible.any(0))[0]
            if not len(ys):
                continue
            cut = visible[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1].copy()
            box = (x0 + int(xs[0]), y0 + int(ys[0]), x0 + int(xs[-1]) + 1, y0 + int(ys[-1]) + 1)
            found.append(SceneObject(placed.kind, placed.obb, box, cut, *placed.size_m))
        return tuple(found)


def _enough(visible: float, full: float) -> bool:
    return visible >= MIN_VISIBLE_PX and visible >= MIN_VISIBLE_SHARE * full


def _covers(sprite: Sprite) -> bool:
    return any(part.cover is not None for part in sprite.parts)
