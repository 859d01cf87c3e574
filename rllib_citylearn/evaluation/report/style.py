"""How pictures look: sizes, colours, and matplotlib set up for both."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from rllib_citylearn.evaluation.report.document import Picture
from rllib_citylearn.evaluation.words import shortened

INK, MUTED, GRID, PAPER = "#1f2933", "#52606d", "#e4e7eb", "#ffffff"
PIXELS_AN_INCH = 96.0
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""Of the page, and of the text in its pictures; nothing is loaded."""

_DRAWN = "'DejaVu Sans', sans-serif"
"""What pictures are laid out with: it comes with matplotlib, and is wider than the page's fonts, so that those fit."""


@dataclass(frozen=True)
class Size:
    """How large a picture is on the page.

    Attributes:
        width_px: width in CSS pixels.
        text_px: height of its text.
        narrow: whether panels have to stand below each other.
        name_length: characters of a name that fit into a legend.
    """

    width_px: int
    text_px: float
    narrow: bool
    name_length: int

    @property
    def text_pt(self) -> float:
        """Height of the text in points."""
        return self.text_px * 72.0 / PIXELS_AN_INCH

    @property
    def small_pt(self) -> float:
        """Height of ticks and of numbers beside bars."""
        return 0.9 * self.text_pt


WIDE = Size(960, 13.0, narrow=False, name_length=36)
NARROW = Size(358, 12.0, narrow=True, name_length=34)


@dataclass(frozen=True)
class Look:
    """How a contender's lines and bars look."""

    colour: str
    dash: Any = "-"
    width: float = 1.8

    @property
    def line(self) -> dict[str, Any]:
        """For matplotlib's lines; dashes lie on top, so that a line under them is seen."""
        return {
            "color": self.colour,
            "linestyle": self.dash,
            "linewidth": self.width,
            "zorder": 2.0 if self.dash == "-" else 3.0,
        }


class Palette:
    """Hands out looks: colours after Okabe and Ito, told apart with any common colour blindness, and dashes besides."""

    no_control = Look("#767676", (0, (5, 2.5)), 1.6)
    other = Look("#b8c1cc")
    _LOOKS: ClassVar = {
        "policy": (Look("#0072b2"), Look("#009e73"), Look("#56b4e9"), Look("#004d40"), Look("#3f51b5")),
        "rule": (Look("#e69f00"), Look("#8c6d00"), Look("#b8860b")),
        "plug-in": (Look("#d55e00", (0, (8, 2))),),
        "planner": (Look("#cc79a7", (0, (6, 1.5, 1.5, 1.5))), Look("#8e4585", (0, (6, 1.5, 1.5, 1.5)))),
        "bound": (Look("#111111", (0, (1.2, 1.4)), 1.6),),
    }

    def __init__(self) -> None:
        self._taken = dict.fromkeys(self._LOOKS, 0)

    def take(self, kind: str) -> Look:
        """The next look of a kind of contender; grey when they are used up."""
        looks, place = self._LOOKS[kind], self._taken[kind]
        self._taken[kind] += 1
        return looks[place] if place < len(looks) else self.other


def new_figure(size: Size, height_px: float) -> Any:
    """An empty figure of matplotlib's own, not pyplot's: no global state, no window system, nothing to close."""
    from matplotlib.figure import Figure

    return Figure(figsize=(size.width_px / PIXELS_AN_INCH, height_px / PIXELS_AN_INCH), layout="constrained")


def dress(axes: Any, title: str = "", *, grid: str = "y") -> None:
    """Plain axes: a light grid, no frame, and a heading on the left in place of a label that is read sideways."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)
    if title:
        axes.set_title(title, loc="left", color=MUTED, fontsize="medium", pad=7)


def legend(figure: Any, entries: Sequence[tuple[str, Any]], size: Size) -> None:
    """One legend above all panels, in as many columns as fit.

    Args:
        figure: to put it on.
        entries: names, and what matplotlib draws beside them.
        size: of the figure.
    """
    names = [shortened(name, size.name_length) for name, _ in entries]
    longest = max(len(name) for name in names) * 0.58 * size.text_px + 3.4 * size.text_px
    columns = max(1, min(len(names), int(size.width_px / longest)))
    figure.legend(
        [handle for _, handle in entries],
        names,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        handlelength=1.9,
        columnspacing=1.4,
        borderpad=0.1,
    )


def stroke(look: Look) -> Any:
    """What a legend draws beside a line's name."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **look.line)


def patch(colour: str, **options: Any) -> Any:
    """What a legend draws beside a surface's name."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, **{"linewidth": 0.0, **options})


@dataclass(frozen=True)
class Drawn:
    """A picture as files: ``wide`` and ``narrow`` are SVG with text in the reader's own fonts, ``png`` is the wide one."""

    wide: str
    narrow: str
    png: bytes


def drawn(picture: Picture) -> Drawn:
    """Draw a picture in both sizes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with _settings(NARROW):
        narrow = _svg(picture.draw(NARROW))
    with _settings(WIDE):
        figure = picture.draw(WIDE)
        wide = _svg(figure)
        figure.set_layout_engine("none")  # where everything goes was found just now
        figure.set_dpi(1.75 * PIXELS_AN_INCH)
        content = io.BytesIO()
        FigureCanvasAgg(figure).print_png(content, metadata={"Software": None})
    return Drawn(wide, narrow, content.getvalue())


def _svg(figure: Any) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    content = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(content, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = content.getvalue().decode()
    return text[text.index("<svg") :].replace(_DRAWN, FONTS)


@contextmanager
def _settings(size: Size) -> Iterator[None]:
    import matplotlib

    settings = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": size.text_pt,
        "legend.fontsize": "medium",
        "xtick.labelsize": size.small_pt,
        "ytick.labelsize": size.small_pt,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.unicode_minus": True,
        "text.parse_math": False,  # a name with dollars is no formula
        "svg.fonttype": "none",
        "svg.hashsalt": "report",  # the same evaluations give the same file
        "hatch.linewidth": 0.8,
        "hatch.color": "#9aa5b1",
        "figure.constrained_layout.h_pad": 0.06,
        "figure.constrained_layout.w_pad": 0.06,
    }
    with matplotlib.rc_context(settings):
        yield
