"""The owner's color, bent just enough that text stays readable (WCAG 1.4.3)."""

from __future__ import annotations

PAPER_LIGHT, PAPER_DARK = "#faf7f2", "#212b2b"
AA = 4.6


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    def linear(value: int) -> float:
        c = value / 255
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    r, g, b = _channels(color)
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)


def contrast(a: str, b: str) -> float:
    """The WCAG contrast ratio of two #rrggbb colors, 1 to 21."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _mix(a: str, b: str, share: float) -> str:
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in zip(_channels(a), _channels(b), strict=True))


def readable_on(color: str, paper: str, toward: str) -> str:
    """`color`, mixed toward black or white until it reads on `paper`."""
    return next(c for c in (_mix(color, toward, step / 20) for step in range(21)) if contrast(c, paper) >= AA or c == toward)


def brand_css(color: str) -> str:
    """Custom properties for both schemes. `--brand` is legible as text; `--on-brand` is legible on it."""
    light = readable_on(color, "#e6efec", "#000000")
    dark = readable_on(color, "#2c3938", "#ffffff")
    on_light, on_dark = (max(("#ffffff", "#10201f"), key=lambda t: contrast(t, c)) for c in (light, dark))
    return (
        f":root{{--brand-light:{light};--on-brand-light:{on_light};--brand-dark:{dark};--on-brand-dark:{on_dark}}}\n"
    )
