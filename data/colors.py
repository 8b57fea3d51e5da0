"""Changes the colours of training pictures: a whole batch at once, on the device that trains."""

import torch

LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def change_colors(pictures: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Brightness, then saturation, contrast and hue of each picture, as torchvision's ``adjust_`` functions do.

    Those take one picture at a time, which costs a GPU more than the network does. A processor is the faster the better
    what it works on fits into its cache: there, call this for every picture by itself.

    Args:
        pictures: uint8 [B, 3, H, W], RGB.
        factors: float32 [B, 2], of brightness and saturation, 1 changes nothing; or [B, 4], with that of contrast and
            the turn of the hue, as part of the circle, -0.5 to 0.5.

    Returns:
        uint8 [B, 3, H, W].
    """
    # How many there are tells what to do: to look into the factors, the program would have to wait for a GPU.
    brightness, saturation, *others = factors[..., None, None, None].unbind(1)  # [B, 1, 1, 1]
    # A crop of a decoded picture has its colours side by side, each of them far faster to work on by itself.
    rgb = (pictures.contiguous() * (brightness / 255)).clamp_(max=1)
    rgb = _blend(rgb, _luminance(rgb), saturation)
    if others:
        contrast, hue = others
        rgb = _blend(rgb, _luminance(rgb).mean((2, 3), keepdim=True), contrast)
        rgb = _turn_hue(rgb, hue)
    return rgb.mul_(255).round_().to(torch.uint8)


def _luminance(rgb: torch.Tensor) -> torch.Tensor:
    """[B, 3, H, W] -> [B, 1, H, W]."""
    red, green, blue = LUMINANCE
    return red * rgb[:, :1] + green * rgb[:, 1:2] + blue * rgb[:, 2:]


def _blend(rgb: torch.Tensor, other: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return torch.lerp(other.expand_as(rgb), rgb, factor).clamp_(0, 1)


def _turn_hue(rgb: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """RGB to HSV, on by `turn` of the circle, and back."""
    value, strongest = rgb.max(1, keepdim=True)  # [B, 1, H, W]
    chroma = value - rgb.amin(1, keepdim=True)
    # Between which two of the other colours a pixel lies, as sixths of the circle from red.
    sector = (rgb.roll(-1, 1) - rgb.roll(-2, 1)).gather(1, strongest) / chroma.clamp(min=1e-6) + 2 * strongest
    # https://en.wikipedia.org/wiki/HSL_and_HSV, HSV to RGB, alternative: n = 5, 3, 1 give red, green, blue.
    n = torch.arange(5.0, 0, -2, device=rgb.device).view(3, 1, 1)
    k = (n + sector + 6 * turn) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1)
