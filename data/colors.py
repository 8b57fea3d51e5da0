"""Changes the colours of training pictures: a whole batch at once, on the device that trains."""

import torch

LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def change_colors(pictures: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Brightness, then saturation, contrast and hue of each picture, as torchvision's ``adjust_`` functions do.

    Those take one picture at a time, which costs a GPU more than the network does. A processor is the faster the better
    what it works on fits into its cache: there, call this for every picture by itself.

    Args:
        pictures: uint8 [B, 3, H, W], RGB.
        factors: float32 [B, 4], of brightness, saturation and contrast, 1 changes nothing; the turn of the hue, as
            part of the circle, -0.5 to 0.5.

    Returns:
        uint8 [B, 3, H, W].
    """
    brightness, saturation, contrast, hue = factors.view(-1, 4, 1, 1, 1).unbind(1)  # [B, 1, 1, 1]
    rgb = (pictures * (brightness / 255)).clamp(max=1)
    rgb = _blend(rgb, _luminance(rgb), saturation)
    if not torch.equal(contrast, torch.ones_like(contrast)):
        rgb = _blend(rgb, _luminance(rgb).mean((2, 3), keepdim=True), contrast)
    if hue.any():
        rgb = _turn_hue(rgb, hue)
    return (rgb * 255).round().to(torch.uint8)


def _luminance(rgb: torch.Tensor) -> torch.Tensor:
    """[B, 3, H, W] -> [B, 1, H, W]."""
    red, green, blue = LUMINANCE
    return red * rgb[:, :1] + green * rgb[:, 1:2] + blue * rgb[:, 2:]


def _blend(rgb: torch.Tensor, other: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return torch.lerp(other.expand_as(rgb), rgb, factor).clamp(0, 1)


def _turn_hue(rgb: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """RGB to HSV, on by `turn` of the circle, and back."""
    value, strongest = rgb.max(1, keepdim=True)  # [B, 1, H, W]
    chroma = value - rgb.amin(1, keepdim=True)
    # Between which two of the other colours a pixel lies, as sixths of the circle from red.
    sector = (rgb.roll(-1, 1) - rgb.roll(-2, 1)).gather(1, strongest) / chroma.clamp(min=1e-6) + 2 * strongest
    # https://en.wikipedia.org/wiki/HSL_and_HSV, HSV to RGB, alternative: n = 5, 3, 1 give red, green, blue.
    n = torch.tensor([5.0, 3.0, 1.0], device=rgb.device).view(3, 1, 1)
    k = (n + sector + 6 * turn) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)
